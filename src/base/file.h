/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file.h — small files, read whole and replaced atomically.
 */
#ifndef COFFER_BASE_FILE_H
#define COFFER_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

/* Some bytes of an open file. */
struct file_range {
    int fd;
    off_t offset;
    uint64_t size;
};

/* Appends the file to ret. ERR_NOTFOUND; ERR_TOO_LARGE beyond max bytes; ERR_IO. */
int file_read(const char *path, size_t max, struct buf *ret, struct err *err) MUST_CHECK;
/* Writes a temporary neighbour, syncs it, renames it, syncs the directory: all or nothing. */
int file_replace(const char *path, const void *data, size_t len, mode_t mode, struct err *err) MUST_CHECK;
/* Makes a directory and its parents; fine if it is there. */
int file_make_dir(const char *path, mode_t mode, struct err *err) MUST_CHECK;
bool file_exists(const char *path);
/* A file without a name in a directory, for reading and writing; it is gone with its descriptor. ERR_NOSPACE; ERR_IO.
 */
int file_make_nameless(const char *dir, int *ret_fd, struct err *err) MUST_CHECK;
/* Removes a directory with everything in it. Never follows a link. */
int file_remove_tree(const char *path, struct err *err);
/*
 * After a write or a flush that failed: whether the kernel gave up any of the file's data since this descriptor was
 * opened or last asked. It tells each descriptor so once, whatever another one was told; so ask with one of your own
 * that nothing else uses. If it did, a further flush would pass without that data: what the disk holds is unknown.
 */
bool file_lost_writes(int fd);

/*
 * Keeps other processes from what is in a directory, by its file "lock", until the descriptor is closed. ERR_IO:
 * another has it.
 */
int file_lock_dir(const char *dir, int *ret_fd, struct err *err) MUST_CHECK;

#endif
