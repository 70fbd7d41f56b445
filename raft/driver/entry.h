/* SPDX-License-Identifier: Apache-2.0 */
/*
 * entry.h — one entry of the replicated log, in memory.
 *
 * An entry is made once, from what was submitted or what a peer sent, and then shared: by the driver, the log's
 * writer, the applier and messages to peers. So it counts its holders and is never changed once it has an index.
 *
 * Threads: any may hold one; the counting is atomic.
 */
#ifndef COFFER_RAFT_ENTRY_H
#define COFFER_RAFT_ENTRY_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* As libraft numbers them (enum raft_entry_type), which the log and the wire keep. */
enum entry_type {
    ENTRY_COMMAND = 1,   /* a batch for the store */
    ENTRY_BARRIER,       /* nothing: it only proves that its leader can commit */
    ENTRY_CONFIGURATION, /* the members from here on */
};

#define ENTRY_DATA_MAX (48u << 20)

struct entry {
    uint64_t index; /* 0 until it has its place in the log */
    uint64_t term;
    size_t len;
    atomic_uint refs;
    uint8_t type; /* enum entry_type */
    unsigned char data[];
};

/* A new entry with one holder; data is copied. */
struct entry *entry_new(uint64_t index, uint64_t term, uint8_t type, const void *data, size_t len);
struct entry *entry_ref(struct entry *entry);
/* The last holder frees it; NULL is fine. */
void entry_unref(struct entry *entry);

#endif
