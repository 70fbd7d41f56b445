/* SPDX-License-Identifier: Apache-2.0 */
/*
 * expiry_adopt.c — what other epochs left pending is ended: its leader is gone, and whether there is anything outside
 * nobody knows.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "core/core.h"
#include "core/lease/expiry_private.h"
#include "core/lease/lease_private.h"
#include "core/snapshot/quarantine.h"
#include "storage/txn.h"

#define PENDING_AT_ONCE 256

struct adoption {
    uint64_t epoch;
    char after[64];
    json_t *uids;
};

static int list_pending(struct request *req, void *arg)
{
    struct adoption *adoption = arg;
    return lease_said(req, txn_list(req->txn, LEASE_PENDING_DIR, adoption->after[0] != '\0' ? adoption->after : NULL,
                                    PENDING_AT_ONCE, &adoption->uids));
}

static int adopt_one(struct request *req, const char *uid, uint64_t epoch)
{
    struct lease *lease;
    json_t *id;
    const char *path = arena_printf(&req->arena, LEASE_PENDING_DIR "%s", uid);
    int rc = txn_get(req->txn, path, &id);
    if (rc != OK)
        return rc == ERR_NOTFOUND ? OK : lease_said(req, rc);
    request_own(req, id);
    rc = lease_get(req, json_string_value(id), &lease);
    if (rc == ERR_INVALID)
        return lease_said(req, txn_delete(req->txn, path));
    int64_t until_s = 0;
    if (rc == OK)
        rc = quarantine_until(req, &until_s);
    if (rc == OK && lease->state == LEASE_PENDING && lease->epoch < epoch && lease->issued_s > until_s)
        rc = lease_expire_now(req, lease);
    return rc;
}

static int adopt_pending(struct request *req, void *arg)
{
    struct adoption *adoption = arg;
    json_t *uid;
    size_t i;
    json_array_foreach(adoption->uids, i, uid)
    {
        int rc = adopt_one(req, json_string_value(uid), adoption->epoch);
        if (rc != OK)
            return rc;
    }
    return OK;
}

bool expiry_adopt(struct expiry *expiry)
{
    struct adoption adoption = {.epoch = expiry->epoch};
    size_t n = 0, found;
    do {
        int rc = request_run_internal(expiry->core, expiry->epoch, list_pending, &adoption, NULL);
        if (rc == OK)
            rc = request_run_internal(expiry->core, expiry->epoch, adopt_pending, &adoption, NULL);
        if (rc != OK) {
            json_decref(adoption.uids);
            return false;
        }
        found = json_array_size(adoption.uids);
        if (found > 0)
            strncpy(adoption.after, json_string_value(json_array_get(adoption.uids, found - 1)),
                    sizeof adoption.after - 1);
        n += found;
        json_decref(adoption.uids);
        adoption.uids = NULL;
    } while (found == PENDING_AT_ONCE);
    if (n > 0)
        log_info("lease", "%zu leases were pending when leadership changed; they are being revoked", n);
    return true;
}
