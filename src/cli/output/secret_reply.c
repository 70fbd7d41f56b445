/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/output/secret_reply.h"

#include <string.h>

#include "base/duration.h"

static const char *const envelope_fields[] = {"request_id", "lease_id", "lease_duration", "renewable", "data",
                                              "warnings",   "auth",     "wrap_info",      NULL};
static const char *const auth_fields[] = {"client_token",      "accessor",  "policies",        "token_policies",
                                          "identity_policies", "metadata",  "orphan",          "entity_id",
                                          "lease_duration",    "renewable", "mfa_requirement", NULL};
static const char *const wrap_fields[] = {"token",         "accessor",         "ttl", "creation_time",
                                          "creation_path", "wrapped_accessor", NULL};

json_t *secret_reply(struct cli *cli, json_t *reply)
{
    if (!reply)
        return NULL;
    for (int i = 0; envelope_fields[i]; i++) {
        if (json_object_get(reply, envelope_fields[i]))
            return reply;
    }
    return cli_keep(cli, json_pack("{s:O}", "data", reply));
}

/* What an absent field of the envelope prints as. */
static json_t *empty_field(const char *name)
{
    if (!strcmp(name, "lease_duration") || !strcmp(name, "ttl"))
        return json_integer(0);
    if (!strcmp(name, "renewable") || !strcmp(name, "orphan"))
        return json_false();
    if (strstr(name, "_id") || strstr(name, "accessor") || strstr(name, "token") == name)
        return json_string("");
    return json_null();
}

static json_t *copy_fields(const json_t *from, const char *const *fields)
{
    json_t *copy = json_object();

    for (int i = 0; fields[i]; i++) {
        json_t *value = json_object_get(from, fields[i]);

        json_object_set_new(copy, fields[i], value ? text_sorted(value) : empty_field(fields[i]));
    }
    return copy;
}

json_t *secret_in_order(struct cli *cli, const json_t *secret)
{
    json_t *copy = cli_keep(cli, copy_fields(secret, envelope_fields));
    json_t *auth = json_map_at(secret, "auth"), *wrap = json_map_at(secret, "wrap_info");

    json_object_del(copy, "auth");
    json_object_del(copy, "wrap_info");
    if (auth)
        json_object_set_new(copy, "auth", copy_fields(auth, auth_fields));
    if (wrap)
        json_object_set_new(copy, "wrap_info", copy_fields(wrap, wrap_fields));
    return copy;
}

/* Names under which tables show fields of auth and wrap_info, and -field takes them. */
struct field_alias {
    const char *name;
    const char *key;
};

static const struct field_alias auth_aliases[] = {
    {"token", "client_token"},
    {"token_accessor", "accessor"},
    {"token_duration", "lease_duration"},
    {"token_renewable", "renewable"},
    {"token_policies", "token_policies"},
    {"identity_policies", "identity_policies"},
    {"policies", "policies"},
    {0},
};

static const struct field_alias wrap_aliases[] = {
    {"wrapping_token", "token"},
    {"wrapping_accessor", "accessor"},
    {"wrapping_token_ttl", "ttl"},
    {"wrapping_token_creation_time", "creation_time"},
    {"wrapping_token_creation_path", "creation_path"},
    {"wrapped_accessor", "wrapped_accessor"},
    {0},
};

static json_t *aliased_field(const json_t *object, const struct field_alias *alias, const char *name)
{
    for (; object && alias->name; alias++) {
        if (!strcmp(alias->name, name))
            return json_object_get(object, alias->key);
    }
    return NULL;
}

json_t *secret_field(struct cli *cli, json_t *secret, const char *name)
{
    json_t *auth = json_map_at(secret, "auth"), *data = json_map_at(secret, "data");
    json_t *value = aliased_field(auth, auth_aliases, name);
    const char *meta = strncmp(name, "token_meta_", 11) ? NULL : name + 11;

    if (!value)
        value = aliased_field(json_map_at(secret, "wrap_info"), wrap_aliases, name);
    if (!value && meta)
        value = json_object_get(json_map_at(auth, "metadata"), meta);
    if (!value)
        value = json_object_get(data, name);
    if (!value && !strcmp(name, "refresh_interval"))
        value = json_object_get(secret, "lease_duration");
    if (!value && !strcmp(name, "lease_renewable"))
        value = json_object_get(secret, "renewable");
    if (!value)
        value = json_object_get(secret_in_order(cli, secret), name);
    return json_is_null(value) ? NULL : value;
}

char *secret_duration(struct cli *cli, int64_t seconds)
{
    char text[40];

    duration_format_short(seconds < 0 ? -seconds : seconds, text, sizeof text);
    return cli_printf(cli, "%s%s", seconds < 0 ? "-" : "", text);
}

char *secret_value(struct cli *cli, const json_t *value)
{
    struct buf text = BUF_INIT;
    char *copy;

    text_put_value(&text, value);
    copy = arena_strdup(&cli->arena, buf_str(&text));
    buf_close(&text);
    return copy;
}

static bool is_named(const char *key, const char *name)
{
    size_t len = strlen(key), tail = strlen(name);

    return !strcmp(key, name) || (len > tail && key[len - tail - 1] == '_' && !strcmp(key + len - tail, name));
}

static bool is_duration_name(const char *key)
{
    return is_named(key, "ttl") || is_named(key, "period") || is_named(key, "duration") || !strcmp(key, "lease_max") ||
           !strcmp(key, "ttl_max");
}

void secret_put_map_rows(struct cli *cli, const json_t *map, struct table *table)
{
    json_t *sorted = cli_keep(cli, text_sorted(map)), *value;
    const char *key;

    json_object_foreach(sorted, key, value)
    {
        if (json_is_integer(value) && is_duration_name(key))
            table_row(table, key, secret_duration(cli, json_integer_value(value)));
        else
            table_row(table, key, secret_value(cli, value));
    }
}

static void put_lease_rows(struct cli *cli, const json_t *secret, struct table *table)
{
    int64_t seconds = json_int(secret, "lease_duration", 0);
    const char *lease_id = json_str(secret, "lease_id", "");

    if (seconds <= 0)
        return;
    if (!*lease_id) {
        table_row(table, "refresh_interval", secret_duration(cli, seconds));
        return;
    }
    table_row(table, "lease_id", lease_id);
    table_row(table, "lease_duration", secret_duration(cli, seconds));
    table_row(table, "lease_renewable", json_flag(secret, "renewable", false) ? "true" : "false");
}

static void put_policies_row(const json_t *auth, const char *name, struct table *table)
{
    struct buf text = BUF_INIT;

    text_put_quoted_list(&text, json_list_at(auth, name));
    table_row(table, name, buf_str(&text));
    buf_close(&text);
}

static void put_auth_rows(struct cli *cli, const json_t *auth, struct table *table)
{
    int64_t seconds = json_int(auth, "lease_duration", 0);
    json_t *metadata = cli_keep(cli, text_sorted(json_map_at(auth, "metadata"))), *value;
    const char *key;

    table_row(table, "token", json_str(auth, "client_token", ""));
    table_row(table, "token_accessor", json_str(auth, "accessor", ""));
    table_row(table, "token_duration", seconds ? secret_duration(cli, seconds) : "∞");
    table_row(table, "token_renewable", json_flag(auth, "renewable", false) ? "true" : "false");
    put_policies_row(auth, "token_policies", table);
    put_policies_row(auth, "identity_policies", table);
    put_policies_row(auth, "policies", table);
    json_object_foreach(metadata, key, value)
    {
        table_row(table, cli_printf(cli, "token_meta_%s", key), secret_value(cli, value));
    }
}

/* RFC 3339 as Go prints a time: "2026-01-02T03:04:05.6Z" becomes "2026-01-02 03:04:05.6 +0000 UTC". */
static char *time_text(struct cli *cli, const char *rfc3339)
{
    size_t len = strlen(rfc3339);
    const char *t = strchr(rfc3339, 'T');

    if (!t || rfc3339[len - 1] != 'Z')
        return arena_strdup(&cli->arena, rfc3339);
    return cli_printf(cli, "%.*s %.*s +0000 UTC", (int)(t - rfc3339), rfc3339, (int)(len - (size_t)(t - rfc3339) - 2),
                      t + 1);
}

static void put_wrap_rows(struct cli *cli, const json_t *wrap, struct table *table)
{
    const char *wrapped = json_str(wrap, "wrapped_accessor", "");

    table_row(table, "wrapping_token:", json_str(wrap, "token", ""));
    table_row(table, "wrapping_accessor:", json_str(wrap, "accessor", ""));
    table_row(table, "wrapping_token_ttl:", secret_duration(cli, json_int(wrap, "ttl", 0)));
    table_row(table, "wrapping_token_creation_time:", time_text(cli, json_str(wrap, "creation_time", "")));
    table_row(table, "wrapping_token_creation_path:", json_str(wrap, "creation_path", ""));
    if (*wrapped)
        table_row(table, "wrapped_accessor:", wrapped);
}

void secret_put_rows(struct cli *cli, const json_t *secret, struct table *table)
{
    json_t *auth = json_map_at(secret, "auth"), *wrap = json_map_at(secret, "wrap_info");

    put_lease_rows(cli, secret, table);
    if (auth)
        put_auth_rows(cli, auth, table);
    if (wrap)
        put_wrap_rows(cli, wrap, table);
    secret_put_map_rows(cli, json_map_at(secret, "data"), table);
}
