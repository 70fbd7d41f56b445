/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lmdb_page.h — what a page of an LMDB data file looks like.
 *
 * A page begins with its head. That of a branch or a leaf is followed by the offsets of its nodes, in the order of
 * their keys; the nodes fill the page from its end. Until page_check() has said that a page is sound, nothing else may
 * be asked of it but its head.
 */
#ifndef COFFER_STORAGE_LMDB_PAGE_H
#define COFFER_STORAGE_LMDB_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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

/*
 * Whether the nodes of a branch or a leaf are all within it, and without gap or overlap; NULL, or what is wrong.
 * sizes: room for page_size / 2 numbers.
 */
const char *page_check(const unsigned char *page, size_t page_size, bool is_leaf, uint16_t *sizes);

const struct page_head *page_head(const unsigned char *page);
int page_node_count(const unsigned char *page);
const unsigned char *page_node(const unsigned char *page, int i);

struct node_head node_head(const unsigned char *node);
struct bytes node_key(const unsigned char *node);
/* Of a leaf's node: where its data begin, and how many there are; a large record's page stands there instead. */
struct bytes node_data(const unsigned char *node);
/* Of a branch's node. */
uint64_t node_child(const unsigned char *node);

#endif
