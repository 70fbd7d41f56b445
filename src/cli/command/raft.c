/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "cli/client/api.h"
#include "cli/data_args.h"
#include "cli/options.h"
#include "cli/output/output.h"
#include "cli/output/secret_reply.h"
#include "cli/output/text.h"

/* A certificate or key: the text itself, or @file. */
static int put_pem(struct cli *cli, const char *option, json_t *body, const char *key)
{
    const char *value = option_text(cli, option);
    struct buf text = BUF_INIT;
    struct err err = {0};
    int code = EXIT_OK;

    if (!value)
        return EXIT_OK;
    if (*value != '@')
        buf_puts(&text, value);
    else if (data_args_read_file(cli, value + 1, &text, &err))
        code = cli_mistake("Failed to parse -%s: %s", option, err_text(&err));
    json_object_set_new(body, key, json_string(buf_str(&text)));
    buf_close(&text);
    return code;
}

static int raft_join(struct cli *cli)
{
    json_t *body = json_object(), *reply;
    struct table table;
    int code;

    if (cli->argc)
        json_object_set_new(body, "leader_api_addr", json_string(cli->argv[0]));
    option_into(cli, "retry", body, NULL);
    option_into(cli, "non-voter", body, NULL);
    code = put_pem(cli, "leader-ca-cert", body, "leader_ca_cert");
    if (!code)
        code = put_pem(cli, "leader-client-cert", body, "leader_client_cert");
    if (!code)
        code = put_pem(cli, "leader-client-key", body, "leader_client_key");
    if (code) {
        json_decref(body);
        return code;
    }
    if (api_call(cli, "POST", "sys/storage/raft/join", NULL, body, &reply))
        return cli_fail(cli, "Error joining the node to the Raft cluster");
    table_init(&table, &cli->arena, 2);
    table_header(&table, "Key", "Value");
    table_row(&table, "Joined", json_flag(reply, "joined", false) ? "true" : "false");
    return output_table_or_value(cli, &table, reply);
}

/* Who lags, who is silent and who is sealed. */
static void add_standing(struct cli *cli, struct table *table, const json_t *server)
{
    int64_t contact_ms = json_int(server, "last_contact_ms", -1);

    table_cell(table, cli_printf(cli, "%lld", (long long)json_int(server, "behind", 0)));
    table_cell(table, contact_ms < 0 ? "" : cli_printf(cli, "%lld ms", (long long)contact_ms));
    table_cell(table, json_flag(server, "sealed", false) ? "true" : "false");
    table_cell(table, json_str(server, "since", ""));
}

/* Vault's four columns, and four more if the server tells: Vault and OpenBao do not. */
static void put_peers(struct cli *cli, const json_t *servers, struct table *table)
{
    bool tells = json_object_get(json_array_get(servers, 0), "behind");
    json_t *server;
    size_t i;

    table_init(table, &cli->arena, tells ? 8 : 4);
    if (tells)
        table_header(table, "Node", "Address", "State", "Voter", "Behind", "Last Contact", "Sealed", "Since");
    else
        table_header(table, "Node", "Address", "State", "Voter");
    json_array_foreach((json_t *)servers, i, server)
    {
        table_cell(table, json_str(server, "node_id", ""));
        table_cell(table, json_str(server, "address", ""));
        table_cell(table, json_flag(server, "leader", false) ? "leader" : "follower");
        table_cell(table, json_flag(server, "voter", false) ? "true" : "false");
        if (tells)
            add_standing(cli, table, server);
    }
}

static int raft_list_peers(struct cli *cli)
{
    json_t *secret;
    struct table table;

    if (api_read(cli, "sys/storage/raft/configuration", NULL, &secret))
        return cli_fail(cli, "Error reading the raft cluster configuration");
    if (!secret)
        return cli_refuse("No raft cluster configuration found");
    if (cli->format != FORMAT_TABLE)
        return output_secret(cli, secret);
    put_peers(cli, json_list_at(json_map_at(json_map_at(secret, "data"), "config"), "servers"), &table);
    return output_table(&table);
}

static int raft_remove_peer(struct cli *cli)
{
    json_t *reply;

    if (api_call(cli, "PUT", "sys/storage/raft/remove-peer", NULL, json_pack("{s:s}", "server_id", cli->argv[0]),
                 &reply))
        return cli_fail(cli, "Error removing the peer from raft cluster");
    return cli_success(cli, "Peer removed successfully!");
}

static int set_vote(struct cli *cli, const char *path, const char *failure, const char *success)
{
    json_t *reply;

    if (api_call(cli, "PUT", path, NULL, json_pack("{s:s}", "server_id", cli->argv[0]), &reply))
        return cli_fail(cli, "%s", failure);
    return cli_success(cli, "%s", success);
}

static int raft_promote(struct cli *cli)
{
    return set_vote(cli, "sys/storage/raft/promote", "Error promoting server", "Server promoted successfully!");
}

static int raft_demote(struct cli *cli)
{
    return set_vote(cli, "sys/storage/raft/demote", "Error demoting server", "Server demoted successfully!");
}

static const struct option_def join_options[] = {
    {"leader-ca-cert", OPTION_TEXT, "CA certificate to check the leader's with: PEM, or @file.", NULL, NULL},
    {"leader-client-cert", OPTION_TEXT, "Certificate to show to the leader: PEM, or @file.", NULL, NULL},
    {"leader-client-key", OPTION_TEXT, "Key of -leader-client-cert: PEM, or @file.", NULL, NULL},
    {"non-voter", OPTION_FLAG, "Join to read along only.", NULL, NULL},
    {"retry", OPTION_FLAG, "Try until it succeeds.", NULL, NULL},
    {0},
};

const struct command raft_commands[] = {
    {"operator raft", NULL, "Say which nodes make up the cluster", "",
     "Every node keeps a copy of the (encrypted) data; a majority of them must be up.\n\n"
     "$ coffer operator raft list-peers\n",
     NULL, 0, 0, 0},
    {"operator raft join", raft_join, "Make this node part of a cluster", "[LEADER-API-ADDR]",
     "Tells the server at -address to join the cluster of the server that is named. If the cluster unseals by keys, "
     "the node joins as soon as it is unsealed.\n\n"
     "$ coffer operator raft join -leader-ca-cert=@ca.pem https://10.0.0.1:8200\n",
     join_options, 0, 1, COMMAND_FORMAT},
    {"operator raft list-peers", raft_list_peers, "List the nodes", "",
     "Lists the nodes, their cluster addresses and who leads; by how many entries each lags behind the leader, how "
     "long "
     "ago the leader heard of it, whether it is sealed, and since when it is sealed or unsealed.\n\n"
     "$ coffer operator raft list-peers\n",
     NULL, 0, 0, COMMAND_FIELD},
    {"operator raft remove-peer", raft_remove_peer, "Remove a node for good", "NODE-ID",
     "Removes a node that is not coming back, so that it no longer counts for the majority.\n\n"
     "$ coffer operator raft remove-peer node3\n",
     NULL, 1, 1, 0},
    {"operator raft promote", raft_promote, "Give a node a vote", "NODE-ID",
     "Makes a voter of a node that has none, as soon as it has caught up with the leader.\n\n"
     "$ coffer operator raft promote node4\n",
     NULL, 1, 1, 0},
    {"operator raft demote", raft_demote, "Take a node's vote from it", "NODE-ID",
     "The node keeps a copy of the data but does not count for the majority, until it is promoted.\n\n"
     "$ coffer operator raft demote node4\n",
     NULL, 1, 1, 0},
    {0},
};
