/* SPDX-License-Identifier: Apache-2.0 */
/*
 * health.c — sys/health, leader, ha-status: what load balancers and operators ask first.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "core/core.h"
#include "core/request/request.h"
#include "core/seal/seal.h"
#include "core/snapshot/quarantine.h"
#include "sys/handlers.h"

/* The status code that the query sets for a standing, or the usual one. ERR_INVALID for what is no number. */
static int code_of(struct request *req, const char *name, int usual, int *ret_code)
{
    const char *text = json_str(request_data(req), name, NULL);
    *ret_code = usual;
    if (text == NULL)
        return OK;
    char *end;
    long code = strtol(text, &end, 10);
    if (text[0] == '\0' || *end != '\0' || code < 100 || code > 599)
        return fail(req, ERR_INVALID, "%s is no status code", name);
    *ret_code = (int)code;
    return OK;
}

static bool is_set(struct request *req, const char *name)
{
    const char *text = json_str(request_data(req), name, NULL);
    return text != NULL && strcmp(text, "false") != 0 && strcmp(text, "0") != 0;
}

static int status_code(struct request *req, enum core_standing standing, int *ret_code)
{
    int active, standby, sealed, uninit;
    int rc = code_of(req, "activecode", 200, &active);
    if (rc == OK)
        rc = code_of(req, "standbycode", 429, &standby);
    if (rc == OK)
        rc = code_of(req, "sealedcode", 503, &sealed);
    if (rc == OK)
        rc = code_of(req, "uninitcode", 501, &uninit);
    if (rc != OK)
        return rc;
    const int codes[] = {[CORE_UNINITIALIZED] = uninit,
                         [CORE_SEALED] = sealed,
                         [CORE_STANDBY] = is_set(req, "standbyok") || is_set(req, "perfstandbyok") ? active : standby,
                         [CORE_ACTIVE] = active};
    *ret_code = codes[standing];
    return OK;
}

/*
 * What load balancers are told: who is about to step down is a standby already, though it still serves; who is about
 * to stop is not to be asked at all, whatever codes were asked for.
 */
static int judge(struct request *req, enum core_standing *ret_standing, int *ret_code)
{
    enum core_standing standing = core_standing(req->core);
    bool is_open = standing == CORE_ACTIVE || standing == CORE_STANDBY;
    enum core_drain draining = is_open ? core_draining(req->core) : CORE_KEEPS_ON;
    *ret_standing = draining == CORE_KEEPS_ON ? standing : CORE_STANDBY;
    int rc = status_code(req, *ret_standing, ret_code);
    if (draining == CORE_STOPS)
        *ret_code = 503;
    return rc;
}

int sys_health(struct request *req)
{
    int code;
    enum core_standing standing;
    int rc = judge(req, &standing, &code);
    if (rc != OK)
        return rc;
    bool is_sealed = standing == CORE_SEALED || standing == CORE_UNINITIALIZED;
    json_t *data = json_pack("{s:b, s:b, s:b, s:b, s:s, s:s, s:I, s:s, s:b, s:i, s:I}", "initialized",
                             standing != CORE_UNINITIALIZED, "sealed", is_sealed, "standby", standing != CORE_ACTIVE,
                             "performance_standby", 0, "replication_performance_mode", "disabled",
                             "replication_dr_mode", "disabled", "server_time_utc", (json_int_t)(clock_wall_ms() / 1000),
                             "version", COFFER_VERSION, "enterprise", 0, "echo_duration_ms", 0, "clock_skew_ms",
                             (json_int_t)cluster_clock_skew_ms(core_cluster(req->core)));
    static const char *const rooms[] = {
        [CLUSTER_ROOM_ENOUGH] = "enough", [CLUSTER_ROOM_LOW] = "low", [CLUSTER_ROOM_SCARCE] = "scarce"};
    json_object_set_new(data, "disk_space", json_string(rooms[cluster_room(core_cluster(req->core))]));
    if (!is_sealed && quarantine_of_state(req->core) != 0)
        json_object_set_new(data, "quarantine", json_true());
    if (!is_sealed) {
        json_t *status = seal_cluster(req->core);
        json_object_update(data, status);
        json_decref(status);
    }
    reply_data(req, data);
    reply_status(req, code);
    return OK;
}

/* As clients know it: an address among nodes is always spoken to by TLS. */
static const char *cluster_url(struct request *req, const char *addr)
{
    return addr[0] != '\0' ? arena_printf(&req->arena, "https://%s", addr) : "";
}

int sys_leader(struct request *req)
{
    enum core_standing standing = core_standing(req->core);
    if (standing == CORE_SEALED || standing == CORE_UNINITIALIZED)
        return fail(req, ERR_SEALED, "Vault is sealed");
    struct cluster_status status;
    cluster_status(core_cluster(req->core), &status);
    json_t *data = json_pack("{s:b, s:b, s:s, s:s, s:b, s:i, s:I, s:I}", "ha_enabled", 1, "is_self",
                             standing == CORE_ACTIVE, "leader_address", status.leader_api_addr,
                             "leader_cluster_address", cluster_url(req, status.leader_cluster_addr),
                             "performance_standby", 0, "performance_standby_last_remote_wal", 0, "raft_committed_index",
                             (json_int_t)status.commit_index, "raft_applied_index", (json_int_t)status.applied_index);
    if (standing == CORE_ACTIVE) {
        char since[40];
        clock_format_rfc3339(core_active_since_ns(req->core), since, sizeof since);
        json_object_set_new(data, "active_time", json_string(since));
    }
    reply_data(req, data);
    return OK;
}

static json_t *describe_node(struct request *req, const struct cluster_member *member)
{
    char echo[40];
    json_t *last_echo = json_null();
    if (!member->leader && member->last_contact_ms >= 0) {
        clock_format_rfc3339(clock_wall_ns() - member->last_contact_ms * 1000000, echo, sizeof echo);
        last_echo = json_string(echo);
    }
    return json_pack("{s:s, s:s, s:s, s:b, s:o, s:s, s:I}", "hostname", member->node_id, "api_address",
                     member->api_addr, "cluster_address", cluster_url(req, member->cluster_addr), "active_node",
                     member->leader, "last_echo", last_echo, "version", member->version, "clock_skew_ms",
                     (json_int_t)member->clock_skew_ms);
}

int sys_ha_status(struct request *req)
{
    struct cluster_member members[CLUSTER_MEMBERS_MAX];
    uint64_t index;
    int n = cluster_members(core_cluster(req->core), members, &index);
    json_t *nodes = json_array();
    for (int i = 0; i < n; i++)
        json_array_append_new(nodes, describe_node(req, &members[i]));
    reply_data(req, json_pack("{s:o}", "nodes", nodes));
    return OK;
}
