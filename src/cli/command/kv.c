/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/command/kv.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/client/api.h"
#include "cli/data_args.h"
#include "cli/options.h"
#include "cli/output/output.h"
#include "cli/output/secret_reply.h"

/* With -mount the key is the first argument all the same; -mount alone names the mount's root. */
static int take_data(struct cli *cli, json_t **ret_data)
{
    if (cli->argc < 2)
        return cli_mistake("Must supply data");
    return data_args_take(cli, 1, ret_data) ? EXIT_OK : EXIT_LOCAL;
}

static int kv_put(struct cli *cli)
{
    int64_t cas = option_number(cli, "cas", -1);
    json_t *data = NULL, *body, *secret;
    struct kv_place place;
    const char *path;
    int code = take_data(cli, &data);

    if (!code)
        code = kv_find_place(cli, &place);
    if (code) {
        json_decref(data);
        return code;
    }
    path = kv_path(cli, &place, "data");
    body = place.version < 2 ? data : json_pack("{s:o, s:o}", "data", data, "options", kv_cas_options(cas));
    if (api_write(cli, path, body, &secret))
        return cli_fail(cli, "Error writing data to %s", path);
    return kv_print_written(cli, secret, path);
}

/* A version of its own carries data and metadata apart; a deleted one has only the latter. */
static int print_version(struct cli *cli, json_t *secret, const char *path)
{
    json_t *data = json_map_at(json_map_at(secret, "data"), "data");
    json_t *metadata = json_map_at(json_map_at(secret, "data"), "metadata");

    output_warnings(secret);
    kv_print_path("Secret Path", path);
    if (metadata) {
        output_map_block(cli, "Metadata", metadata);
        putchar('\n');
    }
    if (data)
        output_map_block(cli, "Data", data);
    return EXIT_OK;
}

static int print_field(struct cli *cli, json_t *secret, const struct kv_place *place, const char *path)
{
    const char *field = output_wanted_field(cli);
    json_t *data = json_map_at(json_map_at(secret, "data"), "data");

    if (place->version < 2)
        return output_secret(cli, secret);
    if (!data)
        return cli_refuse("No data found at %s", path);
    return output_field(cli, json_object_get(data, field), field, "map");
}

static json_t *version_query(struct cli *cli, int64_t version)
{
    return version > 0 ? json_pack("{s:s}", "version", cli_printf(cli, "%" PRId64, version)) : NULL;
}

static int kv_get(struct cli *cli)
{
    struct kv_place place;
    json_t *secret, *query = NULL;
    const char *path;
    int code = kv_find_place(cli, &place);

    if (code)
        return code;
    path = kv_path(cli, &place, "data");
    if (place.version > 1)
        query = version_query(cli, option_number(cli, "version", 0));
    if (api_read(cli, path, query, &secret))
        return cli_fail(cli, "Error reading %s", path);
    if (!secret)
        return output_no_value(cli, path);
    if (json_map_at(secret, "wrap_info"))
        return output_secret(cli, secret);
    if (output_wanted_field(cli))
        return print_field(cli, secret, &place, path);
    if (cli->format != FORMAT_TABLE)
        return output_secret(cli, secret);
    if (place.version > 1)
        return print_version(cli, secret, path);
    output_warnings(secret);
    output_map_block(cli, "Data", json_map_at(secret, "data"));
    return EXIT_OK;
}

static int kv_delete(struct cli *cli)
{
    json_t *versions = kv_versions(cli), *reply;
    struct kv_place place;
    const char *path;
    int rc, code = kv_find_place(cli, &place);

    if (!code && versions && place.version < 2)
        code = cli_mistake("Deleting versions not supported on KV Version 1");
    if (code) {
        json_decref(versions);
        return code;
    }
    path = kv_path(cli, &place, "data");
    if (versions)
        rc = api_write(cli, kv_path(cli, &place, "delete"), json_pack("{s:o}", "versions", versions), &reply);
    else
        rc = api_call(cli, "DELETE", path, NULL, NULL, &reply);
    if (rc)
        return cli_fail(cli, "Error deleting %s", path);
    return output_secret_or(cli, reply, cli_printf(cli, "Success! Data deleted (if it existed) at: %s", path));
}

/* undelete and destroy: PUT the version numbers to a path of that name. */
static int change_versions(struct cli *cli, const char *kind, const char *title)
{
    json_t *versions = kv_versions(cli), *secret;
    struct kv_place place;
    const char *path;
    int code;

    if (!versions)
        return cli_mistake("No versions provided, use the \"-versions\" flag to specify the version to %s.", kind);
    code = kv_find_place(cli, &place);
    if (!code && place.version < 2)
        code = cli_mistake("%s not supported on KV Version 1", title);
    if (code) {
        json_decref(versions);
        return code;
    }
    path = kv_path(cli, &place, kind);
    if (api_write(cli, path, json_pack("{s:o}", "versions", versions), &secret))
        return cli_fail(cli, "Error writing data to %s", path);
    return output_secret_or(cli, secret, cli_printf(cli, "Success! Data written to: %s", path));
}

static int kv_undelete(struct cli *cli)
{
    return change_versions(cli, "undelete", "Undelete");
}

static int kv_destroy(struct cli *cli)
{
    return change_versions(cli, "destroy", "Destroy");
}

/* Reads the old version's data into ret_data, a new reference. */
static int read_version(struct cli *cli, const char *path, int64_t version, json_t **ret_data)
{
    json_t *secret, *data;

    if (api_read(cli, path, version_query(cli, version), &secret))
        return cli_fail(cli, "Error doing pre-read at %s", path);
    if (!secret)
        return cli_refuse("No value found at %s", path);
    data = json_map_at(json_map_at(secret, "data"), "data");
    if (!data)
        return cli_refuse("Cannot roll back to a version that has been deleted");
    *ret_data = json_incref(data);
    return EXIT_OK;
}

static int kv_rollback(struct cli *cli)
{
    int64_t version = option_number(cli, "version", 0), current;
    json_t *data = NULL, *secret;
    struct kv_place place;
    const char *path;
    int code;

    if (version <= 0)
        return cli_mistake("Version flag must be specified");
    code = kv_find_place(cli, &place);
    if (code)
        return code;
    if (place.version < 2)
        return cli_refuse("K/V engine mount must be version 2 for rollback support");
    path = kv_path(cli, &place, "data");
    code = kv_read_current(cli, path, &data, &current);
    json_decref(data);
    if (!code)
        code = read_version(cli, path, version, &data);
    if (code)
        return code;
    if (kv_put_version(cli, path, data, current, &secret))
        return cli_fail(cli, "Error writing data to %s", path);
    return output_secret(cli, secret);
}

static int kv_list(struct cli *cli)
{
    struct kv_place place;
    json_t *secret;
    const char *path;
    int code = kv_find_place(cli, &place);

    if (code)
        return code;
    path = cli_trim_path(cli, kv_path(cli, &place, "metadata"));
    if (api_list(cli, path, NULL, &secret))
        return cli_fail(cli, "Error listing %s", path);
    return output_list(cli, path, secret);
}

static int kv_enable_versioning(struct cli *cli)
{
    const char *mount = cli_mount_path(cli, cli->argv[0]);
    json_t *secret;

    if (api_post(cli, cli_printf(cli, "sys/mounts/%stune", mount), json_pack("{s:{s:s}}", "options", "version", "2"),
                 &secret))
        return cli_fail(cli, "Error tuning secrets engine %s", mount);
    output_warnings(secret);
    return cli_success(cli, "Success! Tuned the secrets engine at: %s", mount);
}

static const struct option_def put_options[] = {
    KV_MOUNT_OPTION,
    {"cas", OPTION_NUMBER, "Write only if this is the current version; 0: only if the key does not exist.", NULL, NULL},
    {0},
};

static const struct option_def get_options[] = {
    KV_MOUNT_OPTION,
    {"version", OPTION_NUMBER, "Which version to read. The default is the newest.", NULL, NULL},
    {0},
};

static const struct option_def versions_options[] = {
    KV_MOUNT_OPTION,
    {"versions", OPTION_LIST, "Version numbers, as 1,2,3.", NULL, NULL},
    {0},
};

static const struct option_def rollback_options[] = {
    KV_MOUNT_OPTION,
    {"version", OPTION_NUMBER, "The version to go back to.", NULL, NULL},
    {0},
};

const struct command kv_commands[] = {
    {"kv", NULL, "Keep secrets as keys and values", "",
     "Works on the key-value engine, with versions (2) or without (1). The key is given with its mount in front, or "
     "apart from it with -mount.\n\n"
     "$ coffer kv put -mount=secret app/db user=web password=-\n"
     "$ coffer kv get -mount=secret app/db\n",
     NULL, 0, 0, 0},
    {"kv put", kv_put, "Write a key", "KEY [DATA K=V...]",
     "Writes the data as a new version of the key; what the key held before is no part of it.\n\n"
     "$ coffer kv put -mount=secret app/db user=web password=@password.txt\n",
     put_options, 1, ARGS_ANY, COMMAND_FIELD},
    {"kv get", kv_get, "Read a key", "KEY",
     "Shows the newest version of a key, or another one.\n\n"
     "$ coffer kv get -mount=secret -field=password app/db\n",
     get_options, 1, 1, COMMAND_FIELD},
    {"kv patch", kv_patch, "Change some fields of a key", "KEY [DATA K=V...]",
     "Makes a new version in which the named fields are changed and the others stay.\n\n"
     "$ coffer kv patch -mount=secret app/db user=admin\n",
     kv_patch_options, 1, ARGS_ANY, COMMAND_FIELD},
    {"kv delete", kv_delete, "Delete versions of a key", "KEY",
     "Hides the newest version, or those of -versions; \"kv undelete\" brings them back. With version 1 of the engine "
     "the key is gone for good.\n\n"
     "$ coffer kv delete -mount=secret app/db\n",
     versions_options, 1, 1, COMMAND_FIELD},
    {"kv undelete", kv_undelete, "Bring deleted versions back", "KEY",
     "Brings back versions that were deleted, not those that were destroyed.\n\n"
     "$ coffer kv undelete -mount=secret -versions=3 app/db\n",
     versions_options, 1, 1, COMMAND_FIELD},
    {"kv destroy", kv_destroy, "Remove versions for good", "KEY",
     "Removes the data of versions; nothing brings it back.\n\n"
     "$ coffer kv destroy -mount=secret -versions=1,2 app/db\n",
     versions_options, 1, 1, COMMAND_FIELD},
    {"kv rollback", kv_rollback, "Make an old version the newest", "KEY",
     "Writes the data of an old version as a new one.\n\n"
     "$ coffer kv rollback -mount=secret -version=2 app/db\n",
     rollback_options, 1, 1, COMMAND_FIELD},
    {"kv list", kv_list, "List the keys below a path", "[PATH]",
     "Lists keys; names that end in a slash have more below them.\n\n"
     "$ coffer kv list -mount=secret app\n",
     kv_mount_option, 0, 1, COMMAND_FORMAT | COMMAND_DETAILED},
    {"kv enable-versioning", kv_enable_versioning, "Keep versions from now on", "MOUNT",
     "Turns a mount of version 1 into one of version 2. There is no way back.\n\n"
     "$ coffer kv enable-versioning secret\n",
     NULL, 1, 1, 0},
    {0},
};
