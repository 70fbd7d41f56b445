/* SPDX-License-Identifier: Apache-2.0 */
/*
 * request.c — the pipeline: what happens to a request, in order. The table is the map; the steps themselves are in
 * request_enter.c, request_handle.c and request_finish.c.
 */
#include "core/request/request.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/secret.h"
#include "core/core_private.h"
#include "core/request/request_private.h"

#define REQUEST_STEPS(X)                                                                                               \
    X(local)          /* is it one that every node answers itself? */                                                  \
    X(standing)       /* sealed: 503; a standby: 307; the leader: does it lead now, for certain? */                    \
    X(begin)          /* a snapshot of the store */                                                                    \
    X(route)          /* which mount, which row of its engine's table */                                               \
    X(limit)          /* may its address ask once more? */                                                             \
    X(read)           /* its body becomes JSON, within bounds */                                                       \
    X(authenticate)   /* the token; takes one of its uses */                                                           \
    X(authorize)      /* its policies; and does the route exist? */                                                    \
    X(audit_request)  /* before anything is done */                                                                    \
    X(handle)         /* the engine's own code */                                                                      \
    X(grant)          /* a login becomes a token */                                                                    \
    X(leave)          /* a token whose last use this was takes its cubbyhole with it */                                \
    X(wrap)           /* the answer is kept, and a token for it is given instead */                                    \
    X(settle)         /* after a failure: nothing of it is kept but the token's use */                                 \
    X(commit)         /* one entry of the log, on a quorum of disks */                                                 \
    X(confirm)        /* is it in the log? If what was read has changed meanwhile: again */                            \
    X(audit_response) /* before the client has it */                                                                   \
    X(respond)

enum {
#define STEP_ENUM(name) STEP_##name,
    REQUEST_STEPS(STEP_ENUM)
#undef STEP_ENUM
};

static const struct {
    enum step_result (*run)(struct request *req);
} steps[] = {
#define STEP_ROW(name) {step_##name},
    REQUEST_STEPS(STEP_ROW)
#undef STEP_ROW
};

void request_forget(struct request *req)
{
    txn_free(req->txn);
    req->txn = NULL;
    mount_table_unref(req->mounts);
    req->mounts = NULL;
    json_t **values[] = {&req->captures, &req->fields, &req->reply, &req->warnings, &req->auth_reply, &req->wrap_info};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        json_decref(*values[i]);
        *values[i] = NULL;
    }
    json_decref(req->auth.policies);
    json_decref(req->auth.metadata);
    json_decref(req->auth.internal);
    json_decref(req->auth.bound_cidrs);
    req->auth = (struct auth_grant){.is_set = false};
    req->login = (struct login){.path = NULL};
    for (size_t i = 0; i < req->n_owned; i++)
        json_decref(req->owned[i]);
    req->n_owned = 0;
    if (req->reply_file.fd >= 0)
        close(req->reply_file.fd);
    req->reply_file.fd = -1;
    req->err = (struct err){0};
    req->rc = OK;
    req->asked = ASKED_NOT;
    req->route_rc = OK;
    req->route = NULL;
    req->mount = NULL;
    req->token = NULL;
    req->wrapping = NULL;
    req->rewraps = NULL;
    req->lease = NULL;
    req->http_status = 0;
    json_text_free(req->text);
    req->text = NULL;
    req->content_type = NULL;
    req->extra_flags = 0;
    req->has_reply = false;
    req->begins_upgrade = false;
    req->lease_duration_s = 0;
    if (req->operation == OP_CREATE)
        req->operation = OP_UPDATE;
}

void request_run(struct request *req)
{
    for (;;) {
        enum step_result result = steps[req->step].run(req);
        if (result == WAIT || result == DONE)
            return;
        if (result == AGAIN) {
            req->reruns++;
            request_forget(req);
            req->step = 0;
        } else if (result == FAIL) {
            req->step = STEP_settle;
        } else {
            req->step++;
        }
    }
}

struct request *request_new(struct core *core)
{
    struct request *req = calloc(1, sizeof *req);
    if (req == NULL)
        abort();
    req->core = core;
    arena_init(&req->arena);
    req->body_file.fd = req->reply_file.fd = -1;
    random_uuid(req->id);
    req->started_ms = clock_steady_ms();
    req->arrived_us = clock_steady_us();
    atomic_fetch_add(&core->n_requests, 1);
    return req;
}

void request_free(struct request *req)
{
    if (req == NULL)
        return;
    in_flight_remove(req);
    request_forget(req);
    json_decref(req->data);
    free(req->owned);
    arena_close(&req->arena);
    atomic_fetch_sub(&req->core->n_requests, 1);
    secret_wipe(req, sizeof *req);
    free(req);
}

void request_start(struct request *req)
{
    if (req->data == NULL)
        req->data = json_object();
    if (req->raw_path == NULL)
        req->raw_path = req->path;
    req->step = 0;
    in_flight_add(req);
    request_run(req);
}

int64_t request_time_ns(const struct request *req)
{
    return core_time_ns(req->core);
}

int request_preview(struct core *core, enum operation operation, const char *path, const char *token,
                    const char *remote_addr, struct arena *arena, const char **ret_location)
{
    static enum step_result (*const entering[])(struct request *) = {step_local, step_standing,     step_begin,
                                                                     step_route, step_authenticate, step_authorize};
    struct request *req = request_new(core);
    enum step_result result = NEXT;
    req->operation = operation;
    req->path = req->raw_path = arena_strdup(&req->arena, path);
    req->client_token = token;
    req->remote_addr = remote_addr;
    req->data = json_object();
    req->asked = ASKED_LEADS; /* whether it still does is asked when the request runs: here nobody waits */
    for (size_t i = 0; i < sizeof entering / sizeof entering[0] && result == NEXT; i++)
        result = entering[i](req);
    int status = result == NEXT ? 0 : req->redirect != NULL ? 307 : err_http_status(req->rc);
    if (req->redirect != NULL)
        *ret_location = arena_strdup(arena, req->redirect);
    request_let_go(req);
    request_free(req);
    return status;
}

void request_own(struct request *req, json_t *value)
{
    if (req->n_owned % 16 == 0) {
        req->owned = realloc(req->owned, (req->n_owned + 16) * sizeof(json_t *));
        if (req->owned == NULL)
            abort();
    }
    req->owned[req->n_owned++] = value;
}
