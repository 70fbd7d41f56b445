/* SPDX-License-Identifier: Apache-2.0 */
/*
 * quotas.c — sys/quotas: how many requests an address may make.
 */
#include "core/request/quota.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "core/mount/mount.h"
#include "core/request/request.h"
#include "sys/handlers.h"

#define RATE_MAX  1e9
#define RULES_MAX 1000

const struct field sys_quota_fields[] = {
    {"path", FIELD_STRING, "A mount, a path in it, or with * at its end all that begin so; empty: every path."},
    {"rate", FIELD_ANY, "How many requests in each interval; more than 0."},
    {"interval", FIELD_DURATION, "How long an interval is; a second without."},
    {"block_interval", FIELD_DURATION, "For how long an address is refused after one request too many."},
    {"role", FIELD_STRING, "Not supported: must be empty."},
    {"inheritable", FIELD_BOOL, "Kept; without effect, as there is one namespace."},
    {0},
};

const struct field sys_quota_config_fields[] = {
    {"rate_limit_exempt_paths", FIELD_LIST, "Paths that are not counted; those that end in / with all below them."},
    {"enable_rate_limit_audit_logging", FIELD_BOOL, "Whether refused requests are in the audit log."},
    {"enable_rate_limit_response_headers", FIELD_BOOL, "Whether answers tell how many requests are left."},
    {0},
};

/* The record, owned by the request. */
static int load(struct request *req, json_t **ret_record)
{
    int rc = quota_record_load(req->txn, ret_record);
    if (rc != OK)
        return fail(req, rc, "%s", err_default_text(rc));
    request_own(req, *ret_record);
    return OK;
}

/* ---- The configuration ---- */

int sys_quota_config_read(struct request *req)
{
    json_t *record;
    int rc = load(req, &record);
    if (rc == OK)
        reply_data(req, json_incref(json_object_get(record, "config")));
    return rc;
}

/* What is not given is set back. */
int sys_quota_config_write(struct request *req)
{
    json_t *record, *exempt = field_json(req, "rate_limit_exempt_paths");
    int rc = load(req, &record);
    if (rc != OK)
        return rc;
    json_object_set_new(record, "config",
                        json_pack("{s:b, s:b, s:o}", "enable_rate_limit_audit_logging",
                                  field_bool(req, "enable_rate_limit_audit_logging", false),
                                  "enable_rate_limit_response_headers",
                                  field_bool(req, "enable_rate_limit_response_headers", false),
                                  "rate_limit_exempt_paths", exempt != NULL ? json_incref(exempt) : json_array()));
    return quota_record_store(req, record);
}

/* ---- Rules ---- */

int sys_quota_list(struct request *req)
{
    json_t *record, *keys = json_array(), *row;
    const char *name;
    int rc = load(req, &record);
    if (rc != OK) {
        json_decref(keys);
        return rc;
    }
    json_object_foreach(json_object_get(record, "rate-limit"), name, row)
        json_array_append_new(keys, json_string(name));
    json_t *sorted = json_list_sorted(keys);
    json_decref(keys);
    return reply_keys(req, sorted);
}

int sys_quota_read(struct request *req)
{
    json_t *record;
    int rc = load(req, &record);
    if (rc != OK)
        return rc;
    json_t *row = json_object_get(json_object_get(record, "rate-limit"), capture(req, "name"));
    if (row == NULL)
        return ERR_NOTFOUND;
    json_t *data = json_copy(row);
    json_object_set_new(data, "name", json_string(capture(req, "name")));
    json_object_set_new(data, "type", json_string("rate-limit"));
    reply_data(req, data);
    return OK;
}

static int read_rate(struct request *req, json_t **ret_rate)
{
    const json_t *given = field_json(req, "rate");
    const char *text = json_string_value(given);
    char *end = NULL;
    double rate = text != NULL ? strtod(text, &end) : json_number_value(given);
    if ((text != NULL && *end != '\0') || !(rate > 0 && rate <= RATE_MAX))
        return fail(req, ERR_INVALID, "'rate' is invalid");
    *ret_rate = rate == (double)(json_int_t)rate ? json_integer((json_int_t)rate) : json_real(rate);
    return OK;
}

/* The mount's path, with its slash, where the mount itself is meant. */
static int read_path(struct request *req, const char **ret_path)
{
    const char *path = field_str(req, "path", "");
    const struct mount *mount = path[0] != '\0' ? mount_table_find(req->mounts, path) : NULL;
    if (path[0] != '\0' && mount == NULL)
        return fail(req, ERR_INVALID, "invalid mount path \"%.256s\"", path);
    bool is_mount = mount != NULL && strlen(path) <= strlen(mount->path);
    *ret_path = is_mount ? mount->path : path;
    return OK;
}

static int check_same(struct request *req, const json_t *rules, const char *name, const char *path)
{
    const char *other;
    json_t *row;
    json_object_foreach((json_t *)rules, other, row)
    {
        if (strcmp(other, name) != 0 && strcmp(json_str(row, "path", ""), path) == 0)
            return fail(req, ERR_INVALID, "quota rule with similar properties exists under the name \"%s\"", other);
    }
    if (json_object_get(rules, name) == NULL && json_object_size(rules) >= RULES_MAX)
        return fail(req, ERR_INVALID, "there are %d rules already", RULES_MAX);
    return OK;
}

int sys_quota_write(struct request *req)
{
    const char *name = capture(req, "name"), *path = NULL;
    json_t *record = NULL, *rate = NULL;
    if (field_str(req, "role", "")[0] != '\0')
        return fail(req, ERR_INVALID, "quotas for the roles of an auth method are not supported: leave out 'role'");
    int rc = read_path(req, &path);
    if (rc == OK)
        rc = load(req, &record);
    if (rc == OK)
        rc = check_same(req, json_object_get(record, "rate-limit"), name, path);
    if (rc == OK)
        rc = read_rate(req, &rate);
    if (rc != OK)
        return rc;
    int64_t interval = field_int(req, "interval", 0);
    json_object_set_new(json_object_get(record, "rate-limit"), name,
                        json_pack("{s:s, s:o, s:I, s:I, s:b, s:s}", "path", path, "rate", rate, "interval",
                                  (json_int_t)(interval > 0 ? interval : 1), "block_interval",
                                  (json_int_t)field_int(req, "block_interval", 0), "inheritable",
                                  field_bool(req, "inheritable", false), "role", ""));
    return quota_record_store(req, record);
}

int sys_quota_delete(struct request *req)
{
    json_t *record;
    int rc = load(req, &record);
    if (rc != OK || json_object_del(json_object_get(record, "rate-limit"), capture(req, "name")) != 0)
        return rc;
    return quota_record_store(req, record);
}
