/* SPDX-License-Identifier: Apache-2.0 */
/*
 * autopilot.c — sys/storage/raft/autopilot: how well the members are, and what the cluster may do with them by itself.
 */
#include "core/cluster/autopilot.h"

#include <string.h>

#include "base/clock.h"
#include "base/duration.h"
#include "base/failpoint.h"
#include "core/core.h"
#include "core/request/request.h"
#include "sys/handlers.h"

#define MIN_QUORUM     3
#define DEAD_AFTER_MIN 60000 /* ms */

const struct field sys_autopilot_fields[] = {
    {"cleanup_dead_servers", FIELD_BOOL, "Whether members that are gone for long are taken out."},
    {"last_contact_threshold", FIELD_DURATION, "Who was not heard for longer is not healthy."},
    {"dead_server_last_contact_threshold", FIELD_DURATION, "Who was not heard for longer is taken out."},
    {"max_trailing_logs", FIELD_INT, "Who lags by more entries is not healthy."},
    {"min_quorum", FIELD_INT, "With so many voters or fewer none is taken out."},
    {"server_stabilization_time", FIELD_DURATION, "So long a new node must be healthy before it votes."},
    {"disable_upgrade_migration", FIELD_BOOL, "Of Vault Enterprise; without effect."},
    {"dr_operation_token", FIELD_STRING, "Of Vault Enterprise; without effect."},
    {0},
};

/* ---- Configuration ---- */

static json_t *duration_ms(int64_t ms)
{
    char text[40];
    duration_format_go(ms * 1000000, text, sizeof text);
    return json_string(text);
}

int sys_autopilot_config_read(struct request *req)
{
    struct cluster_autopilot autopilot;
    int rc = autopilot_get(req, &autopilot);
    if (rc != OK)
        return rc;
    reply_data(req,
               json_pack("{s:b, s:o, s:o, s:I, s:I, s:o}", "cleanup_dead_servers", autopilot.cleanup_dead_servers,
                         "dead_server_last_contact_threshold", duration_ms((int64_t)autopilot.dead_after_ms),
                         "last_contact_threshold", duration_ms((int64_t)autopilot.last_contact_ms), "max_trailing_logs",
                         (json_int_t)autopilot.max_trailing_logs, "min_quorum", (json_int_t)autopilot.min_quorum,
                         "server_stabilization_time", duration_ms((int64_t)autopilot.stabilization_ms)));
    return OK;
}

/* As Vault does, a zero of these says that the default is meant. */
static void take_duration(struct request *req, const char *name, uint64_t usual_ms, uint64_t *ret_ms)
{
    if (!field_given(req, name))
        return;
    int64_t seconds = field_int(req, name, 0);
    *ret_ms = seconds == 0 ? usual_ms : (uint64_t)seconds * 1000;
}

static int take_count(struct request *req, const char *name, uint64_t *ret)
{
    int64_t count = field_int(req, name, (int64_t)*ret);
    if (count < 0)
        return fail(req, ERR_INVALID, "%s must not be negative", name);
    *ret = (uint64_t)count;
    return OK;
}

static int check(struct request *req, const struct cluster_autopilot *autopilot)
{
    if (autopilot->cleanup_dead_servers && autopilot->min_quorum < MIN_QUORUM)
        return fail(req, ERR_INVALID,
                    "min_quorum must be set when cleanup_dead_servers is set and it should at least be %d; "
                    "cleanup_dead_servers: true, min_quorum: 0x%llx",
                    MIN_QUORUM, (unsigned long long)autopilot->min_quorum);
    if (autopilot->dead_after_ms < DEAD_AFTER_MIN && !failpoint("autopilot.any_threshold"))
        return fail(req, ERR_INVALID,
                    "dead_server_last_contact_threshold should not be set to less than 1m; received: %llu",
                    (unsigned long long)(autopilot->dead_after_ms / 1000));
    return OK;
}

int sys_autopilot_config_write(struct request *req)
{
    struct cluster_autopilot autopilot, usual;
    cluster_autopilot_default(&usual);
    int rc = autopilot_get(req, &autopilot);
    if (rc != OK)
        return rc;
    autopilot.cleanup_dead_servers = field_bool(req, "cleanup_dead_servers", autopilot.cleanup_dead_servers);
    take_duration(req, "last_contact_threshold", usual.last_contact_ms, &autopilot.last_contact_ms);
    take_duration(req, "dead_server_last_contact_threshold", usual.dead_after_ms, &autopilot.dead_after_ms);
    if (field_given(req, "server_stabilization_time"))
        autopilot.stabilization_ms = (uint64_t)field_int(req, "server_stabilization_time", 0) * 1000;
    rc = take_count(req, "max_trailing_logs", &autopilot.max_trailing_logs);
    if (rc == OK)
        rc = take_count(req, "min_quorum", &autopilot.min_quorum);
    if (rc == OK)
        rc = check(req, &autopilot);
    return rc == OK ? autopilot_set(req, &autopilot) : rc;
}

/* ---- State ---- */

static json_t *time_ago(int64_t ms)
{
    char text[40] = "0001-01-01T00:00:00Z"; /* how Go says "never" */
    if (ms >= 0)
        clock_format_rfc3339(clock_wall_ns() - ms * 1000000, text, sizeof text);
    return json_string(text);
}

static const char *status_of(const struct cluster_member *member)
{
    return member->leader ? "leader" : member->voter ? "voter" : "non-voter";
}

/* Vault's fields, then what only Coffer knows. */
static json_t *describe_server(const struct cluster_member *member, uint64_t last_index)
{
    bool is_well = member->stable_for_ms >= 0;
    json_t *server =
        json_pack("{s:s, s:s, s:s, s:s, s:o, s:I, s:I, s:b, s:o, s:s, s:s, s:s}", "id", member->node_id, "name",
                  member->node_id, "address", member->cluster_addr, "node_status", is_well ? "alive" : "failed",
                  "last_contact", duration_ms(member->last_contact_ms < 0 ? 0 : member->last_contact_ms), "last_term",
                  (json_int_t)member->match_term, "last_index", (json_int_t)member->match_index, "healthy", is_well,
                  "stable_since", time_ago(member->stable_for_ms), "status", status_of(member), "version",
                  member->version, "node_type", member->non_voter ? "non-voter" : "voter");
    json_object_set_new(server, "behind", json_integer((json_int_t)(last_index - member->match_index)));
    json_object_set_new(server, "sealed", json_boolean(member->sealed));
    json_object_set_new(server, "non_leader", json_boolean(member->non_leader));
    return server;
}

struct tally {
    json_t *servers, *voters, *non_voters;
    const char *leader;
    int n_voters, n_healthy_voters;
    bool is_healthy;
};

static void count_server(struct tally *tally, const struct cluster_member *member, uint64_t last_index)
{
    bool is_well = member->stable_for_ms >= 0;
    json_object_set_new(tally->servers, member->node_id, describe_server(member, last_index));
    json_array_append_new(member->voter ? tally->voters : tally->non_voters, json_string(member->node_id));
    tally->n_voters += member->voter;
    tally->n_healthy_voters += member->voter && is_well;
    tally->is_healthy = tally->is_healthy && is_well;
    if (member->leader)
        tally->leader = member->node_id;
}

int sys_autopilot_state(struct request *req)
{
    struct cluster_member members[CLUSTER_MEMBERS_MAX];
    struct cluster_status status;
    uint64_t index;
    int n = cluster_members(core_cluster(req->core), members, &index);
    cluster_status(core_cluster(req->core), &status);
    struct tally tally = {json_object(), json_array(), json_array(), "", 0, 0, true};
    for (int i = 0; i < n; i++)
        count_server(&tally, &members[i], status.last_index);
    int tolerance = tally.n_healthy_voters - (tally.n_voters / 2 + 1);
    json_t *data = json_pack("{s:b, s:i, s:s, s:o, s:o}", "healthy", tally.is_healthy, "failure_tolerance",
                             tolerance > 0 ? tolerance : 0, "leader", tally.leader, "servers", tally.servers, "voters",
                             tally.voters);
    if (json_array_size(tally.non_voters) > 0)
        json_object_set(data, "non_voters", tally.non_voters);
    json_decref(tally.non_voters);
    reply_data(req, data);
    return OK;
}
