/* SPDX-License-Identifier: Apache-2.0 */
/*
 * batch.h — encrypted writes on their way to the log, and the check that what they rest on still holds.
 *
 * An entry of the log is one or more batches:
 *
 *     format u8 (base/format.h) ‖ time u64 (cluster time, ms) ‖ count u32 ‖ count × operation
 *     operation: put 1 ‖ key 32 ‖ value block, or delete 2 ‖ key 32
 *
 * Decoding is of hostile bytes: a peer's, or a disk's.
 */
#ifndef COFFER_STORAGE_BATCH_H
#define COFFER_STORAGE_BATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "storage/store.h"

#define ENTRY_SIZE_MAX (48u << 20)
/* A batch with at most so much always fits into an entry of its own. */
#define BATCH_SIZE_MAX (ENTRY_SIZE_MAX - 64)

struct batch;
void batch_free(struct batch *batch);
size_t batch_size(const struct batch *batch);

/* Starts an entry in an empty buffer; appends a batch to it; sets the count. */
void entry_begin(struct buf *entry, uint8_t format, int64_t time_ms);
void entry_add(struct buf *entry, const struct batch *batch);

struct entry_op {
    bool is_delete;
    const unsigned char *key;
    const void *value;
    size_t len;
};
/*
 * Walks the operations of an entry. Checks all of it first, so that visit never sees part of a bad one.
 * ERR_CORRUPT; ERR_UNSUPPORTED for a form that only a newer program reads; else OK or what visit returned.
 */
int entry_walk(const void *data, size_t len, int (*visit)(void *arg, const struct entry_op *op), void *arg) MUST_CHECK;
/* The form of an entry, and cluster time when the leader made it; 0 for what is too short for one. */
uint8_t entry_format(const void *data, size_t len);
int64_t entry_time_ms(const void *data, size_t len);

/*
 * The changes of late: which record, and whose directory's contents, changed at what index. One belongs to
 * the committer of a term. Bounded: what it has forgotten counts as changed.
 */
struct window;
/* Nothing before `index` is known. */
struct window *window_new(uint64_t index);
void window_free(struct window *window);
/* Whether anything the batch's transaction read, got or listed, changed after its snapshot. */
bool window_conflicts(const struct window *window, const struct batch *batch);
/*
 * Records that the batch is part of the entry that will be `index`. If the entry gets a later one (another kind of
 * entry came between), add the batch again with that one, before the next check: a snapshot from between the two does
 * not hold its changes.
 */
void window_add(struct window *window, const struct batch *batch, uint64_t index);

#endif
