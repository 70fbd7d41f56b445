/* SPDX-License-Identifier: Apache-2.0 */
/*
 * raft.c — sys/storage/raft: members, joining, removing.
 */
#include <string.h>

#include "base/clock.h"
#include "core/core.h"
#include "core/request/request.h"
#include "core/seal/seal.h"
#include "sys/handlers.h"

const struct field sys_raft_join_fields[] = {
    {"leader_api_addr", FIELD_STRING, "The API address of a member."},
    {"leader_ca_cert", FIELD_STRING, "The PEM that its certificate must be signed by."},
    {"leader_ca_cert_file", FIELD_STRING, "A file with the same."},
    {"leader_client_cert", FIELD_STRING, "Not supported."},
    {"leader_client_key", FIELD_STRING, "Not supported."},
    {"leader_tls_servername", FIELD_STRING, "Not supported."},
    {"auto_join", FIELD_STRING, "Not supported."},
    {"auto_join_scheme", FIELD_STRING, "Not supported."},
    {"auto_join_port", FIELD_INT, "Not supported."},
    {"retry", FIELD_BOOL, "Without effect: the caller can retry."},
    {"non_voter", FIELD_BOOL, "Join without a vote."},
    {0},
};

const struct field sys_raft_server_fields[] = {
    {"server_id", FIELD_STRING, "The node's id."},
    {"dr_operation_token", FIELD_STRING, "Without effect."},
    {0},
};

const struct field sys_raft_answer_fields[] = {
    {"server_id", FIELD_STRING, "The joining node's id."},
    {"cluster_addr", FIELD_STRING, "Where its peers reach it."},
    {"challenge", FIELD_STRING, "What it was asked."},
    {"answer", FIELD_STRING, "The proof."},
    {"csr", FIELD_STRING, "Its request for a certificate, PEM."},
    {"non_voter", FIELD_BOOL, "Join without a vote."},
    {"format", FIELD_INT, "The newest form of the log that it reads."},
    {0},
};

/* Vault's fields, then what an operator asks next: who lags, who is silent, who is sealed, and since when. */
static json_t *describe_member(const struct cluster_member *member, uint64_t last_index)
{
    char since[40] = "";
    json_t *server = json_pack("{s:s, s:s, s:b, s:s, s:b}", "node_id", member->node_id, "address", member->cluster_addr,
                               "leader", member->leader, "protocol_version", "3", "voter", member->voter);
    json_object_set_new(server, "behind", json_integer((json_int_t)(last_index - member->match_index)));
    json_object_set_new(server, "last_contact_ms", json_integer(member->last_contact_ms));
    json_object_set_new(server, "sealed", json_boolean(member->sealed));
    if (member->sealed_for_ms >= 0)
        clock_format_rfc3339((clock_wall_ms() - member->sealed_for_ms) / 1000 * 1000000000, since, sizeof since);
    json_object_set_new(server, "since", json_string(since));
    json_object_set_new(server, "non_leader", json_boolean(member->non_leader));
    return server;
}

int sys_raft_configuration(struct request *req)
{
    struct cluster_member members[CLUSTER_MEMBERS_MAX];
    struct cluster_status status;
    uint64_t index;
    int n = cluster_members(core_cluster(req->core), members, &index);
    json_t *servers = json_array();
    cluster_status(core_cluster(req->core), &status);
    for (int i = 0; i < n; i++)
        json_array_append_new(servers, describe_member(&members[i], status.last_index));
    reply_data(req, json_pack("{s:{s:o, s:I}}", "config", "servers", servers, "index", (json_int_t)index));
    return OK;
}

int sys_raft_join(struct request *req)
{
    struct err err = {0};
    const char *leader = field_str(req, "leader_api_addr", "");
    if (core_standing(req->core) != CORE_UNINITIALIZED)
        return fail(req, ERR_INVALID, "raft storage is already initialized");
    if (leader[0] == '\0')
        return fail(req, ERR_INVALID,
                    field_given(req, "auto_join") ? "auto_join is not supported; give leader_api_addr"
                                                  : "leader_api_addr must be given");
    int rc = join_start(req->core, req->fields, &err);
    if (rc != OK)
        return fail(req, rc, "failed to join raft cluster: %s", err_text(&err));
    reply_data(req, json_pack("{s:b}", "joined", 1));
    return OK;
}

int sys_raft_challenge(struct request *req)
{
    json_t *data;
    int rc = join_challenge(req, field_str(req, "server_id", ""), &data);
    if (rc == OK)
        reply_data(req, data);
    return rc;
}

int sys_raft_answer(struct request *req)
{
    json_t *data;
    int rc = join_answer(req, req->fields, &data);
    if (rc == OK)
        reply_data(req, data);
    return rc;
}

/* Whether there is such a member, and what it is; fails in Vault's words. */
static int find_member(struct request *req, struct cluster_member *ret)
{
    struct cluster_member members[CLUSTER_MEMBERS_MAX];
    const char *id = field_str(req, "server_id", "");
    uint64_t index;
    if (id[0] == '\0')
        return fail(req, ERR_INVALID, "no server id provided");
    int n = cluster_members(core_cluster(req->core), members, &index);
    for (int i = 0; i < n; i++) {
        *ret = members[i];
        if (strcmp(ret->node_id, id) == 0)
            return OK;
    }
    return fail(req, ERR_INVALID, "server %s not found in raft configuration", id);
}

static int set_voter(struct request *req, const struct cluster_member *member, bool is_voter)
{
    struct err err = {0};
    int rc = cluster_set_voter(core_cluster(req->core), member->node_id, is_voter, &err);
    return rc == OK ? OK : fail_with(req, &err);
}

int sys_raft_promote(struct request *req)
{
    struct cluster_member member;
    int rc = find_member(req, &member);
    if (rc == OK && member.voter)
        rc = fail(req, ERR_INVALID, "server is not a non-voter");
    return rc == OK ? set_voter(req, &member, true) : rc;
}

int sys_raft_demote(struct request *req)
{
    struct cluster_member member;
    int rc = find_member(req, &member);
    return rc == OK ? set_voter(req, &member, false) : rc;
}

int sys_raft_remove_peer(struct request *req)
{
    struct err err = {0};
    const char *id = field_str(req, "server_id", "");
    if (id[0] == '\0')
        return fail(req, ERR_INVALID, "no server id provided");
    int rc = cluster_remove_member(core_cluster(req->core), id, &err);
    return rc == OK ? OK : fail(req, rc == ERR_NOTFOUND ? ERR_INVALID : rc, "%s", err_text(&err));
}
