/* SPDX-License-Identifier: Apache-2.0 */
/* txn.c — a transaction: reading, writing, and the directories' markers. Listing is in txn_tree.c. */
#include "storage/txn.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "storage/batch_private.h"
#include "storage/kept.h"
#include "storage/txn_private.h"

/* ---- Coming and going ---- */

int txn_begin(struct store *store, struct barrier *barrier, struct txn **ret_txn, struct err *err)
{
    struct store_view *view = NULL;
    int rc = store_view_begin(store, &view, err);
    if (rc != OK)
        return rc;
    struct txn *txn = calloc(1, sizeof *txn);
    if (txn == NULL)
        abort();
    txn->store = store;
    txn->barrier = barrier;
    txn->view = view;
    arena_init(&txn->arena);
    *ret_txn = txn;
    return OK;
}

void txn_free(struct txn *txn)
{
    if (txn == NULL)
        return;
    store_view_end(txn->view);
    arena_close(&txn->arena);
    buf_close(&txn->scratch);
    buf_close(&txn->reads);
    idmap_close(&txn->by_id);
    free(txn->writes);
    free(txn->last_dir);
    free(txn);
}

uint64_t txn_index(const struct txn *txn)
{
    return txn->was_released ? txn->index : store_view_index(txn->view);
}

void txn_release(struct txn *txn)
{
    if (txn == NULL || txn->view == NULL)
        return;
    txn->index = txn_index(txn);
    txn->was_released = true;
    store_view_end(txn->view);
    txn->view = NULL;
}

int txn_view(struct txn *txn, struct store_view **ret_view)
{
    int rc = txn->view == NULL ? store_view_begin(txn->store, &txn->view, NULL) : OK;
    *ret_view = txn->view;
    return rc;
}

/* Reads a record of the snapshot; the value is valid until the transaction is released or freed. */
static int view_get(struct txn *txn, const unsigned char *key, const void **ret_value, size_t *ret_len)
{
    struct store_view *view;
    int rc = txn_view(txn, &view);
    return rc == OK ? store_view_get(view, key, ret_value, ret_len) : rc;
}

/* ---- Keys, and what was relied on ---- */

/* Remembers a directory with its key: a request's paths often share one. */
static void remember_dir(struct txn *txn, struct path path, const unsigned char *key)
{
    if (path.dir_len > txn->last_dir_cap) {
        free(txn->last_dir);
        txn->last_dir_cap = path.dir_len + 64;
        txn->last_dir = malloc(txn->last_dir_cap);
        if (txn->last_dir == NULL)
            abort();
    }
    if (path.dir_len > 0)
        memcpy(txn->last_dir, path.text, path.dir_len);
    txn->last_dir_len = path.dir_len;
    memcpy(txn->last_dir_key, key, STORE_DIR_SIZE);
}

static bool is_last_dir(const struct txn *txn, struct path path)
{
    return txn->last_dir_len == path.dir_len && path.dir_len > 0 && memcmp(txn->last_dir, path.text, path.dir_len) == 0;
}

int txn_key(struct txn *txn, struct path path, unsigned char ret_key[STORE_KEY_SIZE])
{
    const unsigned char *known = is_last_dir(txn, path) ? txn->last_dir_key : NULL;
    int rc = barrier_path_key(txn->barrier, path.text, path.dir_len, path.name_len, known, ret_key);
    if (rc == OK && known == NULL)
        remember_dir(txn, path, ret_key);
    return rc;
}

void txn_note_read(struct txn *txn, const unsigned char id[ID_SIZE])
{
    buf_put(&txn->reads, id, ID_SIZE);
}

static void note_record(struct txn *txn, const unsigned char *key)
{
    unsigned char id[ID_SIZE];
    id_of_record(key, id);
    txn_note_read(txn, id);
}

static void note_existence(struct txn *txn, const unsigned char *key)
{
    unsigned char id[ID_SIZE];
    id_of_existence(key, id);
    txn_note_read(txn, id);
}

/* ---- Own writes ---- */

struct write *txn_find_write(const struct txn *txn, const unsigned char key[STORE_KEY_SIZE])
{
    unsigned char id[ID_SIZE];
    id_of_record(key, id);
    uint64_t place = idmap_get(&txn->by_id, id);
    return place != 0 ? txn->writes[place - 1] : NULL;
}

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
    note_existence(txn, key);
    int rc = view_get(txn, key, &value, &len);
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

/* ---- Reading ---- */

static int parse_value(const void *text, size_t len, json_t **ret_value)
{
    json_t *value = json_loadb(text, len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    if (value == NULL)
        return ERR_CORRUPT;
    *ret_value = value;
    return OK;
}

/* A record as the transaction sees it: by its own write, or else as it is stored. */
struct found {
    unsigned char key[STORE_KEY_SIZE];
    const struct write *write; /* or NULL */
    const void *stored;
    size_t len;
};

static int find_record(struct txn *txn, const char *path_text, struct found *ret)
{
    struct path path;
    int rc = path_parse(path_text, &path);
    if (rc == OK)
        rc = txn_key(txn, path, ret->key);
    if (rc != OK)
        return rc;
    ret->write = txn_find_write(txn, ret->key);
    if (ret->write != NULL && ret->write->kind != WRITE_NOTHING)
        return write_is_put(ret->write) ? OK : ERR_NOTFOUND;
    ret->write = NULL;
    note_record(txn, ret->key);
    return view_get(txn, ret->key, &ret->stored, &ret->len);
}

static int parse_found(struct txn *txn, const struct found *found, json_t **ret_value)
{
    if (found->write != NULL)
        return parse_value(found->write->data, found->write->len, ret_value);
    buf_clear(&txn->scratch);
    int rc = barrier_decrypt(txn->barrier, found->key, found->stored, found->len, NULL, &txn->scratch);
    return rc == OK ? parse_value(txn->scratch.data, txn->scratch.len, ret_value) : rc;
}

int txn_get(struct txn *txn, const char *path, json_t **ret_value)
{
    struct found found;
    int rc = find_record(txn, path, &found);
    return rc == OK ? parse_found(txn, &found, ret_value) : rc;
}

int txn_get_shared(struct txn *txn, const char *path, json_t **ret_value)
{
    unsigned char tag[BARRIER_TAG_SIZE];
    struct kept *kept = barrier_kept(txn->barrier);
    struct found found;
    int rc = find_record(txn, path, &found);
    if (rc == OK && found.write != NULL)
        return parse_found(txn, &found, ret_value);
    if (rc == OK)
        rc = barrier_value_tag(found.stored, found.len, tag);
    if (rc != OK)
        return rc;
    *ret_value = kept_get(kept, found.key, tag);
    if (*ret_value != NULL)
        return OK;
    rc = parse_found(txn, &found, ret_value);
    if (rc == OK && txn->scratch.len <= KEPT_TEXT_MAX)
        kept_put(kept, found.key, tag, *ret_value);
    return rc;
}

int txn_tag(struct txn *txn, const char *path, unsigned char ret_tag[BARRIER_TAG_SIZE])
{
    struct found found;
    int rc = find_record(txn, path, &found);
    if (rc == OK && found.write == NULL)
        return barrier_value_tag(found.stored, found.len, ret_tag);
    if (rc == OK || rc == ERR_NOTFOUND)
        memset(ret_tag, rc == OK ? 0xff : 0, BARRIER_TAG_SIZE);
    return rc == ERR_NOTFOUND ? OK : rc;
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
        note_existence(txn, txn->witness);
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

static void clear_key(enum txn_clear record, unsigned char ret_key[STORE_KEY_SIZE])
{
    memset(ret_key, 0, STORE_KEY_SIZE);
    ret_key[STORE_KEY_SIZE - 1] = (unsigned char)(record << 1); /* the last bit tells ids apart */
}

int txn_get_clear(struct txn *txn, enum txn_clear record, struct buf *ret)
{
    unsigned char key[STORE_KEY_SIZE];
    const void *value;
    size_t len;
    clear_key(record, key);
    const struct write *write = txn_find_write(txn, key);
    if (write != NULL) {
        buf_put(ret, write->data, write->len);
        return OK;
    }
    note_record(txn, key);
    int rc = view_get(txn, key, &value, &len);
    if (rc == OK)
        buf_put(ret, value, len);
    return rc;
}

int txn_put_clear(struct txn *txn, enum txn_clear record, const void *data, size_t len)
{
    unsigned char key[STORE_KEY_SIZE];
    bool existed = false;
    size_t old_len = 0;
    clear_key(record, key);
    struct write *write = txn_find_write(txn, key);
    if (write == NULL) {
        int rc = is_in_snapshot(txn, key, &existed, &old_len);
        if (rc != OK)
            return rc;
        write = add_write(txn, key, existed, old_len);
    }
    write->kind = WRITE_PUT_CLEAR;
    write->data = arena_dup(&txn->arena, data, len);
    write->len = len;
    return OK;
}
