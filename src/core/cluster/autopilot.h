/* SPDX-License-Identifier: Apache-2.0 */
/*
 * autopilot.h — what the cluster may do with its members by itself: kept behind the barrier, told to Raft by whoever
 * becomes active. A sealed leader goes by what it was told last, or by the defaults, which remove nobody.
 */
#ifndef COFFER_CORE_AUTOPILOT_H
#define COFFER_CORE_AUTOPILOT_H

#include "raft/cluster.h"

struct core;
struct request;

/* As it was set, or the defaults. */
int autopilot_get(struct request *req, struct cluster_autopilot *ret) MUST_CHECK;
/* Commits it, and only then acts on it; for a handler that blocks. */
int autopilot_set(struct request *req, const struct cluster_autopilot *autopilot) MUST_CHECK;
/* A node that becomes active: from the store to Raft. */
int autopilot_load(struct core *core, uint64_t epoch, struct err *err) MUST_CHECK;

#endif
