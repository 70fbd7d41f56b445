/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kept.h — parsed records, kept by the tag of what they were decrypted from.
 *
 * A tag changes with every write (barrier_value_tag()), and whoever asks has it from a snapshot of their own: so
 * nothing here is ever out of date, and nobody has to be told of a write. Values are shared between threads and must
 * not be changed. A full place is taken over by the newcomer: at most KEPT_MAX values, each of a text of at most
 * KEPT_TEXT_MAX bytes. Threads: any.
 */
#ifndef COFFER_STORAGE_KEPT_H
#define COFFER_STORAGE_KEPT_H

#include <jansson.h>
#include <stdbool.h>

#include "storage/barrier.h"
#include "storage/store.h"

#define KEPT_MAX      4096
#define KEPT_TEXT_MAX 2048

struct kept;

/* Closed: it keeps nothing. */
struct kept *kept_new(void);
/* NULL is fine. */
void kept_free(struct kept *kept);

/* Opens it, or closes it and forgets everything. What kept_put() brings meanwhile or later is not kept. */
void kept_open(struct kept *kept, bool is_open);

/* The value of the record `key` as it was with this tag: a new reference, or NULL. */
json_t *kept_get(struct kept *kept, const unsigned char key[STORE_KEY_SIZE], const unsigned char tag[BARRIER_TAG_SIZE]);
/* Takes a reference of its own. */
void kept_put(struct kept *kept, const unsigned char key[STORE_KEY_SIZE], const unsigned char tag[BARRIER_TAG_SIZE],
              json_t *value);

#endif
