/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "raft/driver/driver_private.h"

static void grow(struct fifo *fifo)
{
    size_t cap = fifo->cap == 0 ? 64 : fifo->cap * 2;
    struct submission *items = calloc(cap, sizeof *items);
    if (items == NULL)
        abort();
    for (size_t i = 0; i < fifo->count; i++)
        items[i] = fifo->items[(fifo->head + i) & (fifo->cap - 1)];
    free(fifo->items);
    *fifo = (struct fifo){.items = items, .cap = cap, .count = fifo->count};
}

void fifo_push(struct fifo *fifo, uint64_t index, void *token)
{
    if (fifo->count == fifo->cap)
        grow(fifo);
    fifo->items[(fifo->head + fifo->count++) & (fifo->cap - 1)] = (struct submission){index, token};
}

struct submission *fifo_front(struct fifo *fifo)
{
    return fifo->count == 0 ? NULL : &fifo->items[fifo->head];
}

struct submission *fifo_at(const struct fifo *fifo, size_t i)
{
    return &fifo->items[(fifo->head + i) & (fifo->cap - 1)];
}

void fifo_remove(struct fifo *fifo, size_t i)
{
    for (; i + 1 < fifo->count; i++)
        *fifo_at(fifo, i) = *fifo_at(fifo, i + 1);
    fifo->count--;
}

void fifo_pop(struct fifo *fifo)
{
    fifo->head = (fifo->head + 1) & (fifo->cap - 1);
    fifo->count--;
}

void fifo_close(struct fifo *fifo)
{
    free(fifo->items);
    *fifo = (struct fifo){0};
}
