/* SPDX-License-Identifier: Apache-2.0 */
/* txn_tree.c — listing a directory, and deleting all that is below one. */
#include <stdlib.h>
#include <string.h>

#include "storage/batch_private.h"
#include "storage/txn_private.h"

/*
 * Names of a directory as they come: in random order. With a limit, only the smallest are kept: whenever there are
 * twice as many as wanted, they are sorted and the greater half is dropped, and from then on what is greater is not
 * taken.
 */
struct names {
    struct txn *txn;
    const char *dir;
    const char *after;  /* NULL: from the first */
    const char *bound;  /* NULL: none yet */
    size_t limit;       /* 0: all */
    size_t stop_at;     /* end the scan when there are so many; 0: never */
    struct buf name;    /* decrypted last */
    struct arena arena; /* the names */
    const char **items;
    size_t count, cap;
};

static void names_close(struct names *names)
{
    buf_close(&names->name);
    arena_close(&names->arena);
    free(names->items);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void names_sort(struct names *names)
{
    if (names->count > 0)
        qsort(names->items, names->count, sizeof names->items[0], compare_names);
    if (names->limit > 0 && names->count > names->limit) {
        names->count = names->limit;
        names->bound = names->items[names->count - 1];
    }
}

static void names_add(struct names *names, const char *name)
{
    if ((names->after != NULL && strcmp(name, names->after) <= 0) ||
        (names->bound != NULL && strcmp(name, names->bound) > 0))
        return;
    if (names->count == names->cap) {
        names->cap = names->cap > 0 ? names->cap * 2 : 32;
        names->items = reallocarray(names->items, names->cap, sizeof names->items[0]);
        if (names->items == NULL)
            abort();
    }
    names->items[names->count++] = arena_strdup(&names->arena, name);
    if (names->limit > 0 && names->count / 2 >= names->limit)
        names_sort(names);
}

static bool is_enough(const struct names *names)
{
    return names->stop_at > 0 && names->count >= names->stop_at;
}

/* A record of the snapshot. What this transaction has written itself is added by names_read(). */
static int visit_record(void *arg, const unsigned char *key, const void *value, size_t len)
{
    struct names *names = arg;
    if (txn_find_write(names->txn, key) != NULL)
        return OK;
    int rc;
    uint64_t generation;
    do {
        generation = barrier_generation(names->txn->barrier);
        buf_clear(&names->name);
        rc = barrier_decrypt_name(names->txn->barrier, names->dir, key, value, len, &names->name);
    } while (rc == ERR_CORRUPT && txn_has_followed(names->txn, generation));
    if (rc != OK)
        return rc;
    names_add(names, buf_str(&names->name));
    return is_enough(names) ? ERR_BUSY : OK; /* ends the scan */
}

/* Fills names with what is in its directory as the transaction sees it; the transaction relies on it from then on. */
static int names_read(struct names *names)
{
    struct txn *txn = names->txn;
    unsigned char dir[STORE_DIR_SIZE];
    int rc = barrier_dir_key(txn->barrier, names->dir, dir);
    if (rc != OK)
        return rc;
    txn_note_read(txn, dir);
    for (size_t i = 0; i < txn->n_writes && !is_enough(names); i++)
        if (write_is_put(txn->writes[i]) && memcmp(txn->writes[i]->key, dir, sizeof dir) == 0)
            names_add(names, txn->writes[i]->name);
    struct store_view *view;
    if (!is_enough(names) && (rc = txn_view(txn, &view)) == OK)
        rc = store_view_scan(view, dir, visit_record, names);
    return rc == ERR_BUSY && is_enough(names) ? OK : rc;
}

static int list(struct names *names, json_t **ret_names)
{
    struct path path;
    int rc = path_parse_dir(names->dir, &path);
    if (rc != OK)
        return rc;
    arena_init(&names->arena);
    rc = names_read(names);
    if (rc == OK) {
        names_sort(names);
        *ret_names = json_array();
        for (size_t i = 0; i < names->count; i++)
            json_array_append_new(*ret_names, json_string(names->items[i]));
    }
    names_close(names);
    return rc;
}

int txn_list(struct txn *txn, const char *dir, const char *after, size_t limit, json_t **ret_names)
{
    struct names names = {.txn = txn, .dir = dir, .after = after, .limit = limit};
    return list(&names, ret_names);
}

int txn_list_some(struct txn *txn, const char *dir, size_t max, json_t **ret_names)
{
    struct names names = {.txn = txn, .dir = dir, .stop_at = max};
    return list(&names, ret_names);
}

/* ---- Counting ---- */

struct count {
    const struct txn *txn;
    size_t n;
};

static int count_record(void *arg, const unsigned char *key, const void *value, size_t len)
{
    struct count *count = arg;
    (void)value;
    (void)len;
    count->n += txn_find_write(count->txn, key) == NULL;
    return OK;
}

int txn_count(struct txn *txn, const char *dir, size_t *ret_n)
{
    unsigned char key[STORE_DIR_SIZE];
    struct count count = {.txn = txn};
    struct store_view *view;
    struct path path;
    int rc = path_parse_dir(dir, &path);
    if (rc == OK)
        rc = barrier_dir_key(txn->barrier, dir, key);
    if (rc != OK)
        return rc;
    txn_note_read(txn, key);
    for (size_t i = 0; i < txn->n_writes; i++)
        count.n += write_is_put(txn->writes[i]) && memcmp(txn->writes[i]->key, key, sizeof key) == 0;
    rc = txn_view(txn, &view);
    if (rc == OK)
        rc = store_view_scan(view, key, count_record, &count);
    if (rc == OK)
        *ret_n = count.n;
    return rc;
}

/* ---- Deleting a tree ---- */

struct tree {
    struct txn *txn;
    size_t left; /* records that may still be deleted */
    bool is_cut; /* there are more */
    char text[TXN_PATH_MAX + BARRIER_NAME_MAX + 2];
};

static int clear_dir(struct tree *tree, size_t dir_len);

/* Deletes one thing in the directory that is text[0 … dir_len): a record, or a directory with its marker. */
static int clear_child(struct tree *tree, size_t dir_len, const char *name)
{
    size_t name_len = strlen(name);
    bool removed = false;
    if (dir_len + name_len > TXN_PATH_MAX)
        return ERR_CORRUPT;
    memcpy(tree->text + dir_len, name, name_len + 1);
    if (name[name_len - 1] == '/') {
        int rc = clear_dir(tree, dir_len + name_len);
        if (rc != OK || tree->is_cut)
            return rc;
    } else if (tree->left == 0) {
        tree->is_cut = true;
        return OK;
    } else {
        tree->left--;
    }
    return txn_remove(tree->txn, (struct path){tree->text, dir_len, name_len}, &removed);
}

/* Every child costs at least one record, so there is no use in reading more names than may be deleted, and one. */
static int clear_dir(struct tree *tree, size_t dir_len)
{
    tree->text[dir_len] = '\0';
    char *dir = strdup(tree->text); /* the text changes meanwhile */
    if (dir == NULL)
        abort();
    struct names names = {.txn = tree->txn, .dir = dir, .stop_at = tree->left + 1};
    arena_init(&names.arena);
    int rc = names_read(&names);
    for (size_t i = 0; i < names.count && rc == OK && !tree->is_cut; i++)
        rc = clear_child(tree, dir_len, names.items[i]);
    names_close(&names);
    free(dir);
    return rc;
}

int txn_delete_tree(struct txn *txn, const char *dir, size_t max, bool *ret_more)
{
    struct path path;
    int rc = path_parse_dir(dir, &path);
    if (rc != OK)
        return rc;
    struct tree tree = {.txn = txn, .left = max};
    memcpy(tree.text, dir, path.dir_len + 1);
    rc = clear_dir(&tree, path.dir_len);
    if (rc == OK && !tree.is_cut)
        rc = txn_prune(txn, path);
    if (rc == OK)
        *ret_more = tree.is_cut;
    return rc;
}
