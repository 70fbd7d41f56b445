/* SPDX-License-Identifier: Apache-2.0 */
/*
 * view.c — reading. A view is an LMDB read transaction; one that ended is reset, not freed, and waits
 * in its thread's slot: to renew it takes no lock and no memory.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "storage/restore_private.h"

static void view_free(struct store_view *view)
{
    if (view == NULL)
        return;
    mdb_txn_abort(view->txn);
    env_unref(view->env);
    free(view);
}

void view_drop_spares(struct store *store)
{
    for (int i = 0; i < THREAD_SLOTS; i++)
        view_free(atomic_exchange(&store->spares[i].view, NULL));
}

/* Which table is the state may have changed since the view was used last. */
static int find_records(struct store_view *view)
{
    unsigned live;
    int rc = restore_live(view->txn, view->env, &live);
    if (rc == OK)
        view->records = view->env->tables[live];
    return rc;
}

static int view_new(struct store *store, struct store_view **ret_view, struct err *err)
{
    struct store_view *view = calloc(1, sizeof *view);
    if (view == NULL)
        abort();
    view->store = store;
    pthread_mutex_lock(&store->lock);
    view->env = env_ref(atomic_load(&store->env));
    pthread_mutex_unlock(&store->lock);
    int code = mdb_txn_begin(view->env->mdb, NULL, MDB_RDONLY, &view->txn);
    if (code != 0) {
        env_unref(view->env);
        free(view);
        return env_error(NULL, code, "a snapshot of the state", err);
    }
    int rc = find_records(view);
    if (rc != OK) {
        view_free(view);
        return err_set(err, rc, "%s is damaged: which of its tables is the state cannot be read", store->dir);
    }
    *ret_view = view;
    return OK;
}

int store_view_begin(struct store *store, struct store_view **ret_view, struct err *err)
{
    struct store_view *spare = atomic_exchange(&store->spares[thread_slot()].view, NULL);
    if (spare != NULL && spare->env == atomic_load(&store->env) && mdb_txn_renew(spare->txn) == 0 &&
        find_records(spare) == OK) {
        *ret_view = spare;
        return OK;
    }
    view_free(spare);
    return view_new(store, ret_view, err);
}

void store_view_end(struct store_view *view)
{
    if (view == NULL)
        return;
    struct store *store = view->store;
    const struct store_env *env = view->env;
    if (env == atomic_load(&store->env)) {
        mdb_txn_reset(view->txn);
        view = atomic_exchange(&store->spares[thread_slot()].view, view);
    }
    view_free(view); /* of a former state, or one too many */
    /* Replaced just now: a view that waits would keep the former file. */
    if (env != atomic_load(&store->env))
        view_free(atomic_exchange(&store->spares[thread_slot()].view, NULL));
}

uint64_t store_view_index(const struct store_view *view)
{
    struct store_position position;
    int rc = position_read(view->txn, view->env, &position, NULL, NULL);
    return rc == OK ? position.index : 0; /* older than all that anybody remembers: such a view commits nothing */
}

int store_view_get(struct store_view *view, const unsigned char key[STORE_KEY_SIZE], const void **ret_value,
                   size_t *ret_len)
{
    MDB_val mdb_key = {.mv_size = STORE_KEY_SIZE, .mv_data = (void *)key}, stored;
    int code = mdb_get(view->txn, view->records, &mdb_key, &stored);
    if (code != 0)
        return env_error(NULL, code, "a record", NULL);
    return env_value(&stored, ret_value, ret_len) ? OK : ERR_CORRUPT;
}

static bool is_in(const MDB_val *key, const unsigned char *dir)
{
    return key->mv_size == STORE_KEY_SIZE && memcmp(key->mv_data, dir, STORE_DIR_SIZE) == 0;
}

static int scan(MDB_cursor *cursor, const unsigned char *dir,
                int (*visit)(void *arg, const unsigned char *key, const void *value, size_t len), void *arg)
{
    MDB_val key = {.mv_size = STORE_DIR_SIZE, .mv_data = (void *)dir}, stored;
    int code = mdb_cursor_get(cursor, &key, &stored, MDB_SET_RANGE);
    for (; code == 0 && is_in(&key, dir); code = mdb_cursor_get(cursor, &key, &stored, MDB_NEXT)) {
        const void *value;
        size_t len;
        if (!env_value(&stored, &value, &len))
            return ERR_CORRUPT;
        int rc = visit(arg, key.mv_data, value, len);
        if (rc != OK)
            return rc;
    }
    return code == 0 || code == MDB_NOTFOUND ? OK : env_error(NULL, code, "a directory", NULL);
}

int store_view_scan(struct store_view *view, const unsigned char dir[STORE_DIR_SIZE],
                    int (*visit)(void *arg, const unsigned char *key, const void *value, size_t len), void *arg)
{
    MDB_cursor *cursor = NULL;
    int code = mdb_cursor_open(view->txn, view->records, &cursor);
    if (code != 0)
        return env_error(NULL, code, "a directory", NULL);
    int rc = scan(cursor, dir, visit, arg);
    mdb_cursor_close(cursor);
    return rc;
}

int store_view_next(struct store_view *view, const unsigned char dir[STORE_DIR_SIZE], const unsigned char *after,
                    unsigned char ret_key[STORE_KEY_SIZE])
{
    MDB_cursor *cursor = NULL;
    MDB_val key = {.mv_size = STORE_DIR_SIZE, .mv_data = (void *)dir}, stored;
    if (after != NULL)
        key = (MDB_val){.mv_size = STORE_KEY_SIZE, .mv_data = (void *)after};
    int code = mdb_cursor_open(view->txn, view->records, &cursor);
    if (code != 0)
        return env_error(NULL, code, "a directory", NULL);
    code = mdb_cursor_get(cursor, &key, &stored, MDB_SET_RANGE);
    if (code == 0 && after != NULL && key.mv_size == STORE_KEY_SIZE && memcmp(key.mv_data, after, STORE_KEY_SIZE) == 0)
        code = mdb_cursor_get(cursor, &key, &stored, MDB_NEXT);
    bool found = code == 0 && is_in(&key, dir);
    if (found)
        memcpy(ret_key, key.mv_data, STORE_KEY_SIZE);
    mdb_cursor_close(cursor);
    return found ? OK : code == 0 ? ERR_NOTFOUND : env_error(NULL, code, "a directory", NULL);
}

static bool fits_checksum(EVP_MAC_CTX *checksum, const MDB_val *key, const MDB_val *stored, const void *value,
                          size_t len)
{
    uint64_t sum = 0;
    memcpy(&sum, stored->mv_data, sizeof sum);
    return be64toh(sum) == record_checksum(checksum, key->mv_data, key->mv_size, value, len);
}

int view_each_record(struct store_view *view, MDB_dbi table, EVP_MAC_CTX *checksum,
                     int (*visit)(void *arg, const MDB_val *key, const void *value, size_t len), void *arg,
                     struct err *err)
{
    MDB_cursor *cursor = NULL;
    MDB_val key, stored;
    int rc = OK, code = mdb_cursor_open(view->txn, table, &cursor);
    if (code != 0)
        return env_error(NULL, code, "the state", err);
    code = mdb_cursor_get(cursor, &key, &stored, MDB_FIRST);
    for (; code == 0 && rc == OK; code = mdb_cursor_get(cursor, &key, &stored, MDB_NEXT)) {
        const void *value = NULL;
        size_t len = 0;
        bool fits = key.mv_size == STORE_KEY_SIZE && env_value(&stored, &value, &len) &&
                    (checksum == NULL || fits_checksum(checksum, &key, &stored, value, len));
        rc = fits ? visit(arg, &key, value, len)
                  : err_set(err, ERR_CORRUPT, "%s is damaged: a record does not fit its checksum", view->store->dir);
        if (rc != OK)
            break;
    }
    mdb_cursor_close(cursor);
    if (rc == OK && code != MDB_NOTFOUND)
        return env_error(NULL, code, "the state", err);
    return rc;
}

int store_stats(struct store *store, struct store_stats *ret)
{
    struct store_view *view = NULL;
    MDB_stat stat;
    struct stat info;
    mdb_filehandle_t fd;
    int rc = store_view_begin(store, &view, NULL);
    if (rc != OK)
        return rc;
    int code = mdb_stat(view->txn, view->records, &stat);
    if (code == 0)
        code = mdb_env_get_fd(view->env->mdb, &fd);
    if (code == 0 && fstat(fd, &info) != 0)
        code = errno;
    store_view_end(view);
    if (code != 0)
        return env_error(NULL, code, "the state's size", NULL);
    ret->records = stat.ms_entries;
    ret->bytes_used = (stat.ms_branch_pages + stat.ms_leaf_pages + stat.ms_overflow_pages) * (uint64_t)stat.ms_psize;
    ret->bytes_file = (uint64_t)info.st_size;
    return OK;
}
