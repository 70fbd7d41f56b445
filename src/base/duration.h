/* SPDX-License-Identifier: Apache-2.0 */
/*
 * duration.h — durations as clients write them and as Go prints them.
 *
 * Read: "" and "0" are 0; digits are seconds; "2d" are days; else Go's form: "300ms", "1.5h",
 * "2h45m" with ns us µs ms s m h. A leading '-' is read too; whether it is allowed is the caller's to say.
 */
#ifndef COFFER_BASE_DURATION_H
#define COFFER_BASE_DURATION_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define DURATION_S_MAX (INT64_MAX / 1000000000) /* 292 years */

/* ERR_INVALID when it is none, or longer than that. */
int duration_parse_ns(const char *text, int64_t *ret_ns) MUST_CHECK;
/* The same, rounded down to whole seconds. */
int duration_parse_s(const char *text, int64_t *ret_s) MUST_CHECK;
/* As Go's Duration.String(): 3600 s → "1h0m0s". Needs 40 bytes. */
void duration_format_go(int64_t ns, char *ret_text, size_t size);
/* The short form of command line tables: "768h", "1h30m", "45s", "0s". Needs 40 bytes. */
void duration_format_short(int64_t seconds, char *ret_text, size_t size);

#endif
