/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit_store.c — what audit devices there are: one record, "core/audit", as there are few.
 */
#include <string.h>

#include "base/encoding.h"
#include "base/json.h"
#include "base/secret.h"
#include "core/audit/audit_private.h"
#include "core/audit/audit_writer.h"
#include "core/core_private.h"
#include "storage/txn.h"

#define TABLE_PATH "core/audit"
#define PREFIX_MAX 256

int audit_table_load(struct txn *txn, json_t **ret_table)
{
    int rc = txn_get(txn, TABLE_PATH, ret_table);
    if (rc != ERR_NOTFOUND)
        return rc;
    *ret_table = json_object();
    return OK;
}

const struct audit_device *audit_device_find(const struct core *core, const char *type)
{
    const struct audit_device *const *devices = core->options.audit_devices;
    for (size_t i = 0; devices != NULL && devices[i] != NULL; i++)
        if (strcmp(devices[i]->type, type) == 0)
            return devices[i];
    return NULL;
}

/* The table, owned by the request. */
static int load(struct request *req, json_t **ret_table)
{
    int rc = audit_table_load(req->txn, ret_table);
    if (rc != OK)
        return fail(req, rc, "%s", err_default_text(rc));
    request_own(req, *ret_table);
    return OK;
}

static int save(struct request *req, const json_t *table)
{
    int rc = txn_put(req->txn, TABLE_PATH, table);
    return rc == OK ? OK : fail(req, rc, "%s", err_default_text(rc));
}

/* ---- Enabling ---- */

static bool is_bool_text(const json_t *value)
{
    static const char *const texts[] = {"true", "false", "1", "0"};
    const char *text = json_string_value(value);
    for (size_t i = 0; text != NULL && i < sizeof texts / sizeof texts[0]; i++)
        if (strcmp(text, texts[i]) == 0)
            return true;
    return value == NULL || json_is_boolean(value);
}

static int check_format(struct request *req, const char *format)
{
    if (strcmp(format, "jsonx") == 0)
        return fail(
            req, ERR_INVALID,
            "jsonx formatting has been removed, consider switching to json by omitting \"format\" or setting it "
            "to \"json\"");
    return strcmp(format, "json") == 0 ? OK : fail(req, ERR_INVALID, "unknown format type \"%.32s\"", format);
}

/* A prefix would let whoever may enable a device choose how a file begins that another program may run. */
static int check_prefix(struct request *req, const char *prefix)
{
    if (prefix[0] == '\0')
        return OK;
    if (!req->core->options.allow_audit_prefix)
        return fail(
            req, ERR_INVALID,
            "audit log prefixing is not allowed: set allow_audit_log_prefixing in the configuration of each node");
    if (strlen(prefix) > PREFIX_MAX || strpbrk(prefix, "\r\n") != NULL)
        return fail(req, ERR_INVALID, "the prefix must be on one line, and no longer than %d bytes", PREFIX_MAX);
    return OK;
}

static int check_options(struct request *req, const json_t *options)
{
    static const char *const bools[] = {"log_raw", "hmac_accessor", "elide_list_responses"};
    int rc = check_prefix(req, json_str(options, "prefix", ""));
    if (rc == OK)
        rc = check_format(req, json_str(options, "format", "json"));
    for (size_t i = 0; rc == OK && i < sizeof bools / sizeof bools[0]; i++)
        if (!is_bool_text(json_object_get(options, bools[i])))
            rc = fail(req, ERR_INVALID, "the option %s must be true or false", bools[i]);
    return rc;
}

static int write_test(const struct audit_device *device, void *state, const struct buf *line, struct err *err)
{
    int rc;
    if (device->bound_ms == NULL) {
        rc = device->write(state, (const char *)line->data, line->len, err);
        device->close(state);
        return rc;
    }
    struct audit_writer *writer = audit_writer_start(device, state);
    rc = audit_writer_put(writer, (const char *)line->data, line->len, err);
    audit_writer_stop(writer);
    return rc;
}

/* Opens it once to see that it takes an entry. */
static int test_device(struct request *req, const struct audit_device *device, const json_t *options)
{
    struct err err = {0};
    struct buf line = BUF_INIT;
    void *state;
    int rc = device->open(options, &state, &err);
    if (rc != OK)
        return fail(req, ERR_INVALID, "%s", err_text(&err));
    struct audit_format *format = audit_format_new("", options);
    audit_entry_test(format, &line);
    rc = write_test(device, state, &line, &err);
    audit_format_free(format);
    buf_close(&line);
    return rc == OK ? OK : fail(req, ERR_INVALID, "audit backend failed test message: %s", err_text(&err));
}

static json_t *new_record(const char *type, const json_t *params, json_t *options)
{
    unsigned char salt[32];
    char hex[2 * sizeof salt + 1];
    random_bytes(salt, sizeof salt);
    hex_encode(salt, sizeof salt, hex);
    json_t *record =
        json_pack("{s:s, s:s, s:O, s:b, s:s}", "type", type, "description", json_str(params, "description", ""),
                  "options", options, "local", json_flag(params, "local", false), "salt", hex);
    secret_wipe(salt, sizeof salt);
    secret_wipe(hex, sizeof hex);
    return record;
}

/* Options are texts; what a client sends as a truth or a number is taken for its text. */
static json_t *texts_of(const json_t *given)
{
    json_t *options = json_object(), *value;
    const char *name;
    json_object_foreach((json_t *)given, name, value)
    {
        if (json_is_boolean(value))
            json_object_set_new(options, name, json_string(json_is_true(value) ? "true" : "false"));
        else if (json_is_integer(value))
            json_object_set_new(options, name, json_sprintf("%" JSON_INTEGER_FORMAT, json_integer_value(value)));
        else if (json_is_string(value))
            json_object_set(options, name, value);
    }
    return options;
}

/* Neither may lie below the other. */
static bool is_in_the_way(const json_t *table, const char *path)
{
    const char *other;
    json_t *record;
    json_object_foreach((json_t *)table, other, record)
    {
        size_t len = strlen(other) < strlen(path) ? strlen(other) : strlen(path);
        if (strncmp(other, path, len) == 0)
            return true;
    }
    return false;
}

int audit_enable(struct request *req, const char *path, const json_t *params)
{
    const char *type = json_str(params, "type", "");
    const struct audit_device *device = audit_device_find(req->core, type);
    json_t *table, *options = texts_of(json_map_at(params, "options"));
    request_own(req, options);
    int rc = load(req, &table);
    if (rc != OK)
        return rc;
    rc = check_options(req, options);
    if (rc == OK && is_in_the_way(table, path))
        rc = fail(req, ERR_INVALID, "path already in use");
    if (rc == OK && device == NULL)
        rc = fail(req, ERR_INVALID, "unknown backend type: \"%.32s\"", type);
    if (rc == OK)
        rc = test_device(req, device, options);
    if (rc != OK)
        return rc;
    json_object_set_new(table, path, new_record(type, params, options));
    return save(req, table);
}

int audit_disable(struct request *req, const char *path)
{
    json_t *table;
    int rc = load(req, &table);
    if (rc != OK || json_object_del(table, path) != 0)
        return rc;
    return save(req, table);
}

/* ---- Asking ---- */

int audit_describe(struct request *req, json_t **ret_devices)
{
    static const char *const shown[] = {"type", "description", "options", "local"};
    json_t *table, *record;
    const char *path;
    int rc = load(req, &table);
    if (rc != OK)
        return rc;
    json_t *devices = json_object();
    json_object_foreach(table, path, record)
    {
        json_t *row = json_pack("{s:s}", "path", path);
        for (size_t i = 0; i < sizeof shown / sizeof shown[0]; i++)
            json_object_set(row, shown[i], json_object_get(record, shown[i]));
        json_object_set_new(devices, path, row);
    }
    *ret_devices = devices;
    return OK;
}

int audit_hash(struct request *req, const char *path, const char *input, const char **ret_hash)
{
    json_t *table;
    int rc = load(req, &table);
    if (rc != OK)
        return rc;
    const json_t *record = json_object_get(table, path);
    if (record == NULL)
        return fail(req, ERR_INVALID, "unknown audit backend \"%s\"", path);
    struct audit_format *format = audit_format_new(json_str(record, "salt", ""), NULL);
    char hash[AUDIT_HASH_SIZE];
    audit_entry_hash(format, input, hash);
    audit_format_free(format);
    *ret_hash = arena_strdup(&req->arena, hash);
    return OK;
}
