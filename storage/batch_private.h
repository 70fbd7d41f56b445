/* SPDX-License-Identifier: Apache-2.0 */
/*
 * batch_private.h — what a batch is made of, for txn.c, which makes it, and entry.c and window.c.
 *
 * What a transaction relied on, and what it changes, are ids of three kinds:
 *   - a record (the second half of its key): changes with every write of it;
 *   - its existence (the same, last bit flipped): changes when it comes or goes;
 *   - a directory's contents (the first half): change when a name in it comes or goes.
 * So a blind overwrite disturbs nobody but who read that value, and two that create the same record, or a
 * record in a directory that another empties, do disturb each other.
 */
#ifndef COFFER_STORAGE_BATCH_PRIVATE_H
#define COFFER_STORAGE_BATCH_PRIVATE_H

#include <string.h>

#include "storage/batch.h"
#include "storage/idmap.h"

struct batch {
    uint64_t index;     /* of the snapshot */
    uint32_t count;     /* of the operations */
    struct buf ops;     /* encoded as in an entry */
    struct buf reads;   /* ids, ID_SIZE each */
    struct buf changes; /* ids */
};

/* Appends an operation's head; batch_end_put() sets the length when the value stands behind it. */
size_t batch_begin_put(struct batch *batch, const unsigned char key[STORE_KEY_SIZE]);
void batch_end_put(struct batch *batch, size_t start);
void batch_put_delete(struct batch *batch, const unsigned char key[STORE_KEY_SIZE]);

static inline void id_of_record(const unsigned char key[STORE_KEY_SIZE], unsigned char ret_id[ID_SIZE])
{
    memcpy(ret_id, key + STORE_DIR_SIZE, ID_SIZE);
}

static inline void id_of_existence(const unsigned char key[STORE_KEY_SIZE], unsigned char ret_id[ID_SIZE])
{
    id_of_record(key, ret_id);
    ret_id[ID_SIZE - 1] ^= 1;
}

#endif
