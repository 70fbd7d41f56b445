/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crypto.h — the few OpenSSL algorithms that storage stands on, looked up once.
 *
 * Looking an algorithm up by name, or setting a key, costs more than encrypting a record: so
 * algorithms are fetched once for the process, and contexts with their key in them are kept
 * (crypt.h). Out of memory, or an OpenSSL without AES, ends the process.
 */
#ifndef COFFER_STORAGE_CRYPTO_H
#define COFFER_STORAGE_CRYPTO_H

#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define AEAD_KEY_SIZE   32
#define AEAD_NONCE_SIZE 12
#define AEAD_TAG_SIZE   16

/* AES-256-GCM contexts that hold a key. Freeing one (EVP_CIPHER_CTX_free) wipes it. */
EVP_CIPHER_CTX *aead_encrypt_new(const unsigned char key[AEAD_KEY_SIZE]);
EVP_CIPHER_CTX *aead_decrypt_new(const unsigned char key[AEAD_KEY_SIZE]);

/* Several pieces that are encrypted as one. */
struct aead_part {
    const void *data;
    size_t len;
};
/* Appends nonce ‖ ciphertext ‖ tag. `aad` is bound, not contained. */
void aead_seal(EVP_CIPHER_CTX *ctx, const unsigned char nonce[AEAD_NONCE_SIZE], struct aead_part aad,
               const struct aead_part *parts, int n, struct buf *ret);
/*
 * Opens what aead_seal() wrote. ret holds len - AEAD_NONCE_SIZE - AEAD_TAG_SIZE bytes. False when it is
 * not genuine, with ret wiped.
 */
bool aead_open(EVP_CIPHER_CTX *ctx, struct aead_part aad, const void *sealed, size_t len, unsigned char *ret);
/* Decrypts only the first `size` bytes and checks nothing: the caller must have another proof of them. */
void aead_peek(EVP_CIPHER_CTX *ctx, struct aead_part aad, const void *sealed, size_t size, unsigned char *ret);

/*
 * HMAC-SHA-256 (RFC 2104) with a key of at most 64 bytes. A record's key is two of them, and a request uses a dozen
 * records: OpenSSL's EVP_MAC takes four times as long for so short a text as the hash itself, which is what is called
 * here.
 */
struct hmac;
struct hmac *hmac_new(const unsigned char *key, size_t size);
/* Wipes; NULL is fine. */
void hmac_free(struct hmac *hmac);
/* The MAC of the pieces one after the other. Several threads may use one key. */
void hmac_compute(const struct hmac *hmac, const struct aead_part *parts, int n, unsigned char ret[32]);

/*
 * A checksum against accidents, not against people: SipHash-2-4 with a known key, 64 bits. It is as
 * fast as a table-driven CRC, leaves 2^-64 undetected however many bits are hit, and OpenSSL, which is
 * linked anyway, has it.
 */
EVP_MAC_CTX *checksum_new(void);
uint64_t checksum_compute(EVP_MAC_CTX *ctx, const struct aead_part *parts, int n);

/* Ends the process, with a word on standard error, when OpenSSL could not do what cannot fail. */
void crypto_must(bool done, const char *what);

#endif
