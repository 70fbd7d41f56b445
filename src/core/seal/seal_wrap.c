/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#include "base/encoding.h"
#include "base/secret.h"
#include "core/core_private.h"
#include "core/seal/seal_private.h"

#define NONCE 12
#define TAG   16

static_assert(SEAL_WRAPPED_SIZE == NONCE + BARRIER_KEY_SIZE + TAG, "what seal_private.h says");

void seal_wrap(const unsigned char key[BARRIER_KEY_SIZE], const char *purpose,
               const unsigned char secret[BARRIER_KEY_SIZE], struct buf *ret)
{
    unsigned char out[SEAL_WRAPPED_SIZE];
    int n;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    random_bytes(out, NONCE);
    int ok = ctx != NULL && EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, out) &&
             EVP_EncryptUpdate(ctx, NULL, &n, (const unsigned char *)purpose, (int)strlen(purpose) + 1) &&
             EVP_EncryptUpdate(ctx, out + NONCE, &n, secret, BARRIER_KEY_SIZE) &&
             EVP_EncryptFinal_ex(ctx, out + NONCE + n, &n) &&
             EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, TAG, out + NONCE + BARRIER_KEY_SIZE);
    EVP_CIPHER_CTX_free(ctx);
    assert(ok);
    buf_put(ret, out, sizeof out);
}

int seal_unwrap(const unsigned char key[BARRIER_KEY_SIZE], const char *purpose, const void *data, size_t len,
                unsigned char ret_secret[BARRIER_KEY_SIZE])
{
    const unsigned char *in = data;
    unsigned char secret[BARRIER_KEY_SIZE + TAG];
    int n;
    if (len != SEAL_WRAPPED_SIZE)
        return ERR_DENIED;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int ok = ctx != NULL && EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, in) &&
             EVP_DecryptUpdate(ctx, NULL, &n, (const unsigned char *)purpose, (int)strlen(purpose) + 1) &&
             EVP_DecryptUpdate(ctx, secret, &n, in + NONCE, BARRIER_KEY_SIZE) &&
             EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, TAG, (void *)(in + NONCE + BARRIER_KEY_SIZE)) &&
             EVP_DecryptFinal_ex(ctx, secret + n, &n);
    EVP_CIPHER_CTX_free(ctx);
    if (ok)
        memcpy(ret_secret, secret, BARRIER_KEY_SIZE);
    secret_wipe(secret, sizeof secret);
    return ok ? OK : ERR_DENIED;
}

static void derive(const unsigned char key[BARRIER_KEY_SIZE], const char *purpose, unsigned char ret[32])
{
    unsigned n = 32;
    unsigned char *mac =
        HMAC(EVP_sha256(), key, BARRIER_KEY_SIZE, (const unsigned char *)purpose, strlen(purpose) + 1, ret, &n);
    assert(mac != NULL);
}

void join_secret(const unsigned char unseal_key[BARRIER_KEY_SIZE], unsigned char ret_secret[32])
{
    derive(unseal_key, "coffer join", ret_secret);
}

void recovery_mark(const unsigned char recovery_key[BARRIER_KEY_SIZE], char ret_hex[65])
{
    unsigned char mark[32];
    derive(recovery_key, "coffer recovery", mark);
    hex_encode(mark, sizeof mark, ret_hex);
}
