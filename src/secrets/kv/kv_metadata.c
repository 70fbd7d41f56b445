/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kv_metadata.c — what is known of a key besides its versions.
 */
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "core/request/request.h"
#include "secrets/kv/kv_private.h"

#define CUSTOM_KEYS_MAX  64
#define CUSTOM_KEY_MAX   128
#define CUSTOM_VALUE_MAX 512

/* ---- Reading ---- */

static json_t *describe(const json_t *key)
{
    struct kv_limits limits;
    json_t *data = json_object(), *custom = json_map_at(key, "custom");
    kv_limits_read(key, &limits);
    kv_limits_describe(data, &limits);
    json_object_set_new(data, "versions", kv_key_describe_versions(key));
    json_object_set_new(data, "current_version", json_integer(kv_key_current(key)));
    json_object_set_new(data, "oldest_version", json_integer(json_int(key, "oldest", 0)));
    json_object_set_new(data, "created_time", kv_time(json_int(key, "created", 0)));
    json_object_set_new(data, "updated_time", kv_time(json_int(key, "updated", 0)));
    json_object_set_new(data, "current_metadata_version", json_integer(json_int(key, "metadata_version", 0)));
    json_object_set_new(data, "custom_metadata", custom != NULL ? json_incref(custom) : json_null());
    return data;
}

int kv_metadata_read(struct request *req)
{
    json_t *key;
    int rc = kv_key_load(req, &key);
    if (rc == OK)
        reply_data(req, describe(key));
    return rc;
}

static const char *dir_of(struct request *req)
{
    const char *path = capture(req, "path");
    return arena_printf(&req->arena, "meta/%s", path != NULL ? path : "");
}

int kv_metadata_list(struct request *req)
{
    json_t *names;
    int rc = kv_list(req, dir_of(req), &names);
    return rc == OK ? reply_keys(req, names) : rc;
}

static int add_key_info(struct request *req, const char *name, json_t *info)
{
    json_t *key;
    int rc = mount_get(req, arena_printf(&req->arena, "%s%s", dir_of(req), name), &key);
    if (rc != OK)
        return rc;
    json_object_set_new(info, name, describe(key));
    json_decref(key);
    return OK;
}

int kv_metadata_list_detailed(struct request *req)
{
    json_t *names, *name, *info = json_object();
    size_t i;
    request_own(req, info);
    int rc = kv_list(req, dir_of(req), &names);
    if (rc != OK)
        return rc;
    json_array_foreach(names, i, name)
    {
        const char *text = json_string_value(name);
        if (text[strlen(text) - 1] == '/')
            json_object_set_new(info, text, json_object()); /* of a directory nothing is known */
        else if (rc == OK)
            rc = add_key_info(req, text, info);
    }
    if (rc != OK || json_array_size(names) == 0) {
        json_decref(names);
        return rc != OK ? rc : ERR_NOTFOUND;
    }
    reply_data(req, json_pack("{s:o, s:O}", "keys", names, "key_info", info));
    return OK;
}

/* ---- Texts that the key carries ---- */

struct complaints {
    struct buf text;
    int n;
};

static void complain(struct complaints *complaints, const char *what, const char *name, const char *rest)
{
    buf_printf(&complaints->text, "\t* custom_metadata validation failed: %s%s%s\n", what, name, rest);
    complaints->n++;
}

static bool is_printable(const char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            return false;
    return true;
}

static void check_pair(struct request *req, struct complaints *complaints, const char *name, const char *value)
{
    size_t name_len = strlen(name), value_len = strlen(value);
    if (name_len == 0 || name_len > CUSTOM_KEY_MAX)
        complain(complaints, "length of key \"", name,
                 arena_printf(&req->arena, "\" is %zu but must be 0 < len(key) <= %d", name_len, CUSTOM_KEY_MAX));
    if (value_len == 0 || value_len > CUSTOM_VALUE_MAX)
        complain(complaints, "length of value for key \"", name,
                 arena_printf(&req->arena, "\" is %zu but must be 0 < len(value) <= %d", value_len, CUSTOM_VALUE_MAX));
    if (!is_printable(name))
        complain(complaints, "a key", "", " contains unprintable characters");
    if (!is_printable(value))
        complain(complaints, "value for key \"", is_printable(name) ? name : "", "\" contains unprintable characters");
}

static int check_custom(struct request *req, const json_t *custom)
{
    struct complaints complaints = {.text = BUF_INIT};
    const char *name;
    json_t *value;
    size_t n = json_object_size(custom);
    if (n > CUSTOM_KEYS_MAX) {
        complain(&complaints, "payload must contain at most 64 keys, provided ", "",
                 arena_printf(&req->arena, "%zu", n));
    } else {
        json_object_foreach((json_t *)custom, name, value) check_pair(req, &complaints, name, json_string_value(value));
    }
    int rc = complaints.n == 0 ? OK
                               : fail(req, ERR_INVALID, "%d error%s occurred:\n%s\n", complaints.n,
                                      complaints.n == 1 ? "" : "s", buf_str(&complaints.text));
    buf_close(&complaints.text);
    return rc;
}

/* A number or a truth is taken for its text. A new reference; NULL when it is neither, nor text. */
static json_t *text_of(const json_t *value)
{
    char number[40];
    if (json_is_string(value))
        return json_incref((json_t *)value);
    if (json_is_boolean(value))
        return json_string(json_is_true(value) ? "1" : "0");
    if (!json_is_number(value) || json_dumpb(value, number, sizeof number, JSON_ENCODE_ANY) >= sizeof number)
        return NULL;
    return json_stringn(number, json_dumpb(value, NULL, 0, JSON_ENCODE_ANY));
}

/* Changes custom by what was given; null takes away. ERR_INVALID. */
static int merge_custom(struct request *req, json_t *custom, json_t *given)
{
    const char *name;
    json_t *value;
    json_object_foreach(given, name, value)
    {
        json_t *text = json_is_null(value) ? NULL : text_of(value);
        if (text == NULL && !json_is_null(value))
            return fail(req, ERR_INVALID, "custom_metadata validation failed: a value is not a text");
        if (text != NULL)
            json_object_set_new(custom, name, text);
        else
            json_object_del(custom, name);
    }
    return check_custom(req, custom);
}

/* is_patch: what is there already stays unless it is named. */
static int take_custom(struct request *req, json_t *key, bool is_patch)
{
    json_t *sent = json_object_get(request_data(req), "custom_metadata"), *there = json_map_at(key, "custom");
    if (sent == NULL || (json_is_null(sent) && !is_patch))
        return OK;
    if (json_is_null(sent)) {
        json_object_del(key, "custom");
        return OK;
    }
    if (!json_is_object(sent))
        return fail(req, ERR_INVALID,
                    "error converting input for field \"custom_metadata\": expected an object of strings");
    json_t *custom = is_patch && there != NULL ? json_copy(there) : json_object();
    int rc = merge_custom(req, custom, sent);
    if (json_object_size(custom) > 0)
        json_object_set(key, "custom", custom);
    else
        json_object_del(key, "custom");
    json_decref(custom);
    return rc;
}

/* ---- Writing ---- */

static int check_metadata_cas(struct request *req, const json_t *key, const struct kv_limits *config)
{
    int64_t current = json_int(key, "metadata_version", 0);
    bool is_new = kv_key_current(key) == 0 && current == 0;
    if (!field_given(req, "metadata_cas")) {
        if (config->metadata_cas_required || json_flag(key, "metadata_cas_required", false))
            return fail(req, ERR_INVALID, "metadata check-and-set parameter required for this call");
        return OK;
    }
    int64_t cas = field_int(req, "metadata_cas", 0);
    if (is_new && cas != 0)
        return fail(req, ERR_INVALID, "metadata_cas must be 0 when creating new metadata");
    if (cas != current)
        return fail(req, ERR_INVALID, "metadata check-and-set parameter does not match the current version");
    return OK;
}

/* A member that a patch sets to null goes back to what a new key has. */
static void reset_nulls(struct request *req, struct kv_limits *limits)
{
    const json_t *data = request_data(req);
    if (json_is_null(json_object_get(data, "max_versions")))
        limits->max_versions = 0;
    if (json_is_null(json_object_get(data, "cas_required")))
        limits->cas_required = false;
    if (json_is_null(json_object_get(data, "metadata_cas_required")))
        limits->metadata_cas_required = false;
    if (json_is_null(json_object_get(data, "delete_version_after")))
        limits->delete_after_s = 0;
}

static bool changes_something(struct request *req)
{
    static const char *const names[] = {"max_versions", "cas_required", "delete_version_after", "custom_metadata",
                                        "metadata_cas_required"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (json_object_get(request_data(req), names[i]) != NULL)
            return true;
    return false;
}

static void warn_of_mandate(struct request *req, const struct kv_limits *config)
{
    if (!config->cas_required || !field_given(req, "cas_required") || field_bool(req, "cas_required", true))
        return;
    reply_data(req, NULL);
    reply_warn(req, "\"cas_required\" set to false, but is mandated by backend config. This value will be ignored.");
}

static int change_key(struct request *req, json_t *key, bool is_patch)
{
    struct kv_limits config, limits;
    int rc = kv_config_load(req, &config);
    if (rc != OK)
        return rc;
    kv_limits_read(key, &limits);
    if (is_patch)
        reset_nulls(req, &limits);
    rc = kv_limits_take_fields(req, &limits);
    if (rc == OK && limits.delete_after_s < 0)
        rc = fail(req, ERR_INVALID,
                  "error converting input for field \"delete_version_after\": cannot provide negative value");
    if (rc == OK)
        rc = take_custom(req, key, is_patch);
    if (rc == OK)
        rc = check_metadata_cas(req, key, &config);
    if (rc != OK)
        return rc;
    warn_of_mandate(req, &config);
    kv_limits_write(key, &limits);
    json_object_set_new(key, "updated", json_integer(request_time_ns(req)));
    json_object_set_new(key, "metadata_version", json_integer(json_int(key, "metadata_version", 0) + 1));
    return kv_key_save(req, key);
}

int kv_metadata_write(struct request *req)
{
    json_t *key;
    if (!changes_something(req))
        return OK;
    int rc = kv_key_load_or_make(req, &key);
    return rc == OK ? change_key(req, key, false) : rc;
}

int kv_metadata_patch(struct request *req)
{
    json_t *key;
    int rc = kv_key_load(req, &key);
    if (rc != OK || !changes_something(req))
        return rc;
    return change_key(req, key, true);
}

int kv_metadata_delete(struct request *req)
{
    json_t *key, *row;
    const char *number;
    int rc = kv_key_load(req, &key);
    if (rc != OK)
        return rc == ERR_NOTFOUND ? OK : rc;
    json_object_foreach(json_map_at(key, "versions"), number, row) if (rc == OK) rc =
        mount_delete(req, arena_printf(&req->arena, "ver/%s/%s", json_str(key, "id", ""), number));
    return rc == OK ? mount_delete(req, arena_printf(&req->arena, "meta/%s", capture(req, "path"))) : rc;
}
