/* SPDX-License-Identifier: Apache-2.0 */
/*
 * commit.h — the committer: turns the batches of many requests into entries of the log.
 *
 * One entry is in flight at a time; the batches that wait meanwhile become the next. Each is checked against
 * everything committed since its snapshot, and against those before it in the same entry; one that does not
 * hold any more comes back with ERR_CONFLICT and its request runs again.
 */
#ifndef COFFER_CORE_COMMIT_H
#define COFFER_CORE_COMMIT_H

#include <stdint.h>

#include "base/err.h"

struct commit;
struct cluster;
struct batch;
struct store;

struct metrics;
/* metrics: borrowed; where batches and entries are counted. */
struct commit *commit_start(struct cluster *cluster, struct store *store, struct metrics *metrics);
/* Ends what waits and what still comes with ERR_NOTLEADER. The cluster may be closed then, which ends the entry in
 * flight. */
void commit_halt(struct commit *commit);
/*
 * While the state is replaced as a whole: waits until no entry is in flight, and makes none. What comes meanwhile waits
 * and, having read the state before, conflicts when it goes on.
 */
void commit_pause(struct commit *commit);
void commit_resume(struct commit *commit);
/* After the cluster was closed: joins the thread and frees. NULL is fine for both. */
void commit_stop(struct commit *commit);

typedef void commit_cb(void *arg, int rc);
/*
 * Takes over the batch. cb is called once, from the committer's or the cluster's thread, and must only queue:
 * OK when it is durable and applied; ERR_CONFLICT; ERR_NOTLEADER, ERR_NOSPACE (did not happen); ERR_UNAVAILABLE (may
 * have).
 */
void commit_submit(struct commit *commit, uint64_t epoch, struct batch *batch, commit_cb *cb, void *arg);
/* The same, waiting. */
int commit_wait(struct commit *commit, uint64_t epoch, struct batch *batch) MUST_CHECK;

#endif
