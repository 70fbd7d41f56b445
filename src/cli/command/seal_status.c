/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/command/seal_status.h"

#include <inttypes.h>
#include <string.h>

#include "cli/client/api.h"
#include "cli/client/http.h"
#include "cli/output/output.h"
#include "cli/output/secret_reply.h"

#define NODES_TIMEOUT_MS 5000

static const char *number(struct cli *cli, const json_t *object, const char *name)
{
    return cli_printf(cli, "%" PRId64, json_int(object, name, 0));
}

static const char *yes_no(const json_t *object, const char *name)
{
    return json_flag(object, name, false) ? "true" : "false";
}

/* A row only for a value that is there. */
static void put_if_set(struct table *table, const char *title, const char *value)
{
    if (*value)
        table_row(table, title, value);
}

static void put_seal_rows(struct cli *cli, const json_t *seal, struct table *table)
{
    bool is_recovery = json_flag(seal, "recovery_seal", false);

    table_row(table, "Seal Type", json_str(seal, "type", ""));
    put_if_set(table, "Recovery Seal Type", json_str(seal, "recovery_seal_type", ""));
    table_row(table, "Initialized", yes_no(seal, "initialized"));
    table_row(table, "Sealed", yes_no(seal, "sealed"));
    table_row(table, is_recovery ? "Total Recovery Shares" : "Total Shares", number(cli, seal, "n"));
    table_row(table, "Threshold", number(cli, seal, "t"));
    if (json_flag(seal, "sealed", false)) {
        table_row(table, "Unseal Progress",
                  cli_printf(cli, "%s/%s", number(cli, seal, "progress"), number(cli, seal, "t")));
        table_row(table, "Unseal Nonce", json_str(seal, "nonce", ""));
    }
    if (json_flag(seal, "migration", false))
        table_row(table, "Seal Migration in Progress", "true");
    table_row(table, "Version", json_str(seal, "version", ""));
    put_if_set(table, "Commit Date", json_str(seal, "commit_date", ""));
    put_if_set(table, "Build Date", json_str(seal, "build_date", ""));
    put_if_set(table, "Storage Type", json_str(seal, "storage_type", ""));
    put_if_set(table, "Cluster Name", json_str(seal, "cluster_name", ""));
    put_if_set(table, "Cluster ID", json_str(seal, "cluster_id", ""));
    if (json_flag(seal, "quarantine", false))
        table_row(table, "Quarantine", "since a restore: see operator raft quarantine");
}

static void put_leader_rows(struct cli *cli, const json_t *status, struct table *table)
{
    bool is_active = json_flag(status, "is_self", false);

    table_row(table, "HA Enabled", yes_no(status, "ha_enabled"));
    if (!json_flag(status, "ha_enabled", false) || json_flag(status, "sealed", false))
        return;
    table_row(table, "HA Cluster", json_str(status, "leader_cluster_address", ""));
    table_row(table, "HA Mode", is_active ? "active" : "standby");
    if (is_active)
        put_if_set(table, "Active Since", json_str(status, "active_time", ""));
    else
        put_if_set(table, "Active Node Address", json_str(status, "leader_address", ""));
    if (json_int(status, "raft_committed_index", 0))
        table_row(table, "Raft Committed Index", number(cli, status, "raft_committed_index"));
    if (json_int(status, "raft_applied_index", 0))
        table_row(table, "Raft Applied Index", number(cli, status, "raft_applied_index"));
}

static bool is_empty(const json_t *value)
{
    return !value || json_is_null(value) || (json_is_string(value) && !json_string_length(value)) ||
           json_is_false(value) || (json_is_integer(value) && !json_integer_value(value));
}

/* Adds what sys/leader says to the status. A sealed server may refuse to say; that it is one of many is all it tells.
 */
static int add_leader(struct cli *cli, json_t *status)
{
    static const char *const fields[] = {"is_self",
                                         "active_time",
                                         "leader_address",
                                         "leader_cluster_address",
                                         "raft_committed_index",
                                         "raft_applied_index",
                                         NULL};
    json_t *leader = NULL;
    int rc = api_call(cli, "GET", "sys/leader", NULL, NULL, &leader);

    if (rc && !strstr(buf_str(&cli->failure), "sealed"))
        return rc;
    json_object_set_new(status, "ha_enabled", json_boolean(rc || json_flag(leader, "ha_enabled", false)));
    if (!json_flag(leader, "ha_enabled", false) || json_flag(status, "sealed", false))
        return OK;
    for (int i = 0; fields[i]; i++) {
        json_t *value = json_object_get(leader, fields[i]);

        /* The zero time is how Go says "never". */
        if (!is_empty(value) && strncmp(secret_value(cli, value), "0001-", 5) != 0)
            json_object_set(status, fields[i], value);
    }
    return OK;
}

/* "12 entries behind, heard 30 ms ago, sealed since 2026-…" */
static const char *standing(struct cli *cli, const json_t *node)
{
    const char *since = json_str(node, "since", "");
    bool is_sealed = json_flag(node, "sealed", false);
    int64_t contact_ms = json_int(node, "last_contact_ms", -1), behind = json_int(node, "behind", 0);
    const char *seal = cli_printf(cli, "%s%s%s", is_sealed ? "sealed" : "unsealed", *since ? " since " : "", since);

    if (json_flag(node, "leader", false))
        return cli_printf(cli, "leads, %s", seal);
    if (contact_ms < 0)
        return cli_printf(cli, "not heard of, %s", seal);
    return cli_printf(cli, "%" PRId64 " %s behind, heard of %" PRId64 " ms ago, %s", behind,
                      behind == 1 ? "entry" : "entries", contact_ms, seal);
}

/*
 * How the nodes stand, for those who may know; other servers do not tell it. What is refused is left out: the rest of
 * the status needs no token.
 */
static void add_nodes(struct cli *cli, json_t *status)
{
    json_t *secret = NULL, *nodes;

    if (!json_flag(status, "ha_enabled", false) || json_flag(status, "sealed", false) || !*api_token(cli))
        return;
    /* Without a leader nobody knows. */
    if (!*json_str(status, "leader_address", ""))
        return;
    /* A standby sends to the active node, and that may be what is broken. */
    http_set_timeout(cli->http, NODES_TIMEOUT_MS);
    if (api_read(cli, "sys/storage/raft/configuration", NULL, &secret))
        return;
    nodes = json_list_at(json_map_at(json_map_at(secret, "data"), "config"), "servers");
    if (json_object_get(json_array_get(nodes, 0), "behind"))
        json_object_set(status, "nodes", nodes);
}

static void put_node_rows(struct cli *cli, const json_t *status, struct table *table)
{
    json_t *node;
    size_t i;

    json_array_foreach(json_list_at(status, "nodes"), i, node)
    {
        table_row(table, cli_printf(cli, "Node %s", json_str(node, "node_id", "")), standing(cli, node));
    }
}

int seal_status_print(struct cli *cli, const json_t *seal)
{
    json_t *status = cli_keep(cli, json_copy((json_t *)seal));
    struct table table;

    if (add_leader(cli, status))
        return cli_fail(cli, "Error checking leader status");
    add_nodes(cli, status);
    if (output_wanted_field(cli))
        return output_field(cli, json_object_get(status, output_wanted_field(cli)), output_wanted_field(cli),
                            "the status");
    table_init(&table, &cli->arena, 2);
    table_header(&table, "Key", "Value");
    put_seal_rows(cli, status, &table);
    put_leader_rows(cli, status, &table);
    put_node_rows(cli, status, &table);
    return output_table_or_value(cli, &table, status);
}
