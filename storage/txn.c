/* SPDX-License-Identifier: Apache-2.0 */
/* txn.c — a transaction: its coming and going, and what it reads. Writing is in txn_write.c, listing in txn_tree.c. */
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

int txn_view_get(struct txn *txn, const unsigned char *key, const void **ret_value, size_t *ret_len)
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

void txn_note_record(struct txn *txn, const unsigned char *key)
{
    unsigned char id[ID_SIZE];
    id_of_record(key, id);
    txn_note_read(txn, id);
}

void txn_note_existence(struct txn *txn, const unsigned char *key)
{
    unsigned char id[ID_SIZE];
    id_of_existence(key, id);
    txn_note_read(txn, id);
}

struct write *txn_find_write(const struct txn *txn, const unsigned char key[STORE_KEY_SIZE])
{
    unsigned char id[ID_SIZE];
    id_of_record(key, id);
    uint64_t place = idmap_get(&txn->by_id, id);
    return place != 0 ? txn->writes[place - 1] : NULL;
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
    txn_note_record(txn, ret->key);
    return txn_view_get(txn, ret->key, &ret->stored, &ret->len);
}

/*
 * A record that cannot be decrypted may be of a term that is newer than the keyring in use: another node, which led,
 * has rotated it. A keyring is stored before anything is encrypted with it, so it is there now.
 */
bool txn_has_followed(struct txn *txn, uint64_t generation)
{
    return txn_follow_keyring(txn->store, txn->barrier, NULL) == OK && barrier_generation(txn->barrier) != generation;
}

static int decrypt_found(struct txn *txn, const struct found *found)
{
    int rc;
    uint64_t generation;
    do {
        generation = barrier_generation(txn->barrier);
        buf_clear(&txn->scratch);
        rc = barrier_decrypt(txn->barrier, found->key, found->stored, found->len, NULL, &txn->scratch);
    } while (rc == ERR_CORRUPT && txn_has_followed(txn, generation));
    return rc;
}

static int parse_found(struct txn *txn, const struct found *found, json_t **ret_value)
{
    if (found->write != NULL)
        return parse_value(found->write->data, found->write->len, ret_value);
    int rc = decrypt_found(txn, found);
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
