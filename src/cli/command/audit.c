/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "cli/client/api.h"
#include "cli/data_args.h"
#include "cli/options.h"
#include "cli/output/output.h"
#include "cli/output/secret_reply.h"

static int audit_enable(struct cli *cli)
{
    const char *type = cli->argv[0], *path = option_text(cli, "path");
    json_t *config, *body, *secret;

    path = cli_trim_path(cli, path ? path : type);
    if (!data_args_take(cli, 1, &config))
        return EXIT_LOCAL;
    body = json_pack("{s:s, s:o}", "type", type, "options", config);
    option_into(cli, "description", body, NULL);
    option_into(cli, "local", body, NULL);
    if (api_write(cli, cli_printf(cli, "sys/audit/%s", path), body, &secret))
        return cli_fail(cli, "Error enabling audit device");
    return cli_success(cli, "Success! Enabled the %s audit device at: %s/", type, path);
}

static int audit_disable(struct cli *cli)
{
    const char *path = cli_trim_path(cli, cli->argv[0]);
    json_t *reply;

    if (api_call(cli, "DELETE", cli_printf(cli, "sys/audit/%s", path), NULL, NULL, &reply))
        return cli_fail(cli, "Error disabling audit device");
    return cli_success(cli, "Success! Disabled audit device (if it was enabled) at: %s/", path);
}

/* "file_path=x mode=0600", sorted. */
static const char *pairs(struct cli *cli, const json_t *options)
{
    json_t *sorted = cli_keep(cli, text_sorted(options ? options : cli_keep(cli, json_object()))), *value;
    const char *key, *line = "";

    json_object_foreach(sorted, key, value) line =
        cli_printf(cli, "%s%s%s=%s", line, *line ? " " : "", key, secret_value(cli, value));
    return line;
}

static void put_rows(struct cli *cli, const json_t *devices, bool is_detailed, struct table *table)
{
    json_t *sorted = cli_keep(cli, text_sorted(devices)), *device;
    const char *path;

    table_init(table, &cli->arena, is_detailed ? 5 : 3);
    if (is_detailed)
        table_header(table, "Path", "Type", "Description", "Replication", "Options");
    else
        table_header(table, "Path", "Type", "Description");
    json_object_foreach(sorted, path, device)
    {
        table_cell(table, path);
        table_cell(table, json_str(device, "type", ""));
        table_cell(table, json_str(device, "description", ""));
        if (is_detailed) {
            table_cell(table, json_flag(device, "local", false) ? "local" : "replicated");
            table_cell(table, pairs(cli, json_map_at(device, "options")));
        }
    }
}

static int audit_list(struct cli *cli)
{
    json_t *reply, *devices;
    struct table table;

    if (api_call(cli, "GET", "sys/audit", NULL, NULL, &reply))
        return cli_fail(cli, "Error listing audits");
    devices = json_map_at(reply, "data");
    if (cli->format != FORMAT_TABLE)
        return output_value(cli, devices);
    if (!json_object_size(devices)) {
        cli_success(cli, "No audit devices are enabled.");
        return EXIT_REMOTE;
    }
    put_rows(cli, devices, option_flag(cli, "detailed"), &table);
    return output_table(&table);
}

static const struct option_def enable_options[] = {
    {"description", OPTION_TEXT, "What this device is for.", NULL, NULL},
    {"local", OPTION_FLAG, "This device belongs to this cluster alone.", NULL, NULL},
    {"path", OPTION_TEXT, "Name of the device. The default is its type.", NULL, NULL},
    {0},
};

const struct command audit_commands[] = {
    {"audit", NULL, "Record who did what", "",
     "Audit devices record every request and every answer, secrets hashed, before the client has its answer.\n\n"
     "$ coffer audit enable file file_path=/var/log/coffer/audit.log\n",
     NULL, 0, 0, 0},
    {"audit enable", audit_enable, "Begin to record to a device", "TYPE [CONFIG K=V...]",
     "Enables an audit device. From then on a request fails if no device can record it.\n\n"
     "$ coffer audit enable file file_path=/var/log/coffer/audit.log\n",
     enable_options, 1, ARGS_ANY, 0},
    {"audit disable", audit_disable, "Stop recording to a device", "PATH",
     "Disables an audit device. What it wrote stays where it is.\n\n"
     "$ coffer audit disable file/\n",
     NULL, 1, 1, 0},
    {"audit list", audit_list, "List the audit devices", "",
     "Lists the enabled audit devices; with -detailed also how they are set.\n\n"
     "$ coffer audit list -detailed\n",
     NULL, 0, 0, COMMAND_FORMAT | COMMAND_DETAILED},
    {0},
};
