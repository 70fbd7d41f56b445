/* SPDX-License-Identifier: Apache-2.0 */
#include "secrets/kv/kv.h"

#include <string.h>

#include "base/json.h"
#include "core/mount/mount.h"
#include "core/request/request.h"
#include "secrets/kv/kv_private.h"

/* ---- Version 2 ---- */

static const struct field config_fields[] = {
    {"max_versions", FIELD_INT, "How many versions a key keeps at most, unless it says more itself."},
    {"cas_required", FIELD_BOOL, "Whether every write must name the version that it replaces."},
    {"metadata_cas_required", FIELD_BOOL, "Whether every write of metadata must name the version that it replaces."},
    {"delete_version_after", FIELD_STRING, "After how long a version is deleted by itself; below zero: never."},
    {0},
};

static const struct field data_fields[] = {
    {"path", FIELD_STRING, "The key."},
    {"version", FIELD_INT, "Which version; the latest without."},
    {"data", FIELD_MAP, "What to store."},
    {"options", FIELD_MAP, "cas: the version that is to be replaced."},
    {0},
};

static const struct field subkeys_fields[] = {
    {"path", FIELD_STRING, "The key."},
    {"version", FIELD_INT, "Which version; the latest without."},
    {"depth", FIELD_INT, "How deep to go; 0 for all."},
    {0},
};

static const struct field versions_fields[] = {
    {"path", FIELD_STRING, "The key."},
    {"versions", FIELD_INTS, "The numbers of the versions."},
    {0},
};

static const struct field metadata_fields[] = {
    {"path", FIELD_STRING, "The key."},
    {"max_versions", FIELD_INT, "How many versions to keep at most."},
    {"cas_required", FIELD_BOOL, "Whether every write must name the version that it replaces."},
    {"delete_version_after", FIELD_STRING, "After how long a version is deleted by itself."},
    {"custom_metadata", FIELD_ANY, "Texts that the key carries."},
    {"metadata_cas", FIELD_INT, "The version of the metadata that is to be replaced."},
    {"metadata_cas_required", FIELD_BOOL, "Whether every write of metadata must name the version that it replaces."},
    {0},
};

static const struct field list_fields[] = {
    {"path", FIELD_STRING, "The directory."},
    {"after", FIELD_STRING, "Names up to and including this one are left out."},
    {"limit", FIELD_INT, "How many names at most; 0 for all."},
    {0},
};

/* What lies below the root of a mount, and whether clients know it as one of its old places. */
static const struct {
    const char *name;
    bool is_old;
} known_paths[] = {
    {"data", true},     {"metadata", true},          {"delete", true}, {"undelete", true}, {"destroy", true},
    {"subkeys", false}, {"detailed-metadata", false}};

static int find_known_path(const char *first, size_t len)
{
    for (size_t i = 0; i < sizeof known_paths / sizeof known_paths[0]; i++)
        if (strlen(known_paths[i].name) == len && strncmp(known_paths[i].name, first, len) == 0)
            return (int)i;
    return -1;
}

/* Somebody took the mount for one of version 1: say so, as the command line shows it. */
static int refuse_path(struct request *req)
{
    static const char *const verbs[] = {
        [OP_READ] = "get",   [OP_LIST] = "list",   [OP_CREATE] = "put",
        [OP_UPDATE] = "put", [OP_PATCH] = "patch", [OP_DELETE] = "delete",
    };
    size_t len = strcspn(req->mount_relative, "/");
    const char *rest = req->mount_relative + len;
    int known = find_known_path(req->mount_relative, len);
    if (known >= 0 && strcmp(rest, "/") == 0 && req->operation == OP_READ)
        return ERR_NOTFOUND;
    if (known >= 0 ? *rest == '/' : strcmp(req->mount_relative, "config") == 0)
        return fail(req, ERR_UNSUPPORTED, "1 error occurred:\n\t* unsupported operation\n\n");
    if (known >= 0 && known_paths[known].is_old)
        reply_warn(req, "Non-listing operations on the root of a K/V v2 mount are not supported.");
    else
        reply_warn(
            req,
            "Invalid path for a versioned K/V secrets engine. See the API docs for the appropriate API endpoints "
            "to use. If using the Coffer CLI, use 'coffer kv %s' for this operation.",
            verbs[req->operation]);
    reply_data(req, NULL);
    reply_status(req, 404);
    return OK;
}

const struct route kv_v2_routes[] = {
    {"config", OP_READ, kv_config_read, 0, "Read the mount's limits.", config_fields, NULL},
    {"config", OP_UPDATE, kv_config_write, 0, "Set the mount's limits.", config_fields, NULL},
    {"data/*path", OP_READ, kv_data_read, 0, "Read a version of a secret.", data_fields, NULL},
    {"data/*path", OP_UPDATE, kv_data_write, 0, "Write a new version.", data_fields, kv_key_exists},
    {"data/*path", OP_PATCH, kv_data_patch, 0, "Write a new version by changing the latest.", data_fields, NULL},
    {"data/*path", OP_DELETE, kv_data_delete, 0, "Delete the latest version; it can be undeleted.", data_fields, NULL},
    {"subkeys/*path", OP_READ, kv_subkeys_read, 0, "Read the keys of a secret without its values.", subkeys_fields,
     NULL},
    {"delete/*path", OP_UPDATE, kv_versions_delete, 0, "Delete versions; they can be undeleted.", versions_fields,
     NULL},
    {"undelete/*path", OP_UPDATE, kv_versions_undelete, 0, "Undelete versions.", versions_fields, NULL},
    {"destroy/*path", OP_UPDATE, kv_versions_destroy, 0, "Remove versions for good.", versions_fields, NULL},
    {"metadata/", OP_LIST, kv_metadata_list, 0, "List the keys.", list_fields, NULL},
    {"metadata/*path", OP_LIST, kv_metadata_list, 0, "List the keys in a directory.", list_fields, NULL},
    {"metadata/*path", OP_READ, kv_metadata_read, 0, "Read what is known of a key.", metadata_fields, NULL},
    {"metadata/*path", OP_UPDATE, kv_metadata_write, 0, "Set a key's limits and texts.", metadata_fields,
     kv_key_exists},
    {"metadata/*path", OP_PATCH, kv_metadata_patch, 0, "Change a key's limits and texts.", metadata_fields, NULL},
    {"metadata/*path", OP_DELETE, kv_metadata_delete, 0, "Remove a key with all its versions.", metadata_fields, NULL},
    {"detailed-metadata/", OP_LIST, kv_metadata_list_detailed, 0, "List the keys, with what is known of each.",
     list_fields, NULL},
    {"detailed-metadata/*path", OP_LIST, kv_metadata_list_detailed, 0, "List the keys in a directory in detail.",
     list_fields, NULL},
    {"", OP_LIST, refuse_path, 0, NULL, NULL, NULL},
    {"", OP_READ, refuse_path, 0, NULL, NULL, NULL},
    {"", OP_UPDATE, refuse_path, 0, NULL, NULL, NULL},
    {"", OP_PATCH, refuse_path, 0, NULL, NULL, NULL},
    {"", OP_DELETE, refuse_path, 0, NULL, NULL, NULL},
    {"*path", OP_LIST, refuse_path, 0, NULL, NULL, NULL},
    {"*path", OP_READ, refuse_path, 0, NULL, NULL, NULL},
    {"*path", OP_UPDATE, refuse_path, 0, NULL, NULL, NULL},
    {"*path", OP_PATCH, refuse_path, 0, NULL, NULL, NULL},
    {"*path", OP_DELETE, refuse_path, 0, NULL, NULL, NULL},
    {0},
};

/* ---- The engine ---- */

/* An empty or missing version is 1. A value that is none of both was refused when the mount was made. */
static const struct route *routes_of(const struct request *req)
{
    if (req->mount->is_upgrading)
        return kv_upgrading_routes;
    return strcmp(json_str(req->mount->options, "version", "1"), "2") == 0 ? kv_v2_routes : kv_v1_routes;
}

static int mounted(struct request *req)
{
    const char *version = json_str(req->mount->options, "version", "1");
    if (version[0] != '\0' && strcmp(version, "1") != 0 && strcmp(version, "2") != 0)
        return fail(req, ERR_INVALID, "version must be 1 or 2, not \"%.16s\"", version);
    return OK;
}

bool kv_path_is_dir(const char *path)
{
    return path[0] == '\0' || path[strlen(path) - 1] == '/';
}

int kv_list(struct request *req, const char *dir, json_t **ret_names)
{
    int64_t limit = field_int(req, "limit", 0);
    return mount_list_page(req, dir, field_str(req, "after", NULL), limit > 0 ? (size_t)limit : 0, ret_names);
}

const struct engine kv_engine = {
    .type = "kv",
    .kind = ENGINE_SECRET,
    .description = "key/value secret storage",
    .routes_of = routes_of,
    .mounted = mounted,
    .upgrade = kv_upgrade,
};
