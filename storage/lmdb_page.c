/* SPDX-License-Identifier: Apache-2.0 */
#include "storage/lmdb_page.h"

#include <string.h>

const struct page_head *page_head(const unsigned char *page)
{
    return (const struct page_head *)page;
}

int page_node_count(const unsigned char *page)
{
    return (int)((page_head(page)->lower - sizeof(struct page_head)) / sizeof(uint16_t));
}

const unsigned char *page_node(const unsigned char *page, int i)
{
    uint16_t offset;
    memcpy(&offset, page + sizeof(struct page_head) + (size_t)i * sizeof offset, sizeof offset);
    return page + offset;
}

struct node_head node_head(const unsigned char *node)
{
    struct node_head head;
    memcpy(&head, node, sizeof head);
    return head;
}

struct bytes node_key(const unsigned char *node)
{
    return (struct bytes){node + sizeof(struct node_head), node_head(node).key_len};
}

struct bytes node_data(const unsigned char *node)
{
    struct node_head head = node_head(node);
    return (struct bytes){node + sizeof head + head.key_len, (size_t)head.low | (size_t)head.high << 16};
}

uint64_t node_child(const unsigned char *node)
{
    struct node_head head = node_head(node);
    return (uint64_t)head.low | (uint64_t)head.high << 16 | (uint64_t)head.flags << 32;
}

static size_t node_size(const unsigned char *node, bool is_leaf)
{
    struct node_head head = node_head(node);
    size_t size = sizeof head + head.key_len;
    if (is_leaf)
        size += head.flags & NODE_BIG ? sizeof(uint64_t) : node_data(node).len;
    return (size + 1) & ~(size_t)1;
}

/* LMDB keeps the nodes of a page without gaps from `upper` to its end; so no bit of an offset or a length can be off.
 */
const char *page_check(const unsigned char *page, size_t page_size, bool is_leaf, uint16_t *sizes)
{
    const struct page_head *head = page_head(page);
    if (head->lower < sizeof *head + sizeof(uint16_t) || head->lower % 2 != 0 || head->upper % 2 != 0 ||
        head->upper < head->lower || head->upper > page_size)
        return "its head";
    int n = page_node_count(page);
    memset(sizes, 0, page_size / 2 * sizeof sizes[0]);
    for (int i = 0; i < n; i++) {
        size_t at = (size_t)(page_node(page, i) - page);
        if (at < head->upper || at % 2 != 0 || at + sizeof(struct node_head) > page_size || sizes[at / 2] != 0)
            return "a node's place";
        size_t size = node_size(page + at, is_leaf);
        if (size > page_size - at)
            return "a node's size";
        sizes[at / 2] = (uint16_t)size;
    }
    size_t at = head->upper;
    for (; at < page_size && sizes[at / 2] != 0; at += sizes[at / 2])
        n--;
    return at == page_size && n == 0 ? NULL : "its nodes do not fill it";
}
