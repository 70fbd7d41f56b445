/* SPDX-License-Identifier: Apache-2.0 */
#include "storage/lmdb_check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "storage/lmdb_page.h"

#define MAGIC         0xBEEFC0DEu
#define VERSION       1
#define PAGE_MIN      512u
#define PAGE_MAX      32768u
#define PAGES_MAX     (UINT64_C(1) << 28) /* 1 TiB of 4 KiB */
#define DEPTH_MAX     32
#define DATABASES_MAX 16
#define NAME_MAX_LEN  64
#define NO_PAGE       UINT64_MAX

struct named {
    char name[NAME_MAX_LEN + 1];
    struct database database;
};

struct check {
    const char *path;
    int fd;
    uint64_t file_size;
    size_t page_size;
    uint64_t pages; /* those that the meta page counts */
    uint64_t txnid;
    bool is_previous;
    unsigned char *used; /* a bit a page */
    uint16_t *sizes;     /* of the nodes of one page, by where they begin */
    struct buf overflow;
    struct named named[DATABASES_MAX];
    int n_named;
    int (*visit)(void *arg, const struct lmdb_record *record);
    void *arg;
    struct err *err;
};

/* A tree while it is walked: what it claims, and what was found. */
struct tree {
    struct check *check;
    const char *name; /* NULL: the free list */
    const struct database *claim;
    struct database found;
    unsigned char *levels[DEPTH_MAX]; /* a page each */
};

static int damaged(const struct check *check, uint64_t page, const char *what)
{
    return err_set(check->err, ERR_CORRUPT, "%s is damaged: page %llu: %s", check->path, (unsigned long long)page,
                   what);
}

static int read_at(const struct check *check, uint64_t offset, void *ret, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = pread(check->fd, (char *)ret + done, size - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set(check->err, ERR_IO, "cannot read %s: %s", check->path, strerror(errno));
        if (n == 0)
            return err_set(check->err, ERR_CORRUPT, "%s is damaged: it ends too early", check->path);
        done += (size_t)n;
    }
    return OK;
}

/* Notes that a run of pages is used (or free): each may be so once. */
static int claim_pages(struct check *check, uint64_t first, uint64_t n)
{
    if (first < 2 || n > check->pages || first > check->pages - n)
        return damaged(check, first, "there is no such page");
    for (uint64_t page = first; page < first + n; page++) {
        unsigned char bit = (unsigned char)(1u << (page % 8));
        if (check->used[page / 8] & bit)
            return damaged(check, page, "it is used twice");
        check->used[page / 8] |= bit;
    }
    return OK;
}

/* ---- Keys ---- */

static int compare(const struct tree *tree, struct bytes a, struct bytes b)
{
    if (tree->claim->flags & DB_INTEGER_KEYS) {
        uint64_t x = 0, y = 0;
        memcpy(&x, a.data, a.len < sizeof x ? a.len : sizeof x);
        memcpy(&y, b.data, b.len < sizeof y ? b.len : sizeof y);
        return x < y ? -1 : x > y;
    }
    int order = memcmp(a.data, b.data, a.len < b.len ? a.len : b.len);
    return order != 0 ? order : a.len < b.len ? -1 : a.len > b.len;
}

/* Keys ascend and lie within [low, high); one without data is no bound. A branch's first key means nothing. */
static bool keys_in_order(const struct tree *tree, const unsigned char *page, bool is_leaf, struct bytes low,
                          struct bytes high)
{
    int n = page_node_count(page);
    struct bytes last = low;
    for (int i = is_leaf ? 0 : 1; i < n; i++) {
        struct bytes key = node_key(page_node(page, i));
        int order = last.data != NULL ? compare(tree, last, key) : -1;
        if (order > 0 || (order == 0 && last.data != low.data))
            return false;
        last = key;
    }
    return high.data == NULL || last.data == NULL || last.data == low.data || compare(tree, last, high) < 0;
}

/* ---- Records ---- */

static int read_overflow(struct tree *tree, uint64_t number, size_t len, const unsigned char **ret_data)
{
    struct check *check = tree->check;
    struct page_head head;
    uint32_t n;
    if (number >= check->pages)
        return damaged(check, number, "there is no such page");
    int rc = read_at(check, number * check->page_size, &head, sizeof head);
    if (rc != OK)
        return rc;
    memcpy(&n, &head.lower, sizeof n);
    if (head.number != number || head.flags != PAGE_OVERFLOW || n < (sizeof head + len - 1) / check->page_size + 1 ||
        number * check->page_size + sizeof head + len > check->file_size)
        return damaged(check, number, "the head of a large record");
    rc = claim_pages(check, number, n);
    if (rc != OK)
        return rc;
    tree->found.overflows += n;
    buf_clear(&check->overflow);
    buf_reserve(&check->overflow, len);
    *ret_data = check->overflow.data;
    return read_at(check, number * check->page_size + sizeof head, check->overflow.data, len);
}

/* A record of the free list: a transaction's id, and the pages that it gave back, highest first. */
static int check_free_record(struct tree *tree, uint64_t page, struct bytes key, struct bytes data)
{
    struct check *check = tree->check;
    uint64_t txnid, count, last = UINT64_MAX;
    if (key.len != sizeof txnid || data.len < sizeof count || data.len % sizeof count != 0)
        return damaged(check, page, "the free list");
    memcpy(&txnid, key.data, sizeof txnid);
    memcpy(&count, data.data, sizeof count);
    if (txnid == 0 || txnid > check->txnid || count > data.len / sizeof count - 1)
        return damaged(check, page, "the free list");
    for (uint64_t i = 1; i <= count; i++) {
        uint64_t number;
        memcpy(&number, data.data + i * sizeof number, sizeof number);
        if (number >= last)
            return damaged(check, page, "the free list is out of order");
        int rc = claim_pages(check, number, 1);
        if (rc != OK)
            return rc;
        last = number;
    }
    return OK;
}

static int note_database(struct tree *tree, uint64_t page, struct bytes key, struct bytes data)
{
    struct check *check = tree->check;
    if (tree->name == NULL || *tree->name != '\0' || key.len > NAME_MAX_LEN || data.len != sizeof(struct database) ||
        check->n_named == DATABASES_MAX)
        return damaged(check, page, "a database's record");
    struct named *named = &check->named[check->n_named++];
    memcpy(named->name, key.data, key.len);
    named->name[key.len] = '\0';
    memcpy(&named->database, data.data, sizeof named->database);
    return OK;
}

static int check_record(struct tree *tree, uint64_t page, const unsigned char *node)
{
    struct check *check = tree->check;
    unsigned flags = node_head(node).flags;
    struct bytes key = node_key(node), data = node_data(node);
    if (key.len == 0 || (flags != 0 && flags != NODE_BIG && flags != NODE_DATABASE))
        return damaged(check, page, "a record's head");
    if (flags == NODE_BIG) {
        uint64_t number;
        memcpy(&number, data.data, sizeof number);
        int rc = read_overflow(tree, number, data.len, &data.data);
        if (rc != OK)
            return rc;
    }
    if (tree->name == NULL)
        return flags == NODE_DATABASE ? damaged(check, page, "a record's head")
                                      : check_free_record(tree, page, key, data);
    if (flags == NODE_DATABASE)
        return note_database(tree, page, key, data);
    struct lmdb_record record = {
        tree->name, key.data, key.len, data.data, data.len, check->txnid, check->is_previous,
    };
    return check->visit(check->arg, &record);
}

/* ---- Trees ---- */

static int check_leaf(struct tree *tree, uint64_t number, const unsigned char *page)
{
    int rc = OK, n = page_node_count(page);
    tree->found.leaves++;
    tree->found.entries += (uint64_t)n;
    for (int i = 0; i < n && rc == OK; i++)
        rc = check_record(tree, number, page_node(page, i));
    return rc;
}

/* Walks the page and what is below it; `level` counts from the root, 0. */
static int check_page(struct tree *tree, uint64_t number, int level, struct bytes low, struct bytes high)
{
    struct check *check = tree->check;
    unsigned char *page = tree->levels[level];
    bool is_leaf = level == tree->claim->depth - 1;
    int rc = claim_pages(check, number, 1);
    if (rc == OK)
        rc = read_at(check, number * check->page_size, page, check->page_size);
    if (rc != OK)
        return rc;
    if (page_head(page)->number != number || page_head(page)->flags != (is_leaf ? PAGE_LEAF : PAGE_BRANCH))
        return damaged(check, number, "its number or kind");
    const char *wrong = page_check(page, check->page_size, is_leaf, check->sizes);
    if (wrong != NULL)
        return damaged(check, number, wrong);
    if (!keys_in_order(tree, page, is_leaf, low, high))
        return damaged(check, number, "its keys are out of order");
    if (is_leaf)
        return check_leaf(tree, number, page);
    tree->found.branches++;
    int n = page_node_count(page);
    for (int i = 0; i < n && rc == OK; i++) {
        struct bytes from = i > 0 ? node_key(page_node(page, i)) : low;
        struct bytes to = i + 1 < n ? node_key(page_node(page, i + 1)) : high;
        rc = check_page(tree, node_child(page_node(page, i)), level + 1, from, to);
    }
    return rc;
}

static int check_levels(struct tree *tree)
{
    const struct database *claim = tree->claim;
    struct bytes none = {0};
    if (claim->root == NO_PAGE)
        return claim->depth == 0 ? OK : damaged(tree->check, 0, "a tree without a root has a depth");
    if (claim->depth == 0 || claim->depth > DEPTH_MAX)
        return damaged(tree->check, claim->root, "its tree's depth");
    for (int i = 0; i < claim->depth; i++) {
        tree->levels[i] = malloc(tree->check->page_size);
        if (tree->levels[i] == NULL)
            abort();
    }
    int rc = check_page(tree, claim->root, 0, none, none);
    for (int i = 0; i < claim->depth; i++)
        free(tree->levels[i]);
    return rc;
}

static int check_tree(struct check *check, const char *name, const struct database *claim)
{
    struct tree tree = {.check = check, .name = name, .claim = claim};
    int rc = check_levels(&tree);
    if (rc != OK)
        return rc;
    if (tree.found.branches != claim->branches || tree.found.leaves != claim->leaves ||
        tree.found.overflows != claim->overflows || tree.found.entries != claim->entries)
        return damaged(check, claim->root, "its tree does not hold what it should");
    return OK;
}

/* ---- Meta pages ---- */

static bool is_power_of_two(uint64_t n)
{
    return n != 0 && (n & (n - 1)) == 0;
}

static bool all_zero(const unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (bytes[i] != 0)
            return false;
    return true;
}

/* The page at `offset` must be the i-th meta page, with nothing in it but what LMDB puts there. */
static int read_meta(struct check *check, uint64_t i, size_t page_size, struct meta *ret)
{
    unsigned char page[PAGE_MAX];
    int rc = read_at(check, i * page_size, page, page_size);
    if (rc != OK)
        return rc;
    const struct page_head *head = page_head(page);
    size_t end = sizeof *head + sizeof *ret;
    memcpy(ret, page + sizeof *head, sizeof *ret);
    if (head->number != i || head->pad != 0 || head->flags != PAGE_META || head->lower != 0 || head->upper != 0 ||
        !all_zero(page + end, page_size - end))
        return damaged(check, i, "the head of a meta page");
    if (ret->magic != MAGIC || ret->version != VERSION || ret->address != 0)
        return damaged(check, i, "a meta page of another format");
    if (ret->free.pad != page_size || ret->free.flags != DB_INTEGER_KEYS || ret->main.pad != 0 || ret->main.flags != 0)
        return damaged(check, i, "a meta page's databases");
    if (!is_power_of_two(ret->map_size) || ret->last_page >= PAGES_MAX)
        return damaged(check, i, "a meta page's sizes");
    return OK;
}

static int read_page_size(const struct check *check, size_t *ret_size)
{
    struct meta meta;
    int rc = read_at(check, sizeof(struct page_head), &meta, sizeof meta);
    if (rc != OK)
        return rc;
    if (!is_power_of_two(meta.free.pad) || meta.free.pad < PAGE_MIN || meta.free.pad > PAGE_MAX)
        return damaged(check, 0, "the page size");
    *ret_size = meta.free.pad;
    return OK;
}

/*
 * Transactions take turns in writing the two meta pages, and one ends before the next begins: so page i has an id
 * with that parity (in a new file: none), and the ids differ by one. That holds after a crash, too.
 */
static int read_metas(struct check *check, struct meta *ret_newest, struct meta *ret_previous)
{
    struct meta metas[2];
    int rc = read_page_size(check, &check->page_size);
    for (uint64_t i = 0; i < 2 && rc == OK; i++)
        rc = read_meta(check, i, check->page_size, &metas[i]);
    if (rc != OK)
        return rc;
    bool is_new = metas[0].txnid == 0 && metas[1].txnid == 0;
    uint64_t newest = metas[1].txnid > metas[0].txnid;
    if (!is_new && (metas[0].txnid % 2 != 0 || metas[newest].txnid - metas[!newest].txnid != 1))
        return damaged(check, newest, "the order of the meta pages");
    *ret_newest = metas[newest];
    *ret_previous = metas[!newest];
    return OK;
}

/* ---- The whole ---- */

static int check_newest(struct check *check, const struct meta *meta)
{
    int rc = check_tree(check, NULL, &meta->free);
    if (rc == OK)
        rc = check_tree(check, "", &meta->main);
    for (int i = 0; i < check->n_named && rc == OK; i++) {
        struct database *claim = &check->named[i].database;
        rc = claim->pad == 0 && (claim->flags & ~DB_INTEGER_KEYS) == 0 ? check_tree(check, check->named[i].name, claim)
                                                                       : damaged(check, 0, "a database's kind");
    }
    return rc;
}

/* Shows what can be read of it; see the header for why. */
static void show_previous(struct check *check, const struct meta *meta)
{
    struct err *err = check->err;
    memset(check->used, 0, check->pages / 8 + 1);
    check->n_named = 0;
    check->txnid = meta->txnid;
    check->is_previous = true;
    check->err = NULL;
    (void)!check_tree(check, "", &meta->main);
    check->err = err;
}

static int check_file(struct check *check, uint64_t *ret_txnid)
{
    struct meta newest, previous;
    int rc = read_metas(check, &newest, &previous);
    if (rc != OK)
        return rc;
    check->pages = newest.last_page + 1;
    check->txnid = newest.txnid;
    check->used = calloc(check->pages / 8 + 1, 1);
    check->sizes = calloc(check->page_size / 2, sizeof check->sizes[0]);
    if (check->used == NULL || check->sizes == NULL)
        abort();
    rc = check_newest(check, &newest);
    if (rc != OK)
        return rc;
    show_previous(check, &previous);
    *ret_txnid = newest.txnid;
    return OK;
}

int lmdb_check(const char *path, int (*visit)(void *arg, const struct lmdb_record *record), void *arg,
               uint64_t *ret_txnid, struct err *err)
{
    struct check check = {.path = path, .visit = visit, .arg = arg, .err = err};
    check.fd = open(path, O_RDONLY | O_CLOEXEC);
    if (check.fd < 0)
        return err_set(err, errno == ENOENT ? ERR_NOTFOUND : ERR_IO, "cannot open %s: %s", path, strerror(errno));
    struct stat info;
    check.file_size = fstat(check.fd, &info) == 0 ? (uint64_t)info.st_size : 0;
    posix_fadvise(check.fd, 0, 0, POSIX_FADV_WILLNEED); /* the pages of a tree lie scattered */
    int rc = check_file(&check, ret_txnid);
    close(check.fd);
    free(check.used);
    free(check.sizes);
    buf_close(&check.overflow);
    return rc;
}
