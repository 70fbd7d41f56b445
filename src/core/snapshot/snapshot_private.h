/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snapshot_private.h — between snapshot.c, which saves and checks, and restore.c.
 */
#ifndef COFFER_CORE_SNAPSHOT_PRIVATE_H
#define COFFER_CORE_SNAPSHOT_PRIVATE_H

#include "base/snapshot_file.h"
#include "core/snapshot/snapshot.h"
#include "storage/snapshot.h"

/* Whether a directory has room for so much more, and something besides. ERR_NOSPACE, saying so. */
int snapshot_check_room(const char *dir, uint64_t size, struct err *err) MUST_CHECK;

/* Reads a file and hands its records to the visitor; see snapshot_file_read() for what that means. */
int snapshot_read(const struct file_range *source, const struct snapshot_visitor *visitor, void *arg,
                  struct snapshot_contents *ret_contents, uint64_t *ret_records, struct err *err) MUST_CHECK;

#endif
