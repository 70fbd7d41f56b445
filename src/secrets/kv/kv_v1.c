/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kv_v1.c — version 1: one value for a key, no history.
 */
#include "base/duration.h"
#include "core/mount/mount.h"
#include "core/request/request.h"
#include "secrets/kv/kv_private.h"

static const char *storage_path(struct request *req)
{
    const char *path = capture(req, "path");
    return arena_printf(&req->arena, "v1/%s", path != NULL ? path : "");
}

static bool read_seconds(const json_t *value, int64_t *ret_seconds)
{
    if (json_is_integer(value))
        *ret_seconds = json_integer_value(value);
    else if (!json_is_string(value) || duration_parse_s(json_string_value(value), ret_seconds) != OK)
        return false;
    return *ret_seconds > 0;
}

/* How often to ask again: what the secret itself says, or the mount's default. */
static int64_t refresh_seconds(struct request *req, const json_t *data)
{
    int64_t seconds;
    if (read_seconds(json_object_get(data, "ttl"), &seconds) || read_seconds(json_object_get(data, "lease"), &seconds))
        return seconds;
    return mount_default_ttl_s(req, req->mount);
}

static int v1_read(struct request *req)
{
    json_t *data;
    int rc = kv_path_is_dir(capture(req, "path")) ? ERR_NOTFOUND : mount_get(req, storage_path(req), &data);
    if (rc != OK)
        return rc;
    reply_lease_duration(req, refresh_seconds(req, data));
    reply_data(req, data);
    return OK;
}

static int v1_exists(struct request *req, bool *ret_exists)
{
    json_t *data = NULL;
    int rc = mount_get(req, storage_path(req), &data);
    json_decref(data);
    *ret_exists = rc == OK;
    return rc == ERR_NOTFOUND ? OK : rc;
}

static int v1_write(struct request *req)
{
    if (json_object_size(request_data(req)) == 0)
        return fail(req, ERR_INVALID, "missing data fields");
    return mount_put(req, storage_path(req), request_data(req));
}

static int v1_delete(struct request *req)
{
    return mount_delete(req, storage_path(req));
}

static int v1_list(struct request *req)
{
    json_t *names;
    int rc = kv_list(req, storage_path(req), &names);
    return rc == OK ? reply_keys(req, names) : rc;
}

static int v1_write_nowhere(struct request *req)
{
    return fail(req, ERR_INVALID, "missing path");
}

static int v1_read_nowhere(struct request *req)
{
    (void)req;
    return ERR_NOTFOUND;
}

static const struct field list_fields[] = {
    {"path", FIELD_STRING, "The directory."},
    {0},
};

const struct route kv_v1_routes[] = {
    {"", OP_LIST, v1_list, 0, "List the keys.", list_fields, NULL},
    {"", OP_READ, v1_read_nowhere, 0, NULL, NULL, NULL},
    {"", OP_UPDATE, v1_write_nowhere, 0, NULL, NULL, NULL},
    {"*path", OP_LIST, v1_list, 0, "List the keys in a directory.", list_fields, NULL},
    {"*path", OP_READ, v1_read, 0, "Read a secret.", NULL, NULL},
    {"*path", OP_UPDATE, v1_write, 0, "Write a secret.", NULL, v1_exists},
    {"*path", OP_DELETE, v1_delete, 0, "Delete a secret.", NULL, NULL},
    {0},
};
