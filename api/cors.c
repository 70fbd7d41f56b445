/* SPDX-License-Identifier: Apache-2.0 */
#include "api/cors.h"

#include <string.h>

#include "api/call_reply.h"
#include "core/request/cors.h"

#define METHODS   "DELETE,GET,OPTIONS,POST,PUT,LIST,SCAN"
#define MAX_AGE_S "300"

static bool is_method(const char *method)
{
    static const char *const methods[] = {"DELETE", "GET", "OPTIONS", "POST", "PUT", "LIST", "SCAN"};

    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        if (strcmp(methods[i], method) == 0)
            return true;
    }
    return false;
}

static void add_headers(struct http_call *call, const char *origin, const struct cors_verdict *verdict)
{
    http_call_add_header(call, "Access-Control-Allow-Origin", origin);
    http_call_add_header(call, "Vary", "Origin"); /* a cache must not give the answer to another origin */
    if (verdict->allows_credentials)
        http_call_add_header(call, "Access-Control-Allow-Credentials", "true");
}

/* A browser asks, without a token, whether a page may ask. */
static void answer_preflight(struct http_call *call, const char *origin, const struct cors_verdict *verdict)
{
    const char *method = http_call_header(call, "access-control-request-method");

    if (method == NULL || !is_method(method)) {
        call_send(call, 405, NULL, "", NULL);
        return;
    }
    add_headers(call, origin, verdict);
    http_call_add_header(call, "Access-Control-Allow-Methods", METHODS);
    http_call_add_header(call, "Access-Control-Allow-Headers", verdict->headers);
    http_call_add_header(call, "Access-Control-Max-Age", MAX_AGE_S);
    call_send(call, 200, NULL, "", NULL);
}

bool cors_answer(struct core *core, struct http_call *call)
{
    static const struct refusal not_allowed = {.status = 403, .text = "origin not allowed"};
    const char *origin = http_call_header(call, "origin");
    struct cors_verdict verdict;
    struct arena arena;
    bool is_answered = true;

    if (origin == NULL || *origin == '\0' || strncmp(call->path, "/v1/", 4) != 0)
        return false;
    arena_init(&arena);
    cors_judge(core, origin, &arena, &verdict);
    if (verdict.is_enabled && !verdict.is_allowed) {
        call_refuse(call, &not_allowed);
    } else if (verdict.is_enabled && strcmp(call->method, "OPTIONS") == 0) {
        answer_preflight(call, origin, &verdict);
    } else {
        is_answered = false;
        if (verdict.is_enabled)
            add_headers(call, origin, &verdict);
    }
    arena_close(&arena);
    return is_answered;
}
