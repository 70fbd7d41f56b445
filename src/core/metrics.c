/* SPDX-License-Identifier: Apache-2.0 */
#include "core/metrics.h"

#include "base/clock.h"
#include "core/core_private.h"

struct metrics *core_metrics(struct core *core)
{
    return &core->metrics;
}

void metrics_count_response(struct metrics *metrics, int status, int64_t started_us)
{
    if (status >= 0 && status < METRICS_STATUS_MAX)
        metric_count(&metrics->responses[status]);
    metric_time(&metrics->request, clock_steady_us() - started_us);
}

int core_in_flight(struct core *core)
{
    return atomic_load(&core->n_requests);
}

void core_expiry_standing(struct core *core, struct expiry_standing *ret)
{
    *ret = (struct expiry_standing){.waiting = 0};
    pthread_mutex_lock(&core->mutex);
    if (core->expiry != NULL)
        expiry_standing(core->expiry, ret);
    pthread_mutex_unlock(&core->mutex);
}

void core_set_connections(struct core *core, long (*count)(void *ctx), void *ctx)
{
    pthread_mutex_lock(&core->mutex);
    core->count_connections = count;
    core->count_connections_ctx = ctx;
    pthread_mutex_unlock(&core->mutex);
}

long core_connections(struct core *core)
{
    pthread_mutex_lock(&core->mutex);
    long n = core->count_connections != NULL ? core->count_connections(core->count_connections_ctx) : 0;
    pthread_mutex_unlock(&core->mutex);
    return n;
}
