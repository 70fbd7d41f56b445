/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kv_key.c — the record of a key, and what its versions hold.
 *
 * {"id", "current", "oldest", "created", "updated", "metadata_version", "custom": {…} or absent, its limits,
 *  "versions": {"<number>": [created, deleted, destroyed]}}, times in nanoseconds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/secret.h"
#include "core/request/request.h"
#include "secrets/kv/kv_private.h"

#define NS_PER_S 1000000000

static const char *key_path(struct request *req)
{
    return arena_printf(&req->arena, "meta/%s", capture(req, "path"));
}

int kv_key_see(struct request *req, const json_t **ret_key)
{
    json_t *key;
    int rc = kv_path_is_dir(capture(req, "path")) ? ERR_NOTFOUND : mount_get_shared(req, key_path(req), &key);
    if (rc != OK)
        return rc;
    request_own(req, key);
    *ret_key = key;
    return OK;
}

int kv_key_load(struct request *req, json_t **ret_key)
{
    const json_t *shared;
    int rc = kv_key_see(req, &shared);
    if (rc != OK)
        return rc;
    /* Of what lies deeper, nothing is changed but replaced. */
    json_t *key = json_copy((json_t *)shared);
    json_object_set_new(key, "versions", json_copy(json_map_at(shared, "versions")));
    request_own(req, key);
    *ret_key = key;
    return OK;
}

int kv_key_load_or_make(struct request *req, json_t **ret_key)
{
    int rc = kv_key_load(req, ret_key);
    if (rc != ERR_NOTFOUND)
        return rc;
    char id[25];
    random_base62(id, sizeof id - 1);
    json_int_t now = request_time_ns(req);
    json_t *key = json_pack("{s:s, s:i, s:i, s:I, s:I, s:i, s:{}}", "id", id, "current", 0, "oldest", 0, "created", now,
                            "updated", now, "metadata_version", 0, "versions");
    request_own(req, key);
    *ret_key = key;
    return OK;
}

int kv_key_save(struct request *req, json_t *key)
{
    return mount_put(req, key_path(req), key);
}

int kv_key_exists(struct request *req, bool *ret_exists)
{
    const json_t *key;
    int rc = kv_key_see(req, &key);
    *ret_exists = rc == OK;
    return rc == ERR_NOTFOUND ? OK : rc;
}

int64_t kv_key_current(const json_t *key)
{
    return json_int(key, "current", 0);
}

/* ---- Versions ---- */

static void version_of(const char *number, const json_t *row, struct kv_version *ret_version)
{
    *ret_version = (struct kv_version){
        .number = strtoll(number, NULL, 10),
        .created_ns = json_integer_value(json_array_get(row, 0)),
        .deleted_ns = json_integer_value(json_array_get(row, 1)),
        .is_destroyed = json_is_true(json_array_get(row, 2)),
    };
}

bool kv_key_version(const json_t *key, int64_t number, struct kv_version *ret_version)
{
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)number);
    const json_t *row = json_object_get(json_map_at(key, "versions"), text);
    if (row == NULL)
        return false;
    version_of(text, row, ret_version);
    return true;
}

void kv_key_set_version(json_t *key, const struct kv_version *version)
{
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)version->number);
    json_object_set_new(json_map_at(key, "versions"), text,
                        json_pack("[I, I, b]", (json_int_t)version->created_ns, (json_int_t)version->deleted_ns,
                                  version->is_destroyed));
}

json_t *kv_time(int64_t wall_ns)
{
    char text[40] = "";
    if (wall_ns != 0)
        clock_format_rfc3339(wall_ns, text, sizeof text);
    return json_string(text);
}

static json_t *describe(const struct kv_version *version)
{
    return json_pack("{s:o, s:o, s:b}", "created_time", kv_time(version->created_ns), "deletion_time",
                     kv_time(version->deleted_ns), "destroyed", version->is_destroyed);
}

json_t *kv_key_describe_version(const json_t *key, const struct kv_version *version)
{
    json_t *data = describe(version), *custom = json_map_at(key, "custom");
    json_object_set_new(data, "version", json_integer(version->number));
    json_object_set_new(data, "custom_metadata", custom != NULL ? json_incref(custom) : json_null());
    return data;
}

json_t *kv_key_describe_versions(const json_t *key)
{
    json_t *data = json_object(), *row;
    const char *number;
    struct kv_version version;
    json_object_foreach(json_map_at(key, "versions"), number, row)
    {
        version_of(number, row, &version);
        json_object_set_new(data, number, describe(&version));
    }
    return data;
}

bool kv_version_is_gone(const struct request *req, const struct kv_version *version)
{
    return version->is_destroyed || (version->deleted_ns != 0 && version->deleted_ns <= request_time_ns(req));
}

/* The shorter of the mount's and the key's time; either may say never. */
int64_t kv_key_deletion_ns(const json_t *key, const struct kv_limits *config, int64_t now_ns)
{
    struct kv_limits limits;
    kv_limits_read(key, &limits);
    int64_t of_key = limits.delete_after_s, of_mount = config->delete_after_s;
    if (of_key < 0 || of_mount < 0 || (of_key == 0 && of_mount == 0))
        return 0;
    int64_t seconds = of_key == 0 || (of_mount != 0 && of_mount < of_key) ? of_mount : of_key;
    return now_ns + seconds * NS_PER_S;
}

/* ---- What they hold ---- */

static const char *version_path(struct request *req, const json_t *key, int64_t number)
{
    return arena_printf(&req->arena, "ver/%s/%lld", json_str(key, "id", ""), (long long)number);
}

int kv_version_load(struct request *req, const json_t *key, int64_t number, json_t **ret_data)
{
    json_t *record;
    int rc = mount_get(req, version_path(req, key, number), &record);
    if (rc != OK)
        return rc == ERR_NOTFOUND ? fail(req, ERR_CORRUPT, "could not find version data") : rc;
    *ret_data = json_incref(json_object_get(record, "data"));
    json_decref(record);
    return OK;
}

int kv_version_erase(struct request *req, const json_t *key, int64_t number)
{
    return mount_delete(req, version_path(req, key, number));
}

static int drop_version(struct request *req, json_t *key, int64_t number)
{
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)number);
    json_object_del(json_map_at(key, "versions"), text);
    return kv_version_erase(req, key, number);
}

/* Drops, from the newest that is one too many on, what an earlier write has not dropped yet. */
static int prune(struct request *req, json_t *key, const struct kv_limits *config)
{
    struct kv_limits limits;
    struct kv_version version;
    kv_limits_read(key, &limits);
    int64_t max = limits.max_versions > config->max_versions ? limits.max_versions : config->max_versions;
    int64_t newest = kv_key_current(key) - (max > 0 ? max : KV_VERSIONS_DEFAULT);
    if (newest <= 0)
        return OK;
    int rc = OK;
    for (int64_t number = newest; rc == OK && number > 0 && kv_key_version(key, number, &version); number--)
        rc = drop_version(req, key, number);
    json_object_set_new(key, "oldest", json_integer(newest + 1));
    return rc;
}

int kv_version_add(struct request *req, json_t *key, const struct kv_limits *config, json_t *data,
                   struct kv_version *ret_version)
{
    int64_t now_ns = request_time_ns(req);
    struct kv_version version = {
        .number = kv_key_current(key) + 1,
        .created_ns = now_ns,
        .deleted_ns = kv_key_deletion_ns(key, config, now_ns),
    };
    kv_key_set_version(key, &version);
    json_object_set_new(key, "current", json_integer(version.number));
    json_object_set_new(key, "updated", json_integer(now_ns));
    int rc = prune(req, key, config);
    if (rc == OK)
        rc = kv_key_save(req, key);
    if (rc == OK)
        rc = mount_put_new(req, version_path(req, key, version.number), json_pack("{s:O}", "data", data));
    if (rc == OK)
        *ret_version = version;
    return rc;
}
