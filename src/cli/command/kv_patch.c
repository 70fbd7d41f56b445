/* SPDX-License-Identifier: Apache-2.0 */
/* Writes that build on the current version: what they share, and kv patch. */
#include "cli/command/kv.h"

#include <stdio.h>
#include <string.h>

#include "cli/client/api.h"
#include "cli/data_args.h"
#include "cli/options.h"
#include "cli/output/output.h"

json_t *kv_cas_options(int64_t cas)
{
    return cas < 0 ? json_object() : json_pack("{s:I}", "cas", (json_int_t)cas);
}

int kv_read_current(struct cli *cli, const char *path, json_t **ret_data, int64_t *ret_version)
{
    json_t *secret, *data;

    if (api_read(cli, path, NULL, &secret))
        return cli_fail(cli, "Error doing pre-read at %s", path);
    if (!secret)
        return cli_refuse("No value found at %s", path);
    data = json_map_at(json_map_at(secret, "data"), "data");
    *ret_version = json_int(json_map_at(json_map_at(secret, "data"), "metadata"), "version", 0);
    *ret_data = data ? json_deep_copy(data) : NULL;
    return EXIT_OK;
}

int kv_put_version(struct cli *cli, const char *path, json_t *data, int64_t cas, json_t **ret_secret)
{
    return api_write(cli, path, json_pack("{s:o, s:o}", "data", data, "options", kv_cas_options(cas)), ret_secret);
}

/* A null in a merge patch removes the field. */
static void merge(json_t *data, const json_t *changes)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)changes, key, value)
    {
        if (json_is_null(value))
            json_object_del(data, key);
        else
            json_object_set(data, key, value);
    }
}

/* Read, merge here, write with check-and-set: for servers and tokens that may not PATCH. Consumes `changes`. */
static int patch_by_rewriting(struct cli *cli, const char *path, json_t *changes)
{
    json_t *data, *secret;
    int64_t version;
    int code = kv_read_current(cli, path, &data, &version);

    if (code || !data) {
        json_decref(changes);
        return code ? code : cli_refuse("No data found at %s; patch only works on existing data", path);
    }
    merge(data, changes);
    json_decref(changes);
    if (kv_put_version(cli, path, data, version, &secret))
        return cli_fail(cli, "Error writing data to %s", path);
    return kv_print_written(cli, secret, path);
}

/* Consumes `changes`. */
static int patch_in_place(struct cli *cli, const char *path, json_t *changes)
{
    int64_t cas = option_number(cli, "cas", -1);
    json_t *body = json_pack("{s:O, s:o}", "data", changes, "options", kv_cas_options(cas)), *secret;
    bool may_rewrite = !option_text(cli, "method");

    if (!api_send(cli, "PATCH", path, body, &secret)) {
        json_decref(changes);
        return kv_print_written(cli, secret, path);
    }
    if (may_rewrite && (cli->status == 405 || cli->status == 403)) {
        if (cli->status == 403)
            fprintf(stderr, "Patching by reading and writing; grant \"patch\" on %s to do it in one step.\n", path);
        return patch_by_rewriting(cli, path, changes);
    }
    json_decref(changes);
    return cli_fail(cli, "Error writing data to %s", path);
}

/* K=V pairs, and null for each -remove-data, as a merge patch has it. */
static int take_changes(struct cli *cli, json_t **ret_changes)
{
    json_t *removals = option_list(cli, "remove-data"), *name, *changes;
    size_t i;

    if (cli->argc < 2 && !removals)
        return cli_mistake("Must supply data");
    if (!data_args_take(cli, 1, &changes))
        return EXIT_LOCAL;
    json_array_foreach(removals, i, name)
    {
        json_object_set_new(changes, json_string_value(name), json_null());
    }
    *ret_changes = changes;
    return EXIT_OK;
}

int kv_patch(struct cli *cli)
{
    const char *method = option_text(cli, "method"), *path;
    json_t *changes = NULL;
    struct kv_place place;
    int code;

    if (method && strcmp(method, "patch") != 0 && strcmp(method, "rw") != 0)
        return cli_refuse("Unsupported method provided to -method flag: %s", method);
    code = take_changes(cli, &changes);
    if (!code)
        code = kv_find_place(cli, &place);
    if (!code && place.version < 2)
        code = cli_refuse("K/V engine mount must be version 2 for patch support");
    if (code) {
        json_decref(changes);
        return code;
    }
    path = kv_path(cli, &place, "data");
    return method && !strcmp(method, "rw") ? patch_by_rewriting(cli, path, changes)
                                           : patch_in_place(cli, path, changes);
}

const struct option_def kv_patch_options[] = {
    KV_MOUNT_OPTION,
    {"cas", OPTION_NUMBER, "Change only if this is the current version.", NULL, NULL},
    {"method", OPTION_TEXT, "patch: on the server, in one step; rw: read here, write back. The default tries both.",
     NULL, NULL},
    {"remove-data", OPTION_LIST, "Field to remove.", NULL, NULL},
    {0},
};
