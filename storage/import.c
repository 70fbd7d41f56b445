/* SPDX-License-Identifier: Apache-2.0 */
/* import.c — taking a snapshot from another node into a fresh environment, and putting it in the store's place. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/failpoint.h"
#include "base/file.h"
#include "storage/compact_private.h"
#include "storage/crypto.h"
#include "storage/restore_private.h"
#include "storage/snapshot.h"

#define COMMIT_SIZE (16u << 20) /* so much is kept in memory before it is written */

struct store_import {
    struct store *store;
    char dir[STORE_PATH_MAX + 16];
    struct store_env *env;
    MDB_txn *txn;
    EVP_MAC_CTX *checksum;
    struct snapshot_reader *reader;
    MDB_dbi table; /* that records go to */
    struct store_position position;
    struct buf members;
    size_t uncommitted;
    int rc; /* the first failure; all later calls return it */
};

/* ---- Taking chunks ---- */

static int commit(struct store_import *import, struct err *err)
{
    int code = mdb_txn_commit(import->txn);
    import->txn = NULL;
    import->uncommitted = 0;
    if (code == 0)
        code = mdb_txn_begin(import->env->mdb, NULL, 0, &import->txn);
    return env_error(import->store->dir, code, import->dir, err);
}

static int take_head(void *arg, const struct store_position *position, const void *members, size_t len, struct err *err)
{
    struct store_import *import = arg;
    (void)err;
    import->position = *position;
    buf_put(&import->members, members, len);
    return OK;
}

static int take_record(void *arg, const unsigned char *record_key, const void *value, size_t len, struct err *err)
{
    struct store_import *import = arg;
    MDB_val key = {.mv_size = STORE_KEY_SIZE, .mv_data = (void *)record_key};
    import->uncommitted += STORE_KEY_SIZE + len;
    int code = env_put(import->txn, import->table, import->checksum, key, value, len, MDB_APPEND);
    if (code != 0)
        return env_error(import->store->dir, code, import->dir, err);
    return import->uncommitted >= COMMIT_SIZE ? commit(import, err) : OK;
}

static int take_restore(void *arg, const struct restore_state *state, struct err *err)
{
    struct store_import *import = arg;
    import->table = import->env->tables[1];
    int code = restore_write(import->txn, import->env, import->checksum, state);
    return env_error(import->store->dir, code, import->dir, err);
}

static const struct snapshot_visitor visitor = {.head = take_head, .record = take_record, .restore = take_restore};

/* ---- Beginning and giving up ---- */

static bool claim_import(struct store *store)
{
    pthread_mutex_lock(&store->apply_lock);
    bool is_free = !store->is_importing;
    store->is_importing = true;
    pthread_mutex_unlock(&store->apply_lock);
    return is_free;
}

int store_import_begin(struct store *store, struct store_import **ret_import, struct err *err)
{
    if (!claim_import(store))
        return err_set(err, ERR_BUSY, "a snapshot is being taken in already");
    struct store_import *import = calloc(1, sizeof *import);
    if (import == NULL)
        abort();
    import->store = store;
    snprintf(import->dir, sizeof import->dir, "%s/" IMPORT_DIR, store->dir);
    import->checksum = checksum_new();
    import->reader = snapshot_reader_new(&visitor, import);
    int rc = env_create(import->dir, &import->env, err);
    if (rc == OK)
        rc = env_error(store->dir, mdb_txn_begin(import->env->mdb, NULL, 0, &import->txn), import->dir, err);
    if (rc == OK) {
        import->table = import->env->tables[0];
        *ret_import = import;
    } else {
        store_import_abort(import);
    }
    return rc;
}

void store_import_abort(struct store_import *import)
{
    if (import == NULL)
        return;
    struct store *store = import->store;
    if (import->txn != NULL)
        mdb_txn_abort(import->txn);
    env_unref(import->env);
    EVP_MAC_CTX_free(import->checksum);
    snapshot_reader_free(import->reader);
    buf_close(&import->members);
    file_remove_tree(import->dir, NULL);
    free(import);
    pthread_mutex_lock(&store->apply_lock);
    store->is_importing = false;
    pthread_mutex_unlock(&store->apply_lock);
}

int store_import_chunk(struct store_import *import, const void *chunk, size_t len, struct err *err)
{
    if (import->rc == OK && failpoint("store.import_chunk"))
        import->rc = err_set(err, ERR_NOSPACE, "%s: no space left on the disk", import->dir);
    if (import->rc == OK)
        import->rc = snapshot_reader_chunk(import->reader, chunk, len, err);
    return import->rc;
}

/* ---- Putting it in the store's place ---- */

static int write_position(struct store_import *import, struct err *err)
{
    int code = position_write(import->txn, import->env, import->checksum, &import->position, &import->members);
    if (code != 0)
        return env_error(import->store->dir, code, import->dir, err);
    code = mdb_txn_commit(import->txn);
    import->txn = NULL;
    return env_error(import->store->dir, code, import->dir, err);
}

/* From here on new views see the imported state; those that are open keep the former one, whose file has no name. */
static void adopt(struct store *store, struct store_import *import)
{
    pthread_mutex_lock(&store->lock);
    struct store_env *former = atomic_exchange(&store->env, env_ref(import->env));
    store->position = import->position;
    store->durable_index = import->position.index;
    buf_clear(&store->configuration);
    buf_put(&store->configuration, import->members.data, import->members.len);
    pthread_mutex_unlock(&store->lock);
    view_drop_spares(store);
    env_unref(former);
    compaction_void(store->compaction);
}

int store_import_finish(struct store_import *import, struct err *err)
{
    struct store *store = import->store;
    int rc = import->rc;
    if (rc == OK)
        rc = snapshot_reader_end(import->reader, err);
    if (rc == OK)
        rc = write_position(import, err);
    if (rc == OK) {
        pthread_mutex_lock(&store->apply_lock);
        rc = env_publish(import->env, import->dir, store->dir, err);
        if (rc == OK)
            adopt(store, import);
        else if (rc == ERR_IO)
            store->has_failed = true;
        pthread_mutex_unlock(&store->apply_lock);
    }
    store_import_abort(import);
    return rc;
}
