/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mount_admin.c — changing the table of mounts: what is always there, enable, tune. mount_disable.c disables.
 */
#include <string.h>

#include "base/duration.h"
#include "base/failpoint.h"
#include "base/json.h"
#include "base/secret.h"
#include "core/core_private.h"
#include "core/mount/mount_private.h"
#include "core/request/field.h"
#include "core/request/request.h"
#include "core/token/lockout.h"

int mount_record_load(struct request *req, json_t **ret_record)
{
    int rc = txn_get(req->txn, MOUNT_RECORD, ret_record);
    if (rc == ERR_NOTFOUND) {
        *ret_record = json_pack("{s:[]}", "mounts");
        rc = OK;
    }
    return rc;
}

int mount_record_store(struct request *req, json_t *record)
{
    int rc = txn_put(req->txn, MOUNT_RECORD, record);
    json_decref(record);
    return rc;
}

json_t *mount_record_row(json_t *record, const char *path, size_t *ret_at)
{
    json_t *row;
    size_t i;
    json_array_foreach(json_object_get(record, "mounts"), i, row)
    {
        if (strcmp(json_str(row, "path", ""), path) == 0) {
            if (ret_at != NULL)
                *ret_at = i;
            return row;
        }
    }
    return NULL;
}

static json_t *new_row(const char *path, const struct engine *engine, const char *description)
{
    char uuid[37], accessor[96];
    unsigned char random[4];
    random_uuid(uuid);
    random_bytes(random, sizeof random);
    const char *prefix = strncmp(path, "auth/", 5) == 0 ? "auth_" : "";
    snprintf(accessor, sizeof accessor, "%s%s_%02x%02x%02x%02x", prefix, engine->type, random[0], random[1], random[2],
             random[3]);
    return json_pack("{s:s, s:s, s:s, s:s, s:s}", "path", path, "type", engine->type, "uuid", uuid, "accessor",
                     accessor, "description", description);
}

bool mount_is_protected(const char *path)
{
    static const char *const paths[] = {"audit/", "auth/", "sys/", "cubbyhole/", "identity/", "auth/token/", NULL};
    for (size_t i = 0; paths[i] != NULL; i++)
        if (strcmp(path, paths[i]) == 0)
            return true;
    return false;
}

/* Neither may lie below the other: "a/" and "a/b/" cannot both answer. */
static bool overlap(const char *a, const char *b)
{
    size_t len = strlen(a) < strlen(b) ? strlen(a) : strlen(b);
    return len > 0 && strncmp(a, b, len) == 0;
}

const char *mount_record_in_the_way(const json_t *record, const char *path)
{
    const json_t *row;
    size_t i;
    json_array_foreach(json_object_get(record, "mounts"), i, row)
    {
        const char *other = json_str(row, "path", ""), *coming = json_str(json_object_get(row, "move"), "to", "");
        if (overlap(other, path))
            return other;
        if (overlap(coming, path))
            return coming;
    }
    return NULL;
}

/* Of a new mount, the sentence says which time was meant; when tuning, clients know it without. */
static int refuse_ttl(struct request *req, const char *which, const json_t *value, bool is_new)
{
    const char *text = json_is_string(value) ? json_string_value(value) : "";
    if (is_new)
        return fail(req, ERR_INVALID, "unable to parse %s TTL of %.64s: time: invalid duration \"%.64s\"", which, text,
                    text);
    return fail(req, ERR_INVALID, "time: invalid duration \"%.64s\"", text);
}

static int read_ttl(struct request *req, const json_t *config, const char *which, json_t *row, bool is_new)
{
    const char *name = arena_printf(&req->arena, "%s_lease_ttl", which);
    const json_t *value = json_object_get(config, name);
    int64_t seconds = 0;
    if (value == NULL || json_is_null(value) || (json_is_string(value) && json_string_length(value) == 0))
        return OK;
    if (json_is_integer(value))
        seconds = json_integer_value(value);
    else if (!json_is_string(value) || (strcmp(json_string_value(value), "system") != 0 &&
                                        duration_parse_s(json_string_value(value), &seconds) != OK))
        seconds = -1;
    if (seconds < 0 || seconds > DURATION_S_MAX)
        return refuse_ttl(req, which, value, is_new);
    json_object_set_new(row, name, json_integer(seconds));
    return OK;
}

/* A default above the system's maximum is refused of a new mount; tuned to it, the maximum holds all the same. */
static int read_ttls(struct request *req, const json_t *config, json_t *row, bool is_new)
{
    int rc = read_ttl(req, config, "default", row, is_new);
    if (rc == OK)
        rc = read_ttl(req, config, "max", row, is_new);
    if (rc != OK)
        return rc;
    long long ttl = json_int(row, "default_lease_ttl", 0), max = json_int(row, "max_lease_ttl", 0);
    long long of_system = req->core->options.max_lease_ttl_s;
    if (max > 0 && ttl > max && !is_new)
        return fail(req, ERR_INVALID,
                    "backend max lease TTL of %lld would be less than backend default lease TTL of %lld", max, ttl);
    if (max > 0 && ttl > max)
        return fail(req, ERR_INVALID, "given default lease TTL greater than given max lease TTL");
    if (max == 0 && ttl > of_system && is_new)
        return fail(req, ERR_INVALID, "given default lease TTL greater than system max lease TTL of %lld", of_system);
    return OK;
}

/* The settings that are kept as they were given, for those who read them (audit, listing, the UI). */
static const struct {
    const char *name;
    bool is_list;
} kept_settings[] = {
    {"force_no_cache", false},     {"audit_non_hmac_request_keys", true}, {"audit_non_hmac_response_keys", true},
    {"listing_visibility", false}, {"passthrough_request_headers", true}, {"allowed_response_headers", true},
    {"token_type", false},
};

/* What is empty is as if it had never been set. */
static int keep_setting(struct request *req, json_t *config, size_t i, json_t *value)
{
    const char *name = kept_settings[i].name;
    json_t *kept = kept_settings[i].is_list ? field_to_list(value) : json_incref(value);
    if (kept == NULL)
        return fail(req, ERR_INVALID, "%s must be a list of strings", name);
    bool is_empty =
        json_is_string(kept) ? json_string_length(kept) == 0 : json_is_array(kept) && !json_array_size(kept);
    if (is_empty)
        json_object_del(config, name);
    else
        json_object_set(config, name, kept);
    json_decref(kept);
    return OK;
}

static bool is_one_of(const char *word, const char *const *words)
{
    while (*words != NULL && strcmp(word, *words) != 0)
        words++;
    return *words != NULL;
}

static int check_settings(struct request *req, const json_t *config)
{
    static const char *const visibilities[] = {"", "hidden", "unauth", NULL};
    static const char *const types[] = {"", "default-service", "default-batch", "service", "batch", NULL};
    const char *visibility = json_str(config, "listing_visibility", "");
    if (!is_one_of(visibility, visibilities))
        return fail(req, ERR_INVALID, "invalid listing_visibility %.64s", visibility);
    if (!is_one_of(json_str(config, "token_type", ""), types))
        return fail(req, ERR_INVALID, "invalid value for 'token_type'");
    return OK;
}

static int read_settings(struct request *req, const json_t *params, json_t *row, bool is_new)
{
    int rc = OK;
    json_t *config = json_map_at(row, "config");
    if (config == NULL) {
        config = json_object();
        json_object_set_new(row, "config", config);
    }
    for (size_t i = 0; rc == OK && i < sizeof kept_settings / sizeof kept_settings[0]; i++) {
        json_t *value = json_object_get(params, kept_settings[i].name);
        if (value != NULL && !json_is_null(value))
            rc = keep_setting(req, config, i, value);
    }
    if (rc == OK)
        rc = check_settings(req, config);
    if (rc == OK)
        rc = lockout_tune(req, json_object_get(params, "user_lockout_config"), row);
    return rc == OK ? read_ttls(req, params, row, is_new) : rc;
}

/* "kv-v2" is kv with an option; and a version is for kv alone. */
static int read_type(struct request *req, enum engine_kind kind, const char *type, const json_t *params,
                     json_t *options, const struct engine **ret_engine)
{
    const json_t *given = json_object_get(params, "options");
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)given, key, value) json_object_set(options, key, value);
    if (strcmp(type, "kv-v1") == 0 || strcmp(type, "kv-v2") == 0) {
        json_object_set_new(options, "version", json_string(type + 4));
        type = "kv";
    } else if (strcmp(type, "generic") == 0) {
        type = "kv";
    }
    if (strcmp(type, "kv") != 0 && json_object_get(options, "version") != NULL)
        return fail(req, ERR_INVALID, "options.version is only for secrets engines of type kv, not %s", type);
    if (core_engine(req->core, ENGINE_SYSTEM, type) != NULL)
        return fail(req, ERR_INVALID, "mount type of \"%s\" is not mountable", type);
    if (kind == ENGINE_AUTH && strcmp(type, "token") == 0)
        return fail(req, ERR_INVALID, "token credential backend cannot be instantiated");
    *ret_engine = core_engine(req->core, kind, type);
    if (*ret_engine == NULL)
        return fail(req, ERR_INVALID, "plugin not found in the catalog: %s", type);
    return OK;
}

static int check_path(struct request *req, const json_t *record, const char *path)
{
    bool is_auth = strncmp(path, "auth/", 5) == 0 && path[5] != '\0'; /* then auth/token/ is in the way, no more */
    if ((!is_auth && mount_is_protected(path)) || strncmp(path, "sys/", 4) == 0 || strncmp(path, "cubbyhole/", 10) == 0)
        return fail(req, ERR_INVALID, "cannot mount \"%s\"", path);
    const char *other = mount_record_in_the_way(record, path);
    if (other != NULL)
        return fail(req, ERR_INVALID, "path is already in use at %s", other + (is_auth ? 5 : 0));
    return OK;
}

static int call_mounted(struct request *req, const char *path)
{
    int rc = OK;
    struct mount_table *table, *before = req->mounts;
    const struct mount *was = req->mount;
    if ((rc = mount_table_get(req, &table)) != OK)
        return rc;
    req->mount = mount_table_find(table, path);
    if (req->mount->engine->mounted != NULL)
        rc = req->mount->engine->mounted(req);
    req->mounts = before;
    req->mount = was;
    mount_table_unref(table);
    return rc;
}

int mount_enable(struct request *req, enum engine_kind kind, const char *path, const char *type, const json_t *params)
{
    const struct engine *engine;
    json_t *record = NULL, *options = json_object(), *row = NULL;
    if (kind != ENGINE_AUTH && strncmp(path, "auth/", 5) == 0)
        return fail(req, ERR_INVALID, "cannot mount \"%s\"", path);
    if (kind == ENGINE_AUTH)
        path = arena_printf(&req->arena, "auth/%s", path);
    int rc = read_type(req, kind, type, params, options, &engine);
    if (rc == OK)
        rc = mount_record_load(req, &record);
    if (rc == OK)
        rc = check_path(req, record, path);
    if (rc != OK)
        goto out;
    row = new_row(path, engine, json_str(params, "description", ""));
    if (json_object_size(options) > 0)
        json_object_set(row, "options", options);
    else if (json_is_null(json_object_get(req->data, "options")))
        json_object_set_new(row, "options", json_null());
    json_object_set_new(row, "local", json_boolean(json_flag(params, "local", false)));
    json_object_set_new(row, "seal_wrap", json_boolean(json_flag(params, "seal_wrap", false)));
    rc = read_settings(req, json_object_get(params, "config"), row, true);
    if (rc != OK)
        goto out;
    json_array_append(json_object_get(record, "mounts"), row);
    rc = mount_record_store(req, json_incref(record));
    if (rc == OK)
        rc = call_mounted(req, path);
out:
    json_decref(row);
    json_decref(options);
    json_decref(record);
    return rc;
}

/* What every cluster has. The table of one that an older version made may lack some of it. */
static const struct {
    const char *path;
    enum engine_kind kind;
    const char *type;
    bool is_local;
} always[] = {{"sys/", ENGINE_SYSTEM, "system", false},
              {"cubbyhole/", ENGINE_SYSTEM, "cubbyhole", true},
              {"identity/", ENGINE_SECRET, "identity", false},
              {"auth/token/", ENGINE_AUTH, "token", false}};

static bool add_missing(struct request *req, json_t *record)
{
    bool is_changed = false;
    for (size_t i = 0; i < sizeof always / sizeof always[0]; i++) {
        const struct engine *engine = core_engine(req->core, always[i].kind, always[i].type);
        if (strcmp(always[i].type, "cubbyhole") == 0 && failpoint("mount.as_before_cubbyhole"))
            continue; /* what an older version made, for a test of the upgrade */
        if (engine == NULL || mount_record_row(record, always[i].path, NULL) != NULL)
            continue;
        json_t *row = new_row(always[i].path, engine, engine->description);
        if (always[i].is_local)
            json_object_set_new(row, "local", json_true());
        json_array_append_new(json_object_get(record, "mounts"), row);
        is_changed = true;
    }
    return is_changed;
}

int mount_init(struct request *req)
{
    json_t *record;
    int rc = mount_record_load(req, &record);
    if (rc != OK)
        return rc;
    if (add_missing(req, record))
        return mount_record_store(req, record);
    json_decref(record);
    return OK;
}

/* "" takes an option away; kv may go from version 1 to 2, not back. */
static int tune_options(struct request *req, const struct mount *mount, const json_t *params, json_t *row)
{
    json_t *given = json_map_at(params, "options"), *value;
    if (given == NULL)
        return OK;
    const char *now = json_str(mount->options, "version", "1"), *asked = json_str(given, "version", now), *key;
    if (strcmp(mount->type, "kv") == 0 && strcmp(asked, "1") != 0 && strcmp(asked, "2") != 0)
        return fail(req, ERR_INVALID, "invalid version provided: %.64s", asked);
    if (strcmp(now, "2") == 0 && strcmp(asked, "1") == 0)
        return fail(req, ERR_INVALID, "cannot downgrade mount from version 2");
    if (strcmp(now, asked) != 0)
        return fail(req, ERR_INVALID, "upgrading a mount from version %s to %s is not supported", now, asked);
    json_t *options = mount->options != NULL ? json_deep_copy(mount->options) : json_object();
    json_object_foreach(given, key, value)
    {
        if (json_is_string(value) && json_string_length(value) == 0)
            json_object_del(options, key);
        else
            json_object_set(options, key, value);
    }
    json_object_set_new(row, "options", options);
    return OK;
}

/* What is each token's own is as it is; only how it is audited may be said. */
static int check_tune(struct request *req, const struct mount *mount, const json_t *params)
{
    const char *name;
    json_t *value;
    bool is_auth = strncmp(mount->path, "auth/", 5) == 0;
    if (!is_auth && json_object_get(params, "token_type") != NULL)
        return fail(req, ERR_INVALID, "'token_type' can only be modified on auth mounts");
    if (strcmp(mount->path, "auth/token/") == 0 && json_object_get(params, "token_type") != NULL)
        return fail(req, ERR_INVALID, "'token_type' cannot be set for 'token' or 'ns_token' auth mounts");
    if (is_auth || !mount_is_protected(mount->path))
        return OK;
    json_object_foreach((json_t *)params, name, value)
    {
        if (strncmp(name, "audit_non_hmac_", 15) != 0 && strcmp(name, "path") != 0)
            return fail(req, ERR_INVALID, "cannot tune parameter %s of %s", name, mount->path);
    }
    return OK;
}

int mount_tune(struct request *req, const struct mount *mount, const json_t *params)
{
    json_t *record;
    int checked = check_tune(req, mount, params);
    if (checked != OK)
        return checked;
    int rc = mount_record_load(req, &record);
    if (rc != OK)
        return rc;
    json_t *row = mount_record_row(record, mount->path, NULL);
    if (row == NULL) {
        json_decref(record);
        return fail(req, ERR_INVALID, "no mount at %s", mount->path);
    }
    if (json_is_string(json_object_get(params, "description")))
        json_object_set(row, "description", json_object_get(params, "description"));
    rc = tune_options(req, mount, params, row);
    if (rc == OK)
        rc = read_settings(req, params, row, false);
    if (rc != OK) {
        json_decref(record);
        return rc;
    }
    return mount_record_store(req, record);
}
