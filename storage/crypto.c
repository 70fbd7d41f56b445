/* SPDX-License-Identifier: Apache-2.0 */
#define OPENSSL_SUPPRESS_DEPRECATED /* of SHA256_…: see hmac_new() in the header */
#include "storage/crypto.h"

#include <assert.h>
#include <endian.h>
#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/sha.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"

static pthread_once_t fetch_once = PTHREAD_ONCE_INIT;
static EVP_CIPHER *aes_256_gcm;
static EVP_MAC *siphash;

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
    siphash = EVP_MAC_fetch(NULL, "SIPHASH", NULL);
    crypto_must(aes_256_gcm != NULL && siphash != NULL, "an algorithm is missing");
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

struct hmac {
    SHA256_CTX inner, outer; /* that have taken the padded key */
};

static void take_key(SHA256_CTX *hash, const unsigned char *key, size_t size, unsigned char pad)
{
    unsigned char block[SHA256_CBLOCK];
    memset(block, pad, sizeof block);
    for (size_t i = 0; i < size; i++)
        block[i] ^= key[i];
    crypto_must(SHA256_Init(hash) == 1 && SHA256_Update(hash, block, sizeof block) == 1, "SHA-256");
    secret_wipe(block, sizeof block);
}

struct hmac *hmac_new(const unsigned char *key, size_t size)
{
    assert(size <= SHA256_CBLOCK);
    struct hmac *hmac = malloc(sizeof *hmac);
    if (hmac == NULL)
        abort();
    take_key(&hmac->inner, key, size, 0x36);
    take_key(&hmac->outer, key, size, 0x5c);
    return hmac;
}

void hmac_free(struct hmac *hmac)
{
    if (hmac != NULL)
        secret_wipe(hmac, sizeof *hmac);
    free(hmac);
}

void hmac_compute(const struct hmac *hmac, const struct aead_part *parts, int n, unsigned char ret[32])
{
    unsigned char inner[SHA256_DIGEST_LENGTH];
    struct hmac work = *hmac;
    int done = 1;
    for (int i = 0; i < n; i++)
        done &= SHA256_Update(&work.inner, parts[i].data, parts[i].len);
    done &= SHA256_Final(inner, &work.inner) & SHA256_Update(&work.outer, inner, sizeof inner);
    crypto_must((done & SHA256_Final(ret, &work.outer)) == 1, "SHA-256");
    secret_wipe(&work, sizeof work);
    secret_wipe(inner, sizeof inner);
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
    size_t len = 0;
    bool done = EVP_MAC_init(ctx, NULL, 0, NULL) == 1;
    for (int i = 0; i < n; i++)
        done = done && (parts[i].len == 0 || EVP_MAC_update(ctx, parts[i].data, parts[i].len) == 1);
    done = done && EVP_MAC_final(ctx, (unsigned char *)&sum, &len, sizeof sum) == 1;
    crypto_must(done && len == sizeof sum, "a checksum");
    return be64toh(sum);
}
