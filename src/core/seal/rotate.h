/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rotate.h — a new term of the keyring, by hand or by itself.
 *
 * The keyring with one term more is stored like any record, through the log; only when that is durable does the active
 * node encrypt with the new term. Other nodes take it over when they come upon something that it encrypted, and whoever
 * becomes active does so first. Older terms stay: nothing is encrypted anew.
 *
 * The active node rotates by itself when a term has encrypted so many records, or is so old, as the configuration says.
 */
#ifndef COFFER_CORE_ROTATE_H
#define COFFER_CORE_ROTATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct core;
struct request;

#define ROTATE_OPERATIONS_MIN INT64_C(1000000)
#define ROTATE_OPERATIONS_MAX INT64_C(3865470566)
#define ROTATE_INTERVAL_S_MIN (24 * 3600)
#define ROTATE_INTERVAL_S_MAX (10 * 366 * 24 * 3600)

struct rotate_config {
    bool enabled;
    int64_t max_operations;
    int64_t interval_s; /* 0: however old it is */
};

struct rotate_status {
    uint32_t term;
    int64_t installed_ms; /* cluster time */
    uint64_t records; /* encrypted with it, by all nodes; what a leader that died had not put on record is missing */
};

/* Of a ROUTE_BLOCKS handler: rotates, and has this node use the new term. */
int rotate_now(struct request *req) MUST_CHECK;
/* Writes the keyring with a further term into the transaction. */
int rotate_write(struct request *req) MUST_CHECK;
int rotate_status(struct request *req, struct rotate_status *ret_status) MUST_CHECK;
/* Puts what this node has encrypted on record; ret_records: how much that is. */
int rotate_write_use(struct request *req, uint64_t *ret_records) MUST_CHECK;
/* The usual one, when none was written. */
int rotate_config_read(struct request *req, struct rotate_config *ret_config) MUST_CHECK;
/* ERR_INVALID: Vault's sentences. */
int rotate_config_write(struct request *req, const struct rotate_config *config) MUST_CHECK;

bool rotate_is_due(const struct rotate_config *config, const struct rotate_status *status, int64_t now_ms);

/* ---- The worker: a thread of its own while this node is active ---- */

struct rotator;
struct rotator *rotator_start(struct core *core, uint64_t epoch);
/* NULL is fine. */
void rotator_stop(struct rotator *rotator);

#endif
