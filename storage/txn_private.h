/* SPDX-License-Identifier: Apache-2.0 */
/* txn_private.h — a transaction's insides, for txn*.c. */
#ifndef COFFER_STORAGE_TXN_PRIVATE_H
#define COFFER_STORAGE_TXN_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "storage/idmap.h"
#include "storage/path.h"
#include "storage/txn.h"

enum write_kind {
    WRITE_NOTHING, /* made, and deleted again: it is as if nothing had been */
    WRITE_PUT,
    WRITE_PUT_CLEAR,
    WRITE_DELETE,
};

/* What becomes of one record. */
struct write {
    enum write_kind kind;
    bool existed;   /* in the snapshot */
    size_t old_len; /* there, as it was stored */
    unsigned char key[STORE_KEY_SIZE];
    const char *name;
    const void *data; /* of a put */
    size_t len;
};

struct txn {
    struct store *store;
    struct barrier *barrier;
    struct store_view *view; /* NULL after txn_release(): see txn_view() */
    bool was_released;
    uint64_t index; /* then: of the first view */
    struct arena arena;
    struct buf scratch; /* what was last decrypted */
    struct buf reads;   /* ids, see batch_private.h */
    struct write **writes;
    size_t n_writes, cap_writes;
    struct idmap by_id; /* id of a record → its place in writes, plus one */
    /* The directory that was last used, whose key needs no computing. */
    char *last_dir; /* NULL: none */
    size_t last_dir_len, last_dir_cap;
    unsigned char last_dir_key[STORE_DIR_SIZE];
    /* The record that last showed that a directory is not empty; see has_sibling() in txn_write.c. */
    bool has_witness;
    unsigned char witness[STORE_KEY_SIZE];
};

/* The snapshot to read from, which may have to be made. Once before each use; errors as txn_begin(). */
int txn_view(struct txn *txn, struct store_view **ret_view) MUST_CHECK;
/* Reads a record of the snapshot; the value is valid until the transaction is released or freed. */
int txn_view_get(struct txn *txn, const unsigned char *key, const void **ret_value, size_t *ret_len) MUST_CHECK;
int txn_key(struct txn *txn, struct path path, unsigned char ret_key[STORE_KEY_SIZE]) MUST_CHECK;
void txn_note_read(struct txn *txn, const unsigned char id[ID_SIZE]);
/* After a decryption failed: whether another keyring is in use by now than in that generation: then it is tried again.
 */
bool txn_has_followed(struct txn *txn, uint64_t generation);
/* That the transaction relied on what a record says, or on whether it is there. */
void txn_note_record(struct txn *txn, const unsigned char *key);
void txn_note_existence(struct txn *txn, const unsigned char *key);
/* This transaction's own write of a record, or NULL. */
struct write *txn_find_write(const struct txn *txn, const unsigned char key[STORE_KEY_SIZE]);
/* Deletes one record, which is there or not, and no marker. */
int txn_remove(struct txn *txn, struct path path, bool *ret_removed) MUST_CHECK;
/* After something went from path's directory: deletes its marker if it is empty now, and so on upwards. */
int txn_prune(struct txn *txn, struct path path) MUST_CHECK;

static inline bool write_is_put(const struct write *write)
{
    return write->kind == WRITE_PUT;
}

#endif
