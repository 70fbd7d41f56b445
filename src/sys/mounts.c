/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mounts.c — sys/mounts, sys/auth and their /tune; sys/internal/ui/mounts.
 */
#include <string.h>

#include "base/json.h"
#include "core/mount/mount.h"
#include "core/policy/policy.h"
#include "core/request/request.h"
#include "core/token/token.h"
#include "sys/handlers.h"

const struct field sys_mount_fields[] = {
    {"type", FIELD_STRING, "The type of the engine or method."},
    {"description", FIELD_STRING, "A text for people."},
    {"config", FIELD_MAP, "The settings, when enabling: those below."},
    {"options", FIELD_KV, "Settings of the engine's own: kv's version."},
    {"local", FIELD_BOOL, "Shown; without effect."},
    {"seal_wrap", FIELD_BOOL, "Shown; without effect."},
    {"external_entropy_access", FIELD_BOOL, "Without effect."},
    {"plugin_name", FIELD_STRING, "The type, where that is \"plugin\"."},
    {"plugin_version", FIELD_STRING, "There is none to choose: all engines are built in."},
    {"default_lease_ttl", FIELD_ANY, "How long leases live that ask for nothing; \"system\": as the server's."},
    {"max_lease_ttl", FIELD_ANY, "How long leases live at the most; \"system\": as the server's."},
    {"force_no_cache", FIELD_BOOL, "Shown; without effect."},
    {"audit_non_hmac_request_keys", FIELD_LIST, "Keys of requests that audit devices write in clear."},
    {"audit_non_hmac_response_keys", FIELD_LIST, "Keys of answers that audit devices write in clear."},
    {"listing_visibility", FIELD_STRING, "unauth: listed to everybody; hidden."},
    {"passthrough_request_headers", FIELD_LIST, "Kept and shown: no engine looks at headers."},
    {"allowed_response_headers", FIELD_LIST, "Kept and shown: no engine sets headers."},
    {"token_type", FIELD_STRING, "Of an auth method: default-service, default-batch, service or batch."},
    {"user_lockout_config", FIELD_MAP, "When whoever is tried with wrong secrets is locked out."},
    {0},
};

static bool is_auth(const struct mount *mount)
{
    return strncmp(mount->path, "auth/", 5) == 0;
}

/* As listed: without "auth/". */
static const char *listed_path(const struct mount *mount)
{
    return is_auth(mount) ? mount->path + 5 : mount->path;
}

static int list_kind(struct request *req, bool want_auth)
{
    json_t *data = json_object();
    for (size_t i = 0; i < mount_table_count(req->mounts); i++) {
        const struct mount *mount = mount_table_at(req->mounts, i);
        if (is_auth(mount) == want_auth)
            json_object_set_new(data, listed_path(mount), mount_info(mount));
    }
    reply_data(req, data);
    return OK;
}

int sys_mounts_list(struct request *req)
{
    return list_kind(req, false);
}

int sys_auth_list(struct request *req)
{
    return list_kind(req, true);
}

/* The captured path with a '/' at its end, and whether "/tune" was at its end. */
static const char *mount_path(struct request *req, bool *ret_tune)
{
    char *path = arena_strdup(&req->arena, capture(req, "path"));
    size_t len = strlen(path);
    *ret_tune = len > 5 && strcmp(path + len - 5, "/tune") == 0;
    if (*ret_tune)
        path[len -= 5] = '\0';
    while (len > 0 && path[len - 1] == '/')
        path[--len] = '\0';
    return arena_printf(&req->arena, "%s/", path);
}

static const struct mount *find_exact(struct request *req, enum engine_kind kind, const char *path)
{
    if (kind == ENGINE_AUTH)
        path = arena_printf(&req->arena, "auth/%s", path);
    const struct mount *mount = mount_table_find(req->mounts, path);
    return mount != NULL && strcmp(mount->path, path) == 0 ? mount : NULL;
}

static json_t *tune_data(struct request *req, const struct mount *mount)
{
    json_t *data = mount->config != NULL ? json_deep_copy(mount->config) : json_object();
    json_object_set_new(data, "description", json_string(mount->description));
    json_object_set_new(data, "default_lease_ttl", json_integer(mount_default_ttl_s(req, mount)));
    json_object_set_new(data, "max_lease_ttl", json_integer(mount_max_ttl_s(req, mount)));
    if (json_object_get(data, "force_no_cache") == NULL)
        json_object_set_new(data, "force_no_cache", json_false());
    if (is_auth(mount) && json_object_get(data, "token_type") == NULL)
        json_object_set_new(data, "token_type", json_string("default-service"));
    if (json_object_size(mount->options) > 0)
        json_object_set(data, "options", mount->options);
    if (json_map_at(data, "user_lockout_config") != NULL)
        json_object_update(data, json_map_at(data, "user_lockout_config"));
    json_object_del(data, "user_lockout_config");
    return data;
}

static int read_kind(struct request *req, enum engine_kind kind)
{
    bool tune;
    const char *path = mount_path(req, &tune);
    const struct mount *mount = find_exact(req, kind, path);
    if (mount == NULL && tune)
        return fail(req, ERR_INVALID, "cannot fetch sysview for path \"%s%s\"", kind == ENGINE_AUTH ? "auth/" : "",
                    path);
    if (mount == NULL)
        return fail(req, ERR_INVALID, kind == ENGINE_AUTH ? "No auth engine at %s" : "No secret engine mount at %s",
                    path);
    reply_data(req, tune ? tune_data(req, mount) : mount_info(mount));
    return OK;
}

int sys_mounts_read(struct request *req)
{
    return read_kind(req, ENGINE_SECRET);
}

int sys_auth_read(struct request *req)
{
    return read_kind(req, ENGINE_AUTH);
}

static int write_kind(struct request *req, enum engine_kind kind)
{
    bool tune;
    const char *path = mount_path(req, &tune), *type = field_str(req, "type", "");
    if (tune) {
        const struct mount *mount = find_exact(req, kind, path);
        return mount != NULL ? mount_tune(req, mount, req->fields)
                             : fail(req, ERR_INVALID, "tune of path \"%s%s\" failed: no mount entry found",
                                    kind == ENGINE_AUTH ? "auth/" : "", path);
    }
    if (type[0] == '\0')
        return fail(req, ERR_INVALID, "backend type must be specified as a string");
    return mount_enable(req, kind, path, type, req->fields);
}

int sys_mounts_write(struct request *req)
{
    return write_kind(req, ENGINE_SECRET);
}

int sys_auth_write(struct request *req)
{
    return write_kind(req, ENGINE_AUTH);
}

static int delete_kind(struct request *req, enum engine_kind kind)
{
    bool tune;
    const char *path = mount_path(req, &tune);
    return tune ? fail(req, ERR_UNSUPPORTED, "1 error occurred:\n\t* unsupported operation\n\n")
                : mount_disable(req, kind, path);
}

int sys_mounts_delete(struct request *req)
{
    return delete_kind(req, ENGINE_SECRET);
}

int sys_auth_delete(struct request *req)
{
    return delete_kind(req, ENGINE_AUTH);
}

/* ---- What a user interface or a command line asks before it knows a mount's version. A token is not needed, but
 * counts. ---- */

static bool has_token(const struct request *req)
{
    return req->client_token != NULL && req->client_token[0] != '\0';
}

int sys_caller_acl(struct request *req, struct acl **ret_acl)
{
    struct token *token;
    if (!has_token(req)) {
        *ret_acl = acl_new(NULL, 0, false);
        return OK;
    }
    int rc = token_lookup(req, req->client_token, &token);
    return rc == OK ? policy_acl(req, token->policies, ret_acl) : rc;
}

/* Whoever has not logged in yet is told what a login form needs, and no more. */
static json_t *info_for_caller(const struct request *req, const struct mount *mount)
{
    json_t *info = mount_info(mount);
    if (has_token(req))
        return info;
    json_t *public = json_pack("{s:O, s:O, s:O}", "type", json_object_get(info, "type"), "description",
                               json_object_get(info, "description"), "options", json_object_get(info, "options"));
    json_decref(info);
    return public;
}

int sys_ui_mounts_list(struct request *req)
{
    struct acl *acl;
    int rc = sys_caller_acl(req, &acl);
    if (rc != OK)
        return rc;
    json_t *secret = json_object(), *auth = json_object();
    for (size_t i = 0; i < mount_table_count(req->mounts); i++) {
        const struct mount *mount = mount_table_at(req->mounts, i);
        const char *visibility = json_str(mount->config, "listing_visibility", "");
        if (strcmp(visibility, "unauth") == 0 || acl_touches(acl, mount->path))
            json_object_set_new(is_auth(mount) ? auth : secret, listed_path(mount), info_for_caller(req, mount));
    }
    acl_unref(acl);
    reply_data(req, json_pack("{s:o, s:o}", "secret", secret, "auth", auth));
    return OK;
}

int sys_ui_mounts_read(struct request *req)
{
    struct acl *acl;
    const char *path = arena_printf(&req->arena, "%s/", capture(req, "path"));
    const struct mount *mount = mount_table_find(req->mounts, path);
    if (!has_token(req))
        return fail(req, ERR_DENIED, "permission denied");
    int rc = sys_caller_acl(req, &acl);
    if (rc != OK)
        return rc;
    bool allowed = mount != NULL && acl_touches(acl, mount->path);
    acl_unref(acl);
    if (!allowed)
        return fail(
            req, ERR_DENIED,
            "preflight capability check returned 403, please ensure client's policies grant access to path \"%s\"",
            path);
    json_t *data = mount_info(mount);
    json_object_set_new(data, "path", json_string(listed_path(mount)));
    reply_data(req, data);
    return OK;
}
