/* SPDX-License-Identifier: Apache-2.0 */
/*
 * restore_private.h — restores, as the store's other files see them.
 */
#ifndef COFFER_STORAGE_RESTORE_PRIVATE_H
#define COFFER_STORAGE_RESTORE_PRIVATE_H

#include "storage/store_private.h"

/* How far a restore is. begin is 0 when none is under way. */
struct restore_state {
    uint64_t begin;
    uint32_t next; /* number of the entry with records that must come */
    uint64_t count;
};

/* Which of the environment's tables is the state, as of a transaction. ERR_CORRUPT; ERR_IO. */
int restore_live(MDB_txn *txn, const struct store_env *env, unsigned *ret_live) MUST_CHECK;
int restore_read(MDB_txn *txn, const struct store_env *env, struct restore_state *ret) MUST_CHECK;
/* Returns LMDB's code. */
int restore_write(MDB_txn *txn, const struct store_env *env, EVP_MAC_CTX *checksum,
                  const struct restore_state *state) MUST_CHECK;

/* Whether an entry of the log is one of a restore, not a batch. */
bool restore_is_entry(const void *data, size_t len);

struct restore_step {
    MDB_txn *txn;
    const struct store_env *env;
    EVP_MAC_CTX *checksum;
    unsigned live;    /* changed by an end */
    bool has_swapped; /* set by an end */
    int code;         /* LMDB's, when it failed */
};
/* ERR_CORRUPT when it is malformed. */
int restore_apply(struct restore_step *step, uint64_t index, const void *data, size_t len) MUST_CHECK;

#endif
