/* SPDX-License-Identifier: Apache-2.0 */
/*
 * approle_role.c — roles, as a whole and one parameter at a time.
 */
#include <ctype.h>
#include <string.h>

#include "auth/approle/approle_private.h"
#include "base/duration.h"
#include "base/encoding.h"
#include "base/json.h"
#include "base/secret.h"
#include "core/core.h"
#include "core/mount/mount.h"
#include "storage/barrier.h"

/* ---- Records ---- */

const char *approle_mac(struct request *req, const char *scope, const char *text)
{
    unsigned char mac[32];
    char hex[2 * sizeof mac + 1];
    const char *both = arena_printf(&req->arena, "%s/%s", scope, text);
    if (barrier_mac(core_barrier(req->core), "approle", both, strlen(both), mac) != OK)
        return NULL;
    hex_encode(mac, sizeof mac, hex);
    return arena_strdup(&req->arena, hex);
}

/* Names are the same in whatever case they are written. */
static const char *role_name(struct request *req)
{
    char *name = arena_strdup(&req->arena, capture(req, "role_name"));
    for (char *c = name; *c != '\0'; c++)
        *c = (char)tolower((unsigned char)*c);
    return name;
}

static const char *role_path(struct request *req, const char *name)
{
    return arena_printf(&req->arena, "role/%s", name);
}

int role_load(struct request *req, json_t **ret_role)
{
    int rc = mount_get(req, role_path(req, role_name(req)), ret_role);
    if (rc == OK)
        request_own(req, *ret_role);
    return rc;
}

/* To look at. */
static int load_shared(struct request *req, const char *path, const json_t **ret_record)
{
    json_t *record;
    int rc = mount_get_shared(req, path, &record);
    if (rc != OK)
        return rc;
    request_own(req, record);
    *ret_record = record;
    return OK;
}

int role_load_named(struct request *req, const char *name, const json_t **ret_role)
{
    return load_shared(req, role_path(req, name), ret_role);
}

static int role_save(struct request *req, const json_t *role)
{
    return mount_put(req, role_path(req, json_str(role, "name", "")), role);
}

/* Where the role is found by its role_id. NULL when the barrier is sealed. */
static const char *index_path(struct request *req, const char *role_id)
{
    const char *mac = approle_mac(req, "role", role_id);
    return mac != NULL ? arena_printf(&req->arena, "role-id/%s", mac) : NULL;
}

int role_load_by_id(struct request *req, const char *role_id, const json_t **ret_role)
{
    const json_t *entry;
    const char *path = index_path(req, role_id);
    if (path == NULL)
        return ERR_SEALED;
    int rc = load_shared(req, path, &entry);
    return rc == OK ? role_load_named(req, json_str(entry, "role", ""), ret_role) : rc;
}

/* Gives the role its role_id, which no other role may have. */
static int set_role_id(struct request *req, json_t *role, const char *role_id)
{
    const char *name = json_str(role, "name", ""), *before = json_str(role, "role_id", NULL);
    const json_t *holder;
    if (strlen(role_id) > APPROLE_TEXT_MAX)
        return fail(req, ERR_INVALID, "a role_id is at most %d bytes long", APPROLE_TEXT_MAX);
    int rc = role_load_by_id(req, role_id, &holder);
    if (rc == OK && strcmp(json_str(holder, "name", ""), name) != 0)
        return fail(req, ERR_INTERNAL, "1 error occurred:\n\t* role_id already in use\n\n");
    if (rc == OK || rc != ERR_NOTFOUND)
        return rc;
    rc = before != NULL ? mount_delete(req, index_path(req, before)) : OK;
    json_object_set_new(role, "role_id", json_string(role_id));
    return rc == OK ? mount_put_new(req, index_path(req, role_id), json_pack("{s:s}", "role", name)) : rc;
}

/* ---- Parameters ---- */

static int check_role(struct request *req, const json_t *role)
{
    int64_t max = mount_max_ttl_s(req, req->mount), period = json_int(role, "token_period", 0);
    if (json_int(role, "secret_id_num_uses", 0) < 0)
        return fail(req, ERR_INVALID, "secret_id_num_uses cannot be negative");
    if (period > max) {
        char period_text[40], max_text[40];
        duration_format_go(period * 1000000000, period_text, sizeof period_text);
        duration_format_go(max * 1000000000, max_text, sizeof max_text);
        return fail(req, ERR_INVALID, "period of \"%s\" is greater than the backend's maximum lease TTL of \"%s\"",
                    period_text, max_text);
    }
    bool has_constraint = json_flag(role, "bind_secret_id", true) ||
                          json_array_size(json_list_at(role, "secret_id_bound_cidrs")) > 0 ||
                          json_array_size(json_list_at(role, "token_bound_cidrs")) > 0;
    if (!has_constraint)
        return fail(req, ERR_INTERNAL,
                    "1 error occurred:\n\t* at least one constraint should be enabled on the role\n\n");
    return role_check_blocks(req, json_list_at(role, "secret_id_bound_cidrs"), "CIDR blocks");
}

static const char *const own_params[] = {"bind_secret_id", "secret_id_bound_cidrs", "secret_id_num_uses",
                                         "secret_id_ttl"};

#define N_OWN_PARAMS (sizeof own_params / sizeof own_params[0])

static int take_params(struct request *req, json_t *role)
{
    if (field_given(req, "bound_cidr_list"))
        json_object_set(role, "secret_id_bound_cidrs", field_json(req, "bound_cidr_list"));
    for (size_t i = 0; i < N_OWN_PARAMS; i++)
        if (field_given(req, own_params[i]))
            json_object_set(role, own_params[i], json_object_get(req->fields, own_params[i]));
    int rc = token_params_take(req, role, approle_aliases);
    return rc == OK ? check_role(req, role) : rc;
}

static json_t *describe(const json_t *role)
{
    json_t *blocks = json_list_at(role, "secret_id_bound_cidrs");
    json_t *data = json_pack("{s:b, s:b, s:I, s:I}", "bind_secret_id", json_flag(role, "bind_secret_id", true),
                             "local_secret_ids", json_flag(role, "local_secret_ids", false), "secret_id_num_uses",
                             (json_int_t)json_int(role, "secret_id_num_uses", 0), "secret_id_ttl",
                             (json_int_t)json_int(role, "secret_id_ttl", 0));
    json_object_set_new(data, "secret_id_bound_cidrs", json_array_size(blocks) > 0 ? json_incref(blocks) : json_null());
    token_params_describe(role, approle_aliases, data);
    return data;
}

/* ---- Whole roles ---- */

int role_list(struct request *req)
{
    json_t *names;
    int rc = mount_list(req, "role/", &names);
    return rc == OK ? reply_keys(req, names) : rc;
}

int role_exists(struct request *req, bool *ret_exists)
{
    json_t *role;
    int rc = role_load(req, &role);
    *ret_exists = rc == OK;
    return rc == ERR_NOTFOUND ? OK : rc;
}

int role_read(struct request *req)
{
    json_t *role;
    int rc = role_load(req, &role);
    if (rc == OK)
        reply_data(req, describe(role));
    return rc;
}

static json_t *new_role(struct request *req)
{
    char uid[37];
    random_uuid(uid);
    json_t *role = json_pack("{s:s, s:s}", "name", role_name(req), "uid", uid);
    request_own(req, role);
    return role;
}

static int take_role_id(struct request *req, json_t *role, bool is_new)
{
    char uuid[37];
    const char *role_id = field_str(req, "role_id", NULL);
    if (role_id != NULL && role_id[0] == '\0')
        return fail(req, ERR_INVALID, "invalid role_id supplied, or failed to generate a role_id");
    if (role_id == NULL && !is_new)
        return OK;
    random_uuid(uuid);
    return set_role_id(req, role, role_id != NULL ? role_id : uuid);
}

int role_write(struct request *req)
{
    json_t *role;
    int rc = role_load(req, &role);
    bool is_new = rc == ERR_NOTFOUND;
    if (rc != OK && !is_new)
        return rc;
    if (is_new)
        role = new_role(req);
    if (!is_new && field_given(req, "local_secret_ids"))
        return fail(req, ERR_INVALID, "local_secret_ids can only be modified during role creation");
    if (is_new)
        json_object_set_new(role, "local_secret_ids", json_boolean(field_bool(req, "local_secret_ids", false)));
    rc = take_params(req, role);
    if (rc == OK)
        rc = take_role_id(req, role, is_new);
    if (rc == OK)
        rc = role_save(req, role);
    if (rc == OK && json_int(role, "token_max_ttl", 0) > mount_max_ttl_s(req, req->mount)) {
        reply_data(req, NULL);
        reply_warn(req, "token_max_ttl is greater than the backend mount's maximum TTL value; issued tokens' max TTL "
                        "value will be truncated");
    }
    return rc;
}

int role_delete(struct request *req)
{
    json_t *role;
    int rc = role_load(req, &role);
    if (rc != OK)
        return rc == ERR_NOTFOUND ? OK : rc;
    rc = secret_delete_all(req, role);
    if (rc == OK)
        rc = mount_delete(req, index_path(req, json_str(role, "role_id", "")));
    return rc == OK ? mount_delete(req, role_path(req, json_str(role, "name", ""))) : rc;
}

int role_id_read(struct request *req)
{
    json_t *role;
    int rc = role_load(req, &role);
    if (rc == OK)
        reply_data(req, json_pack("{s:s}", "role_id", json_str(role, "role_id", "")));
    return rc;
}

/* Below a role that is not there, there is nothing to write to. */
static int load_for_write(struct request *req, json_t **ret_role)
{
    int rc = role_load(req, ret_role);
    return rc == ERR_NOTFOUND ? fail(req, rc, "1 error occurred:\n\t* unsupported path\n\n") : rc;
}

int role_id_write(struct request *req)
{
    json_t *role;
    const char *role_id = field_str(req, "role_id", "");
    int rc = load_for_write(req, &role);
    if (rc == OK && role_id[0] == '\0')
        rc = fail(req, ERR_INVALID, "missing role_id");
    if (rc == OK)
        rc = set_role_id(req, role, role_id);
    return rc == OK ? role_save(req, role) : rc;
}

/* ---- One parameter ---- */

static const struct role_field {
    const char *path; /* what the route ends in */
    const char *name;
    const char *alias; /* another name that it is written and shown under, or NULL */
    bool may_be_missing;
} role_fields[] = {
    {"policies", "token_policies", "policies", false},
    {"bind-secret-id", "bind_secret_id", NULL, false},
    {"secret-id-bound-cidrs", "secret_id_bound_cidrs", NULL, true},
    {"bound-cidr-list", "secret_id_bound_cidrs", "bound_cidr_list", true},
    {"secret-id-num-uses", "secret_id_num_uses", NULL, false},
    {"secret-id-ttl", "secret_id_ttl", NULL, false},
    {"period", "token_period", "period", false},
    {"token-num-uses", "token_num_uses", NULL, false},
    {"token-ttl", "token_ttl", NULL, false},
    {"token-max-ttl", "token_max_ttl", NULL, false},
    {"token-bound-cidrs", "token_bound_cidrs", NULL, true},
    {"local-secret-ids", "local_secret_ids", NULL, false},
};

static const struct role_field *field_of(const struct request *req)
{
    const struct role_field *field = role_fields;
    while (strcmp(field->path, strrchr(req->route->path, '/') + 1) != 0)
        field++;
    return field;
}

static bool is_old_name(const struct role_field *field)
{
    return strcmp(field->path, "bound-cidr-list") == 0;
}

int role_field_read(struct request *req)
{
    const struct role_field *field = field_of(req);
    json_t *role;
    int rc = role_load(req, &role);
    if (rc != OK)
        return rc;
    json_t *all = describe(role), *data = json_object(), *value = json_object_get(all, field->name);
    bool is_null = field->may_be_missing && json_array_size(value) == 0;
    const char *shown_as = is_old_name(field) ? field->alias : field->name;
    json_object_set_new(data, shown_as, is_null ? json_null() : json_incref(value));
    if (field->alias != NULL && json_object_get(all, field->alias) != NULL)
        json_object_set(data, field->alias, value);
    json_decref(all);
    reply_data(req, data);
    if (is_old_name(field))
        reply_warn(req, "The \"bound_cidr_list\" field is deprecated and will be removed. Please use "
                        "\"secret_id_bound_cidrs\" instead.");
    return OK;
}

/* The path is for one parameter; others in the body are passed over. */
static void keep_only(struct request *req, const struct role_field *field)
{
    json_t *kept = json_object();
    const char *names[] = {field->name, field->alias, "role_name"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (names[i] != NULL && field_given(req, names[i]))
            json_object_set(kept, names[i], json_object_get(req->fields, names[i]));
    json_decref(req->fields);
    req->fields = kept;
}

int role_field_write(struct request *req)
{
    const struct role_field *field = field_of(req);
    json_t *role;
    int rc = load_for_write(req, &role);
    if (rc != OK)
        return rc;
    keep_only(req, field);
    bool is_given = field_given(req, field->name) || (field->alias != NULL && field_given(req, field->alias));
    if (!is_given && !field->may_be_missing)
        return fail(req, ERR_INVALID, "missing %s", strcmp(field->path, "period") == 0 ? field->alias : field->name);
    rc = take_params(req, role);
    return rc == OK ? role_save(req, role) : rc;
}

int role_field_reset(struct request *req)
{
    const struct role_field *field = field_of(req);
    json_t *role;
    int rc = role_load(req, &role);
    if (rc != OK)
        return rc == ERR_NOTFOUND ? OK : rc;
    json_object_del(role, field->name);
    if (field->alias != NULL)
        json_object_del(json_map_at(role, "aliases"), field->alias);
    rc = check_role(req, role);
    return rc == OK ? role_save(req, role) : rc;
}
