/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lease_failing.c — leases that could not be revoked time and again, by an index of their own: there may be millions of
 * others. They are tried for ever all the same.
 */
#include <string.h>

#include "base/json.h"
#include "core/core_private.h"
#include "core/lease/lease_private.h"
#include "core/request/request.h"

#define RETRIED_AT_ONCE 1000

static const char *failing_path(struct request *req, const struct lease *lease)
{
    return arena_printf(&req->arena, LEASE_FAILING_DIR "%s", lease->uid);
}

int lease_note_failing(struct request *req, const struct lease *lease)
{
    if (lease->attempts < LEASE_FAILING_ATTEMPTS)
        return OK;
    json_t *id = json_string(lease->id);
    int rc = lease_said(req, txn_put(req->txn, failing_path(req, lease), id));
    json_decref(id);
    return rc;
}

int lease_forget_failing(struct request *req, const struct lease *lease)
{
    if (lease->attempts < LEASE_FAILING_ATTEMPTS)
        return OK;
    return lease_said(req, txn_delete(req->txn, failing_path(req, lease)));
}

static int get_failing(struct request *req, const char *uid, struct lease **ret_lease)
{
    json_t *id;
    int rc = lease_said(req, txn_get(req->txn, arena_printf(&req->arena, LEASE_FAILING_DIR "%s", uid), &id));
    if (rc != OK)
        return rc;
    request_own(req, id);
    return lease_get(req, json_string_value(id), ret_lease);
}

int lease_each_failing(struct request *req, size_t limit, int (*visit)(struct request *, struct lease *, void *),
                       void *arg)
{
    json_t *uids, *uid;
    size_t i;
    int rc = lease_said(req, txn_list(req->txn, LEASE_FAILING_DIR, NULL, limit, &uids));
    if (rc != OK)
        return rc;
    request_own(req, uids);
    json_array_foreach(uids, i, uid)
    {
        struct lease *lease;
        if (rc != OK)
            return rc;
        rc = get_failing(req, json_string_value(uid), &lease);
        if (rc == OK)
            rc = visit(req, lease, arg);
    }
    return rc;
}

static int retry(struct request *req, struct lease *lease, void *arg)
{
    (void)arg;
    return lease_mark_revoking(req, lease, lease_now_s(req));
}

int lease_retry_failing(struct request *req)
{
    req->expiry_changed = true;
    return lease_each_failing(req, RETRIED_AT_ONCE, retry, NULL);
}
