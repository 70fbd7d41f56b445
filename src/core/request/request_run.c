/* SPDX-License-Identifier: Apache-2.0 */
/*
 * request_run.c — committing on a thread that may wait: in the middle of a blocking handler, and for the node's own
 * work.
 */
#include <string.h>

#include "base/clock.h"
#include "core/core_private.h"
#include "core/request/request_private.h"

int request_still_leading(struct request *req)
{
    txn_release(req->txn);
    if (clock_steady_ms() - req->started_ms > REQUEST_MS_MAX)
        return fail(req, ERR_TIMEOUT, "the request took longer than %d s", REQUEST_MS_MAX / 1000);
    struct cluster *cluster = req->core->cluster;
    if (core_epoch(req->core) != req->epoch ||
        (!cluster_leads(cluster, req->epoch) && cluster_read_barrier(cluster, req->epoch, NULL) != OK))
        return fail(req, ERR_NOTLEADER, "this node lost its leadership meanwhile");
    return OK;
}

static int renew_snapshot(struct request *req)
{
    txn_free(req->txn);
    req->txn = NULL;
    return txn_begin(req->core->store, req->core->barrier, &req->txn, &req->err);
}

#define GROWTH_MAX 4096 /* bytes that a change of what is there may add while there is little room */

int request_check_room(struct request *req)
{
    bool is_freeing = req->operation == OP_DELETE || has_flag(req, ROUTE_FREES);
    if (req->is_internal || is_freeing || cluster_room(req->core->cluster) == CLUSTER_ROOM_ENOUGH)
        return OK;
    struct txn_growth growth = txn_growth(req->txn);
    if (growth.records <= 0 && growth.bytes <= GROWTH_MAX)
        return OK;
    return fail(req, ERR_NOSPACE,
                "the disk of this node is nearly full: nothing that needs more room is taken until some is freed");
}

static int commit_and_wait(struct request *req)
{
    struct batch *batch;
    int rc = txn_seal(req->txn, &batch, &req->err);
    if (rc == OK)
        rc = commit_wait(req->core->commit, req->epoch, batch);
    return rc;
}

int request_commit(struct request *req)
{
    int rc = OK;
    if (txn_has_writes(req->txn)) {
        if ((rc = request_check_room(req)) != OK)
            return rc;
        rc = commit_and_wait(req);
        if (rc != OK)
            return fail(req, rc, "%s", err_default_text(rc));
        req->has_committed = true;
    }
    return renew_snapshot(req);
}

static struct request *internal_request(struct core *core, uint64_t epoch)
{
    struct request *req = request_new(core);
    req->is_internal = true;
    req->path = "";
    req->data = json_object();
    req->epoch = epoch != 0 ? epoch : core_epoch(core);
    return req;
}

static void take_error(struct request *req, int rc, struct err *err)
{
    if (rc != OK && err != NULL) {
        *err = req->err;
        err->code = rc;
    }
}

/* One try: ERR_CONFLICT asks for another. */
static int try_once(struct request *req, int (*fn)(struct request *req, void *arg), void *arg)
{
    if (req->epoch == 0)
        return fail(req, ERR_STANDBY, "node is not active");
    int rc = renew_snapshot(req);
    if (rc == OK)
        rc = fn(req, arg);
    if (rc == OK && txn_has_writes(req->txn))
        rc = commit_and_wait(req);
    if (rc == OK && req->expiry_changed)
        core_wake_expiry(req->core);
    return rc;
}

int request_run_internal(struct core *core, uint64_t epoch, int (*fn)(struct request *req, void *arg), void *arg,
                         struct err *err)
{
    struct request *req = internal_request(core, epoch);
    int rc;
    while ((rc = try_once(req, fn, arg)) == ERR_CONFLICT)
        request_forget(req);
    take_error(req, rc, err);
    request_free(req);
    return rc;
}

static int find_mount(struct request *req, const char *uuid)
{
    int rc = mount_table_get(req, &req->mounts);
    for (size_t i = 0; rc == OK && i < mount_table_count(req->mounts); i++) {
        const struct mount *mount = mount_table_at(req->mounts, i);
        if (strcmp(mount->uuid, uuid) == 0 && mount->engine != NULL)
            req->mount = mount;
    }
    if (rc == OK && req->mount == NULL)
        rc = fail(req, ERR_NOTFOUND, "the mount of this lease is gone");
    return rc;
}

struct engine_call {
    const char *mount_uuid;
    int (*fn)(struct request *req, void *arg);
    void *arg;
};

static int call_engine(struct request *req, void *arg)
{
    const struct engine_call *call = arg;
    int rc = find_mount(req, call->mount_uuid);
    return rc == OK ? call->fn(req, call->arg) : rc;
}

int request_run_engine(struct core *core, uint64_t epoch, const char *mount_uuid, enum operation operation,
                       int (*fn)(struct request *req, void *arg), void *arg, struct err *err)
{
    struct engine_call call = {.mount_uuid = mount_uuid, .fn = fn, .arg = arg};
    struct request *req = internal_request(core, epoch);
    req->operation = operation;
    int rc = try_once(req, call_engine, &call);
    take_error(req, rc, err);
    request_free(req);
    return rc;
}
