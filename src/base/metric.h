/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metric.h — numbers that many threads count in and somebody looks at now and then. No locks; a look may fall between
 * two counts.
 */
#ifndef COFFER_BASE_METRIC_H
#define COFFER_BASE_METRIC_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

typedef atomic_uint_least64_t metric_counter;

static inline void metric_count(metric_counter *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

static inline uint64_t metric_read(metric_counter *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

/* How long things took. Bucket i holds what took at most metric_bounds_us[i], the last one the rest. */
#define METRIC_BOUNDS 14
extern const uint32_t metric_bounds_us[METRIC_BOUNDS];

struct metric_times {
    metric_counter buckets[METRIC_BOUNDS + 1];
    metric_counter sum_us;
};

/* us: microseconds; negative ones count as none. */
void metric_time(struct metric_times *times, int64_t us);

#endif
