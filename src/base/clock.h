/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clock.h — the clocks: wall time for what people see, steady time for waiting. What ends is decided by a third one,
 * the cluster's (raft/cluster.h).
 */
#ifndef COFFER_BASE_CLOCK_H
#define COFFER_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

/* Milliseconds, and nanoseconds, since 1970, UTC. */
int64_t clock_wall_ms(void);
int64_t clock_wall_ns(void);
/* Milliseconds of a clock that only goes forward; its zero means nothing. */
int64_t clock_steady_ms(void);
int64_t clock_steady_us(void); /* microseconds of the same clock */
/* In nanoseconds, of one that counts the time in which the machine sleeps, too. */
int64_t clock_boot_ns(void);

/* RFC 3339 in UTC with nanoseconds, trailing zeroes dropped as Go prints them. Needs 40 bytes. */
void clock_format_rfc3339(int64_t wall_ns, char *ret_text, size_t size);
/* Accepts what the function above prints, with any offset. -1 when it is no time. */
int64_t clock_parse_rfc3339(const char *text);

#endif
