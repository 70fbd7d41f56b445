/* SPDX-License-Identifier: Apache-2.0 */
/* store.c — opening and closing the store, and applying the log to it. */
#include "storage/store.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/failpoint.h"
#include "base/file.h"
#include "base/format.h"
#include "storage/batch.h"
#include "storage/compact_private.h"
#include "storage/crypto.h"
#include "storage/lmdb_check.h"
#include "storage/restore.h"
#include "storage/restore_private.h"
#include "storage/store_private.h"

/* ---- Opening ---- */

struct verify {
    const char *path;
    EVP_MAC_CTX *checksum;
    struct err *err;
    bool is_outdated; /* the newest state passes for one before */
};

static int verify_record(void *arg, const struct lmdb_record *record)
{
    struct verify *verify = arg;
    const MDB_val stored = {.mv_size = record->data_len, .mv_data = (void *)record->data};
    const void *value;
    size_t len;
    uint64_t sum = 0, txnid;
    struct store_position position;
    bool fits = env_value(&stored, &value, &len);
    if (fits) {
        memcpy(&sum, record->data, sizeof sum);
        fits = be64toh(sum) == record_checksum(verify->checksum, record->key, record->key_len, value, len);
    }
    if (!fits)
        return record->is_previous ? ERR_CORRUPT
                                   : err_set(verify->err, ERR_CORRUPT,
                                             "%s is damaged: a record does not fit its checksum", verify->path);
    if (record->is_previous && record->key_len == strlen(POSITION_KEY) &&
        memcmp(record->key, POSITION_KEY, record->key_len) == 0 && position_parse(value, len, &position, &txnid))
        verify->is_outdated = txnid == record->txnid + 2;
    return OK;
}

static int verify_file(const char *path, EVP_MAC_CTX *checksum, struct err *err)
{
    struct verify verify = {.path = path, .checksum = checksum, .err = err};
    uint64_t txnid;
    int rc = lmdb_check(path, verify_record, &verify, &txnid, err);
    if (rc == OK && verify.is_outdated)
        rc = err_set(err, ERR_CORRUPT, "%s is damaged: its newest state passes for an older one", path);
    return rc;
}

/* Makes an empty state, elsewhere first, so that data.mdb is never half made. */
static int create(struct store *store, const char *import_dir, struct err *err)
{
    const struct store_position nothing = {0};
    struct store_env *env = NULL;
    MDB_txn *txn = NULL;
    int rc = env_create(import_dir, &env, err);
    if (rc != OK)
        return rc;
    int code = mdb_txn_begin(env->mdb, NULL, 0, &txn);
    if (code == 0)
        code = position_write(txn, env, store->checksum, &nothing, NULL);
    if (code == 0)
        code = mdb_txn_commit(txn);
    else
        mdb_txn_abort(txn);
    rc = env_error(store->dir, code, store->dir, err);
    if (rc == OK)
        rc = env_publish(env, import_dir, store->dir, err);
    if (rc == OK)
        atomic_store(&store->env, env);
    else
        env_unref(env);
    return rc;
}

/* Reads where the log is applied up to. The newest transaction must be the one that wrote it. */
static int load_position(struct store *store, const char *path, struct err *err)
{
    MDB_txn *txn = NULL;
    uint64_t txnid = 0;
    struct store_env *env = atomic_load(&store->env);
    int code = mdb_txn_begin(env->mdb, NULL, MDB_RDONLY, &txn);
    if (code != 0)
        return env_error(NULL, code, path, err);
    int rc = position_read(txn, env, &store->position, &txnid, &store->configuration);
    if (rc == OK && txnid != mdb_txn_id(txn))
        rc = ERR_CORRUPT;
    mdb_txn_abort(txn);
    store->durable_index = store->position.index;
    if (rc == OK && store->position.format > format_newest())
        return err_set(err, ERR_UNSUPPORTED,
                       "%s was written by a newer program, in form %u; this one reads forms up to %u", path,
                       store->position.format, format_newest());
    return rc == OK ? OK : err_set(err, rc, "%s is damaged: the applied position is missing or outdated", path);
}

static int open_existing(struct store *store, const char *path, bool verify, struct err *err)
{
    struct store_env *env = NULL;
    int rc = verify ? verify_file(path, store->checksum, err) : OK;
    if (rc == OK)
        rc = env_open(store->dir, &env, err);
    atomic_store(&store->env, env);
    if (rc == OK) /* what a killed process left may be in the system's memory only */
        rc = env_error(store->dir, mdb_env_sync(env->mdb, 1), path, err);
    return rc;
}

/* What a process left that ended while it made a state. */
static int remove_unfinished(struct store *store, struct err *err)
{
    static const char *const dirs[] = {IMPORT_DIR, COMPACT_DIR};
    char path[STORE_PATH_MAX + 16];
    int rc = OK;
    for (int i = 0; i < 2 && rc == OK; i++) {
        snprintf(path, sizeof path, "%s/%s", store->dir, dirs[i]);
        rc = file_remove_tree(path, err);
    }
    return rc;
}

static int open_state(struct store *store, bool verify, struct err *err)
{
    char path[STORE_PATH_MAX + 16], import_dir[STORE_PATH_MAX + 16];
    snprintf(path, sizeof path, "%s/data.mdb", store->dir);
    snprintf(import_dir, sizeof import_dir, "%s/" IMPORT_DIR, store->dir);
    int rc = file_make_dir(store->dir, 0700, err);
    if (rc == OK)
        rc = file_lock_dir(store->dir, &store->lock_fd, err);
    if (rc == OK)
        rc = remove_unfinished(store, err);
    if (rc == OK)
        rc = file_exists(path) ? open_existing(store, path, verify, err) : create(store, import_dir, err);
    if (rc == OK)
        rc = file_remove_tree(import_dir, err);
    return rc == OK ? load_position(store, path, err) : rc;
}

int store_open(const char *dir, bool verify, struct store **ret_store, struct err *err)
{
    if (strlen(dir) >= STORE_PATH_MAX)
        return err_set(err, ERR_INVALID, "the path %.64s… is too long", dir);
    struct store *store = aligned_alloc(CACHE_LINE_SIZE, sizeof *store);
    if (store == NULL)
        abort();
    memset(store, 0, sizeof *store);
    strcpy(store->dir, dir);
    store->lock_fd = -1;
    store->checksum = checksum_new();
    pthread_mutex_init(&store->lock, NULL);
    pthread_mutex_init(&store->apply_lock, NULL);
    int rc = open_state(store, verify, err);
    if (rc == OK)
        *ret_store = store;
    else
        store_close(store);
    return rc;
}

const char *store_dir(const struct store *store)
{
    return store->dir;
}

void store_close(struct store *store)
{
    if (store == NULL)
        return;
    view_drop_spares(store);
    env_unref(atomic_load(&store->env));
    if (store->lock_fd >= 0)
        close(store->lock_fd);
    buf_close(&store->configuration);
    EVP_MAC_CTX_free(store->checksum);
    pthread_mutex_destroy(&store->lock);
    pthread_mutex_destroy(&store->apply_lock);
    free(store);
}

/* ---- Applying ---- */

struct apply {
    MDB_txn *txn;
    struct store_env *env;
    EVP_MAC_CTX *checksum;
    struct store_position position;          /* as it will be */
    const struct store_entry *configuration; /* the last one among the entries, or NULL */
    unsigned live;                           /* the table that is the state */
    struct compaction *compaction;           /* that is told of it, or NULL */
    uint64_t restored_index;                 /* of the last entry that changed that; 0: none did */
    int code;                                /* LMDB's, when it failed */
};

static int apply_op(void *arg, const struct entry_op *op)
{
    struct apply *apply = arg;
    MDB_val key = {.mv_size = STORE_KEY_SIZE, .mv_data = (void *)op->key};
    MDB_dbi records = apply->env->tables[apply->live];
    compaction_note(apply->compaction, op->key);
    if (!op->is_delete)
        apply->code = env_put(apply->txn, records, apply->checksum, key, op->value, op->len, 0);
    else
        apply->code = mdb_del(apply->txn, records, &key, NULL);
    if (op->is_delete && apply->code == MDB_NOTFOUND)
        apply->code = 0;
    return apply->code == 0 ? OK : ERR_IO;
}

static int apply_restore(struct apply *apply, const struct store_entry *entry)
{
    struct restore_step step = {.txn = apply->txn, .env = apply->env, .checksum = apply->checksum, .live = apply->live};
    int rc = restore_apply(&step, entry->index, entry->data, entry->len);
    compaction_void(apply->compaction);
    apply->code = step.code;
    apply->live = step.live;
    if (step.has_swapped)
        apply->restored_index = entry->index;
    return rc;
}

static int apply_command(struct apply *apply, const struct store_entry *entry, struct err *err)
{
    struct store_position *position = &apply->position;
    int64_t time_ms = entry_time_ms(entry->data, entry->len);
    uint8_t format = entry_format(entry->data, entry->len);
    if (time_ms > position->time_ms)
        position->time_ms = time_ms;
    if (format > position->format)
        position->format = format;
    int rc = restore_is_entry(entry->data, entry->len) ? apply_restore(apply, entry)
                                                       : entry_walk(entry->data, entry->len, apply_op, apply);
    if (rc == ERR_UNSUPPORTED)
        err_set(err, rc, "entry %llu of the log has form %u, and this program reads forms up to %u: start a newer one",
                (unsigned long long)entry->index, format, format_newest());
    if (rc == ERR_CORRUPT && apply->code == 0)
        err_set(err, rc, "entry %llu of the log is malformed", (unsigned long long)entry->index);
    return rc;
}

static int apply_entry(struct apply *apply, const struct store_entry *entry, struct err *err)
{
    if (entry->index != apply->position.index + 1)
        return err_set(err, ERR_CORRUPT, "entry %llu of the log follows %llu", (unsigned long long)entry->index,
                       (unsigned long long)apply->position.index);
    apply->position.index = entry->index;
    apply->position.term = entry->term;
    switch (entry->kind) {
    case STORE_ENTRY_NOTHING:
        return OK;
    case STORE_ENTRY_CONFIGURATION:
        apply->configuration = entry;
        apply->position.configuration_index = entry->index;
        return OK;
    case STORE_ENTRY_BATCH:
        break;
    }
    return apply_command(apply, entry, err);
}

static int apply_all(struct apply *apply, const struct store_entry *entries, size_t n, struct err *err)
{
    int rc = restore_live(apply->txn, apply->env, &apply->live);
    if (rc != OK)
        return err_set(err, rc, "which table of the store is the state cannot be read");
    for (size_t i = 0; i < n; i++) {
        rc = entries[i].index > apply->position.index ? apply_entry(apply, &entries[i], err) : OK;
        if (rc != OK)
            return rc;
    }
    struct buf configuration = BUF_INIT;
    if (apply->configuration != NULL)
        buf_put(&configuration, apply->configuration->data, apply->configuration->len);
    apply->code = position_write(apply->txn, apply->env, apply->checksum, &apply->position,
                                 apply->configuration != NULL ? &configuration : NULL);
    buf_close(&configuration);
    return apply->code == 0 ? OK : ERR_IO;
}

/* Tells the readers of the position; the transaction before the last is durable now (see store.h). */
static void advance(struct store *store, const struct apply *apply)
{
    pthread_mutex_lock(&store->lock);
    store->durable_index = store->position.index;
    store->position = apply->position;
    if (apply->restored_index != 0)
        store->restored_index = apply->restored_index;
    if (apply->configuration != NULL) {
        buf_clear(&store->configuration);
        buf_put(&store->configuration, apply->configuration->data, apply->configuration->len);
    }
    pthread_mutex_unlock(&store->lock);
}

/* What the code of a commit or a sync means: after a failed sync, LMDB's pages may be lost and seem written. */
static int sync_ended(struct store *store, int code, struct err *err)
{
    int rc = env_error(store->dir, code, store->dir, err);
    if (rc != OK && file_lost_writes(atomic_load(&store->env)->witness_fd))
        rc = err_set(err, ERR_IO, "%s could not be flushed", store->dir);
    if (rc == ERR_IO)
        store->has_failed = true;
    return rc;
}

/* configuration: the members in place of the state's, or NULL. */
static int apply_locked(struct store *store, const struct store_entry *configuration, const struct store_entry *entries,
                        size_t n, struct err *err)
{
    struct apply apply = {.env = atomic_load(&store->env),
                          .checksum = store->checksum,
                          .position = store->position,
                          .configuration = configuration,
                          .compaction = store->compaction};
    if (store->has_failed)
        return err_set(err, ERR_IO, "%s could not be written earlier", store->dir);
    if (configuration == NULL && (n == 0 || entries[n - 1].index <= store->position.index))
        return OK;
    apply.code = mdb_txn_begin(apply.env->mdb, NULL, 0, &apply.txn);
    if (apply.code != 0)
        return env_error(NULL, apply.code, store->dir, err);
    int rc = apply_all(&apply, entries, n, err);
    if (rc == OK && failpoint("store.before_commit"))
        rc = ERR_IO, apply.code = ENOSPC;
    if (rc != OK) {
        mdb_txn_abort(apply.txn);
        return apply.code != 0 ? env_error(store->dir, apply.code, store->dir, err) : rc;
    }
    int code = mdb_txn_commit(apply.txn);
    if (code != 0)
        return sync_ended(store, code, err);
    advance(store, &apply);
    return OK;
}

int store_apply(struct store *store, const struct store_entry *entries, size_t n, struct err *err)
{
    pthread_mutex_lock(&store->apply_lock);
    int rc = apply_locked(store, NULL, entries, n, err);
    pthread_mutex_unlock(&store->apply_lock);
    return rc;
}

int store_replace_configuration(struct store *store, const void *data, size_t len, struct err *err)
{
    const struct store_entry configuration = {.kind = STORE_ENTRY_CONFIGURATION, .data = data, .len = len};
    int rc = OK;
    pthread_mutex_lock(&store->apply_lock);
    if (store->position.configuration_index != 0)
        rc = apply_locked(store, &configuration, NULL, 0, err);
    pthread_mutex_unlock(&store->apply_lock);
    return rc == OK ? store_sync(store, err) : rc;
}

int store_sync(struct store *store, struct err *err)
{
    pthread_mutex_lock(&store->apply_lock);
    uint64_t index = store->position.index;
    int rc = OK;
    if (store->has_failed)
        rc = err_set(err, ERR_IO, "%s could not be written earlier", store->dir);
    else
        rc = sync_ended(store, mdb_env_sync(atomic_load(&store->env)->mdb, 1), err);
    if (rc == OK) {
        pthread_mutex_lock(&store->lock);
        store->durable_index = index;
        pthread_mutex_unlock(&store->lock);
    }
    pthread_mutex_unlock(&store->apply_lock);
    return rc;
}

void store_position(struct store *store, struct store_position *ret, struct buf *ret_configuration)
{
    pthread_mutex_lock(&store->lock);
    *ret = store->position;
    if (ret_configuration != NULL)
        buf_put(ret_configuration, store->configuration.data, store->configuration.len);
    pthread_mutex_unlock(&store->lock);
}

uint64_t store_durable_index(struct store *store)
{
    pthread_mutex_lock(&store->lock);
    uint64_t index = store->durable_index;
    pthread_mutex_unlock(&store->lock);
    return index;
}

uint64_t store_restored_index(struct store *store)
{
    pthread_mutex_lock(&store->lock);
    uint64_t index = store->restored_index;
    pthread_mutex_unlock(&store->lock);
    return index;
}
