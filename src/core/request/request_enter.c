/* SPDX-License-Identifier: Apache-2.0 */
/*
 * request_enter.c — the steps up to the handler's door: where the request is answered, what it is for, who asks, and
 * whether they may.
 */
#include <ctype.h>
#include <string.h>

#include "core/core_private.h"
#include "core/policy/policy.h"
#include "core/request/request_private.h"
#include "core/request/router.h"
#include "core/request/wrapping.h"
#include "core/token/token.h"

/* Whether something with a flag answers at a path, by another operation. */
static bool has_path(const struct route *routes, const char *path, unsigned flag)
{
    for (const struct route *route = routes; route != NULL && route->path != NULL; route++)
        if ((route->flags & flag) && router_fits(route->path, path, NULL))
            return true;
    return false;
}

/* What has no envelope has no sentence either when it is asked otherwise. sys/health/ is a list of sys/health. */
static bool is_silent_path(struct request *req, const struct route *routes, const char *path)
{
    size_t len = strlen(path);
    if (len > 0 && path[len - 1] == '/' && req->operation == OP_LIST)
        path = arena_printf(&req->arena, "%.*s", (int)len - 1, path);
    return has_path(routes, path, ROUTE_LOCAL) && has_path(routes, path, ROUTE_PLAIN | ROUTE_RESCUES) &&
           !has_path(routes, path, ROUTE_OPENABLE);
}

enum step_result step_local(struct request *req)
{
    const struct mount *sys = req->core->system_mount;
    if (sys == NULL || strncmp(req->path, "sys/", 4) != 0 || req->operation == OP_HELP)
        return NEXT;
    const struct route *route;
    json_t *captures;
    int rc = router_match(sys->engine->routes, req->path + 4, req->operation, &route, &captures);
    if (rc != OK && is_silent_path(req, sys->engine->routes, req->path + 4))
        return failed(req, fail(req, ERR_UNSUPPORTED, "%s", ""));
    if (rc != OK)
        return NEXT;
    if (route->flags & ROUTE_LOCAL) {
        req->route = route;
        req->mount = sys;
        req->mount_relative = req->path + 4;
        req->captures = captures;
        if ((route->flags & ROUTE_OPENABLE & req->opened) != 0)
            req->extra_flags = ROUTE_UNAUTH | ROUTE_NO_AUDIT;
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

/* Not while leadership is handed over: what has begun ends first, and nothing new begins. */
static bool take_on(struct request *req)
{
    struct core *core = req->core;
    if (req->is_taken_on || has_flag(req, ROUTE_LOCAL))
        return true;
    atomic_fetch_add(&core->n_taken_on, 1); /* before the look: who hands over looks in the other order */
    req->is_taken_on = true;
    if (atomic_load(&core->hands_over))
        request_let_go(req);
    return req->is_taken_on;
}

void request_let_go(struct request *req)
{
    if (req->is_taken_on)
        atomic_fetch_sub(&req->core->n_taken_on, 1);
    req->is_taken_on = false;
}

static void asked(void *arg, int rc, uint64_t index)
{
    struct request *req = arg;
    (void)index;
    req->asked = rc == OK ? ASKED_LEADS : ASKED_LEADS_NOT;
    req->resume(req, request_run);
}

/*
 * Whoever answers must lead now. Mostly that is known; when it is not (the node was busy, or stood still), the others
 * are asked before anybody is turned away.
 */
static enum step_result stand_as_leader(struct request *req)
{
    struct cluster *cluster = req->core->cluster;
    if (req->asked == ASKED_NOT) {
        req->epoch = core_epoch(req->core);
        if (cluster_leads(cluster, req->epoch))
            return NEXT;
        cluster_read(cluster, req->epoch, asked, req);
        return WAIT;
    }
    bool leads = req->asked == ASKED_LEADS;
    req->asked = ASKED_NOT;
    return leads ? NEXT : FAIL;
}

enum step_result step_standing(struct request *req)
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
    case CORE_ACTIVE: {
        enum step_result result = stand_as_leader(req);
        if (result == WAIT || (result == NEXT && take_on(req)))
            return result;
        break;
    }
    }
    struct cluster_status status;
    cluster_status(core->cluster, &status);
    if (status.leader_api_addr[0] != '\0' && strcmp(status.leader_id, core->options.node_id) != 0)
        redirect_to(req, status.leader_api_addr);
    return failed(req, fail(req, ERR_STANDBY, "no active Vault instance found"));
}

enum step_result step_begin(struct request *req)
{
    if (is_bare(req))
        return NEXT;
    int rc = txn_begin(req->core->store, req->core->barrier, &req->txn, &req->err);
    return rc == OK ? NEXT : failed(req, rc);
}

const struct route *request_routes(const struct request *req)
{
    const struct engine *engine = req->mount->engine;
    return engine->routes_of != NULL ? engine->routes_of(req) : engine->routes;
}

/* Help is about a path, whatever can be done there. */
static void match_help(struct request *req)
{
    static const enum operation any[] = {OP_READ, OP_UPDATE, OP_LIST, OP_DELETE};
    req->route_rc = ERR_NOTFOUND;
    for (size_t i = 0; i < sizeof any / sizeof any[0] && req->route_rc != OK; i++)
        req->route_rc = router_match(request_routes(req), req->mount_relative, any[i], &req->route, &req->captures);
}

/* Only looks: what it found wrong is said after the caller has proved that it may know (authorize). */
enum step_result step_route(struct request *req)
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
    size_t below = strlen(req->mount->path);
    req->mount_relative = strlen(req->path) >= below ? req->path + below : "";
    if (req->operation == OP_HELP)
        match_help(req);
    else
        req->route_rc =
            router_match(request_routes(req), req->mount_relative, req->operation, &req->route, &req->captures);
    if (req->route_rc == OK && (req->route->flags & req->opened) != 0)
        req->extra_flags |= ROUTE_UNAUTH;
    return NEXT;
}

/* Not before `limit`: whoever asks too often does not get its bodies parsed. A rerun finds data there already. */
enum step_result step_read(struct request *req)
{
    json_t *data;
    if (req->read_body == NULL)
        return NEXT;
    int rc = req->read_body(req->body_type, req->body, req->body_len, &data, &req->err);
    req->read_body = NULL;
    if (rc != OK) {
        req->is_unaudited = true; /* nobody knows what it would have asked for */
        return failed(req, rc);
    }
    json_decref(req->data);
    req->data = data;
    return NEXT;
}

enum step_result step_authenticate(struct request *req)
{
    int rc = has_flag(req, ROUTE_WRAPPING) && req->operation != OP_HELP ? wrapping_find(req) : OK;
    if (rc != OK)
        return failed(req, rc);
    if (has_flag(req, ROUTE_UNAUTH))
        return NEXT;
    /* What needs no token is refused without one, too. */
    if (req->route == NULL && req->route_rc == ERR_UNSUPPORTED &&
        has_path(request_routes(req), req->mount_relative, ROUTE_UNAUTH))
        return failed(req, fail(req, ERR_UNSUPPORTED, "unsupported operation"));
    if (req->client_token == NULL || req->client_token[0] == '\0')
        return failed(req, fail(req, ERR_DENIED, "permission denied"));
    rc = token_lookup(req, req->client_token, &req->token);
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

/* The path as its route takes it: what is one thing in any spelling has one path, and one rule. */
static const char *path_for_policies(struct request *req)
{
    if (!has_flag(req, ROUTE_FOLDS))
        return req->path;
    char *path = arena_strdup(&req->arena, req->path);
    for (char *c = path + (req->mount_relative - req->path); *c != '\0'; c++)
        *c = (char)tolower((unsigned char)*c);
    return path;
}

static int check_policies(struct request *req)
{
    struct acl *acl;
    int rc = policy_acl(req, req->token->policies, &acl);
    if (rc != OK)
        return rc;
    struct acl_verdict verdict =
        acl_check_wrapped(acl, req->operation, path_for_policies(req), req->data, req->wrap_ttl_s);
    if (!verdict.allowed || (has_flag(req, ROUTE_SUDO) && !verdict.sudo))
        rc = deny(req);
    else if (verdict.granted_by != NULL)
        req->granted_by = arena_strdup(&req->arena, verdict.granted_by);
    req->has_sudo = verdict.sudo;
    acl_unref(acl);
    return rc;
}

enum step_result step_authorize(struct request *req)
{
    int rc = is_bare(req) ? OK : find_create_or_update(req);
    if (rc == OK && !has_flag(req, ROUTE_UNAUTH) && req->operation != OP_HELP)
        rc = check_policies(req);
    bool is_about_mount = req->operation == OP_HELP && req->mount != NULL && req->mount_relative[0] == '\0';
    if (rc == OK && req->route == NULL && !is_about_mount)
        rc = say_no_route(req);
    if (rc == OK)
        rc = wrapping_check(req);
    return rc == OK ? NEXT : failed(req, rc);
}
