/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metrics.h — what a node counts of itself. Whoever does the work counts it here; sys/metrics tells it.
 */
#ifndef COFFER_CORE_METRICS_H
#define COFFER_CORE_METRICS_H

#include "base/metric.h"

struct core;

#define METRICS_STATUS_MAX 600

struct metrics {
    metric_counter responses[METRICS_STATUS_MAX]; /* of HTTP, by status */
    struct metric_times request;                  /* from its arrival to its answer */
    struct metric_times commit;                   /* of a batch: from handing it in until it is durable and applied */
    metric_counter commit_entries, commit_batches, commit_conflicts;
    atomic_int commit_waiting; /* batches that are not yet part of an entry */
};

struct metrics *core_metrics(struct core *core);
/* One answer has gone out. started_us: clock_steady_us() when the request came. */
void metrics_count_response(struct metrics *metrics, int status, int64_t started_us);

/* ---- What can be asked of the core at any moment, in constant time ---- */

/* Requests in the pipeline, this one included. */
int core_in_flight(struct core *core);

/* The worker that revokes; all zero where this node is not active. */
struct expiry_standing {
    int waiting, running; /* leases */
    int failing_targets;  /* mounts whose last revocation failed */
    int64_t overdue_s;    /* the age of the oldest revocation that should have happened by now; 0: none */
};
void core_expiry_standing(struct core *core, struct expiry_standing *ret);

/* The front's open connections; the function stays valid until it is set to NULL. */
void core_set_connections(struct core *core, long (*count)(void *ctx), void *ctx);
long core_connections(struct core *core);

#endif
