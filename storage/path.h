/* SPDX-License-Identifier: Apache-2.0 */
/*
 * path.h — paths of records: directories that end in '/', then a name.
 *
 * "a/b/c" is the record "c" in the directory "a/b/". That "a/b/" has something in it is a record, too, its
 * marker: "b/" in the directory "a/". So all that concerns a path are prefixes of one text.
 */
#ifndef COFFER_STORAGE_PATH_H
#define COFFER_STORAGE_PATH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct path {
    const char *text; /* need not end after the name */
    size_t dir_len;
    size_t name_len;
};

/*
 * A record's path. ERR_INVALID for one that is empty or too long (TXN_PATH_MAX), has an empty, "." or ".." segment or
 * one too long (BARRIER_NAME_MAX, for a directory with its slash), control characters, or is no UTF-8.
 */
int path_parse(const char *text, struct path *ret_path) MUST_CHECK;
/* A directory's, "" or with '/' at its end: all of it is dir_len. */
int path_parse_dir(const char *text, struct path *ret_path) MUST_CHECK;
/* The marker of the directory that the path is in; only for dir_len > 0. */
struct path path_marker(struct path path);

#endif
