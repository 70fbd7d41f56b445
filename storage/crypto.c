/* SPDX-License-Identifier: Apache-2.0 */
#include "storage/crypto.h"

#include <assert.h>
#include <endian.h>
#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/params.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"

static pthread_once_t fetch_once = PTHREAD_ONCE_INIT;
static EVP_CIPHER *aes_256_gcm;
static EVP_MAC *hmac, *siphash;

void crypto_must(bool done, const char *what)
{
    if (done)
        return;
    fprintf(stderr, "OpenSSL failed: %s.\n", what);
    abort();
}

static void fetch(void)
{
    aes_256_gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    siphash = EVP_MAC_fetch(NULL, "SIPHASH", NULL);
    crypto_must(aes_256_gcm != NULL && hmac != NULL && siphash != NULL, "an algorithm is missing");
}

static EVP_CIPHER_CTX *aead_new(const unsigned char key[AEAD_KEY_SIZE], int is_encrypt)
{
    pthread_once(&fetch_once, fetch);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    crypto_must(ctx != NULL && EVP_CipherInit_ex2(ctx, aes_256_gcm, key, NULL, is_encrypt, NULL) == 1, "AES-256-GCM");
    return ctx;
}

EVP_CIPHER_CTX *aead_encrypt_new(const unsigned char key[AEAD_KEY_SIZE])
{
    return aead_new(key, 1);
}

EVP_CIPHER_CTX *aead_decrypt_new(const unsigned char key[AEAD_KEY_SIZE])
{
    return aead_new(key, 0);
}

static void aead_start(EVP_CIPHER_CTX *ctx, const unsigned char *nonce, struct aead_part aad)
{
    int n;
    crypto_must(EVP_CipherInit_ex2(ctx, NULL, NULL, nonce, -1, NULL) == 1 &&
                    EVP_CipherUpdate(ctx, NULL, &n, aad.data, (int)aad.len) == 1,
                "AES-256-GCM");
}

void aead_seal(EVP_CIPHER_CTX *ctx, const unsigned char nonce[AEAD_NONCE_SIZE], struct aead_part aad,
               const struct aead_part *parts, int n, struct buf *ret)
{
    size_t total = 0;
    for (int i = 0; i < n; i++)
        total += parts[i].len;
    assert(total <= INT_MAX / 2);
    buf_put(ret, nonce, AEAD_NONCE_SIZE);
    buf_reserve(ret, total + AEAD_TAG_SIZE);
    aead_start(ctx, nonce, aad);
    int written;
    for (int i = 0; i < n; i++) {
        if (parts[i].len == 0)
            continue;
        crypto_must(EVP_CipherUpdate(ctx, ret->data + ret->len, &written, parts[i].data, (int)parts[i].len) == 1,
                    "encryption");
        ret->len += (size_t)written;
    }
    crypto_must(EVP_CipherFinal_ex(ctx, ret->data + ret->len, &written) == 1 &&
                    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, AEAD_TAG_SIZE, ret->data + ret->len) == 1,
                "encryption");
    ret->len += AEAD_TAG_SIZE;
}

bool aead_open(EVP_CIPHER_CTX *ctx, struct aead_part aad, const void *sealed, size_t len, unsigned char *ret)
{
    if (len < AEAD_NONCE_SIZE + AEAD_TAG_SIZE || len > INT_MAX / 2)
        return false;
    const unsigned char *nonce = sealed, *text = nonce + AEAD_NONCE_SIZE;
    size_t size = len - AEAD_NONCE_SIZE - AEAD_TAG_SIZE;
    unsigned char tag[AEAD_TAG_SIZE];
    int written;
    memcpy(tag, text + size, sizeof tag);
    aead_start(ctx, nonce, aad);
    if ((size == 0 || EVP_CipherUpdate(ctx, ret, &written, text, (int)size) == 1) &&
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, sizeof tag, tag) == 1 &&
        EVP_CipherFinal_ex(ctx, ret + size, &written) == 1)
        return true;
    secret_wipe(ret, size);
    return false;
}

void aead_peek(EVP_CIPHER_CTX *ctx, struct aead_part aad, const void *sealed, size_t size, unsigned char *ret)
{
    int written;
    aead_start(ctx, sealed, aad);
    crypto_must(EVP_CipherUpdate(ctx, ret, &written, (const unsigned char *)sealed + AEAD_NONCE_SIZE, (int)size) == 1,
                "decryption");
}

EVP_MAC_CTX *hmac_new(const unsigned char *key, size_t size)
{
    pthread_once(&fetch_once, fetch);
    EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(hmac);
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)"SHA256", 0),
                           OSSL_PARAM_construct_end()};
    crypto_must(ctx != NULL && EVP_MAC_init(ctx, key, size, params) == 1, "HMAC-SHA-256");
    return ctx;
}

static size_t mac_compute(EVP_MAC_CTX *ctx, const struct aead_part *parts, int n, unsigned char *ret, size_t size)
{
    size_t len = 0;
    crypto_must(EVP_MAC_init(ctx, NULL, 0, NULL) == 1, "a MAC");
    for (int i = 0; i < n; i++)
        if (parts[i].len > 0)
            crypto_must(EVP_MAC_update(ctx, parts[i].data, parts[i].len) == 1, "a MAC");
    crypto_must(EVP_MAC_final(ctx, ret, &len, size) == 1, "a MAC");
    return len;
}

void hmac_compute(EVP_MAC_CTX *ctx, const struct aead_part *parts, int n, unsigned char ret[32])
{
    size_t len = mac_compute(ctx, parts, n, ret, 32);
    assert(len == 32);
}

EVP_MAC_CTX *checksum_new(void)
{
    pthread_once(&fetch_once, fetch);
    static const unsigned char key[16] = "coffer checksum";
    size_t size = sizeof(uint64_t);
    OSSL_PARAM params[] = {OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &size), OSSL_PARAM_construct_end()};
    EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(siphash);
    crypto_must(ctx != NULL && EVP_MAC_init(ctx, key, sizeof key, params) == 1, "SipHash");
    return ctx;
}

uint64_t checksum_compute(EVP_MAC_CTX *ctx, const struct aead_part *parts, int n)
{
    uint64_t sum = 0;
    size_t len = mac_compute(ctx, parts, n, (unsigned char *)&sum, sizeof sum);
    assert(len == sizeof sum);
    return be64toh(sum);
}
