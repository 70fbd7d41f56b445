/* SPDX-License-Identifier: Apache-2.0 */
/*
 * raft.c — sys/storage/raft: members, joining, removing.
 */
#include <string.h>

#include "core/core.h"
#include "core/request.h"
#include "core/seal.h"
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
    {0},
};

int sys_raft_configuration(struct request *req)
{
    struct cluster_member members[CLUSTER_MEMBERS_MAX];
    uint64_t index;
    int n = cluster_members(core_cluster(req->core), members, &index);
    json_t *servers = json_array();
    for (int i = 0; i < n; i++)
        json_array_append_new(servers, json_pack("{s:s, s:s, s:b, s:s, s:b}", "node_id", members[i].node_id, "address",
                                                 members[i].cluster_addr, "leader", members[i].leader,
                                                 "protocol_version", "3", "voter", members[i].voter));
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

int sys_raft_remove_peer(struct request *req)
{
    struct err err = {0};
    const char *id = field_str(req, "server_id", "");
    if (id[0] == '\0')
        return fail(req, ERR_INVALID, "no server id provided");
    int rc = cluster_remove_member(core_cluster(req->core), id, &err);
    return rc == OK ? OK : fail(req, rc == ERR_NOTFOUND ? ERR_INVALID : rc, "%s", err_text(&err));
}
