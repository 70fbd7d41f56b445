/* SPDX-License-Identifier: Apache-2.0 */
/*
 * compact.h — giving back what a store's file takes without need.
 *
 * The records' names are random bytes, so that LMDB's pages are half empty after many writes and deletes, and its file
 * never gets smaller. Here the state is written into a fresh file, page by full page, while the store is read and
 * applied to as ever; then that file gets the name of the former one. No other node notices: the state is the same.
 */
#ifndef COFFER_STORAGE_COMPACT_H
#define COFFER_STORAGE_COMPACT_H

#include "storage/store.h"

/* Asked again and again on the caller's thread, with no lock held; false ends what is under way. */
struct store_patience {
    bool (*goes_on)(void *arg); /* NULL: always */
    void *arg;
};

/* Reads all records, and adds up the bytes of names and values. ERR_UNAVAILABLE when it was not to go on. */
int store_measure(struct store *store, const struct store_patience *patience, uint64_t *ret_bytes,
                  struct err *err) MUST_CHECK;

/*
 * Only the last step keeps store_apply() waiting: for what was applied during the step before, and a flush of it.
 * Needs as much room on the disk as the live records take. One at a time; any thread but the one that applies.
 * Other than OK the store is as it was: ERR_BUSY when the state is being restored or was replaced meanwhile, or more
 * was applied than it could keep up with; ERR_UNAVAILABLE when it was not to go on; ERR_NOSPACE; ERR_CORRUPT; ERR_IO.
 */
int store_compact(struct store *store, const struct store_patience *patience, struct err *err) MUST_CHECK;

#endif
