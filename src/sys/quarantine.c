/* SPDX-License-Identifier: Apache-2.0 */
/*
 * quarantine.c — sys/storage/raft/quarantine: what a restore holds back, and the operator's choice.
 */
#include "core/snapshot/quarantine.h"

#include "core/core.h"
#include "core/request/request.h"
#include "sys/handlers.h"

#define LIMIT     1000
#define LIMIT_MAX 1000
#define TTL_S_MAX (10 * 365 * 86400LL)

const struct field sys_quarantine_fields[] = {
    {"after", FIELD_STRING, "Where to go on: what an earlier answer gave as next."},
    {"limit", FIELD_INT, "How many leases at most; 1000 if not given."},
    {"ttl", FIELD_DURATION, "How long from now leases that had ended live; the server's default if not given."},
    {0},
};

int sys_quarantine_read(struct request *req)
{
    json_t *data;
    int64_t limit = field_int(req, "limit", LIMIT);
    if (limit < 1 || limit > LIMIT_MAX)
        return fail(req, ERR_INVALID, "limit must be 1 to %d", LIMIT_MAX);
    int rc = quarantine_list(req, field_str(req, "after", ""), (size_t)limit, &data);
    if (rc == OK)
        reply_data(req, data);
    return rc;
}

int sys_quarantine_revoke(struct request *req)
{
    return quarantine_revoke(req);
}

int sys_quarantine_extend(struct request *req)
{
    size_t n;
    int64_t ttl_s = field_int(req, "ttl", core_options(req->core)->default_lease_ttl_s);
    if (ttl_s < 1 || ttl_s > TTL_S_MAX)
        return fail(req, ERR_INVALID, "ttl must be from one second to ten years");
    int rc = quarantine_extend(req, ttl_s, &n);
    if (rc == OK)
        reply_data(req, json_pack("{s:I}", "leases", (json_int_t)n));
    return rc;
}
