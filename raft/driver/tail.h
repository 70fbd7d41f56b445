/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tail.h — what the driver knows of its log: for each entry the term and size, for the last ones the entry itself.
 *
 * Consecutive entries from `first` on. An entry leaves memory when it is on disk and applied and others came after
 * it; its slot stays, so that terms can be compared without reading the disk, until the log itself is trimmed.
 *
 * Threads: the driver's only.
 */
#ifndef COFFER_RAFT_TAIL_H
#define COFFER_RAFT_TAIL_H

#include <stddef.h>
#include <stdint.h>

#include "raft/driver/entry.h"

struct tail_slot {
    uint64_t term;
    struct entry *entry; /* NULL: on disk only */
    uint32_t len;
    uint8_t type;
};

struct tail {
    struct tail_slot *slots; /* a ring */
    size_t cap;
    size_t head; /* where `first` lies in the ring */
    size_t count;
    uint64_t first; /* the index of the first slot, or of the next entry while there is none */
    uint64_t bytes; /* of all slots */
    uint64_t kept;  /* the first index whose entry may be in memory */
    uint64_t kept_bytes;
};

/* Empties it; the next entry will have index `first`. A zeroed tail may be reset. */
void tail_reset(struct tail *tail, uint64_t first);
void tail_close(struct tail *tail);
/* The index of the last entry; first - 1 when there is none. */
uint64_t tail_last(const struct tail *tail);
/* Appends the entry that comes next; takes a reference of its own. */
void tail_push(struct tail *tail, struct entry *entry);
/* Removes the entries from `index` on. */
void tail_truncate(struct tail *tail, uint64_t index);
/* Removes the entries before `first`. */
void tail_trim(struct tail *tail, uint64_t first);
/* The slot of an index, or NULL. */
const struct tail_slot *tail_at(const struct tail *tail, uint64_t index);
/* 0 when there is no such entry. */
uint64_t tail_term(const struct tail *tail, uint64_t index);
/* Lets go of entries up to `upto`, but for the newest that make up at most max_bytes. */
void tail_evict(struct tail *tail, uint64_t upto, uint64_t max_bytes);
/* The first of the newest entries up to `upto` that are at most max_entries and max_bytes. */
uint64_t tail_keep_from(const struct tail *tail, uint64_t upto, uint64_t max_entries, uint64_t max_bytes);

#endif
