/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_private.h — what the files of the store share: the LMDB environment, and the store itself.
 *
 * One directory:  data.mdb  the state (env.c)     lock      held while a process has the store open
 *                 lock.mdb  LMDB's readers        import/, compact/   states that are being made; removed at start
 *
 * In data.mdb the unnamed database holds records of the store's own, "position", "configuration" and those of
 * restore.c. One of the databases "records" and "restored" holds the records, the other what is being restored, if
 * anything is; a finished restore swaps the two. Every value begins with a checksum of
 * key and value (u64), which is taken off before anybody else sees it.
 */
#ifndef COFFER_STORAGE_STORE_PRIVATE_H
#define COFFER_STORAGE_STORE_PRIVATE_H

#include <lmdb.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdatomic.h>

#include "storage/store.h"
#include "storage/thread_slot.h"

#define IMPORT_DIR          "import"
#define COMPACT_DIR         "compact"
#define STORE_PATH_MAX      4096
#define STORE_CHECKSUM_SIZE 8

/* ---- env.c: one open environment; the store and every view of it hold a reference ---- */

struct store_env {
    MDB_env *mdb;
    MDB_dbi own, tables[2]; /* of the tables, restore_live() says which is the state */
    int witness_fd;         /* of the data file, for file_lost_writes() */
    atomic_uint refs;
};

/* Opens the environment in `dir`, which must hold a sound data.mdb. */
int env_open(const char *dir, struct store_env **ret_env, struct err *err) MUST_CHECK;
/* Makes a fresh one in `dir`, which is emptied first. Nothing of it is synced until env_publish(). */
int env_create(const char *dir, struct store_env **ret_env, struct err *err) MUST_CHECK;
/*
 * Makes all of it durable, and moves its file from `from` to `to` in one step. After ERR_IO nobody knows which of the
 * two files has the name.
 */
int env_publish(struct store_env *env, const char *from, const char *to, struct err *err) MUST_CHECK;
struct store_env *env_ref(struct store_env *env);
void env_unref(struct store_env *env);

/* Translates LMDB's code. `dir` is where to look whether the disk is full; NULL when nothing was written. */
int env_error(const char *dir, int code, const char *what, struct err *err);

int env_put(MDB_txn *txn, MDB_dbi dbi, EVP_MAC_CTX *checksum, struct MDB_val key, const void *data, size_t len,
            unsigned flags) MUST_CHECK;
/* Takes the checksum off. False when the value is too short for one. */
bool env_value(const MDB_val *stored, const void **ret_value, size_t *ret_len);
uint64_t record_checksum(EVP_MAC_CTX *checksum, const void *key, size_t key_len, const void *value, size_t len);

/* ---- position.c: the store's own records ---- */

/* Writes position (with the transaction's id, which must be the file's last) and, unless NULL, the members. */
int position_write(MDB_txn *txn, const struct store_env *env, EVP_MAC_CTX *checksum,
                   const struct store_position *position, const struct buf *configuration) MUST_CHECK;
#define POSITION_KEY "position"
bool position_parse(const void *value, size_t len, struct store_position *ret_position, uint64_t *ret_txnid) MUST_CHECK;
/* ret_txnid and ret_configuration may be NULL. ERR_CORRUPT; ERR_IO. */
int position_read(MDB_txn *txn, const struct store_env *env, struct store_position *ret_position, uint64_t *ret_txnid,
                  struct buf *ret_configuration) MUST_CHECK;

/* ---- The store ---- */

struct store_view {
    struct store *store;
    struct store_env *env; /* a reference */
    MDB_txn *txn;
    MDB_dbi records; /* the state's table */
};

/* A view that waits to be used again by a thread of this slot: making one anew costs ten times as much. */
struct spare {
    _Alignas(CACHE_LINE_SIZE) _Atomic(struct store_view *) view;
};

struct store {
    char dir[STORE_PATH_MAX];
    int lock_fd;
    pthread_mutex_t apply_lock;    /* held by whoever changes the state */
    EVP_MAC_CTX *checksum;         /* under apply_lock */
    bool has_failed;               /* under apply_lock */
    bool is_importing;             /* under apply_lock */
    struct compaction *compaction; /* under apply_lock; NULL when none is under way */
    pthread_mutex_t lock;          /* guards what follows, for moments */
    _Atomic(struct store_env *) env;
    struct store_position position;
    struct buf configuration;
    uint64_t durable_index;
    uint64_t restored_index;
    struct spare spares[THREAD_SLOTS];
};

/*
 * Shows every record of one of a view's tables in the order of the keys, until visit returns other than OK. One that
 * does not fit its checksum goes nowhere: ERR_CORRUPT; checksum NULL: not checked.
 */
int view_each_record(struct store_view *view, MDB_dbi table, EVP_MAC_CTX *checksum,
                     int (*visit)(void *arg, const MDB_val *key, const void *value, size_t len), void *arg,
                     struct err *err) MUST_CHECK;

/* Ends the views that wait to be used again, so that a former environment can go. */
void view_drop_spares(struct store *store);

#endif
