/* SPDX-License-Identifier: Apache-2.0 */
/*
 * request.c — the pipeline: what happens to a request, in order. Read the table first.
 *
 * A step returns NEXT, or WAIT when something else will resume the request, or FAIL with req->rc set: then the
 * request goes on at `settle`, so that refusals are audited and answered like everything else. AGAIN starts over with
 * a new snapshot: what the request had read was changed before it could be committed.
 */
#include "core/request.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/json.h"
#include "base/log.h"
#include "base/pool.h"
#include "base/secret.h"
#include "core/core_private.h"
#include "core/field.h"
#include "core/policy.h"
#include "core/request_private.h"
#include "core/router.h"
#include "core/token.h"

enum step_result { NEXT, WAIT, FAIL, AGAIN, DONE };

#define REQUEST_STEPS(X)                                                                                               \
    X(local)          /* is it one that every node answers itself? */                                                  \
    X(standing)       /* sealed: 503; a standby: 307 to the leader */                                                  \
    X(begin)          /* a snapshot of the store */                                                                    \
    X(route)          /* which mount, which row of its engine's table */                                               \
    X(authenticate)   /* the token; takes one of its uses */                                                           \
    X(authorize)      /* its policies; and does the route exist? */                                                    \
    X(audit_request)  /* before anything is done */                                                                    \
    X(handle)         /* the engine's own code */                                                                      \
    X(grant)          /* a login becomes a token */                                                                    \
    X(settle)         /* after a failure: nothing of it is kept but the token's use */                                 \
    X(commit)         /* one entry of the log, on a quorum of disks */                                                 \
    X(confirm)        /* is this node still the leader? */                                                             \
    X(audit_response) /* before the client has it */                                                                   \
    X(respond)

enum {
#define STEP_ENUM(name) STEP_##name,
    REQUEST_STEPS(STEP_ENUM)
#undef STEP_ENUM
};

static void request_run(struct request *req);

/* ---- The steps ---- */

static enum step_result failed(struct request *req, int rc)
{
    req->rc = rc;
    return FAIL;
}

static bool has_flag(const struct request *req, unsigned flag)
{
    return req->route != NULL && (req->route->flags & flag) != 0;
}

/* What answers while sealed, without a token: no step before `handle` has anything to say about it. */
static bool is_bare(const struct request *req)
{
    return has_flag(req, ROUTE_LOCAL) && has_flag(req, ROUTE_UNAUTH);
}

/* Whether what answers at a path, by another operation, needs no token: then the refusal needs none either. */
static bool is_bare_path(const struct route *routes, const char *path)
{
    for (const struct route *route = routes; route->path != NULL; route++)
        if ((route->flags & ROUTE_LOCAL) && (route->flags & ROUTE_UNAUTH) && router_fits(route->path, path, NULL))
            return true;
    return false;
}

static enum step_result step_local(struct request *req)
{
    const struct mount *sys = req->core->system_mount;
    if (sys == NULL || strncmp(req->path, "sys/", 4) != 0)
        return NEXT;
    const struct route *route;
    json_t *captures;
    int rc = router_match(sys->engine->routes, req->path + 4, req->operation, &route, &captures);
    if (rc == ERR_UNSUPPORTED && is_bare_path(sys->engine->routes, req->path + 4))
        return failed(req, fail(req, ERR_UNSUPPORTED, "unsupported operation"));
    if (rc != OK)
        return NEXT;
    if (route->flags & ROUTE_LOCAL) {
        req->route = route;
        req->mount = sys;
        req->mount_relative = req->path + 4;
        req->captures = captures;
    } else {
        json_decref(captures);
    }
    return NEXT;
}

static void redirect_to(struct request *req, const char *api_addr)
{
    /* Only the path that was asked for is given back, never a parameter's meaning. */
    req->redirect = arena_printf(&req->arena, "%s/v1/%s%s%s", api_addr, req->raw_path, req->query != NULL ? "?" : "",
                                 req->query != NULL ? req->query : "");
}

static enum step_result step_standing(struct request *req)
{
    struct core *core = req->core;
    if (is_bare(req))
        return NEXT;
    switch (core_standing(core)) {
    case CORE_UNINITIALIZED:
    case CORE_SEALED:
        return failed(req, fail(req, ERR_SEALED, "Vault is sealed"));
    case CORE_STANDBY:
        if (has_flag(req, ROUTE_LOCAL))
            return NEXT;
        break;
    case CORE_ACTIVE:
        req->epoch = core_epoch(core);
        if (req->epoch != 0 && cluster_leads(core->cluster, req->epoch))
            return NEXT;
        break;
    }
    struct cluster_status status;
    cluster_status(core->cluster, &status);
    if (status.leader_api_addr[0] != '\0' && strcmp(status.leader_id, core->options.node_id) != 0)
        redirect_to(req, status.leader_api_addr);
    return failed(req, fail(req, ERR_STANDBY, "no active Vault instance found"));
}

static enum step_result step_begin(struct request *req)
{
    if (is_bare(req))
        return NEXT;
    int rc = txn_begin(req->core->store, req->core->barrier, &req->txn, &req->err);
    return rc == OK ? NEXT : failed(req, rc);
}

static const struct route *routes_of(const struct request *req)
{
    const struct engine *engine = req->mount->engine;
    return engine->routes_of != NULL ? engine->routes_of(req) : engine->routes;
}

/* Only looks: what it found wrong is said after the caller has proved that it may know (authorize). */
static enum step_result step_route(struct request *req)
{
    if (has_flag(req, ROUTE_LOCAL))
        return NEXT;
    int rc = mount_table_get(req, &req->mounts);
    if (rc != OK)
        return failed(req, rc);
    req->mount = mount_table_find(req->mounts, req->path);
    if (req->mount == NULL || req->mount->engine == NULL || req->mount->is_tainted) {
        req->route_rc = ERR_NOTFOUND;
        return NEXT;
    }
    req->mount_relative = req->path + strlen(req->mount->path);
    enum operation operation = req->operation == OP_HELP ? OP_READ : req->operation;
    req->route_rc = router_match(routes_of(req), req->mount_relative, operation, &req->route, &req->captures);
    return NEXT;
}

static enum step_result step_authenticate(struct request *req)
{
    if (has_flag(req, ROUTE_UNAUTH))
        return NEXT;
    if (req->client_token == NULL || req->client_token[0] == '\0')
        return failed(req, fail(req, ERR_DENIED, "permission denied"));
    int rc = token_lookup(req, req->client_token, &req->token);
    if (rc == OK && !req->use_is_taken)
        rc = token_use(req, req->token);
    return rc == OK ? NEXT : failed(req, rc);
}

static int deny(struct request *req)
{
    /* The form that clients know of a refusal by policy. */
    return fail(req, ERR_DENIED, "1 error occurred:\n\t* permission denied\n\n");
}

static int find_create_or_update(struct request *req)
{
    bool exists = true;
    if (req->operation != OP_UPDATE || req->route == NULL || req->route->exists == NULL)
        return OK;
    int rc = req->route->exists(req, &exists);
    if (rc == OK && !exists)
        req->operation = OP_CREATE;
    return rc;
}

static int say_no_route(struct request *req)
{
    if (req->mount == NULL || req->mount->engine == NULL || req->mount->is_tainted)
        return fail(req, ERR_NOTFOUND, "no handler for route \"%s\". route entry not found.", req->path);
    if (req->route_rc == ERR_UNSUPPORTED)
        return fail(req, ERR_UNSUPPORTED, "1 error occurred:\n\t* unsupported operation\n\n");
    return fail(req, ERR_NOTFOUND, "1 error occurred:\n\t* unsupported path\n\n");
}

static int check_policies(struct request *req)
{
    struct acl *acl;
    int rc = policy_acl(req, req->token->policies, &acl);
    if (rc != OK)
        return rc;
    struct acl_verdict verdict = acl_check(acl, req->operation, req->path, req->data);
    if (!verdict.allowed || (has_flag(req, ROUTE_SUDO) && !verdict.sudo))
        rc = deny(req);
    else if (verdict.granted_by != NULL)
        req->granted_by = arena_strdup(&req->arena, verdict.granted_by);
    req->has_sudo = verdict.sudo;
    acl_unref(acl);
    return rc;
}

static enum step_result step_authorize(struct request *req)
{
    int rc = is_bare(req) ? OK : find_create_or_update(req);
    if (rc == OK && !has_flag(req, ROUTE_UNAUTH) && req->operation != OP_HELP)
        rc = check_policies(req);
    if (rc == OK && req->route == NULL)
        rc = say_no_route(req);
    if (rc == OK && req->wrap_ttl != NULL && strcmp(req->wrap_ttl, "0") != 0)
        /* Better refused than answered in clear to somebody who asked for it wrapped. */
        rc = fail(req, ERR_INVALID, "response wrapping is not supported");
    return rc == OK ? NEXT : failed(req, rc);
}

static enum step_result step_audit_request(struct request *req)
{
    if (req->is_audited || has_flag(req, ROUTE_NO_AUDIT) || is_bare(req))
        return NEXT;
    int rc = audit_log_request(req);
    if (rc != OK)
        return failed(req, rc);
    req->is_audited = true;
    return NEXT;
}

static void handle(struct request *req)
{
    int rc = OK;
    if (has_flag(req, ROUTE_BLOCKS) && req->txn != NULL && txn_has_writes(req->txn)) {
        rc = request_commit(req); /* the token's use: the handler cannot be run again */
        req->use_is_taken = rc == OK;
        req->has_committed = false;
    }
    if (rc == OK)
        rc = field_convert(req);
    if (rc == OK)
        rc = req->route->handler(req);
    req->rc = rc;
    if (rc == OK)
        field_warn(req);
}

static void handle_blocking(void *arg)
{
    struct request *req = arg;
    handle(req);
    req->resume(req, request_run);
}

static int answer_help(struct request *req)
{
    const char *help = req->route->help != NULL ? req->route->help : "";
    reply_data(req, json_pack("{s:s, s:n}", "help", help, "see_also"));
    req->is_plain = true;
    return OK;
}

static enum step_result step_handle(struct request *req)
{
    if (req->operation == OP_HELP)
        req->rc = answer_help(req);
    else if (has_flag(req, ROUTE_BLOCKS)) {
        req->step++;
        pool_run(req->core->pool, handle_blocking, req);
        return WAIT;
    } else
        handle(req);
    return NEXT;
}

/* Here too a handler that blocks starts over, as long as nothing of it has been committed, so nothing was done outside.
 */
static enum step_result step_grant(struct request *req)
{
    if (req->rc == ERR_CONFLICT && !req->has_committed)
        return AGAIN;
    if (req->rc == OK && req->auth.is_set)
        req->rc = token_create_login(req);
    return NEXT;
}

/*
 * A failed request leaves nothing behind but the use of its token, which counts however the request ended, and, for a
 * handler that made a pending lease, the wish to take it back now.
 */
static enum step_result step_settle(struct request *req)
{
    if (req->rc == OK || req->txn == NULL)
        return NEXT;
    bool counted = req->token != NULL && req->token->num_uses != 0 && !has_flag(req, ROUTE_BLOCKS);
    struct lease *lease = req->lease;
    req->lease = NULL;
    txn_free(req->txn);
    req->txn = NULL;
    if ((!counted && lease == NULL) || txn_begin(req->core->store, req->core->barrier, &req->txn, NULL) != OK)
        return NEXT;
    struct err said = req->err;
    if (counted && (token_lookup(req, req->client_token, &req->token) != OK || token_use(req, req->token) != OK))
        log_debug("core", "a failed request's token was gone before its use could be counted");
    struct lease *pending;
    if (lease != NULL && lease_get(req, lease->id, &pending) == OK && lease_expire_now(req, pending) != OK)
        log_warn("core", "a failed request's lease will be revoked only when its time is up");
    req->err = said;
    return NEXT;
}

static void committed(void *arg, int rc)
{
    struct request *req = arg;
    req->commit_rc = rc;
    req->resume(req, request_run);
}

static enum step_result step_commit(struct request *req)
{
    if (req->txn == NULL || req->epoch == 0 || !txn_has_writes(req->txn))
        return NEXT;
    struct batch *batch;
    struct err err = {0};
    int rc = txn_seal(req->txn, &batch, &err);
    if (rc != OK) {
        req->err = err;
        req->rc = rc;
        return NEXT;
    }
    failpoint("request.before_commit");
    req->is_committing = true;
    req->step++;
    commit_submit(req->core->commit, req->epoch, batch, committed, req);
    return WAIT;
}

/* A handler that committed something in its middle cannot be run again: what it had read must hold, or the request
 * fails. */
static enum step_result take_commit_result(struct request *req)
{
    req->is_committing = false;
    int rc = req->commit_rc;
    if (rc == ERR_CONFLICT && !req->has_committed)
        return AGAIN;
    if (rc == ERR_CONFLICT)
        rc = fail(req, ERR_UNAVAILABLE, "what this request rests on was changed meanwhile; try again");
    else if (rc != OK)
        fail(req, rc, "%s", err_default_text(rc));
    if (rc != OK && req->lease != NULL)
        core_abandon_lease(req->core, req->lease->id);
    if (rc != OK && req->rc == OK)
        req->rc = rc;
    return NEXT;
}

/* What was read by a node that had stopped being the leader may be old: better no answer than that one. */
static enum step_result step_confirm(struct request *req)
{
    if (req->is_committing && take_commit_result(req) == AGAIN)
        return AGAIN;
    failpoint("request.after_commit");
    if (req->epoch != 0 && req->rc == OK && !cluster_leads(req->core->cluster, req->epoch) &&
        !cluster_leads(req->core->cluster, core_epoch(req->core)))
        req->rc = fail(req, ERR_STANDBY, "node is not active");
    if (req->expiry_changed)
        core_wake_expiry(req->core);
    return NEXT;
}

static enum step_result step_audit_response(struct request *req)
{
    if (is_bare(req) || has_flag(req, ROUTE_NO_AUDIT) || req->redirect != NULL)
        return NEXT;
    if (!req->is_audited && req->rc != ERR_INTERNAL && core_standing(req->core) == CORE_ACTIVE) {
        /* Refused before its turn: the refusal is on record all the same. */
        struct err said = req->err;
        if (audit_log_request(req) == OK)
            req->err = said;
    }
    if (req->is_internal || core_standing(req->core) != CORE_ACTIVE)
        return NEXT;
    struct err said = req->err;
    int rc = audit_log_response(req);
    if (rc == OK)
        req->err = said;
    else
        req->rc = rc;
    return NEXT;
}

static enum step_result step_respond(struct request *req)
{
    if (req->rc != OK && req->err.text[0] == '\0' && req->rc != ERR_NOTFOUND)
        fail(req, req->rc, "%s", err_default_text(req->rc));
    txn_free(req->txn);
    req->txn = NULL;
    failpoint("request.before_answer");
    req->done(req);
    return DONE;
}

/* ---- The driver ---- */

static const struct {
    enum step_result (*run)(struct request *req);
    const char *name;
} steps[] = {
#define STEP_ROW(name) {step_##name, #name},
    REQUEST_STEPS(STEP_ROW)
#undef STEP_ROW
};

void request_forget(struct request *req)
{
    txn_free(req->txn);
    req->txn = NULL;
    mount_table_unref(req->mounts);
    req->mounts = NULL;
    json_t **values[] = {&req->captures, &req->fields, &req->reply, &req->warnings, &req->auth_reply};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        json_decref(*values[i]);
        *values[i] = NULL;
    }
    json_decref(req->auth.policies);
    json_decref(req->auth.metadata);
    json_decref(req->auth.internal);
    json_decref(req->auth.bound_cidrs);
    req->auth = (struct auth_grant){.is_set = false};
    for (size_t i = 0; i < req->n_owned; i++)
        json_decref(req->owned[i]);
    req->n_owned = 0;
    req->err = (struct err){0};
    req->rc = OK;
    req->route_rc = OK;
    req->route = NULL;
    req->mount = NULL;
    req->token = NULL;
    req->lease = NULL;
    req->http_status = 0;
    req->has_reply = false;
    req->lease_duration_s = 0;
    if (req->operation == OP_CREATE)
        req->operation = OP_UPDATE;
}

static void request_run(struct request *req)
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
    random_uuid(req->id);
    req->started_ms = clock_steady_ms();
    atomic_fetch_add(&core->n_requests, 1);
    return req;
}

void request_free(struct request *req)
{
    if (req == NULL)
        return;
    request_forget(req);
    json_decref(req->data);
    json_decref(req->reply_extra_errors);
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
    request_run(req);
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
