/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "cli/client/api.h"
#include "cli/command/kv.h"
#include "cli/options.h"
#include "cli/output/output.h"

/* Finds the metadata path, which only version 2 has. */
static int find_metadata(struct cli *cli, const char **ret_path)
{
    struct kv_place place;
    int code = kv_find_place(cli, &place);

    if (code)
        return code;
    if (place.version < 2)
        return cli_mistake("Metadata not supported on KV Version 1");
    *ret_path = kv_path(cli, &place, "metadata");
    return EXIT_OK;
}

static int compare_numbers(const void *a, const void *b)
{
    long left = atol(*(const char *const *)a), right = atol(*(const char *const *)b);

    return (left > right) - (left < right);
}

static void print_versions(struct cli *cli, const json_t *versions)
{
    const char **numbers = arena_alloc(&cli->arena, (json_object_size(versions) + 1) * sizeof *numbers), *number;
    size_t count = 0;
    json_t *version;

    json_object_foreach((json_t *)versions, number, version)
    {
        numbers[count++] = number;
    }
    qsort(numbers, count, sizeof *numbers, compare_numbers);
    for (size_t i = 0; i < count; i++) {
        putchar('\n');
        output_map_block(cli, cli_printf(cli, "Version %s", numbers[i]), json_map_at(versions, numbers[i]));
    }
}

static int metadata_get(struct cli *cli)
{
    json_t *secret, *data;
    const char *path = NULL;
    int code = find_metadata(cli, &path);

    if (code)
        return code;
    if (api_read(cli, path, NULL, &secret))
        return cli_fail(cli, "Error reading %s", path);
    if (!secret)
        return output_no_value(cli, path);
    data = json_map_at(secret, "data");
    if (output_wanted_field(cli) || cli->format != FORMAT_TABLE || !data)
        return output_secret(cli, secret);
    output_warnings(secret);
    kv_print_path("Metadata Path", path);
    data = cli_keep(cli, json_copy(data));
    json_object_del(data, "versions");
    output_map_block(cli, "Metadata", data);
    print_versions(cli, json_map_at(json_map_at(secret, "data"), "versions"));
    return EXIT_OK;
}

static json_t *settings_body(struct cli *cli)
{
    json_t *body = json_object();

    option_into(cli, "max-versions", body, NULL);
    option_into(cli, "cas-required", body, NULL);
    option_into(cli, "delete-version-after", body, NULL);
    option_into(cli, "custom-metadata", body, NULL);
    return body;
}

static int send_settings(struct cli *cli, const char *method, const char *path, json_t *body)
{
    json_t *secret;

    if (api_send(cli, method, path, body, &secret))
        return cli_fail(cli, "Error writing data to %s", path);
    return output_secret_or(cli, secret, cli_printf(cli, "Success! Data written to: %s", path));
}

static int metadata_put(struct cli *cli)
{
    const char *path = NULL;
    int code = find_metadata(cli, &path);

    return code ? code : send_settings(cli, "PUT", path, settings_body(cli));
}

static int metadata_patch(struct cli *cli)
{
    const char *path = NULL;
    json_t *body, *custom, *name;
    size_t i;
    int code = find_metadata(cli, &path);

    if (code)
        return code;
    body = settings_body(cli);
    custom = json_map_at(body, "custom_metadata");
    json_array_foreach(option_list(cli, "remove-custom-metadata"), i, name)
    {
        if (!custom) {
            custom = json_object();
            json_object_set_new(body, "custom_metadata", custom);
        }
        json_object_set_new(custom, json_string_value(name), json_null());
    }
    return send_settings(cli, "PATCH", path, body);
}

static int metadata_delete(struct cli *cli)
{
    const char *path = NULL;
    json_t *reply;
    int code = find_metadata(cli, &path);

    if (code)
        return code;
    if (api_call(cli, "DELETE", path, NULL, NULL, &reply))
        return cli_fail(cli, "Error deleting %s", path);
    return output_secret_or(cli, reply, cli_printf(cli, "Success! Data deleted (if it existed) at: %s", path));
}

#define SETTINGS_OPTIONS                                                                                               \
    KV_MOUNT_OPTION,                                                                                                   \
        {"cas-required", OPTION_FLAG, "Whether every write must say which version it follows.", NULL, NULL},           \
        {"custom-metadata", OPTION_MAP, "A fact about the key, of your own.", NULL, NULL},                             \
        {"delete-version-after", OPTION_DURATION, "Delete each version this long after it was written.", NULL, NULL},  \
    {                                                                                                                  \
        "max-versions", OPTION_NUMBER, "How many versions to keep.", NULL, NULL                                        \
    }

static const struct option_def put_options[] = {SETTINGS_OPTIONS, {0}};

static const struct option_def patch_options[] = {
    SETTINGS_OPTIONS,
    {"remove-custom-metadata", OPTION_LIST, "Fact of your own to remove.", NULL, NULL},
    {0},
};

const struct command kv_metadata_commands[] = {
    {"kv metadata", NULL, "Look after keys and their versions", "",
     "Shows and sets what is kept about a key beside its data (version 2 of the engine).\n\n"
     "$ coffer kv metadata get -mount=secret app/db\n",
     NULL, 0, 0, 0},
    {"kv metadata get", metadata_get, "Show a key's settings and versions", "KEY",
     "Shows how a key is set, and each of its versions, without data.\n\n"
     "$ coffer kv metadata get -mount=secret app/db\n",
     kv_mount_option, 1, 1, COMMAND_FIELD},
    {"kv metadata put", metadata_put, "Set how a key is kept", "KEY",
     "Sets how a key is kept; makes the key if it does not exist.\n\n"
     "$ coffer kv metadata put -mount=secret -max-versions=5 -custom-metadata=owner=web app/db\n",
     put_options, 1, 1, COMMAND_FORMAT},
    {"kv metadata patch", metadata_patch, "Change some settings of a key", "KEY",
     "Changes the named settings; the others stay.\n\n"
     "$ coffer kv metadata patch -mount=secret -remove-custom-metadata=owner app/db\n",
     patch_options, 1, 1, COMMAND_FORMAT},
    {"kv metadata delete", metadata_delete, "Remove a key with all versions", "KEY",
     "Removes all versions and all that is known of the key, for good.\n\n"
     "$ coffer kv metadata delete -mount=secret app/db\n",
     kv_mount_option, 1, 1, COMMAND_FORMAT},
    {0},
};
