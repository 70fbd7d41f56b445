/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snapshot_file.h — the file that holds a snapshot, as Vault's and OpenBao's clients expect it: a gzipped tar of
 *
 *     meta.json           what it is of: index, term, members, size
 *     state.bin           the state (storage/snapshot.h): ciphertext
 *     SHA256SUMS          of the two, as sha256sum writes them
 *     SHA256SUMS.sealed   what proves to the cluster that it made them
 *
 * in this order and nothing else. What this file does not know is what state.bin and the seal mean.
 *
 * Threads: one at a time for each. Files are read and written at their own offset.
 */
#ifndef COFFER_BASE_SNAPSHOT_FILE_H
#define COFFER_BASE_SNAPSHOT_FILE_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

/* ---- Writing ---- */

struct snapshot_writer;

/* Writes meta.json, and begins state.bin of this size. fd stays the caller's. ERR_NOSPACE; ERR_IO. */
int snapshot_writer_begin(int fd, const json_t *meta, uint64_t state_size, struct snapshot_writer **ret_writer,
                          struct err *err) MUST_CHECK;
/* More of state.bin. */
int snapshot_writer_put(struct snapshot_writer *writer, const void *data, size_t len, struct err *err) MUST_CHECK;
/* All of state.bin is there: appends the text of SHA256SUMS, to be sealed. */
int snapshot_writer_sums(struct snapshot_writer *writer, struct buf *ret_sums, struct err *err) MUST_CHECK;
/* Writes sums and seal, and the end of the file. Not synced. */
int snapshot_writer_end(struct snapshot_writer *writer, const struct buf *sums, const struct buf *sealed,
                        struct err *err) MUST_CHECK;
void snapshot_writer_free(struct snapshot_writer *writer);

/* ---- Reading ---- */

struct snapshot_contents {
    json_t *meta;
    uint64_t state_size;
    struct buf sums;
    struct buf sealed;
};
void snapshot_contents_close(struct snapshot_contents *contents);

/*
 * Reads the `size` bytes of fd from `offset` on, and checks all of it: form, order, lengths, checksums, and that
 * nothing follows. put (may be NULL) is handed state.bin piece by piece, before it is known whether all of it is
 * sound. The memory that is used does not depend on what the file says.
 * Errors: ERR_CORRUPT, with what is wrong; ERR_IO; what put returned.
 */
int snapshot_file_read(int fd, off_t offset, uint64_t size,
                       int (*put)(void *arg, const void *data, size_t len, struct err *err), void *arg,
                       struct snapshot_contents *ret_contents, struct err *err) MUST_CHECK;

#endif
