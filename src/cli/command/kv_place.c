/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/command/kv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/client/api.h"
#include "cli/options.h"
#include "cli/output/output.h"

const struct option_def kv_mount_option[] = {KV_MOUNT_OPTION, {0}};

/* What follows the mount; the mount itself (with or without its slash) has the key "". */
static const char *key_below(const char *path, const char *mount)
{
    size_t len = strlen(mount);

    if (len && !strncmp(path, mount, len - 1) && (!path[len - 1] || path[len - 1] == '/'))
        return path + len - (path[len - 1] == '\0');
    return path;
}

static void read_mount(struct cli *cli, const json_t *secret, struct kv_place *place)
{
    const json_t *data = json_map_at(secret, "data");

    place->mount = arena_strdup(&cli->arena, json_str(data, "path", ""));
    place->version = atoi(json_str(json_map_at(data, "options"), "version", "1"));
}

/* Asks which mount a path belongs to. The question is really asked, and never wrapped, whatever the options say. */
static int ask_for_mount(struct cli *cli, const char *path, json_t **ret_secret)
{
    json_t *options = cli->options;
    int rc;

    cli->options = json_copy(options);
    json_object_del(cli->options, "output-curl-string");
    json_object_del(cli->options, "output-policy");
    json_object_del(cli->options, "wrap-ttl");
    rc = api_call(cli, "GET", cli_printf(cli, "sys/internal/ui/mounts/%s", path), NULL, NULL, ret_secret);
    json_decref(cli->options);
    cli->options = options;
    return rc;
}

int kv_find_place(struct cli *cli, struct kv_place *ret_place)
{
    const char *mount = option_text(cli, "mount"), *path = cli->argc ? cli_trim_path(cli, cli->argv[0]) : "";
    struct kv_place place = {.mount = "", .key = path, .version = 1};
    json_t *secret = NULL;
    int rc;

    if (!cli->argc && !mount)
        return cli_mistake("Not enough arguments (expected >0, got 0)");
    rc = ask_for_mount(cli, mount ? cli_trim_path(cli, mount) : path, &secret);
    if (rc && cli->status != 404)
        return cli_fail(cli, NULL);
    if (!rc)
        read_mount(cli, secret, &place);
    if (mount && !*place.mount)
        place.mount = cli_mount_path(cli, mount);
    if (!mount)
        place.key = key_below(path, place.mount);
    *ret_place = place;
    return EXIT_OK;
}

const char *kv_path(struct cli *cli, const struct kv_place *place, const char *kind)
{
    if (place->version < 2)
        return cli_printf(cli, "%s%s", place->mount, place->key);
    if (!*place->key)
        return cli_printf(cli, "%s%s", place->mount, kind);
    return cli_printf(cli, "%s%s/%s", place->mount, kind, place->key);
}

void kv_print_path(const char *title, const char *path)
{
    struct buf text = BUF_INIT;

    text_put_banner(&text, title, strlen(path));
    printf("%s%s\n\n", buf_str(&text), path);
    buf_close(&text);
}

int kv_print_written(struct cli *cli, json_t *secret, const char *path)
{
    if (!secret)
        return cli_success(cli, "Success! Data written to: %s", path);
    if (output_wanted_field(cli) || cli->format != FORMAT_TABLE || !json_map_at(secret, "data") ||
        json_map_at(secret, "wrap_info"))
        return output_secret(cli, secret);
    output_warnings(secret);
    kv_print_path("Secret Path", path);
    output_map_block(cli, "Metadata", json_map_at(secret, "data"));
    return EXIT_OK;
}

json_t *kv_versions(struct cli *cli)
{
    json_t *given = option_list(cli, "versions"), *versions = json_array(), *item;
    size_t i;

    json_array_foreach(given, i, item)
    {
        const char *at = json_string_value(item);

        while (*at) {
            size_t len = strcspn(at, ",");

            if (len)
                json_array_append_new(versions, json_stringn(at, len));
            at += len + (at[len] == ',');
        }
    }
    if (json_array_size(versions))
        return versions;
    json_decref(versions);
    return NULL;
}
