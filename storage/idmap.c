/* SPDX-License-Identifier: Apache-2.0 */
#include "storage/idmap.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void idmap_close(struct idmap *map)
{
    free(map->entries);
    *map = (struct idmap){0};
}

/* The id's place, or the free one where it would go (linear probing). */
static struct idmap_entry *find(const struct idmap *map, const unsigned char *id)
{
    uint64_t hash;
    memcpy(&hash, id, sizeof hash);
    for (size_t at = hash & (map->capacity - 1);; at = (at + 1) & (map->capacity - 1)) {
        struct idmap_entry *entry = &map->entries[at];
        if (entry->value == 0 || memcmp(entry->id, id, ID_SIZE) == 0)
            return entry;
    }
}

static void grow(struct idmap *map)
{
    struct idmap next = {.capacity = map->capacity > 0 ? map->capacity * 2 : 16, .count = map->count};
    next.entries = calloc(next.capacity, sizeof next.entries[0]);
    if (next.entries == NULL)
        abort();
    for (size_t i = 0; i < map->capacity; i++)
        if (map->entries[i].value != 0)
            *find(&next, map->entries[i].id) = map->entries[i];
    free(map->entries);
    *map = next;
}

uint64_t idmap_get(const struct idmap *map, const unsigned char id[ID_SIZE])
{
    return map->count > 0 ? find(map, id)->value : 0;
}

void idmap_set(struct idmap *map, const unsigned char id[ID_SIZE], uint64_t value)
{
    assert(value != 0);
    if (map->count + map->count / 2 >= map->capacity)
        grow(map);
    struct idmap_entry *entry = find(map, id);
    if (entry->value == 0) {
        memcpy(entry->id, id, ID_SIZE);
        map->count++;
    }
    entry->value = value;
}
