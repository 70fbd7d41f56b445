/* SPDX-License-Identifier: Apache-2.0 */
/*
 * restore.h — replacing the whole state through the log: the entries that do it.
 *
 *     format u8 (base/format.h) ‖ time u64 (cluster time, ms) ‖ all ones u32, where a batch has its count ‖ step
 *     begin:    1
 *     records:  2 ‖ begin u64 ‖ number u32 ‖ records (key 32 ‖ value block) …
 *     end:      3 ‖ begin u64 ‖ number u32 ‖ count u64 ‖ records to put on top …
 *     abandon:  4 ‖ begin u64
 *
 * `begin` is the index of the entry that began it, numbers count the entries with records from 0, count is that of all
 * records in them. What is being restored is collected beside the state, in the same file and the same transactions,
 * and survives whatever the state survives. The end swaps the two in one transaction. Every node does the same at the
 * same index, so a crash leaves the old state or the new one, and a leader that goes away leaves the old one.
 *
 * What does not continue the restore that began last (another `begin`, a gap in the numbers) has no effect: it comes
 * from an attempt that was given up.
 */
#ifndef COFFER_STORAGE_RESTORE_H
#define COFFER_STORAGE_RESTORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "storage/store.h"

void restore_put_begin(struct buf *ret);
/* Begin an entry in an empty buffer; restore_put_record() goes on. Keys ascend over all entries with records. */
void restore_put_records(struct buf *ret, uint64_t begin, uint32_t number);
void restore_put_end(struct buf *ret, uint64_t begin, uint32_t number, uint64_t count);
void restore_put_record(struct buf *ret, const unsigned char key[STORE_KEY_SIZE], const void *value, size_t len);
void restore_put_abandon(struct buf *ret, uint64_t begin);
/* Sets form and time of an entry, which are the first form and 0 until then. */
void restore_stamp(struct buf *entry, uint8_t format, int64_t time_ms);

/* The index of the entry that began the restore under way; 0 when none is. */
int store_view_restoring(struct store_view *view, uint64_t *ret_begin) MUST_CHECK;
/* The index of the last entry that put a restored state in place, since the store was opened; 0 for none. */
uint64_t store_restored_index(struct store *store);

#endif
