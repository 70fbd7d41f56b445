/* SPDX-License-Identifier: Apache-2.0 */
/*
 * call_request.h — what an HTTP call asks for, as the pipeline wants to know it.
 */
#ifndef COFFER_API_CALL_REQUEST_H
#define COFFER_API_CALL_REQUEST_H

#include "api/http.h"
#include "core/request/request.h"

#define CALL_TOKEN_MAX 8192

/* An answer that needs no pipeline. */
struct refusal {
    int status;
    const char *text;     /* or NULL: no sentence */
    const char *location; /* of a redirect, or NULL */
};

/*
 * Fills what request.h lists under "From the listener". Everything is copied into the request, but for the body: that
 * is the call's, and not looked at yet. ERR_INVALID: it cannot be asked so; ret_refusal (of the request's arena) is the
 * answer.
 */
int call_read_request(const struct http_call *call, struct request *req, struct refusal *ret_refusal) MUST_CHECK;

/* Whether a path ("sys/…") is of a snapshot's file: what is written there is no JSON, and left as it came. */
bool call_has_raw_body(const char *path);

#endif
