/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "cli/client/api.h"
#include "cli/options.h"
#include "cli/output/output.h"
#include "cli/output/secret_reply.h"
#include "cli/output/text.h"

#define CONFIG_PATH "sys/storage/raft/autopilot/configuration"

/* ---- state ---- */

/* What a row is called in a table and in JSON, where Vault's command line prints the names of its own structures. */
struct row {
    const char *field;
    const char *title;
    const char *json_name;
};

static const struct row server_rows[] = {
    {"id", NULL, "ID"},
    {"name", "Name", "Name"},
    {"address", "Address", "Address"},
    {"status", "Status", "Status"},
    {"node_status", "Node Status", "NodeStatus"},
    {"healthy", "Healthy", "Healthy"},
    {"last_contact", "Last Contact", "LastContact"},
    {"last_term", "Last Term", "LastTerm"},
    {"last_index", "Last Index", "LastIndex"},
    {"stable_since", NULL, "StableSince"},
    {"version", "Version", "Version"},
    {"upgrade_version", NULL, "UpgradeVersion"},
    {"node_type", "Node Type", "NodeType"},
    {"behind", "Behind", "Behind"},
    {"sealed", "Sealed", "Sealed"},
    {"non_leader", "Non Leader", "NonLeader"},
};

static json_t *server_as_json(const json_t *server)
{
    json_t *named = json_object();

    for (size_t i = 0; i < sizeof server_rows / sizeof *server_rows; i++) {
        json_t *value = json_object_get(server, server_rows[i].field);

        if (value)
            json_object_set(named, server_rows[i].json_name, value);
    }
    return named;
}

static int state_as_value(struct cli *cli, const json_t *data)
{
    json_t *servers = json_object(), *server, *state;
    const char *id;

    json_object_foreach(json_map_at(data, "servers"), id, server)
        json_object_set_new(servers, id, server_as_json(server));
    state = json_pack("{s:b, s:I, s:o, s:s, s:O?, s:O?}", "Healthy", json_flag(data, "healthy", false),
                      "FailureTolerance", (json_int_t)json_int(data, "failure_tolerance", 0), "Servers", servers,
                      "Leader", json_str(data, "leader", ""), "Voters", json_list_at(data, "voters"), "NonVoters",
                      json_list_at(data, "non_voters"));
    json_object_set_new(state, "Upgrade", json_null());
    json_object_set_new(state, "OptimisticFailureTolerance",
                        json_integer(json_int(data, "optimistic_failure_tolerance", 0)));
    return output_value(cli, cli_keep(cli, state));
}

static void print_names(const char *title, const json_t *names)
{
    const json_t *name;
    size_t i;

    if (!json_array_size(names))
        return;
    printf("%s:\n", title);
    json_array_foreach((json_t *)names, i, name) printf("   %s\n", cli_text(name));
}

static void print_server(struct cli *cli, const char *id, const json_t *server)
{
    printf("   %s\n", id);
    for (size_t i = 0; i < sizeof server_rows / sizeof *server_rows; i++) {
        json_t *value = json_object_get(server, server_rows[i].field);

        if (value && server_rows[i].title)
            printf("      %-18s %s\n", cli_printf(cli, "%s:", server_rows[i].title), secret_value(cli, value));
    }
}

static int autopilot_state(struct cli *cli)
{
    json_t *secret, *data, *servers, *server;
    const char *id;

    if (api_read(cli, "sys/storage/raft/autopilot/state", NULL, &secret))
        return cli_fail(cli, "Error checking autopilot state");
    data = json_map_at(secret, "data");
    if (!data)
        return cli_refuse("No autopilot state found");
    if (cli->format != FORMAT_TABLE)
        return state_as_value(cli, data);
    printf("%-32s %s\n", "Healthy:", json_flag(data, "healthy", false) ? "true" : "false");
    printf("%-32s %lld\n", "Failure Tolerance:", (long long)json_int(data, "failure_tolerance", 0));
    printf("%-32s %s\n", "Leader:", json_str(data, "leader", ""));
    print_names("Voters", json_list_at(data, "voters"));
    print_names("Non Voters", json_list_at(data, "non_voters"));
    printf("Servers:\n");
    servers = json_map_at(data, "servers");
    json_object_foreach(servers, id, server) print_server(cli, id, server);
    return EXIT_OK;
}

/* ---- Configuration ---- */

static const struct row config_rows[] = {
    {"cleanup_dead_servers", "Cleanup Dead Servers", NULL},
    {"last_contact_threshold", "Last Contact Threshold", NULL},
    {"dead_server_last_contact_threshold", "Dead Server Last Contact Threshold", NULL},
    {"server_stabilization_time", "Server Stabilization Time", NULL},
    {"min_quorum", "Min Quorum", NULL},
    {"max_trailing_logs", "Max Trailing Logs", NULL},
};

static int autopilot_get_config(struct cli *cli)
{
    json_t *secret, *data;
    struct table table;

    if (api_read(cli, CONFIG_PATH, NULL, &secret))
        return cli_fail(cli, "Error reading the autopilot configuration");
    data = json_map_at(secret, "data");
    if (!data)
        return cli_refuse("No autopilot configuration found");
    table_init(&table, &cli->arena, 2);
    table_header(&table, "Key", "Value");
    for (size_t i = 0; i < sizeof config_rows / sizeof *config_rows; i++)
        table_row(&table, config_rows[i].title, secret_value(cli, json_object_get(data, config_rows[i].field)));
    return output_table_or_value(cli, &table, data);
}

static const struct option_def config_options[] = {
    {"cleanup-dead-servers", OPTION_TEXT, "true or false: take members out that are gone for long.", NULL, NULL},
    {"last-contact-threshold", OPTION_DURATION, "Who was not heard for longer is not healthy.", NULL, NULL},
    {"dead-server-last-contact-threshold", OPTION_DURATION, "Who was not heard for longer is taken out.", NULL, NULL},
    {"max-trailing-logs", OPTION_NUMBER, "Who lags by more entries is not healthy.", NULL, NULL},
    {"min-quorum", OPTION_NUMBER, "With so many voters or fewer none is taken out; at least 3.", NULL, NULL},
    {"server-stabilization-time", OPTION_DURATION, "So long a new node must be healthy before it votes.", NULL, NULL},
    {0},
};

static int autopilot_set_config(struct cli *cli)
{
    json_t *body = json_object(), *secret;

    for (const struct option_def *option = config_options; option->name; option++)
        option_into(cli, option->name, body, NULL);
    if (api_post(cli, CONFIG_PATH, body, &secret))
        return cli_fail(cli, "Error setting the autopilot configuration");
    return EXIT_OK;
}

const struct command autopilot_commands[] = {
    {"operator raft autopilot", NULL, "See how well the nodes are, and let the cluster look after them", "",
     "The active node gives new nodes a vote and, if it may, takes out those that are gone for good.\n\n"
     "$ coffer operator raft autopilot state\n",
     NULL, 0, 0, 0},
    {"operator raft autopilot state", autopilot_state, "Show how well the nodes are", "",
     "Shows each node as the active node sees it, and how many may fail.\n\n"
     "$ coffer operator raft autopilot state\n",
     NULL, 0, 0, COMMAND_FORMAT},
    {"operator raft autopilot get-config", autopilot_get_config, "Show what the cluster does by itself", "",
     "Shows when a new node gets a vote, and whether dead ones are taken out.\n\n"
     "$ coffer operator raft autopilot get-config\n",
     NULL, 0, 0, COMMAND_FORMAT},
    {"operator raft autopilot set-config", autopilot_set_config, "Set what the cluster does by itself", "",
     "Only what is given is changed.\n\n"
     "$ coffer operator raft autopilot set-config -cleanup-dead-servers=true -min-quorum=3\n",
     config_options, 0, 0, 0},
    {0},
};
