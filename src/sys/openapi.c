/* SPDX-License-Identifier: Apache-2.0 */
/*
 * openapi.c — sys/internal/specs/openapi: the route tables of the mounts that the caller may use.
 */
#include "core/request/openapi.h"

#include <string.h>

#include "core/mount/mount.h"
#include "core/policy/policy.h"
#include "core/request/request.h"
#include "sys/handlers.h"

const struct field sys_openapi_fields[] = {
    {"generic_mount_paths", FIELD_BOOL, "Write {mount_path} in the place of the paths of mounts."},
    {0},
};

static const struct route *routes_of(struct request *req, const struct mount *mount)
{
    const struct mount *own = req->mount;
    if (mount->engine == NULL || mount->is_tainted)
        return NULL;
    if (mount->engine->routes_of == NULL)
        return mount->engine->routes;
    req->mount = mount;
    const struct route *routes = mount->engine->routes_of(req);
    req->mount = own;
    return routes;
}

static const char *shown_path(const struct mount *mount, bool is_generic)
{
    bool is_auth = strncmp(mount->path, "auth/", 5) == 0;
    if (!is_generic || mount->engine->kind == ENGINE_SYSTEM || strcmp(mount->path, "auth/token/") == 0)
        return mount->path;
    return is_auth ? "auth/{mount_path}/" : "{mount_path}/";
}

/* {mount_path} is a parameter like those that a route captures. */
static void name_mount_path(json_t *document)
{
    json_t *item;
    const char *path;
    json_object_foreach(json_object_get(document, "paths"), path, item)
    {
        if (strstr(path, "{mount_path}") != NULL)
            json_array_append_new(json_object_get(item, "parameters"),
                                  json_pack("{s:s, s:s, s:b, s:{s:s}}", "name", "mount_path", "in", "path", "required",
                                            true, "schema", "type", "string"));
    }
}

int sys_openapi(struct request *req)
{
    struct acl *acl;
    bool is_generic = field_bool(req, "generic_mount_paths", false);
    int rc = sys_caller_acl(req, &acl);
    if (rc != OK)
        return rc;
    json_t *document = openapi_new();
    for (size_t i = 0; i < mount_table_count(req->mounts); i++) {
        const struct mount *mount = mount_table_at(req->mounts, i);
        const struct route *routes = acl_touches(acl, mount->path) ? routes_of(req, mount) : NULL;
        if (routes != NULL)
            openapi_add(document, shown_path(mount, is_generic), mount->type, routes, NULL);
    }
    acl_unref(acl);
    name_mount_path(document);
    reply_data(req, document);
    return OK;
}
