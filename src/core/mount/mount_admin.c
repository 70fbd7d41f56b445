/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mount_admin.c — changing the table of mounts: what is always there, enable, tune. mount_disable.c disables.
 */
#include <string.h>

#include "base/failpoint.h"
#include "base/json.h"
#include "base/secret.h"
#include "core/core_private.h"
#include "core/mount/mount_private.h"
#include "core/request/request.h"

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

/* All engines are built in, and of one version; but a plugin may be asked for by its name. */
static int read_plugin(struct request *req, const json_t *params, const char **type)
{
    const json_t *config = json_object_get(params, "config");
    const char *version = json_str(config, "plugin_version", "");
    if (strcmp(*type, "plugin") == 0)
        *type = json_str(params, "plugin_name", json_str(config, "plugin_name", ""));
    if (**type == '\0')
        return fail(req, ERR_INVALID, "plugin_name must be provided for plugin backend");
    if (version[0] != '\0')
        return fail(req, ERR_INVALID, "plugin not found in the catalog: %s, version=%.64s", *type, version);
    return OK;
}

static int check_new_config(struct request *req, enum engine_kind kind, const json_t *config)
{
    const json_t *flag = json_object_get(config, "force_no_cache");
    if (flag == NULL || json_is_boolean(flag) || json_is_null(flag))
        return OK;
    return fail(req, ERR_INVALID, "unable to convert given %s config information",
                kind == ENGINE_AUTH ? "auth" : "mount");
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
    int rc = read_plugin(req, params, &type);
    if (rc == OK)
        rc = check_new_config(req, kind, json_object_get(params, "config"));
    if (rc == OK)
        rc = read_type(req, kind, type, params, options, &engine);
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
    rc = mount_read_settings(req, json_object_get(params, "config"), row, true);
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

static int check_tuned_version(struct request *req, const struct mount *mount, const char *version)
{
    if (version == NULL)
        return OK;
    if (version[0] == '\0')
        return fail(req, ERR_INVALID, "version \"\" is not a valid semantic version: malformed version: ");
    return fail(req, ERR_INVALID, "plugin not found in the catalog: %s, version=%.64s", mount->type, version);
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
        return check_tuned_version(req, mount, json_str(params, "plugin_version", NULL));
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
    rc = mount_tune_options(req, mount, json_map_at(params, "options"), row);
    if (rc == OK)
        rc = mount_read_settings(req, params, row, false);
    if (rc != OK) {
        json_decref(record);
        return rc;
    }
    return mount_record_store(req, record);
}
