/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kv_config.c — limits: of the mount, and the same ones of a key.
 */
#include <string.h>

#include "base/duration.h"
#include "base/json.h"
#include "core/request/request.h"
#include "secrets/kv/kv_private.h"

void kv_limits_read(const json_t *record, struct kv_limits *ret_limits)
{
    *ret_limits = (struct kv_limits){
        .max_versions = json_int(record, "max_versions", 0),
        .cas_required = json_flag(record, "cas_required", false),
        .metadata_cas_required = json_flag(record, "metadata_cas_required", false),
        .delete_after_s = json_int(record, "delete_after", 0),
    };
}

void kv_limits_write(json_t *record, const struct kv_limits *limits)
{
    json_object_set_new(record, "max_versions", json_integer(limits->max_versions));
    json_object_set_new(record, "cas_required", json_boolean(limits->cas_required));
    json_object_set_new(record, "metadata_cas_required", json_boolean(limits->metadata_cas_required));
    json_object_set_new(record, "delete_after", json_integer(limits->delete_after_s));
}

void kv_limits_describe(json_t *data, const struct kv_limits *limits)
{
    char after[40];
    duration_format_go(limits->delete_after_s * 1000000000, after, sizeof after);
    json_object_set_new(data, "max_versions", json_integer(limits->max_versions));
    json_object_set_new(data, "cas_required", json_boolean(limits->cas_required));
    json_object_set_new(data, "metadata_cas_required", json_boolean(limits->metadata_cas_required));
    json_object_set_new(data, "delete_version_after", json_string(after));
}

static int take_delete_after(struct request *req, struct kv_limits *limits)
{
    const char *text = field_str(req, "delete_version_after", NULL);
    int64_t seconds;
    if (text == NULL)
        return OK;
    if (duration_parse_s(text, &seconds) != OK || seconds > INT64_MAX / 1000000000 / 2)
        return fail(req, ERR_INVALID,
                    "%serror converting input for field \"delete_version_after\": time: invalid duration \"%.64s\"",
                    strcmp(req->mount_relative, "config") == 0 ? "Field validation failed: " : "", text);
    limits->delete_after_s = seconds < 0 ? -1 : seconds;
    return OK;
}

int kv_limits_take_fields(struct request *req, struct kv_limits *limits)
{
    int64_t max_versions = field_int(req, "max_versions", limits->max_versions);
    if (max_versions < 0 || max_versions > KV_VERSIONS_MAX)
        return fail(req, ERR_INVALID, "max_versions must be between 0 and %d", KV_VERSIONS_MAX);
    limits->max_versions = max_versions;
    limits->cas_required = field_bool(req, "cas_required", limits->cas_required);
    limits->metadata_cas_required = field_bool(req, "metadata_cas_required", limits->metadata_cas_required);
    return take_delete_after(req, limits);
}

int kv_config_load(struct request *req, struct kv_limits *ret_config)
{
    json_t *record = NULL;
    int rc = mount_get(req, "config", &record);
    if (rc != OK && rc != ERR_NOTFOUND)
        return rc;
    kv_limits_read(record, ret_config);
    json_decref(record);
    return OK;
}

int kv_config_read(struct request *req)
{
    struct kv_limits config;
    int rc = kv_config_load(req, &config);
    if (rc != OK)
        return rc;
    json_t *data = json_object();
    kv_limits_describe(data, &config);
    reply_data(req, data);
    return OK;
}

int kv_config_write(struct request *req)
{
    struct kv_limits config;
    int rc = kv_config_load(req, &config);
    if (rc == OK)
        rc = kv_limits_take_fields(req, &config);
    if (rc != OK)
        return rc;
    json_t *record = json_object();
    kv_limits_write(record, &config);
    return mount_put_new(req, "config", record);
}
