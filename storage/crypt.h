/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crypt.h — what one thread at a time encrypts, decrypts and MACs with: OpenSSL contexts that hold
 * the keyring's keys already. Made when first needed, wiped with crypt_free().
 *
 * Nonces. A term's key is used by every process that has unsealed it: by each node that leads in turn,
 * by one that does not know yet that it leads no more, and again after each restart. So no counter
 * can be trusted to be the only one, and a nonce must be random. A run of nonces begins at 96
 * random bits and counts up from there 2^16 times. Two runs overlap with probability 2^17 / 2^96; N records
 * make N / 2^16 runs, hence a collision anywhere has probability N^2 / 2^112. Wholly random nonces
 * would have N^2 / 2^97 and a call of the generator, dearer than the encryption itself, for each
 * record. BARRIER_TERM_RECORDS_MAX of 2^40 keeps it at the 2^-32 that NIST SP 800-38D asks for (§8.3).
 */
#ifndef COFFER_STORAGE_CRYPT_H
#define COFFER_STORAGE_CRYPT_H

#include "storage/crypto.h"
#include "storage/keyring.h"

struct crypt;

/* The keyring is borrowed and must live longer. */
struct crypt *crypt_new(const struct keyring *keyring);
void crypt_free(struct crypt *crypt);

/* The context that encrypts under the newest term, and a nonce that was never used with it. */
EVP_CIPHER_CTX *crypt_encrypt(struct crypt *crypt, uint32_t *ret_term, unsigned char ret_nonce[AEAD_NONCE_SIZE]);
/* The context that decrypts what a term encrypted; NULL for a term that the keyring does not have. */
EVP_CIPHER_CTX *crypt_decrypt(struct crypt *crypt, uint32_t term);
/* HMAC-SHA-256 under the key of names. */
const struct hmac *crypt_names(struct crypt *crypt);
/* HMAC-SHA-256 under a key that is derived for a purpose. */
const struct hmac *crypt_mac(struct crypt *crypt, const char *purpose);

#endif
