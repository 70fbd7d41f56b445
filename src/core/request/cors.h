/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cors.h — which other origins' pages a browser may let speak to this server (Cross-Origin Resource Sharing).
 *
 * One record, which each node reads as its own state has it. Without it, or while the node is sealed, nothing is said
 * of origins, and a browser keeps its pages away.
 */
#ifndef COFFER_CORE_CORS_H
#define COFFER_CORE_CORS_H

#include <jansson.h>
#include <stdbool.h>

#include "core/request/request.h"

struct cors_verdict {
    bool is_enabled;
    bool is_allowed;         /* this origin */
    bool allows_credentials; /* cookies and client certificates */
    const char *headers;     /* that a page may send: "A,B"; of the arena */
};

/* What holds for a request of this origin. Any thread. */
void cors_judge(struct core *core, const char *origin, struct arena *arena, struct cors_verdict *ret);

/* What is set: {"enabled", "allowed_origins", …}; a new reference. */
int cors_read(struct request *req, json_t **ret_config) MUST_CHECK;
/* ERR_INVALID, said. headers: besides those that clients send anyway; or NULL. */
int cors_enable(struct request *req, const json_t *origins, const json_t *headers, bool allows_credentials) MUST_CHECK;
int cors_disable(struct request *req) MUST_CHECK;

#endif
