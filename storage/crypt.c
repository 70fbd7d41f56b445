/* SPDX-License-Identifier: Apache-2.0 */
#include "storage/crypt.h"

#include <stdlib.h>
#include <string.h>

#include "base/secret.h"

#define NONCE_RUN (1u << 16)
#define TERMS     4 /* that decrypt at the same time: a rotation's old and new one, and then some */
#define PURPOSES  8

struct term_ctx {
    uint32_t term;
    EVP_CIPHER_CTX *ctx;
};

struct purpose {
    char *name;
    struct hmac *hmac;
};

struct crypt {
    const struct keyring *keyring;
    EVP_CIPHER_CTX *encrypt; /* NULL until first used, as all of these */
    struct hmac *names;
    struct term_ctx decrypt[TERMS];
    struct purpose purposes[PURPOSES];
    unsigned next_term, next_purpose; /* whose place is given up next */
    unsigned char nonce[AEAD_NONCE_SIZE];
    uint32_t nonces_left;
};

struct crypt *crypt_new(const struct keyring *keyring)
{
    struct crypt *crypt = calloc(1, sizeof *crypt);
    if (crypt == NULL)
        abort();
    crypt->keyring = keyring;
    return crypt;
}

void crypt_free(struct crypt *crypt)
{
    if (crypt == NULL)
        return;
    EVP_CIPHER_CTX_free(crypt->encrypt);
    hmac_free(crypt->names);
    for (int i = 0; i < TERMS; i++)
        EVP_CIPHER_CTX_free(crypt->decrypt[i].ctx);
    for (int i = 0; i < PURPOSES; i++) {
        hmac_free(crypt->purposes[i].hmac);
        free(crypt->purposes[i].name);
    }
    free(crypt);
}

static void next_nonce(struct crypt *crypt, unsigned char ret_nonce[AEAD_NONCE_SIZE])
{
    if (crypt->nonces_left == 0) {
        random_bytes(crypt->nonce, sizeof crypt->nonce);
        crypt->nonces_left = NONCE_RUN;
    }
    memcpy(ret_nonce, crypt->nonce, sizeof crypt->nonce);
    crypt->nonces_left--;
    for (int i = AEAD_NONCE_SIZE - 1; i >= 0 && ++crypt->nonce[i] == 0; i--)
        ; /* the carry */
}

EVP_CIPHER_CTX *crypt_encrypt(struct crypt *crypt, uint32_t *ret_term, unsigned char ret_nonce[AEAD_NONCE_SIZE])
{
    const struct keyring_term *newest = keyring_newest(crypt->keyring);
    if (crypt->encrypt == NULL)
        crypt->encrypt = aead_encrypt_new(newest->key);
    *ret_term = newest->term;
    next_nonce(crypt, ret_nonce);
    return crypt->encrypt;
}

EVP_CIPHER_CTX *crypt_decrypt(struct crypt *crypt, uint32_t term)
{
    for (int i = 0; i < TERMS; i++)
        if (crypt->decrypt[i].ctx != NULL && crypt->decrypt[i].term == term)
            return crypt->decrypt[i].ctx;
    const struct keyring_term *found = keyring_find(crypt->keyring, term);
    if (found == NULL)
        return NULL;
    struct term_ctx *slot = &crypt->decrypt[crypt->next_term++ % TERMS];
    EVP_CIPHER_CTX_free(slot->ctx);
    *slot = (struct term_ctx){.term = term, .ctx = aead_decrypt_new(found->key)};
    return slot->ctx;
}

const struct hmac *crypt_names(struct crypt *crypt)
{
    if (crypt->names == NULL)
        crypt->names = hmac_new(crypt->keyring->names_key, sizeof crypt->keyring->names_key);
    return crypt->names;
}

static struct hmac *purpose_hmac(const struct crypt *crypt, const char *purpose)
{
    unsigned char key[32];
    struct hmac *derive = hmac_new(crypt->keyring->mac_key, sizeof crypt->keyring->mac_key);
    hmac_compute(derive, &(struct aead_part){purpose, strlen(purpose)}, 1, key);
    hmac_free(derive);
    struct hmac *hmac = hmac_new(key, sizeof key);
    secret_wipe(key, sizeof key);
    return hmac;
}

const struct hmac *crypt_mac(struct crypt *crypt, const char *purpose)
{
    for (int i = 0; i < PURPOSES; i++)
        if (crypt->purposes[i].hmac != NULL && strcmp(crypt->purposes[i].name, purpose) == 0)
            return crypt->purposes[i].hmac;
    struct purpose *slot = &crypt->purposes[crypt->next_purpose++ % PURPOSES];
    hmac_free(slot->hmac);
    free(slot->name);
    slot->name = strdup(purpose);
    if (slot->name == NULL)
        abort();
    slot->hmac = purpose_hmac(crypt, purpose);
    return slot->hmac;
}
