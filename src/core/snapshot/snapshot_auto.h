/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snapshot_auto.h — snapshots that the active node takes by itself, at an interval, and keeps a number of.
 *
 * A configuration has a name, and says how often, where to and how many. It is a record behind the barrier, and so is
 * how it went; both survive restarts and changes of leaders. A new or changed configuration is tried at once, so that
 * one sees whether it works; after a failure it is tried again after a minute, or the interval if that is shorter.
 *
 * Threads: the calls with a request are a handler's. The worker has a thread of its own while this node is active.
 */
#ifndef COFFER_CORE_SNAPSHOT_AUTO_H
#define COFFER_CORE_SNAPSHOT_AUTO_H

#include <jansson.h>
#include <stdint.h>

#include "base/err.h"

struct core;
struct request;

/* The names; a new reference. */
int snapshot_auto_list(struct request *req, json_t **ret_names) MUST_CHECK;
/* With its credentials; a new reference. ERR_NOTFOUND. */
int snapshot_auto_read(struct request *req, const char *name, json_t **ret_config) MUST_CHECK;
/* Checks it, all but whether it works. ERR_INVALID. */
int snapshot_auto_write(struct request *req, const char *name, const json_t *config) MUST_CHECK;
/* What was saved stays where it is. */
int snapshot_auto_delete(struct request *req, const char *name) MUST_CHECK;
/* As sys/storage/raft/snapshot-auto/status says it; a new reference. ERR_NOTFOUND. */
int snapshot_auto_status(struct request *req, const char *name, json_t **ret_status) MUST_CHECK;

/* ---- The worker ---- */

struct snapshot_auto;
struct snapshot_auto *snapshot_auto_start(struct core *core, uint64_t epoch);
/* Gives up what is being saved, and waits for that. NULL is fine. */
void snapshot_auto_stop(struct snapshot_auto *worker);

#endif
