/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mount_disable.c — taking a mount out of the table: taint, revoke, wipe, forget. A leader that dies in between leaves
 * a tainted mount, which the next one finishes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "core/core_private.h"
#include "core/mount/mount_private.h"
#include "core/request/request.h"

#define WIPE_RECORDS 500 /* of a mount's storage in one transaction */

struct disabling {
    const char *path;
    const char *uuid;
    bool more;
};

static int taint(struct request *req, const char *path, const char **ret_uuid)
{
    json_t *record;
    int rc = mount_record_load(req, &record);
    if (rc != OK)
        return rc;
    json_t *row = mount_record_row(record, path, NULL);
    if (row == NULL) {
        json_decref(record);
        return ERR_NOTFOUND;
    }
    *ret_uuid = arena_strdup(&req->arena, json_str(row, "uuid", ""));
    json_object_set_new(row, "tainted", json_true());
    return mount_record_store(req, record);
}

static int expire_tokens(struct request *req, void *arg)
{
    const struct disabling *job = arg;
    size_t n;
    return lease_expire_prefix(req, job->path, &n);
}

static int wipe_some(struct request *req, void *arg)
{
    struct disabling *job = arg;
    return txn_delete_tree(req->txn, arena_printf(&req->arena, "logical/%s/", job->uuid), WIPE_RECORDS, &job->more);
}

static int forget_row(struct request *req, void *arg)
{
    const struct disabling *job = arg;
    json_t *record;
    size_t at;
    int rc = mount_record_load(req, &record);
    if (rc != OK)
        return rc;
    json_t *row = mount_record_row(record, job->path, &at);
    if (row != NULL && strcmp(json_str(row, "uuid", ""), job->uuid) == 0)
        json_array_remove(json_object_get(record, "mounts"), at);
    return mount_record_store(req, record);
}

int mount_revoke_given(struct core *core, uint64_t epoch, const char *path, struct err *err)
{
    struct disabling job = {.path = path};
    int rc = OK;
    if (strncmp(path, "auth/", 5) != 0)
        rc = lease_revoke_below(core, epoch, path, false, err);
    if (rc == OK) /* a login's; and those that wrap an answer of the mount */
        rc = request_run_internal(core, epoch, expire_tokens, &job, err);
    return rc;
}

static int finish_disabling(struct core *core, uint64_t epoch, struct disabling *job, struct err *err)
{
    int rc = mount_revoke_given(core, epoch, job->path, err);
    for (job->more = true; rc == OK && job->more;)
        rc = request_run_internal(core, epoch, wipe_some, job, err);
    return rc == OK ? request_run_internal(core, epoch, forget_row, job, err) : rc;
}

int mount_disable(struct request *req, enum engine_kind kind, const char *path)
{
    if (kind == ENGINE_AUTH)
        path = arena_printf(&req->arena, "auth/%s", path);
    if (strcmp(path, "auth/token/") == 0)
        return fail(req, ERR_INVALID, "token credential backend cannot be disabled");
    if (mount_is_protected(path))
        return fail(req, ERR_INVALID, "cannot unmount \"%s\"", path);
    struct disabling job = {.path = path};
    int rc = taint(req, path, &job.uuid);
    if (rc == ERR_NOTFOUND)
        return OK;
    if (rc == OK)
        rc = request_commit(req);
    struct err err = {0};
    if (rc == OK && (rc = finish_disabling(req->core, req->epoch, &job, &err)) != OK)
        return fail(
            req, rc == ERR_NOTLEADER || rc == ERR_UNAVAILABLE ? rc : ERR_INVALID,
            "the mount answers nothing any more, but a lease of it could not be revoked: %s. It is tried again; "
            "disable it again later, or revoke its leases with -force -prefix first",
            err_text(&err));
    return rc;
}

/* A mount whose disabling, or moving, was cut short. What is in it is the caller's to free. */
struct unfinished {
    char *path, *uuid; /* NULL: there is none */
    char *to, *id;     /* of a move; else NULL */
};

static int first_tainted(struct request *req, void *arg)
{
    struct unfinished *found = arg;
    json_t *record, *row;
    size_t i;
    int rc = mount_record_load(req, &record);
    if (rc != OK)
        return rc;
    json_array_foreach(json_object_get(record, "mounts"), i, row)
    {
        const json_t *move = json_map_at(row, "move");
        if (found->uuid != NULL || !json_flag(row, "tainted", false))
            continue;
        found->path = strdup(json_str(row, "path", ""));
        found->uuid = strdup(json_str(row, "uuid", ""));
        if (move != NULL) {
            found->to = strdup(json_str(move, "to", ""));
            found->id = strdup(json_str(move, "id", ""));
        }
    }
    json_decref(record);
    return OK;
}

static int finish(struct core *core, uint64_t epoch, const struct unfinished *found, struct err *err)
{
    struct disabling job = {.path = found->path, .uuid = found->uuid};
    struct mount_moving moving = {.from = found->path, .to = found->to, .uuid = found->uuid};
    if (found->to == NULL)
        return finish_disabling(core, epoch, &job, err);
    snprintf(moving.id, sizeof moving.id, "%s", found->id);
    return mount_finish_moving(core, epoch, &moving, err);
}

void mount_finish_tainted(struct core *core, uint64_t epoch)
{
    for (int rc = OK; rc == OK;) {
        struct unfinished found = {0};
        struct err err = {0};
        rc = request_run_internal(core, epoch, first_tainted, &found, &err);
        if (rc == OK && found.uuid == NULL)
            return;
        if (rc == OK && (rc = finish(core, epoch, &found, &err)) != OK)
            log_warn("core", "the mount %s is still being %s: %s", found.path, found.to == NULL ? "disabled" : "moved",
                     err_text(&err));
        free(found.path);
        free(found.uuid);
        free(found.to);
        free(found.id);
    }
}
