/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store.h — the applied state: an ordered map of 32-byte keys to ciphertext, in LMDB.
 *
 * The store knows nothing of what it holds: names and values were encrypted before they came
 * here (barrier.h), and arrive as entries of the replicated log. The state is the snapshot: the
 * index of the last applied entry and the members of the cluster as of then are written in the
 * same transaction as what that entry changed.
 *
 * Durability: a transaction is synced but for its meta page (MDB_NOMETASYNC): a crash of the
 * system may undo the last ones, never damage earlier ones; store_durable_index() says up to
 * where nothing can be undone, and the log must keep what lies behind it.
 * Every record is covered by a checksum, so that a flipped bit is found when the store is opened.
 *
 * Threads: one thread applies; any number read, each with a view of its own.
 */
#ifndef COFFER_STORAGE_STORE_H
#define COFFER_STORAGE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define STORE_KEY_SIZE  32
#define STORE_DIR_SIZE  16 /* the first half of a key: the directory */
#define STORE_VALUE_MAX (64u << 20)

struct store;

/*
 * Opens (or makes) the store in a directory and verifies it.
 * verify: read every record and check its checksum first (a start does; tests may skip it).
 * Errors: ERR_CORRUPT, naming the file; ERR_NOSPACE; ERR_IO, also when another process has it open.
 */
int store_open(const char *dir, bool verify, struct store **ret_store, struct err *err) MUST_CHECK;
/* Where it lies; as long as the store is open. */
const char *store_dir(const struct store *store);
/* All views must have ended. NULL is fine. */
void store_close(struct store *store);

/*
 * Looks up where a store is, and its members (appended as bytes), without opening it: nothing is made or changed, and a
 * process that has it open is not disturbed. May fail with ERR_CORRUPT by chance while that process writes.
 * ERR_NOTFOUND when there is none.
 */
struct store_position;
int store_peek(const char *dir, struct store_position *ret_position, struct buf *ret_configuration,
               struct err *err) MUST_CHECK;

/* ---- Applying: one thread ---- */

enum store_entry_kind {
    STORE_ENTRY_BATCH = 1,     /* data: an encoded batch (batch.h) */
    STORE_ENTRY_NOTHING,       /* a barrier: only the index moves */
    STORE_ENTRY_CONFIGURATION, /* data: the members, opaque here */
};

struct store_entry {
    uint64_t index;
    uint64_t term;
    enum store_entry_kind kind;
    const void *data;
    size_t len;
};

/*
 * Applies entries in order, in one transaction. Those at or below the applied index are skipped,
 * so that a replay is harmless; a gap is ERR_CORRUPT.
 * Errors: ERR_CORRUPT for a malformed entry, ERR_NOSPACE, ERR_IO: nothing of the call is applied then. After
 * ERR_NOSPACE the same call may be made again when there is room. After ERR_IO nobody knows what the disk holds:
 * every further call fails, and the process should end and verify its store anew.
 */
int store_apply(struct store *store, const struct store_entry *entries, size_t n, struct err *err) MUST_CHECK;

/* Makes all that was applied durable, and moves store_durable_index() up. */
int store_sync(struct store *store, struct err *err) MUST_CHECK;

/*
 * Puts another list of members in the place of the one in the state, durably; nothing while there is none. Only for
 * taking up what is left of a cluster, before anything else is applied.
 */
int store_replace_configuration(struct store *store, const void *data, size_t len, struct err *err) MUST_CHECK;

struct store_position {
    uint64_t index; /* of the last applied entry; 0 when nothing was */
    uint64_t term;
    uint64_t configuration_index;
    int64_t time_ms; /* the latest cluster time in an applied entry */
    uint8_t format;  /* the newest form of an applied entry (base/format.h) */
};

/* Any thread. ret_configuration may be NULL; else the members' bytes are appended to it. */
void store_position(struct store *store, struct store_position *ret, struct buf *ret_configuration);
uint64_t store_durable_index(struct store *store);

/* ---- Reading: any thread ---- */

struct store_view;

/* A snapshot of the state. Cheap. Ended by store_view_end(), soon: old ones keep disk pages alive. */
int store_view_begin(struct store *store, struct store_view **ret_view, struct err *err) MUST_CHECK;
void store_view_end(struct store_view *view);
uint64_t store_view_index(const struct store_view *view);

/* The value lies in the map and is valid until the view ends. ERR_NOTFOUND; ERR_CORRUPT; ERR_IO. */
int store_view_get(struct store_view *view, const unsigned char key[STORE_KEY_SIZE], const void **ret_value,
                   size_t *ret_len) MUST_CHECK;

/* Calls visit for each record of a directory in key order until it returns other than OK, and returns that. */
int store_view_scan(struct store_view *view, const unsigned char dir[STORE_DIR_SIZE],
                    int (*visit)(void *arg, const unsigned char *key, const void *value, size_t len),
                    void *arg) MUST_CHECK;

/*
 * The key of the first record of a directory that comes after `after` (a key in it; NULL: the first of all).
 * ERR_NOTFOUND when there is none; ERR_CORRUPT; ERR_IO.
 */
int store_view_next(struct store_view *view, const unsigned char dir[STORE_DIR_SIZE], const unsigned char *after,
                    unsigned char ret_key[STORE_KEY_SIZE]) MUST_CHECK;

struct store_stats {
    uint64_t records;
    uint64_t bytes_used; /* by the records' pages; the rest of the file is free for new ones */
    uint64_t bytes_file;
};
int store_stats(struct store *store, struct store_stats *ret) MUST_CHECK;

/* A digest of all records and the applied index, the same on every node at the same index. */
int store_digest(struct store_view *view, unsigned char ret[32], struct err *err) MUST_CHECK;

/* ---- Snapshots, for a peer that lags too far ---- */

/*
 * Streams a view as self-describing chunks of about 256 KiB, each with a checksum.
 * emit may block; other than OK from it ends the export with that code.
 */
int store_export(struct store_view *view, int (*emit)(void *arg, const void *chunk, size_t len), void *arg,
                 struct err *err) MUST_CHECK;

/* Takes such chunks into a fresh file beside the store; nothing is visible until it is finished. */
struct store_import;
int store_import_begin(struct store *store, struct store_import **ret_import, struct err *err) MUST_CHECK;
/* ERR_CORRUPT for a chunk that is damaged, out of order or of another store's format. */
int store_import_chunk(struct store_import *import, const void *chunk, size_t len, struct err *err) MUST_CHECK;
/*
 * Swaps the store for what was imported, durably and atomically; frees import either way. Views that are
 * open keep the old state. ERR_CORRUPT when the last chunk has not come.
 */
int store_import_finish(struct store_import *import, struct err *err) MUST_CHECK;
void store_import_abort(struct store_import *import);

#endif
