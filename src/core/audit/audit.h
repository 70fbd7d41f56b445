/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit.h — the record of every request and answer, before the client has it.
 *
 * core formats and hashes an entry once for each device (each has a salt of its own); a device moves bytes.
 * With devices enabled, at least one must take an entry, or the request is not executed, or not answered.
 * Entry format: https://developer.hashicorp.com/vault/docs/audit
 */
#ifndef COFFER_CORE_AUDIT_H
#define COFFER_CORE_AUDIT_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"
#include "core/request/request.h"

/* A type of device; the table of them is in main.c. */
struct audit_device {
    const char *type; /* "file" */
    /* options: object of strings. *ret_state is the device's own. ERR_INVALID with a sentence. */
    int (*open)(const json_t *options, void **ret_state, struct err *err);
    /* How long a request waits for an entry to be written. NULL: the device does not hang, and is written to by any
     * thread; else a thread of its own does everything but open, which must not block, and bound_ms. */
    int (*bound_ms)(const void *state);
    /* One entry, ending in '\n', whole or not at all as far as that can be had. */
    int (*write)(void *state, const char *line, size_t len, struct err *err);
    /* SIGHUP: the file may have been rotated. */
    int (*reopen)(void *state, struct err *err);
    void (*close)(void *state);
};

struct audit; /* the devices that are open on this node */
struct audit *audit_new(struct core *core);
void audit_free(struct audit *audit);
/* Brings the open devices in line with the stored ones ("core/audit"). Called on activation and after changes. */
int audit_sync(struct audit *audit, struct request *req) MUST_CHECK;
void audit_reopen(struct audit *audit);
/* Closes all: on sealing and step-down. */
void audit_close_all(struct audit *audit);

/* ERR_INTERNAL when devices are enabled and none took the entry. */
int audit_log_request(struct request *req) MUST_CHECK;
int audit_log_response(struct request *req) MUST_CHECK;

/* ---- For sys/audit ---- */
int audit_enable(struct request *req, const char *path, const json_t *params) MUST_CHECK;
int audit_disable(struct request *req, const char *path) MUST_CHECK;
/* {"file/": {…}}; a new reference. */
int audit_describe(struct request *req, json_t **ret_devices) MUST_CHECK;
/* "hmac-sha256:…" as the device at path would write it; of the request's arena. */
int audit_hash(struct request *req, const char *path, const char *input, const char **ret_hash) MUST_CHECK;

/* ---- For sys/config/auditing: which headers of requests stand in the entries. Names are in any case. ---- */

/* {"x-id": {"hmac": true}}; a new reference. */
int audit_headers_load(struct request *req, json_t **ret_rules) MUST_CHECK;
int audit_header_set(struct request *req, const char *name, bool is_hashed) MUST_CHECK;
int audit_header_remove(struct request *req, const char *name) MUST_CHECK;

#endif
