/* SPDX-License-Identifier: Apache-2.0 */
/*
 * window.c — what changed of late, in two generations: when the younger is full, the older is
 * forgotten, and every snapshot from before its last change counts as outdated from then on.
 */
#include <stdlib.h>

#include "storage/batch.h"
#include "storage/batch_private.h"

#define GENERATION_MAX 65536 /* ids: at most 3 MB a generation; the tables start small */

struct generation {
    struct idmap changed; /* id → the index of its last change, plus one: 0 is no value */
    uint64_t last;        /* the highest of them */
};

struct window {
    uint64_t floor; /* all changes after this index are known */
    struct generation young, old;
};

struct window *window_new(uint64_t index)
{
    struct window *window = calloc(1, sizeof *window);
    if (window == NULL)
        abort();
    window->floor = window->young.last = window->old.last = index;
    return window;
}

void window_free(struct window *window)
{
    if (window == NULL)
        return;
    idmap_close(&window->young.changed);
    idmap_close(&window->old.changed);
    free(window);
}

bool window_conflicts(const struct window *window, const struct batch *batch)
{
    if (batch->index < window->floor)
        return true;
    for (size_t at = 0; at < batch->reads.len; at += ID_SIZE) {
        const unsigned char *id = batch->reads.data + at;
        if (idmap_get(&window->young.changed, id) > batch->index + 1 ||
            idmap_get(&window->old.changed, id) > batch->index + 1)
            return true;
    }
    return false;
}

static void forget_oldest(struct window *window)
{
    idmap_close(&window->old.changed);
    window->floor = window->old.last;
    window->old = window->young;
    window->young = (struct generation){.last = window->old.last};
}

void window_add(struct window *window, const struct batch *batch, uint64_t index)
{
    for (size_t at = 0; at < batch->changes.len; at += ID_SIZE) {
        if (window->young.changed.count >= GENERATION_MAX)
            forget_oldest(window);
        idmap_set(&window->young.changed, batch->changes.data + at, index + 1);
        if (index > window->young.last)
            window->young.last = index;
    }
}
