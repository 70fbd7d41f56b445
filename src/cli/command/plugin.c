/* SPDX-License-Identifier: Apache-2.0 */
/* plugin: what engines and auth methods a server has. They are built in: there is nothing to register. */
#include <string.h>

#include "cli/client/api.h"
#include "cli/options.h"
#include "cli/output/output.h"
#include "cli/output/secret_reply.h"

static const char *const types[] = {"auth", "database", "secret", NULL};

static bool is_type(const char *word)
{
    for (int i = 0; types[i]; i++) {
        if (!strcmp(types[i], word))
            return true;
    }
    return false;
}

/* The catalog under the names that clients print; of one type alone, where `type` is not NULL. */
static json_t *chosen(struct cli *cli, const json_t *data, const char *type)
{
    json_t *result = json_object(), *details = json_array(), *item;
    size_t i;

    for (int k = 0; types[k]; k++) {
        json_t *names = json_list_at(data, types[k]);

        if (names && json_array_size(names) && (!type || !strcmp(types[k], type)))
            json_object_set(result, types[k], names);
    }
    json_array_foreach(json_list_at(data, "detailed"), i, item)
    {
        if (!type || !strcmp(json_str(item, "type", ""), type))
            json_array_append(details, item);
    }
    json_object_set_new(result, "details", details);
    return cli_keep(cli, result);
}

static int put_catalog(struct cli *cli, const json_t *catalog, bool is_detailed)
{
    struct table table;
    json_t *item;
    size_t i;

    table_init(&table, &cli->arena, is_detailed ? 4 : 3);
    if (is_detailed)
        table_header(&table, "Name", "Type", "Version", "Deprecation Status");
    else
        table_header(&table, "Name", "Type", "Version");
    json_array_foreach(json_list_at(catalog, "details"), i, item)
    {
        table_cell(&table, json_str(item, "name", ""));
        table_cell(&table, json_str(item, "type", ""));
        table_cell(&table, json_str(item, "version", ""));
        if (is_detailed)
            table_cell(&table, json_str(item, "deprecation_status", ""));
    }
    return output_table(&table);
}

static int plugin_list(struct cli *cli)
{
    const char *type = cli->argc ? cli_trim(cli, cli->argv[0], "") : NULL;
    json_t *secret, *catalog;

    if (type && !is_type(type))
        return cli_refuse("Error parsing type: \"%s\" is not a supported plugin type", type);
    if (api_read(cli, "sys/plugins/catalog", NULL, &secret))
        return cli_fail(cli, "Error listing available plugins");
    catalog = chosen(cli, json_map_at(secret, "data"), type);
    return cli->format == FORMAT_TABLE ? put_catalog(cli, catalog, option_flag(cli, "detailed"))
                                       : output_value(cli, catalog);
}

/* What clients show of it, all of it always. */
static json_t *shown(struct cli *cli, const json_t *data)
{
    static const char *const fields[] = {"args", "builtin", "command", "deprecation_status",
                                         "name", "sha256",  "version", NULL};
    json_t *result = json_object();

    for (int i = 0; fields[i]; i++) {
        json_t *value = json_object_get(data, fields[i]);

        json_object_set_new(result, fields[i], value ? json_incref(value) : json_null());
    }
    return cli_keep(cli, result);
}

static int plugin_info(struct cli *cli)
{
    const char *type = cli_trim(cli, cli->argv[0], ""), *name = cli_trim(cli, cli->argv[1], "");
    const char *field = output_wanted_field(cli);
    struct table table;
    json_t *reply, *data;

    if (api_call(cli, "GET", cli_printf(cli, "sys/plugins/catalog/%s/%s", type, name), NULL, NULL, &reply))
        return cli_fail(cli, "Error reading plugin named %s", name);
    data = shown(cli, json_map_at(reply, "data"));
    if (field)
        return output_field(cli, json_object_get(data, field), field, "plugin");
    if (cli->format != FORMAT_TABLE)
        return output_value(cli, data);
    if (json_is_null(json_object_get(data, "args")))
        json_object_set_new(data, "args", json_array());
    table_init(&table, &cli->arena, 2);
    table_header(&table, "Key", "Value");
    secret_put_map_rows(cli, data, &table);
    return output_table(&table);
}

const struct command plugin_commands[] = {
    {"plugin", NULL, "Show the engines and auth methods that a server has", "",
     "What can be enabled with \"secrets enable\" and \"auth enable\". All of it is built in.\n\n"
     "$ coffer plugin list\n"
     "$ coffer plugin info auth approle\n",
     NULL, 0, 0, 0},
    {"plugin list", plugin_list, "List engines and auth methods", "[auth | database | secret]",
     "Lists what the server has, of one type or of all.\n\n"
     "$ coffer plugin list\n"
     "$ coffer plugin list -detailed auth\n",
     NULL, 0, 1, COMMAND_FORMAT | COMMAND_DETAILED},
    {"plugin info", plugin_info, "Show one engine or auth method", "TYPE NAME",
     "Shows its version, and whether it is built in.\n\n"
     "$ coffer plugin info auth approle\n",
     NULL, 2, 2, COMMAND_FIELD},
    {0},
};
