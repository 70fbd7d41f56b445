/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#include "base/secret.h"
#include "core/core_private.h"
#include "core/seal_private.h"

#define NONCE   12
#define TAG     16
#define WRAPPED (NONCE + BARRIER_KEY_SIZE + TAG)

static const char bound_to[] = "coffer root key";

void seal_wrap(const unsigned char unseal_key[BARRIER_KEY_SIZE], const unsigned char root_key[BARRIER_KEY_SIZE],
               struct buf *ret)
{
    unsigned char out[WRAPPED];
    int n;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    random_bytes(out, NONCE);
    int ok = ctx != NULL && EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, unseal_key, out) &&
             EVP_EncryptUpdate(ctx, NULL, &n, (const unsigned char *)bound_to, sizeof bound_to) &&
             EVP_EncryptUpdate(ctx, out + NONCE, &n, root_key, BARRIER_KEY_SIZE) &&
             EVP_EncryptFinal_ex(ctx, out + NONCE + n, &n) &&
             EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, TAG, out + NONCE + BARRIER_KEY_SIZE);
    EVP_CIPHER_CTX_free(ctx);
    assert(ok);
    buf_put(ret, out, sizeof out);
}

int seal_unwrap(const unsigned char unseal_key[BARRIER_KEY_SIZE], const void *data, size_t len,
                unsigned char ret_root_key[BARRIER_KEY_SIZE])
{
    const unsigned char *in = data;
    unsigned char key[BARRIER_KEY_SIZE + TAG];
    int n;
    if (len != WRAPPED)
        return ERR_DENIED;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int ok = ctx != NULL && EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, unseal_key, in) &&
             EVP_DecryptUpdate(ctx, NULL, &n, (const unsigned char *)bound_to, sizeof bound_to) &&
             EVP_DecryptUpdate(ctx, key, &n, in + NONCE, BARRIER_KEY_SIZE) &&
             EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, TAG, (void *)(in + NONCE + BARRIER_KEY_SIZE)) &&
             EVP_DecryptFinal_ex(ctx, key + n, &n);
    EVP_CIPHER_CTX_free(ctx);
    if (ok)
        memcpy(ret_root_key, key, BARRIER_KEY_SIZE);
    secret_wipe(key, sizeof key);
    return ok ? OK : ERR_DENIED;
}

void join_secret(const unsigned char unseal_key[BARRIER_KEY_SIZE], unsigned char ret_secret[32])
{
    static const char purpose[] = "coffer join";
    unsigned n = 32;
    unsigned char *mac = HMAC(EVP_sha256(), unseal_key, BARRIER_KEY_SIZE, (const unsigned char *)purpose,
                              sizeof purpose, ret_secret, &n);
    assert(mac != NULL);
}
