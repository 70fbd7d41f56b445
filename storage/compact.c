/* SPDX-License-Identifier: Apache-2.0 */
/*
 * compact.c — see compact.h. All records of a view are copied; what is applied from before then on is noted by its key,
 * and copied from newer views, round by round; what is left after a round that found little is copied while nothing
 * can be applied.
 */
#include <stdio.h>
#include <string.h>

#include "base/failpoint.h"
#include "base/file.h"
#include "storage/compact_private.h"
#include "storage/crypto.h"
#include "storage/restore.h"

#define COMMIT_SIZE (16u << 20)  /* so much is kept in memory before it is written */
#define NOTED_MAX   (256u << 10) /* keys */
#define FEW         256          /* keys that applying may wait for */
#define ROUNDS_MAX  16
#define ASK_EVERY   1024 /* records */

struct compaction {
    struct store *store;
    const struct store_patience *patience;
    struct err *err;
    char dir[STORE_PATH_MAX + 16];
    struct store_env *env; /* the fresh one; its first table is the state */
    MDB_txn *txn;          /* NULL between two */
    EVP_MAC_CTX *checksum;
    size_t uncommitted, copied;
    struct buf noted; /* under apply_lock, as is the next: keys of what was applied since they were taken last */
    bool is_void;
};

/* ---- What appliers tell ---- */

void compaction_note(struct compaction *compaction, const unsigned char key[STORE_KEY_SIZE])
{
    if (compaction == NULL || compaction->is_void)
        return;
    if (compaction->noted.len >= (size_t)NOTED_MAX * STORE_KEY_SIZE)
        compaction->is_void = true;
    else
        buf_put(&compaction->noted, key, STORE_KEY_SIZE);
}

void compaction_void(struct compaction *compaction)
{
    if (compaction != NULL)
        compaction->is_void = true;
}

/* ---- Copying ---- */

static bool goes_on(const struct store_patience *patience, size_t n)
{
    return n % ASK_EVERY != 0 || patience == NULL || patience->goes_on == NULL || patience->goes_on(patience->arg);
}

static int stopped(struct err *err)
{
    return err_set(err, ERR_UNAVAILABLE, "it was stopped");
}

static int failed(struct compaction *compaction, int code)
{
    return env_error(compaction->store->dir, code, compaction->dir, compaction->err);
}

static int begin_txn(struct compaction *compaction)
{
    if (compaction->txn != NULL)
        return OK;
    return failed(compaction, mdb_txn_begin(compaction->env->mdb, NULL, 0, &compaction->txn));
}

static int commit(struct compaction *compaction)
{
    int code = compaction->txn != NULL ? mdb_txn_commit(compaction->txn) : 0;
    compaction->txn = NULL;
    compaction->uncommitted = 0;
    return failed(compaction, code);
}

static int put(struct compaction *compaction, MDB_val key, const void *value, size_t len, unsigned flags)
{
    int rc = begin_txn(compaction);
    if (rc == OK)
        rc = failed(compaction,
                    env_put(compaction->txn, compaction->env->tables[0], compaction->checksum, key, value, len, flags));
    compaction->uncommitted += key.mv_size + len;
    return rc == OK && compaction->uncommitted >= COMMIT_SIZE ? commit(compaction) : rc;
}

static int drop(struct compaction *compaction, MDB_val key)
{
    int rc = begin_txn(compaction);
    int code = rc == OK ? mdb_del(compaction->txn, compaction->env->tables[0], &key, NULL) : 0;
    return rc == OK && code != MDB_NOTFOUND ? failed(compaction, code) : rc;
}

/* Asks with no transaction open, which would be a lock. */
static int copy_record(void *arg, const MDB_val *key, const void *value, size_t len)
{
    struct compaction *compaction = arg;
    int rc = ++compaction->copied % ASK_EVERY == 0 ? commit(compaction) : OK;
    if (rc == OK && !goes_on(compaction->patience, compaction->copied))
        return stopped(compaction->err);
    return rc == OK ? put(compaction, *key, value, len, MDB_APPEND) : rc;
}

/* A restore that is under way now would be lost; one that begins later makes the compaction void. */
static int refuse_restoring(struct compaction *compaction, struct store_view *view)
{
    uint64_t begin = 0;
    int rc = store_view_restoring(view, &begin);
    if (rc == OK && begin != 0)
        return err_set(compaction->err, ERR_BUSY, "the state is being restored");
    return rc;
}

static int copy_all(struct compaction *compaction)
{
    struct store_view *view = NULL;
    int rc = store_view_begin(compaction->store, &view, compaction->err);
    if (rc == OK)
        rc = refuse_restoring(compaction, view);
    if (rc == OK)
        rc = view_each_record(view, view->records, compaction->checksum, copy_record, compaction, compaction->err);
    store_view_end(view);
    return rc == OK ? commit(compaction) : rc;
}

static int copy_key(struct compaction *compaction, struct store_view *view, const unsigned char *key)
{
    MDB_val name = {.mv_size = STORE_KEY_SIZE, .mv_data = (void *)key};
    const void *value;
    size_t len;
    int rc = store_view_get(view, key, &value, &len);
    if (rc == ERR_NOTFOUND)
        return drop(compaction, name);
    return rc == OK ? put(compaction, name, value, len, 0) : err_set(compaction->err, rc, "a record cannot be read");
}

/* The keys may be there more than once. */
static int copy_noted(struct compaction *compaction, const struct buf *keys)
{
    struct store_view *view = NULL;
    int rc = store_view_begin(compaction->store, &view, compaction->err);
    for (size_t at = 0; rc == OK && at < keys->len; at += STORE_KEY_SIZE)
        rc = copy_key(compaction, view, keys->data + at);
    store_view_end(view);
    return rc == OK ? commit(compaction) : rc;
}

/* ---- Catching up ---- */

/* With apply_lock held. */
static int check_void(const struct compaction *compaction)
{
    return compaction->is_void ? err_set(compaction->err, ERR_BUSY, "too much of the state was changed meanwhile") : OK;
}

static int take_noted(struct compaction *compaction, struct buf *ret_keys)
{
    struct store *store = compaction->store;
    pthread_mutex_lock(&store->apply_lock);
    int rc = check_void(compaction);
    *ret_keys = compaction->noted;
    compaction->noted = (struct buf)BUF_INIT;
    pthread_mutex_unlock(&store->apply_lock);
    return rc;
}

/* The flush of a round leaves less to flush for the last step. */
static int catch_up(struct compaction *compaction)
{
    size_t found = SIZE_MAX;
    int rc = OK;
    for (int round = 0; rc == OK && found > FEW && round < ROUNDS_MAX; round++) {
        struct buf keys = BUF_INIT;
        rc = goes_on(compaction->patience, 0) ? take_noted(compaction, &keys) : stopped(compaction->err);
        if (rc == OK)
            rc = copy_noted(compaction, &keys);
        if (rc == OK)
            rc = failed(compaction, mdb_env_sync(compaction->env->mdb, 1));
        found = keys.len / STORE_KEY_SIZE;
        buf_close(&keys);
    }
    return rc;
}

static int write_position(struct compaction *compaction)
{
    struct store *store = compaction->store;
    int rc = begin_txn(compaction);
    if (rc == OK) /* apply_lock is held: nobody else writes what store->lock guards */
        rc = failed(compaction, position_write(compaction->txn, compaction->env, compaction->checksum, &store->position,
                                               &store->configuration));
    return rc == OK ? commit(compaction) : rc;
}

/* Views that are open keep the former file, which has no name any more. */
static void adopt(struct compaction *compaction)
{
    struct store *store = compaction->store;
    pthread_mutex_lock(&store->lock);
    struct store_env *former = atomic_exchange(&store->env, env_ref(compaction->env));
    store->durable_index = store->position.index;
    pthread_mutex_unlock(&store->lock);
    view_drop_spares(store);
    env_unref(former);
}

/* With apply_lock held. */
static int replace(struct compaction *compaction)
{
    struct store *store = compaction->store;
    int rc = store->has_failed ? err_set(compaction->err, ERR_IO, "%s could not be written earlier", store->dir)
                               : check_void(compaction);
    if (rc == OK)
        rc = copy_noted(compaction, &compaction->noted);
    if (rc == OK)
        rc = write_position(compaction);
    if (rc == OK && failpoint("store.before_compacted"))
        rc = err_set(compaction->err, ERR_NOSPACE, "%s: no space left on the disk", compaction->dir);
    if (rc != OK)
        return rc;
    rc = env_publish(compaction->env, compaction->dir, store->dir, compaction->err);
    failpoint("store.after_compacted");
    if (rc == OK)
        adopt(compaction);
    else if (rc == ERR_IO)
        store->has_failed = true;
    return rc;
}

/* ---- The whole of it ---- */

/* From here on what is applied is noted. */
static int begin(struct compaction *compaction)
{
    struct store *store = compaction->store;
    pthread_mutex_lock(&store->apply_lock);
    bool is_free = store->compaction == NULL;
    if (is_free)
        store->compaction = compaction;
    pthread_mutex_unlock(&store->apply_lock);
    return is_free ? OK : err_set(compaction->err, ERR_BUSY, "the state is being written anew already");
}

static int run(struct compaction *compaction)
{
    struct store *store = compaction->store;
    int rc = env_create(compaction->dir, &compaction->env, compaction->err);
    if (rc == OK)
        rc = copy_all(compaction);
    if (rc == OK)
        rc = catch_up(compaction);
    pthread_mutex_lock(&store->apply_lock);
    if (rc == OK)
        rc = replace(compaction);
    store->compaction = NULL;
    pthread_mutex_unlock(&store->apply_lock);
    return rc;
}

int store_compact(struct store *store, const struct store_patience *patience, struct err *err)
{
    struct compaction compaction = {.store = store, .patience = patience, .err = err};
    snprintf(compaction.dir, sizeof compaction.dir, "%s/" COMPACT_DIR, store->dir);
    int rc = begin(&compaction);
    if (rc != OK)
        return rc;
    compaction.checksum = checksum_new();
    rc = run(&compaction);
    if (compaction.txn != NULL)
        mdb_txn_abort(compaction.txn);
    env_unref(compaction.env);
    EVP_MAC_CTX_free(compaction.checksum);
    buf_close(&compaction.noted);
    file_remove_tree(compaction.dir, NULL);
    return rc;
}

/* ---- Measuring ---- */

struct measure {
    const struct store_patience *patience;
    struct err *err;
    uint64_t records, bytes;
};

static int measure_record(void *arg, const MDB_val *key, const void *value, size_t len)
{
    struct measure *measure = arg;
    (void)value;
    measure->bytes += key->mv_size + len;
    return goes_on(measure->patience, measure->records++) ? OK : stopped(measure->err);
}

int store_measure(struct store *store, const struct store_patience *patience, uint64_t *ret_bytes, struct err *err)
{
    struct measure measure = {.patience = patience, .err = err};
    struct store_view *view = NULL;
    int rc = store_view_begin(store, &view, err);
    if (rc != OK)
        return rc;
    rc = view_each_record(view, view->records, NULL, measure_record, &measure, err);
    store_view_end(view);
    if (rc == OK)
        *ret_bytes = measure.bytes;
    return rc;
}
