/* SPDX-License-Identifier: Apache-2.0 */
/*
 * quota.h — how many requests an address may make.
 *
 * A rule holds for a path: all paths (""), a mount ("aws/"), a path in it, or all that begin with one ("kv/data/a*").
 * Of the rules that fit, the one with the longest path counts. An address may make `rate` requests in each `interval`;
 * after one too many it is refused for `block_interval`, or until the interval is over.
 *
 * Each node counts for itself, in memory that does not grow: when more addresses come than there is room for, those
 * that were counted the longest ago are forgotten.
 */
#ifndef COFFER_CORE_QUOTA_H
#define COFFER_CORE_QUOTA_H

#include <jansson.h>

#include "core/request/request.h"

struct quotas; /* the rules as this node applies them */
struct quotas *quotas_new(void);
void quotas_free(struct quotas *quotas);
/* Brings the rules in line with the stored ones. Called on activation and after changes. */
int quotas_sync(struct quotas *quotas, struct txn *txn) MUST_CHECK;
/* After a request's commit: if it has changed them, they hold from now on. */
void quotas_take_over(struct request *req);

/* The stored record, an object with "config" and "rate-limit" (by name); a new reference, which may be changed. */
int quota_record_load(struct txn *txn, json_t **ret_record) MUST_CHECK;
int quota_record_store(struct request *req, const json_t *record) MUST_CHECK;

/* ---- For tests and for the step: one address's count by one rule ---- */

struct quota_rule {
    char *name, *path; /* a path ending in '*' is a prefix */
    int64_t limit;     /* requests in each interval */
    int64_t interval_ms, block_ms;
};

struct quota_verdict {
    bool is_allowed;
    bool is_blocked; /* since before this request: then nothing else is told than when to come again */
    int64_t limit, remaining, reset_s, retry_s;
};

struct quota_table;
struct quota_table *quota_table_new(void);
void quota_table_free(struct quota_table *table);
/* Counts a request at this time of a steady clock. Any thread. */
struct quota_verdict quota_table_take(struct quota_table *table, const struct quota_rule *rule, const char *address,
                                      int64_t now_ms);
/* How well a rule's path fits a request's: 0: not at all. */
size_t quota_path_fits(const char *rule_path, const char *path);

#endif
