/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keyring.h — the barrier's keys: one for names, one for MACs, one a term for values.
 *
 * Stored form: format u8 = 1 ‖ checksum u64 of what follows ‖ nonce 12 ‖ AES-256-GCM by the root key ‖ tag 16.
 * The checksum is what tells a damaged keyring from a wrong root key.
 * A keyring lies in secret memory and does not change: rotation makes another.
 */
#ifndef COFFER_STORAGE_KEYRING_H
#define COFFER_STORAGE_KEYRING_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define KEYRING_KEY_SIZE  32
#define KEYRING_TERMS_MAX 65536
#define KEYRING_ID_SIZE   21 /* by its first bytes, the nonce among them, one stored form is told from all others */

struct keyring_term {
    uint32_t term; /* ascending, from 1 */
    int64_t installed_ms;
    unsigned char key[KEYRING_KEY_SIZE];
};

struct keyring {
    unsigned char names_key[KEYRING_KEY_SIZE]; /* of the records' keys; never changes */
    unsigned char mac_key[KEYRING_KEY_SIZE];   /* the keys of barrier_mac() come from it; never changes */
    uint32_t count;
    struct keyring_term terms[]; /* at least one; the last is the one that encrypts */
};

/* With one term. */
struct keyring *keyring_new(void);
/* A copy with a further term. ERR_TOO_LARGE beyond KEYRING_TERMS_MAX. */
int keyring_rotate(const struct keyring *keyring, int64_t now_ms, struct keyring **ret_keyring) MUST_CHECK;
/* Wipes; NULL is fine. */
void keyring_free(struct keyring *keyring);

/* Appends the stored form. */
void keyring_seal(const struct keyring *keyring, const unsigned char root_key[KEYRING_KEY_SIZE], struct buf *ret);
/* ERR_DENIED when root_key does not fit; ERR_CORRUPT. */
int keyring_open(const void *data, size_t len, const unsigned char root_key[KEYRING_KEY_SIZE],
                 struct keyring **ret_keyring, struct err *err) MUST_CHECK;

const struct keyring_term *keyring_newest(const struct keyring *keyring);
/* NULL when there is none such. */
const struct keyring_term *keyring_find(const struct keyring *keyring, uint32_t term);

#endif
