/* SPDX-License-Identifier: Apache-2.0 */
/*
 * idmap.h — a map of 16-byte ids to numbers. Ids are halves of record keys, that is MACs: evenly
 * spread, and nobody outside can choose them, so their first bytes are the hash.
 */
#ifndef COFFER_STORAGE_IDMAP_H
#define COFFER_STORAGE_IDMAP_H

#include <stddef.h>
#include <stdint.h>

#define ID_SIZE 16

struct idmap_entry {
    unsigned char id[ID_SIZE];
    uint64_t value; /* 0: the place is free */
};

struct idmap {
    struct idmap_entry *entries; /* NULL while empty */
    size_t capacity;             /* a power of two */
    size_t count;
};

void idmap_close(struct idmap *map);
/* 0 when there is none. */
uint64_t idmap_get(const struct idmap *map, const unsigned char id[ID_SIZE]);
/* Sets or replaces; value is not 0. */
void idmap_set(struct idmap *map, const unsigned char id[ID_SIZE], uint64_t value);

#endif
