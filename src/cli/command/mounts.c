/* SPDX-License-Identifier: Apache-2.0 */
/* secrets and auth: the same commands on two tables of mounts. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/client/api.h"
#include "cli/options.h"
#include "cli/output/output.h"
#include "cli/output/secret_reply.h"

struct mount_kind {
    const char *name;     /* "secrets engine" */
    const char *names;    /* "secrets engines" */
    const char *api;      /* where mounts are made and deleted */
    const char *tune_api; /* where they are tuned */
    bool is_auth;
};

static const struct mount_kind secrets = {"secrets engine", "secrets engines", "sys/mounts/", "sys/mounts/", false};
static const struct mount_kind auths = {"auth method", "enabled authentications", "sys/auth/", "sys/mounts/auth/",
                                        true};

/* A negative duration means "as the system has it". */
static void put_ttl(struct cli *cli, const char *name, json_t *body, const char *key)
{
    const char *ttl = option_text(cli, name);

    if (ttl)
        json_object_set_new(body, key, json_string(*ttl == '-' ? "system" : ttl));
}

/* The settings that enable nests in "config" and tune takes flat. */
static json_t *mount_config(struct cli *cli, const struct mount_kind *kind)
{
    static const char *const same_name[] = {"audit-non-hmac-request-keys",
                                            "audit-non-hmac-response-keys",
                                            "listing-visibility",
                                            "passthrough-request-headers",
                                            "allowed-response-headers",
                                            "plugin-version",
                                            NULL};
    json_t *config = json_object();

    put_ttl(cli, "default-lease-ttl", config, "default_lease_ttl");
    put_ttl(cli, "max-lease-ttl", config, "max_lease_ttl");
    for (int i = 0; same_name[i]; i++)
        option_into(cli, same_name[i], config, NULL);
    if (kind->is_auth)
        option_into(cli, "token-type", config, NULL);
    return config;
}

/* -options, and -version as one of them. */
static void put_options(struct cli *cli, json_t *body)
{
    json_t *map = option_map(cli, "options");

    if (!option_is_set(cli, "version") && !map) {
        json_object_set_new(body, "options", json_null()); /* as Vault's command line does, which is then shown again */
        return;
    }
    map = map ? json_copy(map) : json_object();
    if (option_is_set(cli, "version"))
        json_object_set_new(map, "version", json_string(cli_printf(cli, "%" PRId64, option_number(cli, "version", 0))));
    json_object_set_new(body, "options", map);
}

static int mount_enable(struct cli *cli, const struct mount_kind *kind)
{
    const char *type = cli->argv[0], *path = option_text(cli, "path");
    json_t *body = json_pack("{s:s, s:o}", "type", type, "config", mount_config(cli, kind)), *secret;

    path = cli_trim_path(cli, path ? path : type);
    option_into(cli, "description", body, NULL);
    option_into(cli, "local", body, NULL);
    option_into(cli, "seal-wrap", body, NULL);
    option_into(cli, "external-entropy-access", body, NULL);
    option_into(cli, "force-no-cache", json_map_at(body, "config"), NULL);
    put_options(cli, body);
    if (api_post(cli, cli_printf(cli, "%s%s", kind->api, path), body, &secret))
        return kind->is_auth ? cli_fail(cli, "Error enabling %s auth", type) : cli_fail(cli, "Error enabling");
    output_warnings(secret);
    return cli_success(cli, "Success! Enabled %s%s %s at: %s/", kind->is_auth ? "" : "the ", type, kind->name, path);
}

static int mount_disable(struct cli *cli, const struct mount_kind *kind)
{
    const char *path = cli_mount_path(cli, cli->argv[0]);
    json_t *reply;

    if (api_call(cli, "DELETE", cli_printf(cli, "%s%s", kind->api, cli_trim_path(cli, path)), NULL, NULL, &reply))
        return cli_fail(cli, "Error disabling %s at %s", kind->name, path);
    output_warnings(reply);
    return cli_success(cli, "Success! Disabled the %s (if it existed) at: %s", kind->name, path);
}

static void put_lockout(struct cli *cli, json_t *body)
{
    json_t *lockout = json_object(), *value;
    const char *key;

    option_into(cli, "user-lockout-threshold", lockout, "lockout_threshold");
    option_into(cli, "user-lockout-duration", lockout, "lockout_duration");
    option_into(cli, "user-lockout-counter-reset-duration", lockout, "lockout_counter_reset_duration");
    option_into(cli, "user-lockout-disable", lockout, "lockout_disable");
    /* The API wants the number as text. */
    json_object_foreach(lockout, key, value)
    {
        if (json_is_integer(value))
            json_object_set_new(lockout, key, json_string(secret_value(cli, value)));
    }
    if (json_object_size(lockout))
        json_object_set(body, "user_lockout_config", lockout);
    json_decref(lockout);
}

static int mount_tune(struct cli *cli, const struct mount_kind *kind)
{
    const char *path = cli_mount_path(cli, cli->argv[0]);
    json_t *body = mount_config(cli, kind), *secret;

    option_into(cli, "description", body, NULL);
    put_options(cli, body);
    if (kind->is_auth)
        put_lockout(cli, body);
    if (api_post(cli, cli_printf(cli, "%s%stune", kind->tune_api, path), body, &secret))
        return cli_fail(cli, "Error tuning %s %s", kind->name, path);
    output_warnings(secret);
    return cli_success(cli, "Success! Tuned the %s at: %s", kind->name, path);
}

static const char *ttl_text(struct cli *cli, const json_t *mount, const char *name)
{
    const char *type = json_str(mount, "type", "");
    const json_t *value = json_object_get(json_map_at(mount, "config"), name);

    /* Nothing under these two has a lease of its own. */
    if (!strcmp(type, "system") || !strcmp(type, "ns_system") || !strcmp(type, "cubbyhole"))
        return "n/a";
    return json_integer_value(value) ? secret_value(cli, value) : "system";
}

static const char *flag_text(const json_t *object, const char *name)
{
    return json_flag(object, name, false) ? "true" : "false";
}

static void put_detailed_row(struct cli *cli, const struct mount_kind *kind, const char *path, const json_t *mount,
                             struct table *table)
{
    const json_t *config = json_map_at(mount, "config"), *options = json_map_at(mount, "options");

    table_row(table, path, json_str(mount, "type", ""), json_str(mount, "accessor", ""),
              ttl_text(cli, mount, "default_lease_ttl"), ttl_text(cli, mount, "max_lease_ttl"),
              kind->is_auth ? json_str(config, "token_type", "") : flag_text(config, "force_no_cache"),
              json_flag(mount, "local", false) ? "local" : "replicated", flag_text(mount, "seal_wrap"),
              flag_text(mount, "external_entropy_access"), options ? secret_value(cli, options) : "map[]",
              json_str(mount, "description", ""), json_str(mount, "uuid", ""), json_str(mount, "plugin_version", ""),
              json_str(mount, "running_plugin_version", ""), json_str(mount, "running_sha256", ""),
              json_str(mount, "deprecation_status", ""));
}

static int print_detailed(struct cli *cli, const struct mount_kind *kind, const json_t *mounts)
{
    struct table table;
    const char *path;
    json_t *mount;

    table_init(&table, &cli->arena, 16);
    table_header(&table, "Path", "Plugin", "Accessor", "Default TTL", "Max TTL",
                 kind->is_auth ? "Token Type" : "Force No Cache", "Replication", "Seal Wrap", "External Entropy Access",
                 "Options", "Description", "UUID", "Version", "Running Version", "Running SHA256",
                 "Deprecation Status");
    json_object_foreach((json_t *)mounts, path, mount)
    {
        put_detailed_row(cli, kind, path, mount, &table);
    }
    return output_table(&table);
}

static int print_short(struct cli *cli, const struct mount_kind *kind, const json_t *mounts)
{
    struct table table;
    const char *path;
    json_t *mount;

    table_init(&table, &cli->arena, kind->is_auth ? 5 : 4);
    table_header(&table, "Path", "Type", "Accessor", "Description", "Version");
    json_object_foreach((json_t *)mounts, path, mount)
    {
        table_row(&table, path, json_str(mount, "type", ""), json_str(mount, "accessor", ""),
                  json_str(mount, "description", ""), json_str(mount, "plugin_version", ""));
    }
    return output_table(&table);
}

static int mount_list(struct cli *cli, const struct mount_kind *kind)
{
    json_t *reply, *mounts;

    if (api_call(cli, "GET", cli_trim_path(cli, kind->api), NULL, NULL, &reply))
        return cli_fail(cli, "Error listing %s", kind->names);
    mounts = cli_keep(cli, text_sorted(json_map_at(reply, "data")));
    if (cli->format != FORMAT_TABLE)
        return output_value(cli, mounts);
    return option_flag(cli, "detailed") ? print_detailed(cli, kind, mounts) : print_short(cli, kind, mounts);
}

/* Waits until the server has moved the mount; returns how it ended, or NULL when asking failed. */
static const char *wait_for_move(struct cli *cli, const char *id, const char *moving)
{
    json_t *secret;

    for (bool said = false;; said = true) {
        const char *status;

        if (api_read(cli, cli_printf(cli, "sys/remount/status/%s", id), NULL, &secret) || !secret)
            return NULL;
        status = json_str(json_map_at(json_map_at(secret, "data"), "migration_info"), "status", "");
        if (!strcmp(status, "success") || !strcmp(status, "failure"))
            return status;
        if (!said)
            cli_success(cli, "Waiting for terminal status in migration of %s, with migration ID %s", moving, id);
        usleep(200000);
    }
}

static int mount_move(struct cli *cli, const struct mount_kind *kind)
{
    const char *from = cli_mount_path(cli, cli->argv[0]), *to = cli_mount_path(cli, cli->argv[1]);
    const char *prefix = kind->is_auth && strncmp(from, "auth/", 5) ? "auth/" : "", *id, *status;
    char *moving = cli_printf(cli, "%s %s to %s", kind->name, from, to);
    json_t *body = json_object(), *secret;

    json_object_set_new(body, "from", json_string(cli_printf(cli, "%s%s", prefix, from)));
    json_object_set_new(body, "to", json_string(cli_printf(cli, "%s%s", prefix, to)));
    if (api_post(cli, "sys/remount", body, &secret))
        return cli_fail(cli, "Error moving %s", moving);
    id = json_str(json_map_at(secret, "data"), "migration_id", NULL);
    if (!id)
        return cli_success(cli, "Success! Finished moving %s", moving);
    cli_success(cli, "Started moving %s, with migration ID %s", moving, id);
    status = wait_for_move(cli, id, moving);
    if (!status)
        return cli_fail(cli, "Error asking how the move goes");
    if (strcmp(status, "success") != 0)
        return cli_refuse("Failed! Could not move %s, with migration ID %s", moving, id);
    return cli_success(cli, "Success! Finished moving %s, with migration ID %s", moving, id);
}

static int secrets_enable(struct cli *cli)
{
    return mount_enable(cli, &secrets);
}

static int secrets_disable(struct cli *cli)
{
    return mount_disable(cli, &secrets);
}

static int secrets_list(struct cli *cli)
{
    return mount_list(cli, &secrets);
}

static int secrets_tune(struct cli *cli)
{
    return mount_tune(cli, &secrets);
}

static int secrets_move(struct cli *cli)
{
    return mount_move(cli, &secrets);
}

static int auth_enable(struct cli *cli)
{
    return mount_enable(cli, &auths);
}

static int auth_disable(struct cli *cli)
{
    return mount_disable(cli, &auths);
}

static int auth_list(struct cli *cli)
{
    return mount_list(cli, &auths);
}

static int auth_tune(struct cli *cli)
{
    return mount_tune(cli, &auths);
}

static int auth_move(struct cli *cli)
{
    return mount_move(cli, &auths);
}

#define CONFIG_OPTIONS                                                                                                 \
    {"description", OPTION_TEXT, "What the mount is for.", NULL, NULL},                                                \
        {"default-lease-ttl", OPTION_DURATION, "How long leases live unless said otherwise; negative: as the system.", \
         NULL, NULL},                                                                                                  \
        {"max-lease-ttl", OPTION_DURATION, "How long leases can live at most; negative: as the system.", NULL, NULL},  \
        {"audit-non-hmac-request-keys", OPTION_LIST, "Field of requests that audit logs show unhashed.", NULL, NULL},  \
        {"audit-non-hmac-response-keys", OPTION_LIST, "Field of answers that audit logs show unhashed.", NULL, NULL},  \
        {"listing-visibility", OPTION_TEXT, "unauth: the mount is listed to everybody; hidden: it is not.", NULL,      \
         NULL},                                                                                                        \
        {"passthrough-request-headers", OPTION_LIST, "Header that is passed on to the engine.", NULL, NULL},           \
        {"allowed-response-headers", OPTION_LIST, "Header that the engine may set in answers.", NULL, NULL},           \
        {"plugin-version", OPTION_TEXT, "Version of the plugin to use.", NULL, NULL},                                  \
        {"options", OPTION_MAP, "An option of the engine.", NULL, NULL},                                               \
    {                                                                                                                  \
        "version", OPTION_NUMBER, "Version of the kv engine: 1 or 2.", NULL, NULL                                      \
    }

#define ENABLE_OPTIONS                                                                                                 \
    CONFIG_OPTIONS, {"path", OPTION_TEXT, "Where to mount it. The default is its type.", NULL, NULL},                  \
        {"local", OPTION_FLAG, "The mount belongs to this cluster alone.", NULL, NULL},                                \
        {"seal-wrap", OPTION_FLAG, "Encrypt what it keeps with the seal as well.", NULL, NULL},                        \
        {"external-entropy-access", OPTION_FLAG, "Let it draw random numbers from outside.", NULL, NULL},              \
    {                                                                                                                  \
        "force-no-cache", OPTION_FLAG, "Do not cache what it keeps.", NULL, NULL                                       \
    }

#define TOKEN_TYPE_OPTION                                                                                              \
    {                                                                                                                  \
        "token-type", OPTION_TEXT, "Which tokens logins give: default-service, default-batch, service or batch.",      \
            NULL, NULL                                                                                                 \
    }

static const struct option_def secrets_enable_options[] = {ENABLE_OPTIONS, {0}};
static const struct option_def secrets_tune_options[] = {CONFIG_OPTIONS, {0}};
static const struct option_def auth_enable_options[] = {ENABLE_OPTIONS, TOKEN_TYPE_OPTION, {0}};
static const struct option_def auth_tune_options[] = {
    CONFIG_OPTIONS,
    TOKEN_TYPE_OPTION,
    {"user-lockout-threshold", OPTION_NUMBER, "After so many wrong passwords a user is locked out.", NULL, NULL},
    {"user-lockout-duration", OPTION_DURATION, "How long a user is locked out.", NULL, NULL},
    {"user-lockout-counter-reset-duration", OPTION_DURATION, "After how long wrong passwords are forgotten.", NULL,
     NULL},
    {"user-lockout-disable", OPTION_FLAG, "Never lock a user out.", NULL, NULL},
    {0},
};

const struct command secrets_commands[] = {
    {"secrets", NULL, "Enable, tune and disable secrets engines", "",
     "A secrets engine keeps or makes secrets below its path.\n\n"
     "$ coffer secrets enable -path=aws aws\n",
     NULL, 0, 0, 0},
    {"secrets enable", secrets_enable, "Enable a secrets engine", "TYPE",
     "Mounts an engine of the type; what it does begins at its path.\n\n"
     "$ coffer secrets enable -path=aws aws\n"
     "$ coffer secrets enable -version=2 kv\n",
     secrets_enable_options, 1, 1, 0},
    {"secrets disable", secrets_disable, "Disable a secrets engine", "PATH",
     "Unmounts an engine: its leases are revoked and its data is deleted.\n\n"
     "$ coffer secrets disable aws/\n",
     NULL, 1, 1, 0},
    {"secrets list", secrets_list, "List the secrets engines", "",
     "Lists the mounted engines; with -detailed how each is set.\n\n"
     "$ coffer secrets list -detailed\n",
     NULL, 0, 0, COMMAND_FORMAT | COMMAND_DETAILED},
    {"secrets tune", secrets_tune, "Change how an engine is set", "PATH",
     "Changes the named settings of a mounted engine; the others stay.\n\n"
     "$ coffer secrets tune -default-lease-ttl=1h aws/\n",
     secrets_tune_options, 1, 1, 0},
    {"secrets move", secrets_move, "Move an engine to another path", "SOURCE DESTINATION",
     "Moves an engine with its data. Its leases are revoked.\n\n"
     "$ coffer secrets move aws/ cloud/aws/\n",
     NULL, 2, 2, 0},
    {0},
};

const struct command auth_commands[] = {
    {"auth", NULL, "Enable, tune and disable auth methods", "",
     "An auth method turns what a person or machine can prove into a token.\n\n"
     "$ coffer auth enable approle\n",
     NULL, 0, 0, 0},
    {"auth enable", auth_enable, "Enable an auth method", "TYPE",
     "Enables an auth method of the type below auth/.\n\n"
     "$ coffer auth enable -path=apps approle\n",
     auth_enable_options, 1, 1, 0},
    {"auth disable", auth_disable, "Disable an auth method", "PATH",
     "Disables an auth method: the tokens that it gave are revoked and its data is deleted.\n\n"
     "$ coffer auth disable apps/\n",
     NULL, 1, 1, 0},
    {"auth list", auth_list, "List the auth methods", "",
     "Lists the enabled auth methods; with -detailed how each is set.\n\n"
     "$ coffer auth list\n",
     NULL, 0, 0, COMMAND_FORMAT | COMMAND_DETAILED},
    {"auth tune", auth_tune, "Change how an auth method is set", "PATH",
     "Changes the named settings of an auth method; the others stay.\n\n"
     "$ coffer auth tune -max-lease-ttl=24h apps/\n",
     auth_tune_options, 1, 1, 0},
    {"auth move", auth_move, "Move an auth method to another path", "SOURCE DESTINATION",
     "Moves an auth method with its data. The tokens that it gave are revoked.\n\n"
     "$ coffer auth move apps/ machines/\n",
     NULL, 2, 2, 0},
    {0},
};
