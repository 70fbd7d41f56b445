/* SPDX-License-Identifier: Apache-2.0 */
#include "core/cluster/autopilot.h"

#include "base/json.h"
#include "core/core_private.h"
#include "core/request/request.h"

#define RECORD "core/autopilot"

static void from_json(const json_t *record, struct cluster_autopilot *ret)
{
    cluster_autopilot_default(ret);
    ret->cleanup_dead_servers = json_flag(record, "cleanup_dead_servers", false);
    ret->min_quorum = (uint64_t)json_int(record, "min_quorum", 0);
    ret->dead_after_ms = (uint64_t)json_int(record, "dead_after_ms", (json_int_t)ret->dead_after_ms);
    ret->last_contact_ms = (uint64_t)json_int(record, "last_contact_ms", (json_int_t)ret->last_contact_ms);
    ret->max_trailing_logs = (uint64_t)json_int(record, "max_trailing_logs", (json_int_t)ret->max_trailing_logs);
    ret->stabilization_ms = (uint64_t)json_int(record, "stabilization_ms", (json_int_t)ret->stabilization_ms);
}

static json_t *to_json(const struct cluster_autopilot *autopilot)
{
    return json_pack("{s:b, s:I, s:I, s:I, s:I, s:I}", "cleanup_dead_servers", autopilot->cleanup_dead_servers,
                     "min_quorum", (json_int_t)autopilot->min_quorum, "dead_after_ms",
                     (json_int_t)autopilot->dead_after_ms, "last_contact_ms", (json_int_t)autopilot->last_contact_ms,
                     "max_trailing_logs", (json_int_t)autopilot->max_trailing_logs, "stabilization_ms",
                     (json_int_t)autopilot->stabilization_ms);
}

int autopilot_get(struct request *req, struct cluster_autopilot *ret)
{
    json_t *record = NULL;
    int rc = txn_get(req->txn, RECORD, &record);
    if (rc != OK && rc != ERR_NOTFOUND)
        return fail(req, rc, "%s", err_default_text(rc));
    from_json(record, ret);
    json_decref(record);
    return OK;
}

int autopilot_set(struct request *req, const struct cluster_autopilot *autopilot)
{
    json_t *record = to_json(autopilot);
    int rc = txn_put(req->txn, RECORD, record);
    json_decref(record);
    if (rc != OK)
        return fail(req, rc, "%s", err_default_text(rc));
    rc = request_commit(req);
    if (rc == OK)
        cluster_set_autopilot(req->core->cluster, autopilot);
    return rc;
}

static int tell(struct request *req, void *arg)
{
    struct cluster_autopilot autopilot;
    (void)arg;
    int rc = autopilot_get(req, &autopilot);
    if (rc == OK)
        cluster_set_autopilot(req->core->cluster, &autopilot);
    return rc;
}

int autopilot_load(struct core *core, uint64_t epoch, struct err *err)
{
    return request_run_internal(core, epoch, tell, NULL, err);
}
