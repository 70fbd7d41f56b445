/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/driver/tail.h"

#include <assert.h>
#include <stdlib.h>

static struct tail_slot *slot_of(const struct tail *tail, uint64_t index)
{
    return &tail->slots[(tail->head + (size_t)(index - tail->first)) & (tail->cap - 1)];
}

static void drop_entry(struct tail *tail, struct tail_slot *slot)
{
    if (slot->entry == NULL)
        return;
    tail->kept_bytes -= slot->len;
    entry_unref(slot->entry);
    slot->entry = NULL;
}

void tail_reset(struct tail *tail, uint64_t first)
{
    if (tail->count > 0)
        tail_truncate(tail, tail->first);
    tail->head = 0;
    tail->first = first;
    tail->kept = first;
}

void tail_close(struct tail *tail)
{
    tail_reset(tail, 1);
    free(tail->slots);
    *tail = (struct tail){0};
}

uint64_t tail_last(const struct tail *tail)
{
    return tail->first + tail->count - 1;
}

static void grow(struct tail *tail)
{
    size_t cap = tail->cap == 0 ? 256 : tail->cap * 2;
    struct tail_slot *slots = calloc(cap, sizeof *slots);
    if (slots == NULL)
        abort();
    for (size_t i = 0; i < tail->count; i++)
        slots[i] = *slot_of(tail, tail->first + i);
    free(tail->slots);
    tail->slots = slots;
    tail->cap = cap;
    tail->head = 0;
}

void tail_push(struct tail *tail, struct entry *entry)
{
    assert(entry->index == tail_last(tail) + 1);
    if (tail->count == tail->cap)
        grow(tail);
    tail->count++;
    *slot_of(tail, entry->index) = (struct tail_slot){
        .term = entry->term, .entry = entry_ref(entry), .len = (uint32_t)entry->len, .type = entry->type};
    tail->bytes += entry->len;
    tail->kept_bytes += entry->len;
}

void tail_truncate(struct tail *tail, uint64_t index)
{
    assert(index >= tail->first);
    while (tail->count > 0 && tail_last(tail) >= index) {
        struct tail_slot *slot = slot_of(tail, tail_last(tail));
        drop_entry(tail, slot);
        tail->bytes -= slot->len;
        tail->count--;
    }
    if (tail->kept > tail_last(tail) + 1)
        tail->kept = tail_last(tail) + 1;
}

void tail_trim(struct tail *tail, uint64_t first)
{
    while (tail->count > 0 && tail->first < first) {
        struct tail_slot *slot = slot_of(tail, tail->first);
        drop_entry(tail, slot);
        tail->bytes -= slot->len;
        tail->head = (tail->head + 1) & (tail->cap - 1);
        tail->first++;
        tail->count--;
    }
    if (tail->kept < tail->first)
        tail->kept = tail->first;
}

const struct tail_slot *tail_at(const struct tail *tail, uint64_t index)
{
    if (index < tail->first || index > tail_last(tail))
        return NULL;
    return slot_of(tail, index);
}

uint64_t tail_term(const struct tail *tail, uint64_t index)
{
    const struct tail_slot *slot = tail_at(tail, index);
    return slot == NULL ? 0 : slot->term;
}

void tail_evict(struct tail *tail, uint64_t upto, uint64_t max_bytes)
{
    while (tail->kept <= upto && tail->kept <= tail_last(tail) && tail->kept_bytes > max_bytes)
        drop_entry(tail, slot_of(tail, tail->kept++));
}

uint64_t tail_keep_from(const struct tail *tail, uint64_t upto, uint64_t max_entries, uint64_t max_bytes)
{
    uint64_t from = upto + 1, bytes = 0;
    while (from > tail->first && upto + 1 - from < max_entries) {
        bytes += slot_of(tail, from - 1)->len;
        if (bytes > max_bytes)
            break;
        from--;
    }
    return from;
}
