/* SPDX-License-Identifier: Apache-2.0 */
/*
 * path.h — the one place where a request's path is made canonical. Routing, policies, audit and storage see only
 * what comes out of here, so none of them can understand it differently from the others.
 *
 * Percent-encoding is undone once. What would then still have two spellings, or shows something other than it is, is
 * refused: empty, "." and ".." segments, control and invisible characters, bytes that are no UTF-8.
 */
#ifndef COFFER_API_PATH_H
#define COFFER_API_PATH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/*
 * raw: as sent, without the leading "/v1/". ret holds size bytes; a slash at the end stays.
 * Errors: ERR_INVALID; ERR_TOO_LARGE when it does not fit.
 */
int path_canonical(const char *raw, char *ret, size_t size, struct err *err) MUST_CHECK;

/*
 * Undoes percent-encoding in [raw, raw + len), and "+" where plus_is_space. ret holds len + 1.
 * ERR_INVALID for malformed encoding, NUL, and what is no UTF-8.
 */
int path_unescape(const char *raw, size_t len, bool plus_is_space, char *ret, size_t *ret_len) MUST_CHECK;

/* Whether a slash follows a slash. */
bool path_has_double_slash(const char *raw);
/* The raw path with one slash wherever there were more; ret holds strlen(raw) + 1. */
void path_squeeze_slashes(const char *raw, char *ret);

#endif
