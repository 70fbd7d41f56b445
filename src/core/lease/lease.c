/* SPDX-License-Identifier: Apache-2.0 */
#include "core/lease/lease.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/json.h"
#include "base/secret.h"
#include "core/core.h"
#include "core/lease/lease_private.h"
#include "core/mount/mount.h"
#include "core/token/token.h"
#include "core/token/ttl.h"
#include "storage/txn.h"

#define UID_LEN 24

/*
 * A request's last call to the outside may go out when its time is just not up, take long, and show its effect late
 * (IAM is consistent in the end only). A pending lease is not forgotten before all of that is certainly over.
 */
#define DEADLINE_S (REQUEST_MS_MAX / 1000 + 300)

int64_t lease_now_s(const struct request *req)
{
    return (core_time_ms(req->core) + 999) / 1000;
}

int lease_said(struct request *req, int rc)
{
    if (rc != OK && rc != ERR_NOTFOUND)
        fail(req, rc, "%s", err_default_text(rc));
    return rc;
}

static int put(struct request *req, const char *path, const json_t *value)
{
    return lease_said(req, txn_put(req->txn, path, value));
}

static int drop(struct request *req, const char *path)
{
    return lease_said(req, txn_delete(req->txn, path));
}

/* ---- The record ---- */

static const char *id_path(struct request *req, const char *id)
{
    return arena_printf(&req->arena, LEASE_ID_DIR "%s", id);
}

static const char *token_path(struct request *req, const struct lease *lease)
{
    return arena_printf(&req->arena, LEASE_TOKEN_DIR "%s/%s", lease->token, lease->uid);
}

static const char *pending_path(struct request *req, const struct lease *lease)
{
    return arena_printf(&req->arena, LEASE_PENDING_DIR "%s", lease->uid);
}

/* Takes over the record; the lease lives as long as the request's transaction and what it keeps. */
static struct lease *lease_of(struct request *req, json_t *record)
{
    struct lease *lease = arena_alloc(&req->arena, sizeof *lease);
    request_own(req, record);
    const char *id = json_str(record, "id", "");
    const char *slash = strrchr(id, '/');
    *lease = (struct lease){
        .id = id,
        .uid = slash != NULL ? slash + 1 : id,
        .token = json_str(record, "token", ""),
        .mount_uuid = json_str(record, "mount", ""),
        .state = (enum lease_state)json_int(record, "state", LEASE_REVOKING),
        .issued_s = json_int(record, "issued", 0),
        .expires_s = json_int(record, "expires", 0),
        .last_renewal_s = json_int(record, "renewed", 0),
        .ttl_s = json_int(record, "ttl", 0),
        .max_ttl_s = json_int(record, "max_ttl", 0),
        .base_ttl_s = json_int(record, "base_ttl", 0),
        .filed_s = json_int(record, "filed", 0),
        .renewable = json_flag(record, "renewable", false),
        .epoch = (uint64_t)json_int(record, "epoch", 0),
        .deadline_s = json_int(record, "deadline", 0),
        .due_s = json_int(record, "due", 0),
        .attempts = json_int(record, "attempts", 0),
        .error = json_str(record, "error", ""),
        .data = json_object_get(record, "data"),
        .record = record,
    };
    return lease;
}

static void set_int(json_t *record, const char *key, int64_t value)
{
    json_object_set_new(record, key, json_integer(value));
}

int lease_store(struct request *req, struct lease *lease)
{
    json_t *record = lease->record;
    char error[sizeof((struct err *)0)->text];

    snprintf(error, sizeof error, "%s", lease->error); /* it may lie in the record that changes now */
    set_int(record, "state", lease->state);
    set_int(record, "issued", lease->issued_s);
    set_int(record, "expires", lease->expires_s);
    set_int(record, "renewed", lease->last_renewal_s);
    set_int(record, "ttl", lease->ttl_s);
    set_int(record, "filed", lease->filed_s);
    set_int(record, "deadline", lease->deadline_s);
    set_int(record, "due", lease->due_s);
    set_int(record, "attempts", lease->attempts);
    json_object_set_new(record, "renewable", json_boolean(lease->renewable));
    json_object_set_new(record, "error", json_string(error));
    lease->error = json_str(record, "error", "");
    return put(req, id_path(req, lease->id), record);
}

static int file(struct request *req, struct lease *lease, int64_t when_s)
{
    int rc = expiry_outside_quarantine(req, when_s, &lease->filed_s);
    if (rc != OK)
        return rc;
    when_s = lease->filed_s;
    return expiry_file_entry(req, when_s, 'l', lease->uid,
                             json_pack("{s:s, s:s}", "to", lease->id, "mount", lease->mount_uuid));
}

int lease_refile(struct request *req, struct lease *lease, int64_t when_s)
{
    int rc = expiry_unfile(req, lease->filed_s, 'l', lease->uid);
    if (rc == OK)
        rc = file(req, lease, when_s);
    return rc == OK ? lease_store(req, lease) : rc;
}

int lease_get(struct request *req, const char *id, struct lease **ret_lease)
{
    json_t *record;
    if (id == NULL || *id == '\0' || strlen(id) > REQUEST_PATH_MAX)
        return fail(req, ERR_INVALID, "invalid lease");
    int rc = txn_get(req->txn, id_path(req, id), &record);
    if (rc == ERR_NOTFOUND || rc == ERR_INVALID)
        return fail(req, ERR_INVALID, "invalid lease");
    if (rc != OK)
        return lease_said(req, rc);
    *ret_lease = lease_of(req, record);
    return OK;
}

/* ---- Its beginning ---- */

/* A batch token is not there to be revoked; but its parent is, and takes with it all that was made by it. */
static const char *owner(const struct request *req)
{
    const struct token *token = req->token;
    if (token == NULL)
        return "";
    return token->is_batch ? token->parent : token->hash;
}

/* Nor is its end noticed by anybody: what it makes ends with it at the latest. 0: nothing of the kind. */
static int64_t end_of_token(const struct request *req)
{
    return req->token != NULL && req->token->is_batch ? req->token->expires_s : 0;
}

/* What took so long that the token has ended meanwhile ends at once. */
static int64_t cut(int64_t ttl_s, int64_t now_s, int64_t not_after_s)
{
    int64_t left_s = not_after_s > now_s ? not_after_s - now_s : 0;
    return not_after_s != 0 && ttl_s > left_s ? left_s : ttl_s;
}

static json_t *record_new(struct request *req, const struct lease_terms *terms, int64_t ttl_s, json_t *data)
{
    char uid[UID_LEN + 1];

    random_base62(uid, UID_LEN);
    json_t *record =
        json_pack("{s:o, s:s, s:s, s:i, s:I, s:I, s:I, s:b, s:I, s:o}", "id",
                  json_string(arena_printf(&req->arena, "%s/%s", req->path, uid)), "token", owner(req), "mount",
                  req->mount->uuid, "state", LEASE_PENDING, "ttl", (json_int_t)ttl_s, "base_ttl", (json_int_t)ttl_s,
                  "max_ttl", (json_int_t)terms->max_ttl_s, "renewable", terms->renewable && end_of_token(req) == 0,
                  "epoch", (json_int_t)req->epoch, "data", data);
    assert(record != NULL);
    return record;
}

static int put_indexes(struct request *req, const struct lease *lease)
{
    const json_t *id = json_object_get(lease->record, "id");
    int rc = put(req, pending_path(req, lease), id);
    return rc == OK && *lease->token != '\0' ? put(req, token_path(req, lease), id) : rc;
}

int lease_begin(struct request *req, const struct lease_terms *terms, json_t *data)
{
    int64_t now_s = lease_now_s(req), ttl_s;
    struct ttl_wish wish = {.backend_ttl_s = terms->ttl_s,
                            .backend_max_s = terms->max_ttl_s,
                            .start_s = now_s,
                            .now_s = now_s,
                            .mount = req->mount};
    int rc = ttl_grant(req, &wish, &ttl_s);
    if (rc != OK) {
        json_decref(data);
        return rc;
    }
    ttl_s = cut(ttl_s, now_s, end_of_token(req));
    struct lease *lease = lease_of(req, record_new(req, terms, ttl_s, data));
    lease->issued_s = now_s;
    lease->expires_s = now_s + ttl_s;
    lease->not_after_s = end_of_token(req);
    lease->deadline_s = now_s + DEADLINE_S;
    req->lease = lease;
    rc = file(req, lease, lease->deadline_s);
    if (rc == OK)
        rc = lease_store(req, lease);
    return rc == OK ? put_indexes(req, lease) : rc;
}

void lease_set_ttl(struct request *req, int64_t ttl_s)
{
    assert(req->lease != NULL);
    req->lease->ttl_s = cut(ttl_s, lease_now_s(req), req->lease->not_after_s);
}

/*
 * What ends or activates a lease in the middle of a handler is a transaction of its own, which is run again on a
 * conflict. The handler itself cannot be: a busy directory of the order must not make it fail after the secret exists.
 */
static int run_apart(struct request *req, int (*fn)(struct request *own, void *lease))
{
    struct err err = {0};
    int rc = request_run_internal(req->core, req->epoch, fn, req->lease, &err);
    return rc == OK ? OK : fail_with(req, &err);
}

int lease_activate_in(struct request *own, void *granted_lease)
{
    struct lease *granted = granted_lease, *lease;
    /* Its token may have been revoked meanwhile, and the lease with it. */
    if (lease_get(own, granted->id, &lease) != OK || lease->state != LEASE_PENDING)
        return fail(own, ERR_UNAVAILABLE, "the lease was revoked while its secret was being made");
    lease->state = LEASE_ACTIVE;
    lease->issued_s = granted->issued_s = lease_now_s(own);
    lease->ttl_s = granted->ttl_s = cut(granted->ttl_s, lease->issued_s, granted->not_after_s);
    lease->expires_s = granted->expires_s = lease->issued_s + lease->ttl_s;
    lease->deadline_s = 0;
    int rc = drop(own, pending_path(own, lease));
    return rc == OK ? lease_refile(own, lease, lease->expires_s) : rc;
}

int lease_activate(struct request *req)
{
    assert(req->lease != NULL && req->lease->state == LEASE_PENDING);
    int rc = request_commit(req); /* the intent, if the handler had no reason to commit it before */
    (void)failpoint("lease.before_commit_active");
    if (rc == OK && req->wrap_ttl_s > 0)
        return OK; /* it will be, in the transaction that keeps the answer: wrapping.c */
    if (rc == OK)
        rc = run_apart(req, lease_activate_in);
    (void)failpoint("lease.after_commit_active");
    if (rc == OK)
        req->lease->state = LEASE_ACTIVE;
    return rc;
}

static int cancel(struct request *own, void *begun)
{
    struct lease *lease;
    int rc = lease_get(own, ((const struct lease *)begun)->id, &lease);
    return rc == OK ? lease_remove(own, lease) : rc;
}

int lease_cancel(struct request *req)
{
    int rc = run_apart(req, cancel);
    if (rc == OK)
        req->lease = NULL;
    return rc;
}

static int abandon(struct request *own, void *begun)
{
    struct lease *lease;
    int rc = lease_get(own, ((const struct lease *)begun)->id, &lease);
    return rc == OK ? lease_expire_now(own, lease) : rc;
}

int lease_abandon(struct request *req)
{
    int rc = run_apart(req, abandon);
    if (rc == OK)
        req->lease = NULL;
    return rc;
}

/* ---- Its renewal ---- */

const struct mount *lease_mount(struct request *req, const char *uuid)
{
    struct mount_table *table;
    const struct mount *found = NULL;
    if (req->mounts == NULL && mount_table_get(req, &table) == OK)
        req->mounts = table; /* the request lets go of it in the end */
    for (size_t i = 0; req->mounts != NULL && i < mount_table_count(req->mounts); i++) {
        const struct mount *mount = mount_table_at(req->mounts, i);
        if (strcmp(mount->uuid, uuid) == 0)
            found = mount;
    }
    return found;
}

/* What the lease's own engine says of a longer life: for that call, the request is one to its mount. */
static int ask_engine(struct request *req, const struct lease *lease, const struct mount *mount,
                      struct renew_terms *renewal)
{
    if (mount == NULL || mount->engine == NULL || mount->is_tainted || mount->engine->no_leases_by_renew)
        return fail(req, ERR_INVALID, "lease is not renewable");
    if (mount->engine->renew == NULL)
        return OK;
    const struct mount *own = req->mount;
    req->mount = mount;
    int rc = mount->engine->renew(req, lease->data, renewal);
    req->mount = own;
    return rc;
}

int lease_renew(struct request *req, struct lease *lease, int64_t increment_s)
{
    const struct mount *mount = lease_mount(req, lease->mount_uuid);
    struct renew_terms renewal = {.ttl_s = lease->base_ttl_s, .max_ttl_s = lease->max_ttl_s};
    int64_t now_s = lease_now_s(req);

    if (lease->state != LEASE_ACTIVE || lease->expires_s <= now_s)
        return fail(req, ERR_INVALID, "lease expired");
    if (!lease->renewable)
        return fail(req, ERR_INVALID, "lease is not renewable");
    int rc = ask_engine(req, lease, mount, &renewal);
    if (rc != OK)
        return rc;
    struct ttl_wish wish = {.increment_s = increment_s,
                            .backend_ttl_s = renewal.ttl_s,
                            .backend_max_s = renewal.max_ttl_s,
                            .start_s = lease->issued_s,
                            .now_s = now_s,
                            .mount = mount};
    if ((rc = ttl_grant(req, &wish, &lease->ttl_s)) != OK)
        return rc;
    lease->expires_s = now_s + lease->ttl_s;
    lease->last_renewal_s = now_s;
    req->lease = lease;
    return lease_refile(req, lease, lease->expires_s);
}

/* ---- Its end ---- */

int lease_detach(struct request *req, struct lease *lease)
{
    int rc = *lease->token != '\0' ? drop(req, token_path(req, lease)) : OK;
    json_object_set_new(lease->record, "token", json_string(""));
    lease->token = "";
    return rc;
}

int lease_mark_revoking(struct request *req, struct lease *lease, int64_t when_s)
{
    int rc = lease->state == LEASE_PENDING ? drop(req, pending_path(req, lease)) : OK;
    int64_t now_s = lease_now_s(req);
    if (lease->state != LEASE_REVOKING)
        lease->due_s = when_s < now_s ? when_s : now_s;
    lease->state = LEASE_REVOKING;
    return rc == OK ? lease_refile(req, lease, when_s) : rc;
}

int lease_expire_now(struct request *req, struct lease *lease)
{
    return lease_mark_revoking(req, lease, core_time_ms(req->core) / 1000);
}

int lease_remove(struct request *req, const struct lease *lease)
{
    int rc = drop(req, id_path(req, lease->id));
    if (rc == OK)
        rc = expiry_unfile(req, lease->filed_s, 'l', lease->uid);
    if (rc == OK && *lease->token != '\0')
        rc = drop(req, token_path(req, lease));
    if (rc == OK)
        rc = lease_forget_failing(req, lease);
    return rc == OK ? drop(req, pending_path(req, lease)) : rc;
}

/* ---- What is said of it ---- */

static json_t *time_or_null(int64_t when_s)
{
    char text[40];
    if (when_s <= 0)
        return json_null();
    clock_format_rfc3339(when_s * 1000000000, text, sizeof text);
    return json_string(text);
}

json_t *lease_describe(const struct request *req, const struct lease *lease)
{
    int64_t left_s = lease->expires_s - lease_now_s(req);
    const char *slash = strrchr(lease->id, '/');
    json_t *data = json_object();

    json_object_set_new(data, "id", json_string(lease->id));
    json_object_set_new(data, "path", json_stringn(lease->id, slash != NULL ? (size_t)(slash - lease->id) : 0));
    json_object_set_new(data, "issue_time", time_or_null(lease->issued_s));
    json_object_set_new(data, "expire_time", time_or_null(lease->expires_s));
    json_object_set_new(data, "last_renewal", time_or_null(lease->last_renewal_s));
    json_object_set_new(data, "renewable", json_boolean(lease->renewable && lease->state == LEASE_ACTIVE));
    json_object_set_new(data, "ttl", json_integer(left_s > 0 ? left_s : 0));
    if (*lease->error != '\0')
        json_object_set_new(data, "revoke_error", json_string(lease->error));
    return data;
}
