/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kv_data.c — reading, writing and deleting versions.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "core/request/request.h"
#include "secrets/kv/kv_private.h"

/* ---- Reading ---- */

/* The version that was asked for. ERR_NOTFOUND when it never was, or was pruned. */
static int find_version(struct request *req, const json_t **ret_key, struct kv_version *ret_version)
{
    int64_t number = field_int(req, "version", 0);
    int rc = kv_key_see(req, ret_key);
    if (rc != OK)
        return rc;
    if (number <= 0)
        number = kv_key_current(*ret_key);
    return kv_key_version(*ret_key, number, ret_version) ? OK : ERR_NOTFOUND;
}

/* Answers with a version under `name`; one that is deleted or destroyed as 404 that tells so. */
static int reply_version(struct request *req, const char *name, json_t *(*view)(struct request *req, json_t *data))
{
    struct kv_version version;
    const json_t *key;
    json_t *data = json_null();
    int rc = find_version(req, &key, &version);
    bool is_gone = rc == OK && kv_version_is_gone(req, &version);
    if (rc == OK && is_gone)
        reply_status(req, 404);
    else if (rc == OK)
        rc = kv_version_load(req, key, version.number, &data);
    if (rc != OK)
        return rc;
    if (!is_gone)
        data = view(req, data);
    reply_data(req, json_pack("{s:o, s:o}", name, data, "metadata", kv_key_describe_version(key, &version)));
    return OK;
}

static json_t *view_all(struct request *req, json_t *data)
{
    (void)req;
    return data;
}

int kv_data_read(struct request *req)
{
    return reply_version(req, "data", view_all);
}

/* The same tree without its leaves. depth counts the levels that are left; below 1: all. */
static json_t *keys_of(const json_t *data, int64_t depth)
{
    if (!json_is_object(data) || json_object_size(data) == 0)
        return json_null();
    json_t *keys = json_object(), *value;
    const char *name;
    json_object_foreach((json_t *)data, name, value)
        json_object_set_new(keys, name, depth == 1 ? json_null() : keys_of(value, depth - 1));
    return keys;
}

static json_t *view_keys(struct request *req, json_t *data)
{
    int64_t depth = field_int(req, "depth", 0);
    bool is_empty = json_is_object(data) && json_object_size(data) == 0;
    json_t *keys =
        is_empty ? json_object() : keys_of(data, depth < 0 ? 1 : depth); /* below 0 is as little as there is */
    json_decref(data);
    return keys;
}

int kv_subkeys_read(struct request *req)
{
    return reply_version(req, "subkeys", view_keys);
}

/* ---- Writing ---- */

/* What options.cas says: a number, or text that is one; null is 0. */
static bool read_cas(const json_t *value, int64_t *ret_cas)
{
    const char *text = json_string_value(value);
    char *end = NULL;
    errno = 0;
    *ret_cas = text != NULL ? strtoll(text, &end, 10) : json_integer_value(value);
    if (text != NULL)
        return *text != '\0' && *end == '\0' && errno == 0;
    return json_is_integer(value) || json_is_null(value);
}

static int check_cas(struct request *req, const json_t *key, const struct kv_limits *config)
{
    const json_t *value = json_object_get(field_json(req, "options"), "cas");
    int64_t cas;
    if (value == NULL && (config->cas_required || json_flag(key, "cas_required", false)))
        return fail(req, ERR_INVALID, "check-and-set parameter required for this call");
    if (value == NULL)
        return OK;
    if (!read_cas(value, &cas))
        return fail(req, ERR_INVALID, "error parsing check-and-set parameter");
    if (cas != kv_key_current(key))
        return fail(req, ERR_INVALID, "check-and-set parameter did not match the current version");
    return OK;
}

static int add_and_reply(struct request *req, json_t *key, const struct kv_limits *config, json_t *data)
{
    struct kv_version version;
    int rc = kv_version_add(req, key, config, data, &version);
    if (rc == OK)
        reply_data(req, kv_key_describe_version(key, &version));
    return rc;
}

/* `null` counts as given here: it is stored as it is. */
static int given_data(struct request *req, json_t **ret_data)
{
    json_t *data = field_json(req, "data"), *sent = json_object_get(request_data(req), "data");
    if (sent == NULL)
        return fail(req, ERR_INVALID, "no data provided");
    *ret_data = data != NULL ? data : sent;
    return OK;
}

int kv_data_write(struct request *req)
{
    struct kv_limits config;
    json_t *data, *key;
    int rc = given_data(req, &data);
    if (rc == OK)
        rc = kv_config_load(req, &config);
    if (rc == OK)
        rc = kv_key_load_or_make(req, &key);
    if (rc == OK)
        rc = check_cas(req, key, &config);
    return rc == OK ? add_and_reply(req, key, &config, data) : rc;
}

/* RFC 7396: takes over the first, borrows the second; returns the outcome. */
static json_t *merge_patch(json_t *target, json_t *patch)
{
    const char *name;
    json_t *value;
    if (!json_is_object(patch)) {
        json_decref(target);
        return json_incref(patch);
    }
    json_t *merged = json_is_object(target) ? json_copy(target) : json_object();
    json_decref(target);
    json_object_foreach(patch, name, value)
    {
        if (json_is_null(value))
            json_object_del(merged, name);
        else
            json_object_set_new(merged, name, merge_patch(json_incref(json_object_get(merged, name)), value));
    }
    return merged;
}

static int patch_version(struct request *req, json_t *key, const struct kv_version *version,
                         const struct kv_limits *config, json_t *patch)
{
    json_t *data;
    int rc = kv_version_load(req, key, version->number, &data);
    if (rc != OK)
        return rc;
    data = merge_patch(data, patch);
    request_own(req, data);
    return add_and_reply(req, key, config, data);
}

int kv_data_patch(struct request *req)
{
    struct kv_limits config;
    struct kv_version version;
    json_t *patch, *key;
    int rc = given_data(req, &patch);
    if (rc == OK)
        rc = kv_config_load(req, &config);
    if (rc == OK)
        rc = kv_key_load(req, &key);
    if (rc == OK && !kv_key_version(key, kv_key_current(key), &version))
        rc = ERR_NOTFOUND;
    if (rc == OK)
        rc = check_cas(req, key, &config);
    if (rc != OK)
        return rc;
    if (!kv_version_is_gone(req, &version))
        return patch_version(req, key, &version, &config, patch);
    reply_data(req, kv_key_describe_version(key, &version));
    reply_status(req, 404);
    return OK;
}

/* ---- Deleting ---- */

typedef int version_change(struct request *req, json_t *key, struct kv_version *version,
                           const struct kv_limits *config);

static int mark_deleted(struct request *req, json_t *key, struct kv_version *version, const struct kv_limits *config)
{
    (void)config;
    if (kv_version_is_gone(req, version))
        return OK;
    version->deleted_ns = request_time_ns(req);
    kv_key_set_version(key, version);
    return OK;
}

static int mark_undeleted(struct request *req, json_t *key, struct kv_version *version, const struct kv_limits *config)
{
    if (version->is_destroyed)
        return OK;
    version->deleted_ns = kv_key_deletion_ns(key, config, request_time_ns(req));
    kv_key_set_version(key, version);
    return OK;
}

static int mark_destroyed(struct request *req, json_t *key, struct kv_version *version, const struct kv_limits *config)
{
    (void)config;
    version->is_destroyed = true;
    kv_key_set_version(key, version);
    return kv_version_erase(req, key, version->number);
}

/* A key, or version, that is not there is no error. */
static int change_versions(struct request *req, const json_t *numbers, version_change *change)
{
    struct kv_limits config;
    struct kv_version version;
    json_t *key, *number;
    size_t i;
    int rc = kv_config_load(req, &config);
    if (rc == OK)
        rc = kv_key_load(req, &key);
    if (rc != OK)
        return rc == ERR_NOTFOUND ? OK : rc;
    json_array_foreach(numbers, i, number) if (rc == OK && kv_key_version(key, json_integer_value(number), &version))
        rc = change(req, key, &version, &config);
    return rc == OK ? kv_key_save(req, key) : rc;
}

static int change_given(struct request *req, const char *complaint, version_change *change)
{
    const json_t *numbers = field_json(req, "versions");
    if (json_array_size(numbers) == 0)
        return fail(req, ERR_INVALID, "%s", complaint);
    return change_versions(req, numbers, change);
}

int kv_versions_delete(struct request *req)
{
    return change_given(req, "No version number provided", mark_deleted);
}

int kv_versions_undelete(struct request *req)
{
    return change_given(req, "No version number provided", mark_undeleted);
}

int kv_versions_destroy(struct request *req)
{
    return change_given(req, "no version number provided", mark_destroyed);
}

int kv_data_delete(struct request *req)
{
    json_t *key;
    int rc = kv_key_load(req, &key);
    if (rc != OK)
        return rc == ERR_NOTFOUND ? OK : rc;
    json_t *numbers = json_pack("[I]", (json_int_t)kv_key_current(key));
    request_own(req, numbers);
    return change_versions(req, numbers, mark_deleted);
}
