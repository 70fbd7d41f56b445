/* SPDX-License-Identifier: Apache-2.0 */
/* txn_write.c — what a transaction writes, the directories' markers that go with it, and the records in clear. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "storage/batch_private.h"
#include "storage/txn_private.h"

/* ---- Own writes ---- */

static struct write *add_write(struct txn *txn, const unsigned char *key, bool existed, size_t old_len)
{
    if (txn->n_writes == txn->cap_writes) {
        txn->cap_writes = txn->cap_writes > 0 ? txn->cap_writes * 2 : 8;
        txn->writes = reallocarray(txn->writes, txn->cap_writes, sizeof txn->writes[0]);
        if (txn->writes == NULL)
            abort();
    }
    struct write *write = arena_alloc(&txn->arena, sizeof *write);
    write->existed = existed;
    write->old_len = old_len;
    memcpy(write->key, key, STORE_KEY_SIZE);
    txn->writes[txn->n_writes++] = write;
    unsigned char id[ID_SIZE];
    id_of_record(key, id);
    idmap_set(&txn->by_id, id, txn->n_writes);
    return write;
}

static int is_in_snapshot(struct txn *txn, const unsigned char *key, bool *ret_found, size_t *ret_len)
{
    const void *value;
    size_t len = 0;
    txn_note_existence(txn, key);
    int rc = txn_view_get(txn, key, &value, &len);
    if (rc != OK && rc != ERR_NOTFOUND)
        return rc;
    *ret_found = rc == OK;
    *ret_len = rc == OK ? len : 0;
    return OK;
}

/* A record that is about to be written. */
struct place {
    unsigned char key[STORE_KEY_SIZE];
    struct write *write; /* this transaction's, or NULL */
    bool existed;        /* in the snapshot */
    size_t old_len;      /* there */
    bool is_there;       /* as this transaction sees it */
};

static int find_place(struct txn *txn, struct path path, struct place *ret)
{
    int rc = txn_key(txn, path, ret->key);
    if (rc != OK)
        return rc;
    ret->write = txn_find_write(txn, ret->key);
    if (ret->write == NULL) {
        rc = is_in_snapshot(txn, ret->key, &ret->existed, &ret->old_len);
        ret->is_there = ret->existed;
    } else {
        ret->existed = ret->write->existed;
        ret->old_len = ret->write->old_len;
        ret->is_there = write_is_put(ret->write);
    }
    return rc;
}

static void write_place(struct txn *txn, struct path path, const struct place *place, enum write_kind kind,
                        const void *data, size_t len)
{
    struct write *write = place->write;
    if (write == NULL) {
        write = add_write(txn, place->key, place->existed, place->old_len);
        write->name = arena_strndup(&txn->arena, path.text + path.dir_len, path.name_len);
    }
    write->kind = kind;
    write->data = arena_dup(&txn->arena, data, len);
    write->len = len;
}

/* ---- Writing ---- */

/* A directory's marker is set with the first thing in it: upwards, until a directory has one. */
static int put_with_markers(struct txn *txn, struct path path, const void *data, size_t len)
{
    struct place place = {0};
    int rc = find_place(txn, path, &place);
    if (rc != OK)
        return rc;
    write_place(txn, path, &place, WRITE_PUT, data, len);
    while (!place.is_there && path.dir_len > 0) {
        path = path_marker(path);
        rc = find_place(txn, path, &place);
        if (rc != OK)
            return rc;
        if (!place.is_there)
            write_place(txn, path, &place, WRITE_PUT, NULL, 0);
    }
    return OK;
}

static int put_text(const char *data, size_t len, void *arg)
{
    buf_put(arg, data, len);
    return 0;
}

int txn_put(struct txn *txn, const char *path_text, const json_t *value)
{
    struct path path;
    int rc = path_parse(path_text, &path);
    if (rc != OK)
        return rc;
    buf_clear(&txn->scratch);
    if (json_dump_callback(value, put_text, &txn->scratch, JSON_COMPACT | JSON_ENCODE_ANY) != 0)
        return ERR_INVALID;
    return put_with_markers(txn, path, txn->scratch.data, txn->scratch.len);
}

int txn_remove(struct txn *txn, struct path path, bool *ret_removed)
{
    struct place place = {0};
    int rc = find_place(txn, path, &place);
    if (rc != OK)
        return rc;
    if (place.is_there)
        write_place(txn, path, &place, place.existed ? WRITE_DELETE : WRITE_NOTHING, NULL, 0);
    *ret_removed = place.is_there;
    return OK;
}

/* ---- Whether a directory still has something in it ---- */

static bool has_own_put(const struct txn *txn, const unsigned char *dir)
{
    for (size_t i = 0; i < txn->n_writes; i++)
        if (write_is_put(txn->writes[i]) && memcmp(txn->writes[i]->key, dir, STORE_DIR_SIZE) == 0)
            return true;
    return false;
}

/* Whether a record of the snapshot is deleted by this transaction. */
static bool is_deleted(const struct txn *txn, const unsigned char *key)
{
    const struct write *write = txn_find_write(txn, key);
    return write != NULL && write->kind == WRITE_DELETE;
}

/* The first record of the snapshot after `from` in its directory that this transaction has not deleted. */
static int next_kept(struct txn *txn, const unsigned char *dir, const unsigned char *from,
                     unsigned char ret_key[STORE_KEY_SIZE])
{
    unsigned char key[STORE_KEY_SIZE];
    struct store_view *view;
    int rc = txn_view(txn, &view);
    if (rc == OK)
        rc = store_view_next(view, dir, from, key);
    while (rc == OK && is_deleted(txn, key))
        rc = store_view_next(view, dir, key, key);
    if (rc == OK)
        memcpy(ret_key, key, STORE_KEY_SIZE);
    return rc;
}

/*
 * Whether something else than `key` is in its directory. It suffices to rely on one other record, a witness, and not on
 * the whole directory: then transactions that delete from the same directory seldom disturb each other. To take
 * the next in order after `key` (the order being random) keeps them from all taking the same one.
 */
static int has_sibling(struct txn *txn, const unsigned char *key, bool *ret_found)
{
    *ret_found = has_own_put(txn, key) ||
                 (txn->has_witness && memcmp(txn->witness, key, STORE_DIR_SIZE) == 0 && !is_deleted(txn, txn->witness));
    if (*ret_found)
        return OK;
    int rc = next_kept(txn, key, key, txn->witness);
    if (rc == ERR_NOTFOUND)
        rc = next_kept(txn, key, NULL, txn->witness);
    txn->has_witness = rc == OK;
    if (rc == OK) {
        txn_note_existence(txn, txn->witness);
        *ret_found = true;
    } else if (rc == ERR_NOTFOUND) {
        txn_note_read(txn, key); /* that nothing else is there: on the whole directory */
        rc = OK;
    }
    return rc;
}

int txn_prune(struct txn *txn, struct path path)
{
    while (path.dir_len > 0) {
        unsigned char key[STORE_KEY_SIZE];
        bool found = false, removed = false;
        int rc = txn_key(txn, path, key);
        if (rc == OK)
            rc = has_sibling(txn, key, &found);
        if (rc != OK || found)
            return rc;
        path = path_marker(path);
        rc = txn_remove(txn, path, &removed);
        if (rc != OK)
            return rc;
    }
    return OK;
}

int txn_delete(struct txn *txn, const char *path_text)
{
    struct path path;
    bool removed = false;
    int rc = path_parse(path_text, &path);
    if (rc == OK)
        rc = txn_remove(txn, path, &removed);
    return rc == OK && removed ? txn_prune(txn, path) : rc;
}

struct txn_growth txn_growth(const struct txn *txn)
{
    struct txn_growth growth = {0};
    for (size_t i = 0; i < txn->n_writes; i++) {
        const struct write *write = txn->writes[i];
        bool is_put = write->kind == WRITE_PUT || write->kind == WRITE_PUT_CLEAR;
        if (is_put && write->data == NULL) /* a directory's marker */
            continue;
        growth.records += is_put - (write->existed && write->kind != WRITE_NOTHING);
        growth.bytes +=
            (is_put ? (int64_t)write->len : 0) - (write->kind != WRITE_NOTHING ? (int64_t)write->old_len : 0);
    }
    return growth;
}

/* ---- Records in clear: in a directory whose key no MAC will ever be ---- */

void txn_clear_key(enum txn_clear record, unsigned char ret_key[STORE_KEY_SIZE])
{
    memset(ret_key, 0, STORE_KEY_SIZE);
    ret_key[STORE_KEY_SIZE - 1] = (unsigned char)(record << 1); /* the last bit tells ids apart */
}

int txn_get_clear(struct txn *txn, enum txn_clear record, struct buf *ret)
{
    unsigned char key[STORE_KEY_SIZE];
    const void *value;
    size_t len;
    txn_clear_key(record, key);
    const struct write *write = txn_find_write(txn, key);
    if (write != NULL) {
        if (write->kind != WRITE_PUT_CLEAR)
            return ERR_NOTFOUND;
        buf_put(ret, write->data, write->len);
        return OK;
    }
    txn_note_record(txn, key);
    int rc = txn_view_get(txn, key, &value, &len);
    if (rc == OK)
        buf_put(ret, value, len);
    return rc;
}

/* Of the store as it is now: a transaction's snapshot may be older than the keyring in use. */
static int read_keyring(void *arg, struct buf *ret)
{
    unsigned char key[STORE_KEY_SIZE];
    struct store_view *view;
    const void *value;
    size_t len;
    int rc = store_view_begin(arg, &view, NULL);
    if (rc != OK)
        return rc;
    txn_clear_key(TXN_CLEAR_KEYRING, key);
    rc = store_view_get(view, key, &value, &len);
    if (rc == OK)
        buf_put(ret, value, len);
    store_view_end(view);
    return rc;
}

int txn_follow_keyring(struct store *store, struct barrier *barrier, struct err *err)
{
    return barrier_follow(barrier, read_keyring, store, err);
}

/* The write that a record in clear is about to have; NULL, with OK, when it is not there and need not be. */
static int place_clear(struct txn *txn, enum txn_clear record, bool must_be, struct write **ret_write)
{
    unsigned char key[STORE_KEY_SIZE];
    bool existed = false;
    size_t old_len = 0;
    txn_clear_key(record, key);
    *ret_write = txn_find_write(txn, key);
    if (*ret_write != NULL)
        return OK;
    int rc = is_in_snapshot(txn, key, &existed, &old_len);
    if (rc == OK && (existed || must_be))
        *ret_write = add_write(txn, key, existed, old_len);
    return rc;
}

int txn_put_clear(struct txn *txn, enum txn_clear record, const void *data, size_t len)
{
    struct write *write;
    int rc = place_clear(txn, record, true, &write);
    if (rc != OK)
        return rc;
    write->kind = WRITE_PUT_CLEAR;
    write->data = arena_dup(&txn->arena, data, len);
    write->len = len;
    return OK;
}

int txn_delete_clear(struct txn *txn, enum txn_clear record)
{
    struct write *write;
    int rc = place_clear(txn, record, false, &write);
    if (rc == OK && write != NULL)
        write->kind = write->existed ? WRITE_DELETE : WRITE_NOTHING;
    return rc;
}
