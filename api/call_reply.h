/* SPDX-License-Identifier: Apache-2.0 */
/*
 * call_reply.h — what is answered without asking the pipeline, in the form that clients know.
 */
#ifndef COFFER_API_CALL_REPLY_H
#define COFFER_API_CALL_REPLY_H

#include "api/call_request.h"
#include "base/arena.h"

/* Answers the call. body may be NULL; location: of a redirect, or NULL; content_type: NULL is JSON, "" none. */
void call_send(struct http_call *call, int status, const char *location, const char *content_type, const char *body);
#define CALL_HEADERS_MAX 8
/* The same with headers of its own, n of them. */
void call_send_with(struct http_call *call, int status, const struct http_header *headers, size_t n,
                    const char *content_type, const char *body);
void call_refuse(struct http_call *call, const struct refusal *refusal);
/* The body of a refusal; of the arena. */
const char *call_refusal_body(const struct refusal *refusal, struct arena *arena);

#endif
