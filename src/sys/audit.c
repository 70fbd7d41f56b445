/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit.c — sys/audit, sys/audit-hash.
 */
#include <string.h>

#include "core/audit/audit.h"
#include "core/request/request.h"
#include "sys/handlers.h"

const struct field sys_audit_fields[] = {
    {"type", FIELD_STRING, "The kind of the device: file."},
    {"description", FIELD_STRING, "A text for people."},
    {"options", FIELD_KV, "The device's own settings: file_path, log_raw, …"},
    {"local", FIELD_BOOL, "Shown; without effect."},
    {0},
};

const struct field sys_audit_hash_fields[] = {
    {"input", FIELD_STRING, "The text to hash."},
    {0},
};

static const char *device_path(struct request *req)
{
    const char *path = capture(req, "path");
    return path[strlen(path) - 1] == '/' ? path : arena_printf(&req->arena, "%s/", path);
}

int sys_audit_list(struct request *req)
{
    json_t *devices;
    int rc = audit_describe(req, &devices);
    if (rc == OK)
        reply_data(req, devices);
    return rc;
}

int sys_audit_write(struct request *req)
{
    return audit_enable(req, device_path(req), request_data(req));
}

int sys_audit_delete(struct request *req)
{
    return audit_disable(req, device_path(req));
}

int sys_audit_hash(struct request *req)
{
    const char *hash;
    if (field_str(req, "input", "")[0] == '\0')
        return fail(req, ERR_INVALID, "the \"input\" parameter is empty");
    int rc = audit_hash(req, device_path(req), field_str(req, "input", ""), &hash);
    if (rc == OK)
        reply_data(req, json_pack("{s:s}", "hash", hash));
    return rc;
}
