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

#define MAGIC         0xBEEFC0DEu
#define VERSION       1
#define PAGE_MIN      512u
#define PAGE_MAX      32768u
#define PAGES_MAX     (UINT64_C(1) << 28) /* 1 TiB of 4 KiB */
#define DEPTH_MAX     32
#define DATABASES_MAX 16
#define NAME_MAX_LEN  64
#define NO_PAGE       UINT64_MAX

enum { PAGE_BRANCH = 0x01, PAGE_LEAF = 0x02, PAGE_OVERFLOW = 0x04, PAGE_META = 0x08 };
enum { NODE_BIG = 0x01, NODE_DATABASE = 0x02 };
enum { DB_INTEGER_KEYS = 0x08 };

struct page_head {
    uint64_t number;
    uint16_t pad;
    uint16_t flags;
    uint16_t lower, upper; /* of an overflow page: together the number of pages */
};

struct node_head {
    uint16_t low, high; /* leaf: size of the data; branch: the low bits of the child's number */
    uint16_t flags;     /* branch: the highest bits of it */
    uint16_t key_len;
};

struct database {
    uint32_t pad; /* of the free list: the page size */
    uint16_t flags;
    uint16_t depth;
    uint64_t branches, leaves, overflows, entries;
    uint64_t root;
};

struct meta {
    uint32_t magic;
    uint32_t version;
    uint64_t address;
    uint64_t map_size;
    struct database free, main;
    uint64_t last_page;
    uint64_t txnid;
};

_Static_assert(sizeof(struct page_head) == 16 && sizeof(struct node_head) == 8 && sizeof(struct database) == 48 &&
                   sizeof(struct meta) == 136 && sizeof(size_t) == 8,
               "the layout is that of LMDB on 64 bits");

struct bytes {
    const unsigned char *data;
    size_t len;
};

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

/* ---- A page and its nodes ---- */

static const struct page_head *head_of(const unsigned char *page)
{
    return (const struct page_head *)page;
}

static int node_count(const unsigned char *page)
{
    return (int)((head_of(page)->lower - sizeof(struct page_head)) / sizeof(uint16_t));
}

static const unsigned char *node_at(const unsigned char *page, int i)
{
    uint16_t offset;
    memcpy(&offset, page + sizeof(struct page_head) + (size_t)i * sizeof offset, sizeof offset);
    return page + offset;
}

static struct node_head node_head_of(const unsigned char *node)
{
    struct node_head head;
    memcpy(&head, node, sizeof head);
    return head;
}

static struct bytes node_key(const unsigned char *node)
{
    return (struct bytes){node + sizeof(struct node_head), node_head_of(node).key_len};
}

static size_t leaf_data_len(const unsigned char *node)
{
    struct node_head head = node_head_of(node);
    return (size_t)head.low | (size_t)head.high << 16;
}

static uint64_t branch_child(const unsigned char *node)
{
    struct node_head head = node_head_of(node);
    return (uint64_t)head.low | (uint64_t)head.high << 16 | (uint64_t)head.flags << 32;
}

static size_t node_size(const unsigned char *node, bool is_leaf)
{
    struct node_head head = node_head_of(node);
    size_t size = sizeof head + head.key_len;
    if (is_leaf)
        size += head.flags & NODE_BIG ? sizeof(uint64_t) : leaf_data_len(node);
    return (size + 1) & ~(size_t)1;
}

/* LMDB keeps the nodes of a page without gaps from `upper` to its end; so no bit of an offset or a length can be off.
 */
static const char *check_nodes(struct check *check, const unsigned char *page, bool is_leaf)
{
    const struct page_head *head = head_of(page);
    size_t page_size = check->page_size;
    if (head->lower < sizeof *head + sizeof(uint16_t) || head->lower % 2 != 0 || head->upper % 2 != 0 ||
        head->upper < head->lower || head->upper > page_size)
        return "its head";
    int n = node_count(page);
    memset(check->sizes, 0, page_size / 2 * sizeof check->sizes[0]);
    for (int i = 0; i < n; i++) {
        size_t at = (size_t)(node_at(page, i) - page);
        if (at < head->upper || at % 2 != 0 || at + sizeof(struct node_head) > page_size || check->sizes[at / 2] != 0)
            return "a node's place";
        size_t size = node_size(page + at, is_leaf);
        if (size > page_size - at)
            return "a node's size";
        check->sizes[at / 2] = (uint16_t)size;
    }
    size_t at = head->upper;
    for (; at < page_size && check->sizes[at / 2] != 0; at += check->sizes[at / 2])
        n--;
    return at == page_size && n == 0 ? NULL : "its nodes do not fill it";
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
    int n = node_count(page);
    struct bytes last = low;
    for (int i = is_leaf ? 0 : 1; i < n; i++) {
        struct bytes key = node_key(node_at(page, i));
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
    unsigned flags = node_head_of(node).flags;
    struct bytes key = node_key(node), data = {key.data + key.len, leaf_data_len(node)};
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
    int rc = OK, n = node_count(page);
    tree->found.leaves++;
    tree->found.entries += (uint64_t)n;
    for (int i = 0; i < n && rc == OK; i++)
        rc = check_record(tree, number, node_at(page, i));
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
    if (head_of(page)->number != number || head_of(page)->flags != (is_leaf ? PAGE_LEAF : PAGE_BRANCH))
        return damaged(check, number, "its number or kind");
    const char *wrong = check_nodes(check, page, is_leaf);
    if (wrong != NULL)
        return damaged(check, number, wrong);
    if (!keys_in_order(tree, page, is_leaf, low, high))
        return damaged(check, number, "its keys are out of order");
    if (is_leaf)
        return check_leaf(tree, number, page);
    tree->found.branches++;
    int n = node_count(page);
    for (int i = 0; i < n && rc == OK; i++) {
        struct bytes from = i > 0 ? node_key(node_at(page, i)) : low;
        struct bytes to = i + 1 < n ? node_key(node_at(page, i + 1)) : high;
        rc = check_page(tree, branch_child(node_at(page, i)), level + 1, from, to);
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
    const struct page_head *head = head_of(page);
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
