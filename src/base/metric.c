/* SPDX-License-Identifier: Apache-2.0 */
#include "base/metric.h"

const uint32_t metric_bounds_us[METRIC_BOUNDS] = {250,   500,    1000,   2500,   5000,    10000,   25000,
                                                  50000, 100000, 250000, 500000, 1000000, 2500000, 10000000};

void metric_time(struct metric_times *times, int64_t us)
{
    size_t bucket = 0;
    if (us < 0)
        us = 0;
    while (bucket < METRIC_BOUNDS && us > metric_bounds_us[bucket])
        bucket++;
    metric_count(&times->buckets[bucket]);
    atomic_fetch_add_explicit(&times->sum_us, (uint64_t)us, memory_order_relaxed);
}
