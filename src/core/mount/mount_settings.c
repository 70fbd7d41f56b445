/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mount_settings.c — the settings of a mount: given when it is made, and tuned.
 */
#include <string.h>

#include "base/duration.h"
#include "base/json.h"
#include "core/core_private.h"
#include "core/mount/mount_private.h"
#include "core/request/field.h"
#include "core/request/request.h"
#include "core/token/lockout.h"

/* ---- Times ---- */

/* Of a new mount, the sentence says which time was meant; when tuning, clients know it without. */
static int refuse_ttl(struct request *req, const char *which, const json_t *value, bool is_new)
{
    if (!json_is_string(value))
        return fail(req, ERR_INVALID,
                    "Field validation failed: error converting input for field \"%s_lease_ttl\": expected a duration",
                    which);
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

/* ---- The rest ---- */

/* The settings that are kept as they were given, for those who read them (audit, listing, the UI). */
static const struct {
    const char *name;
    bool is_list;
    bool is_of_new;  /* is said when a mount is made, and not tuned */
    bool is_of_auth; /* of auth methods alone */
} kept_settings[] = {
    {.name = "force_no_cache", .is_of_new = true},
    {.name = "audit_non_hmac_request_keys", .is_list = true},
    {.name = "audit_non_hmac_response_keys", .is_list = true},
    {.name = "listing_visibility"},
    {.name = "passthrough_request_headers", .is_list = true},
    {.name = "allowed_response_headers", .is_list = true},
    {.name = "token_type", .is_of_auth = true},
};

/* What is empty is as if it had never been set. */
static int keep_setting(struct request *req, json_t *config, size_t i, json_t *value)
{
    const char *name = kept_settings[i].name;
    json_t *kept = kept_settings[i].is_list ? field_to_list(value) : json_incref(value);
    if (kept == NULL)
        return fail(req, ERR_INVALID, "%s must be a list of strings", name);
    if (!json_is_string(kept) && !json_is_array(kept) && !json_is_boolean(kept)) {
        json_decref(kept);
        return fail(req, ERR_INVALID, "invalid %s", name);
    }
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

int mount_read_settings(struct request *req, const json_t *params, json_t *row, bool is_new)
{
    int rc = OK;
    bool is_auth = strncmp(json_str(row, "path", ""), "auth/", 5) == 0;
    json_t *config = json_map_at(row, "config");
    if (config == NULL) {
        config = json_object();
        json_object_set_new(row, "config", config);
    }
    for (size_t i = 0; rc == OK && i < sizeof kept_settings / sizeof kept_settings[0]; i++) {
        json_t *value = json_object_get(params, kept_settings[i].name);
        bool is_meant = (is_new || !kept_settings[i].is_of_new) && (is_auth || !kept_settings[i].is_of_auth);
        if (is_meant && value != NULL && !json_is_null(value))
            rc = keep_setting(req, config, i, value);
    }
    if (rc == OK)
        rc = check_settings(req, config);
    if (rc == OK)
        rc = lockout_tune(req, json_object_get(params, "user_lockout_config"), row);
    return rc == OK ? read_ttls(req, params, row, is_new) : rc;
}
