/* SPDX-License-Identifier: Apache-2.0 */
/*
 * barrier.h — the wall between plaintext and everything that is stored, replicated or sent.
 *
 * Above it are paths and values; below it are 32-byte keys and ciphertext. A record's key is
 * MAC(directory) ‖ MAC(directory, name), 16 bytes each, with a key that never changes. Its value is
 *
 *     term u32 ‖ format u8 ‖ nonce 12 ‖ AES-256-GCM( name length u16 ‖ name ‖ data ) ‖ tag 16
 *
 * with the record's key as associated data, so that a value moved to another key does not open.
 * The keyring holds the MAC key and one encryption key a term; it is stored encrypted by the root
 * key, and the root key encrypted by the seal (seal.h).
 *
 * Keys, the root key among them, lie in secret memory (base/secret.h) until the barrier is sealed; what OpenSSL makes
 * of them, its contexts, is wiped then too. Threads: any. barrier_seal() waits for calls that run.
 */
#ifndef COFFER_STORAGE_BARRIER_H
#define COFFER_STORAGE_BARRIER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "storage/store.h"

#define BARRIER_KEY_SIZE 32
#define BARRIER_TAG_SIZE 16
#define BARRIER_NAME_MAX 1024
/* Records that one process encrypts under one term; beyond it the barrier only decrypts until a rotation (crypt.h). */
#define BARRIER_TERM_RECORDS_MAX (UINT64_C(1) << 40)

struct barrier;
struct kept;

/* Sealed at first. */
struct barrier *barrier_new(void);
void barrier_free(struct barrier *barrier);

/* Makes a fresh keyring and appends it, encrypted by root_key, to ret_keyring. The barrier stays sealed. */
int barrier_create_keyring(const unsigned char root_key[BARRIER_KEY_SIZE], struct buf *ret_keyring,
                           struct err *err) MUST_CHECK;
/* Opens a stored keyring. ERR_DENIED when root_key does not fit; ERR_CORRUPT when it is damaged. */
int barrier_unseal(struct barrier *barrier, const unsigned char root_key[BARRIER_KEY_SIZE], const void *keyring,
                   size_t len, struct err *err) MUST_CHECK;
/*
 * Takes over what is stored by now, once a rotation has been committed: read() appends it, after all that was read
 * before for the same purpose, and returns OK or why it cannot. The root key is the one that unsealed. ERR_SEALED;
 * ERR_DENIED when it is under another root key; ERR_CORRUPT.
 */
int barrier_follow(struct barrier *barrier, int (*read)(void *arg, struct buf *ret), void *arg,
                   struct err *err) MUST_CHECK;
/* Another number with every change of the keyring that is in use. */
uint64_t barrier_generation(struct barrier *barrier);
/* Wipes every key. */
void barrier_seal(struct barrier *barrier);
bool barrier_is_sealed(struct barrier *barrier);
/*
 * Appends a stored keyring with a further term to ret_keyring; now_ms: since when it is there. In use once it is stored
 * and barrier_follow() has taken it over. Errors as barrier_follow(); ERR_TOO_LARGE beyond KEYRING_TERMS_MAX.
 */
int barrier_rotate(struct barrier *barrier, const void *keyring, size_t len, int64_t now_ms, struct buf *ret_keyring,
                   struct err *err) MUST_CHECK;
/* The term that encrypts, since when it is there (wall clock), and how many records this process encrypted with it. */
uint32_t barrier_term(struct barrier *barrier);
int64_t barrier_term_installed_ms(struct barrier *barrier);
uint64_t barrier_term_records(struct barrier *barrier);
/* Those of them that nobody has put on record yet; and that somebody has. */
uint64_t barrier_unnoted_records(struct barrier *barrier);
void barrier_note_records(struct barrier *barrier, uint64_t records);

/* The key of the record `name` in directory `dir` ("" or "a/b/"); its first half alone names the directory. */
int barrier_record_key(struct barrier *barrier, const char *dir, const char *name,
                       unsigned char ret_key[STORE_KEY_SIZE]) MUST_CHECK;
int barrier_dir_key(struct barrier *barrier, const char *dir, unsigned char ret_dir[STORE_DIR_SIZE]) MUST_CHECK;
/*
 * The same for a path whose first dir_len bytes are the directory and the next name_len the name. known_dir: the
 * directory's key, when the caller has it already; else NULL.
 */
int barrier_path_key(struct barrier *barrier, const char *path, size_t dir_len, size_t name_len,
                     const unsigned char *known_dir, unsigned char ret_key[STORE_KEY_SIZE]) MUST_CHECK;

/*
 * Appends the stored form to ret. ERR_SEALED; ERR_INVALID for a name that is too long; ERR_TOO_LARGE for data beyond
 * STORE_VALUE_MAX; ERR_UNAVAILABLE when the term's key has encrypted all it may.
 */
int barrier_encrypt(struct barrier *barrier, const unsigned char key[STORE_KEY_SIZE], const char *name,
                    const void *data, size_t len, struct buf *ret) MUST_CHECK;
/* Appends the data, and the name if ret_name is not NULL. ERR_SEALED; ERR_CORRUPT. */
int barrier_decrypt(struct barrier *barrier, const unsigned char key[STORE_KEY_SIZE], const void *value, size_t len,
                    struct buf *ret_name, struct buf *ret_data) MUST_CHECK;
/*
 * Appends only the name of a record in directory `dir`, at a cost that does not grow with the data. What proves the
 * name is that the record's key is its MAC. ERR_SEALED; ERR_CORRUPT.
 */
int barrier_decrypt_name(struct barrier *barrier, const char *dir, const unsigned char key[STORE_KEY_SIZE],
                         const void *value, size_t len, struct buf *ret_name) MUST_CHECK;
/* The GCM tag of a stored value: another one after every write. */
int barrier_value_tag(const void *value, size_t len, unsigned char ret_tag[BARRIER_TAG_SIZE]) MUST_CHECK;

/* What was parsed of records (kept.h); empty, and staying so, while sealed. It lives as long as the barrier. */
struct kept *barrier_kept(struct barrier *barrier);

/* HMAC-SHA-256 under a key of the keyring that is bound to `purpose` ("token", "audit"). ERR_SEALED. */
int barrier_mac(struct barrier *barrier, const char *purpose, const void *data, size_t len,
                unsigned char ret_mac[32]) MUST_CHECK;

#endif
