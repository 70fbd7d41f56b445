/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/driver/entry.h"

#include <stdlib.h>
#include <string.h>

struct entry *entry_new(uint64_t index, uint64_t term, uint8_t type, const void *data, size_t len)
{
    struct entry *entry = malloc(sizeof *entry + len);
    if (entry == NULL)
        abort(); /* as everywhere: without memory there is no going on */
    entry->index = index;
    entry->term = term;
    entry->type = type;
    entry->len = len;
    atomic_init(&entry->refs, 1);
    if (len > 0)
        memcpy(entry->data, data, len);
    return entry;
}

struct entry *entry_ref(struct entry *entry)
{
    atomic_fetch_add_explicit(&entry->refs, 1, memory_order_relaxed);
    return entry;
}

void entry_unref(struct entry *entry)
{
    if (entry != NULL && atomic_fetch_sub_explicit(&entry->refs, 1, memory_order_acq_rel) == 1)
        free(entry);
}
