/* SPDX-License-Identifier: Apache-2.0 */
/*
 * leases.c — sys/leases, and the old names of the same.
 */
#include <string.h>

#include "base/json.h"
#include "core/core.h"
#include "core/lease/lease.h"
#include "core/request/request.h"
#include "core/token/token.h"
#include "storage/txn.h"
#include "sys/handlers.h"

const struct field sys_lease_fields[] = {
    {"lease_id", FIELD_STRING, "The lease."},
    {"url_lease_id", FIELD_STRING, "The lease, of older clients."},
    {"prefix", FIELD_STRING, "The beginning of leases' ids."},
    {"increment", FIELD_DURATION, "For how long from now."},
    {"sync", FIELD_BOOL, "Whether to answer only when it is done."},
    {0},
};

static int lease_id(struct request *req, const char **ret_id)
{
    *ret_id = field_str(req, "lease_id", field_str(req, "url_lease_id", ""));
    return (*ret_id)[0] != '\0' ? OK : fail(req, ERR_INVALID, "lease_id must be specified");
}

/* A token is a lease too, be it a login's or a wrapping token: "<where it was made>/<hash>". NULL when the id is
 * none's. */
static struct token *token_of(struct request *req, const char *id)
{
    struct token *token;
    const char *name = strrchr(id, '/');
    if (name == NULL || strlen(name + 1) != TOKEN_HASH_SIZE - 1 || token_lookup_hash(req, name + 1, &token) != OK)
        return NULL;
    return strncmp(token->path, id, (size_t)(name - id)) == 0 && token->path[name - id] == '\0' ? token : NULL;
}

static json_t *describe_token(struct request *req, const struct token *token, const char *id)
{
    json_t *all = token_describe(req, token, NULL);
    json_t *data = json_pack("{s:s, s:s, s:O?, s:O?, s:O?, s:b, s:O?}", "id", id, "path", token->path, "issue_time",
                             json_object_get(all, "issue_time"), "expire_time", json_object_get(all, "expire_time"),
                             "last_renewal", json_object_get(all, "last_renewal"), "renewable", token->renewable, "ttl",
                             json_object_get(all, "ttl"));
    json_decref(all);
    return data;
}

int sys_leases_lookup(struct request *req)
{
    const char *id;
    struct lease *lease;
    int rc = lease_id(req, &id);
    const struct token *token = rc == OK ? token_of(req, id) : NULL;
    if (token != NULL) {
        reply_data(req, describe_token(req, token, id));
        return OK;
    }
    if (rc == OK && lease_get(req, id, &lease) != OK)
        rc = fail(req, ERR_INVALID, "invalid lease");
    if (rc == OK)
        reply_data(req, lease_describe(req, lease));
    return rc;
}

int sys_leases_list(struct request *req)
{
    json_t *names, *tokens;
    const char *prefix = capture(req, "prefix");
    prefix = prefix != NULL ? prefix : "";
    int rc = txn_list(req->txn, arena_printf(&req->arena, "lease/id/%s", prefix), NULL, 0, &names);
    if (rc != OK)
        return rc;
    request_own(req, names);
    rc = txn_list(req->txn, arena_printf(&req->arena, "token/path/%s", prefix), NULL, 0, &tokens);
    if (rc != OK)
        return rc;
    json_array_extend(names, tokens);
    json_decref(tokens);
    return reply_keys(req, json_list_sorted(names));
}

int sys_leases_renew(struct request *req)
{
    const char *id;
    struct lease *lease;
    int rc = lease_id(req, &id);
    if (rc == OK && token_of(req, id) != NULL)
        return fail(req, ERR_INVALID, "tokens cannot be renewed through this endpoint");
    if (rc == OK && lease_get(req, id, &lease) != OK)
        rc = fail(req, ERR_INVALID, "lease not found");
    if (rc == OK)
        rc = lease_renew(req, lease, field_int(req, "increment", 0));
    if (rc == OK) {
        req->lease = lease;
        reply_data(req, NULL);
    }
    return rc;
}

/* What was queued is answered by 202: nobody should think that it is done. */
static int queued(struct request *req)
{
    reply_status(req, 202);
    return OK;
}

static int expire_one(struct request *req, const char *id)
{
    struct lease *lease;
    int rc = lease_get(req, id, &lease);
    if (rc == ERR_NOTFOUND || rc == ERR_INVALID)
        return queued(req);
    rc = rc == OK ? lease_expire_now(req, lease) : rc;
    return rc == OK ? queued(req) : rc;
}

int sys_leases_revoke(struct request *req)
{
    const char *id;
    struct lease *lease;
    struct err err = {0};
    int rc = lease_id(req, &id);
    if (rc != OK)
        return rc;
    const struct token *token = token_of(req, id);
    if (token != NULL)
        return token_revoke(req, token);
    if (!field_bool(req, "sync", true))
        return expire_one(req, id);
    rc = lease_get(req, id, &lease);
    if (rc == ERR_NOTFOUND || rc == ERR_INVALID)
        return OK;
    if (rc == OK && (rc = lease_revoke_now(req->core, id, false, &err)) != OK)
        rc = fail(req, err_http_status(rc) == 503 ? rc : ERR_INVALID, "failed to revoke lease: %s", err_text(&err));
    return rc;
}

static const char *prefix_of(struct request *req)
{
    const char *prefix = capture(req, "prefix");
    return prefix[strlen(prefix) - 1] == '/' ? prefix : arena_printf(&req->arena, "%s/", prefix);
}

static int revoke_below(struct request *req, bool force)
{
    struct err err = {0};
    struct lease *lease;
    const char *prefix = capture(req, "prefix");
    size_t n;
    int rc;
    if (lease_get(req, prefix, &lease) == OK) /* a whole id is taken as one too */
        rc = lease_revoke_now(req->core, prefix, force, &err);
    else
        rc = lease_revoke_below(req->core, req->epoch, prefix_of(req), force, &err);
    if (rc != OK)
        return fail(req, err_http_status(rc) == 503 ? rc : ERR_INVALID, "failed to revoke: %s", err_text(&err));
    return lease_expire_prefix(req, prefix_of(req), &n); /* the tokens below it */
}

int sys_leases_revoke_prefix(struct request *req)
{
    size_t n;
    if (field_bool(req, "sync", true))
        return revoke_below(req, false);
    int rc = lease_expire_prefix(req, prefix_of(req), &n);
    return rc == OK ? queued(req) : rc;
}

int sys_leases_revoke_force(struct request *req)
{
    return revoke_below(req, true);
}
