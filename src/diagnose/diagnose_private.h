/* SPDX-License-Identifier: Apache-2.0 */
/*
 * diagnose_private.h — the report, and the groups of checks that write it.
 */
#ifndef COFFER_DIAGNOSE_PRIVATE_H
#define COFFER_DIAGNOSE_PRIVATE_H

#include <jansson.h>
#include <stdio.h>

#include "base/err.h"
#include "config/config.h"

/* ---- diagnose_report.c: a tree of results, as bad as the worst of its parts ---- */

enum verdict { VERDICT_SKIPPED, VERDICT_OK, VERDICT_WARN, VERDICT_FAIL };

struct report;
struct report *report_new(const char *name);
void report_free(struct report *report);
/* What follows belongs to this group, until report_end(). */
void report_begin(struct report *report, const char *name);
void report_end(struct report *report);
/* One check of the group that was begun last. fmt: what was found, and what to do about it; "" for nothing to say. */
void report_add(struct report *report, enum verdict verdict, const char *name, const char *fmt, ...) PRINTF_LIKE(4, 5);
enum verdict report_verdict(const struct report *report);
void report_print(const struct report *report, FILE *out);
void report_print_json(const struct report *report, FILE *out);

/* ---- The checks ---- */

struct diagnosis {
    struct report *report;
    const struct config *config;
    char data_dir[4096]; /* "" when storage is in memory */
    char state_dir[4200], raft_dir[4200];
    char api_addr[512]; /* where this node's server answers, if it runs */
    json_t *health;     /* its sys/health; NULL when no server runs */
};

void diagnose_system(struct diagnosis *diagnosis);
void diagnose_storage(struct diagnosis *diagnosis);
void diagnose_listeners(struct diagnosis *diagnosis);
/* Asks the server that may be running here; sets `health`. */
void diagnose_server(struct diagnosis *diagnosis);
void diagnose_members(struct diagnosis *diagnosis);
void diagnose_audit(struct diagnosis *diagnosis);

#endif
