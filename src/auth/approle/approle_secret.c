/* SPDX-License-Identifier: Apache-2.0 */
/*
 * approle_secret.c — secret ids. {"accessor", "num_uses", "ttl", "created", "expires", "updated", "metadata",
 * "cidr_list", "token_bound_cidrs"}, times in nanoseconds, expires 0 for never.
 */
#include <string.h>

#include "auth/approle/approle_private.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/secret.h"
#include "core/mount/mount.h"

#define NS_PER_S     INT64_C(1000000000)
#define TIDY_AT_ONCE 10000
#define GO_ZERO_TIME "0001-01-01T00:00:00Z" /* how clients know a time that is none */

static const char *uid_of(const json_t *role)
{
    return json_str(role, "uid", "");
}

static const char *secret_path(struct request *req, const json_t *role, const char *mac)
{
    return arena_printf(&req->arena, "secret/%s/%s", uid_of(role), mac);
}

static const char *accessor_path(struct request *req, const json_t *role, const char *accessor)
{
    return arena_printf(&req->arena, "accessor/%s/%s", uid_of(role), accessor);
}

static bool is_over(const struct request *req, const json_t *secret)
{
    int64_t expires_ns = json_int(secret, "expires", 0);
    return expires_ns != 0 && expires_ns <= request_time_ns(req);
}

static int load_by_mac(struct request *req, const json_t *role, const char *mac, const json_t **ret_secret)
{
    json_t *secret;
    int rc = mount_get_shared(req, secret_path(req, role, mac), &secret);
    if (rc != OK)
        return rc;
    request_own(req, secret);
    *ret_secret = secret;
    return OK;
}

int secret_load(struct request *req, const json_t *role, const char *secret_id, const json_t **ret_secret)
{
    const json_t *secret;
    const char *mac = strlen(secret_id) <= APPROLE_TEXT_MAX ? approle_mac(req, uid_of(role), secret_id) : NULL;
    if (mac == NULL)
        return ERR_NOTFOUND;
    int rc = load_by_mac(req, role, mac, &secret);
    if (rc == OK && is_over(req, secret))
        rc = ERR_NOTFOUND;
    if (rc == OK)
        *ret_secret = secret;
    return rc;
}

static int delete_secret(struct request *req, const json_t *role, const char *mac, const json_t *secret)
{
    int rc = mount_delete(req, secret_path(req, role, mac));
    return rc == OK ? mount_delete(req, accessor_path(req, role, json_str(secret, "accessor", ""))) : rc;
}

int secret_use(struct request *req, const json_t *role, const char *secret_id, const json_t *secret)
{
    int64_t uses = json_int(secret, "num_uses", 0);
    const char *mac = uses > 0 ? approle_mac(req, uid_of(role), secret_id) : "";
    if (mac == NULL)
        return ERR_SEALED;
    if (uses == 0)
        return OK;
    if (uses == 1)
        return delete_secret(req, role, mac, secret);
    json_t *used = json_copy((json_t *)secret);
    json_object_set_new(used, "num_uses", json_integer(uses - 1));
    json_object_set_new(used, "updated", json_integer(request_time_ns(req)));
    return mount_put_new(req, secret_path(req, role, mac), used);
}

static int delete_below(struct request *req, const char *dir)
{
    json_t *names, *name;
    size_t i;
    int rc = mount_list(req, dir, &names);
    if (rc != OK)
        return rc;
    json_array_foreach(names, i, name) if (rc == OK) rc =
        mount_delete(req, arena_printf(&req->arena, "%s%s", dir, json_string_value(name)));
    json_decref(names);
    return rc;
}

int secret_delete_all(struct request *req, const json_t *role)
{
    int rc = delete_below(req, secret_path(req, role, ""));
    return rc == OK ? delete_below(req, accessor_path(req, role, "")) : rc;
}

/* ---- Making ---- */

/* What the role allows, unless less was asked for; 0 means without bounds. */
static int check_bounds(struct request *req, const json_t *role, int64_t *ret_uses, int64_t *ret_ttl_s)
{
    int64_t role_uses = json_int(role, "secret_id_num_uses", 0), role_ttl_s = json_int(role, "secret_id_ttl", 0);
    int64_t uses = field_int(req, "num_uses", role_uses), ttl_s = field_int(req, "ttl", role_ttl_s);
    if (uses < 0)
        return fail(req, ERR_INVALID, "num_uses cannot be negative");
    if (role_uses > 0 && (uses == 0 || uses > role_uses))
        return fail(req, ERR_INVALID, "num_uses cannot be higher than the role's secret_id_num_uses");
    if (role_ttl_s > 0 && (ttl_s == 0 || ttl_s > role_ttl_s))
        return fail(req, ERR_INVALID, "ttl cannot be longer than the role's secret_id_ttl");
    int64_t max_s = mount_max_ttl_s(req, req->mount);
    *ret_uses = uses;
    *ret_ttl_s = ttl_s > max_s ? max_s : ttl_s;
    return OK;
}

static json_t *or_empty(json_t *given, json_t *empty)
{
    if (given == NULL)
        return empty;
    json_decref(empty);
    return json_incref(given);
}

static json_t *new_secret(struct request *req, int64_t uses, int64_t ttl_s)
{
    char accessor[37];
    int64_t now_ns = request_time_ns(req);
    random_uuid(accessor);
    json_t *secret = json_pack("{s:s, s:I, s:I, s:I, s:I, s:I}", "accessor", accessor, "num_uses", (json_int_t)uses,
                               "ttl", (json_int_t)ttl_s, "created", (json_int_t)now_ns, "updated", (json_int_t)now_ns,
                               "expires", (json_int_t)(ttl_s > 0 ? now_ns + ttl_s * NS_PER_S : 0));
    json_object_set_new(secret, "metadata", or_empty(field_json(req, "metadata"), json_object()));
    json_object_set_new(secret, "cidr_list", or_empty(field_json(req, "cidr_list"), json_array()));
    json_object_set_new(secret, "token_bound_cidrs", or_empty(field_json(req, "token_bound_cidrs"), json_array()));
    request_own(req, secret);
    return secret;
}

static int store_new(struct request *req, const json_t *role, const char *secret_id, json_t *secret)
{
    const json_t *there;
    const char *mac = approle_mac(req, uid_of(role), secret_id), *accessor = json_str(secret, "accessor", "");
    if (mac == NULL)
        return ERR_SEALED;
    int rc = load_by_mac(req, role, mac, &there);
    if (rc == OK && is_over(req, there))
        rc = delete_secret(req, role, mac, there) == OK ? ERR_NOTFOUND : ERR_IO;
    if (rc == OK)
        return fail(req, ERR_INTERNAL,
                    "1 error occurred:\n\t* failed to store secret_id: SecretID is already registered\n\n");
    if (rc != ERR_NOTFOUND)
        return rc;
    rc = mount_put_new(req, accessor_path(req, role, accessor), json_pack("{s:s}", "mac", mac));
    return rc == OK ? mount_put(req, secret_path(req, role, mac), secret) : rc;
}

/* For a role that is not there, code is what clients know; and with 500 its sentence has the form of a list. */
static int load_role_or(struct request *req, int code, json_t **ret_role)
{
    int rc = role_load(req, ret_role);
    if (rc != ERR_NOTFOUND)
        return rc;
    const char *name = capture(req, "role_name");
    if (code == ERR_INTERNAL)
        return fail(req, code, "1 error occurred:\n\t* role \"%s\" does not exist\n\n", name);
    return fail(req, code, "role \"%s\" does not exist", name);
}

static int create(struct request *req, const char *secret_id)
{
    json_t *role;
    int64_t uses = 0, ttl_s = 0;
    int rc = load_role_or(req, ERR_NOTFOUND, &role);
    if (rc == OK && !json_flag(role, "bind_secret_id", true))
        rc = fail(req, ERR_INVALID, "bind_secret_id is not set on the role");
    if (rc == OK)
        rc = check_bounds(req, role, &uses, &ttl_s);
    if (rc == OK)
        rc = secret_check_addresses(req, role);
    if (rc != OK)
        return rc;
    json_t *secret = new_secret(req, uses, ttl_s);
    rc = store_new(req, role, secret_id, secret);
    if (rc == OK)
        reply_data(req, json_pack("{s:s, s:O, s:I, s:I}", "secret_id", secret_id, "secret_id_accessor",
                                  json_object_get(secret, "accessor"), "secret_id_ttl", (json_int_t)ttl_s,
                                  "secret_id_num_uses", (json_int_t)uses));
    return rc;
}

int secret_create(struct request *req)
{
    char secret_id[37];
    random_uuid(secret_id);
    int rc = create(req, secret_id);
    secret_wipe(secret_id, sizeof secret_id);
    return rc;
}

int secret_create_custom(struct request *req)
{
    const char *secret_id = field_str(req, "secret_id", "");
    if (secret_id[0] == '\0')
        return fail(req, ERR_INVALID, "missing secret_id");
    if (strlen(secret_id) > APPROLE_TEXT_MAX)
        return fail(req, ERR_INVALID, "a secret_id is at most %d bytes long", APPROLE_TEXT_MAX);
    return create(req, secret_id);
}

/* ---- Asking and destroying ---- */

int secret_list(struct request *req)
{
    json_t *role, *names;
    int rc = load_role_or(req, ERR_INVALID, &role);
    if (rc == OK)
        rc = mount_list(req, accessor_path(req, role, ""), &names);
    return rc == OK ? reply_keys(req, names) : rc;
}

static json_t *time_text(int64_t wall_ns)
{
    char text[40] = GO_ZERO_TIME;
    if (wall_ns != 0)
        clock_format_rfc3339(wall_ns, text, sizeof text);
    return json_string(text);
}

static void reply_secret(struct request *req, const json_t *secret)
{
    static const char *const same[] = {"metadata", "cidr_list", "token_bound_cidrs"};
    json_t *data = json_object();
    json_object_set(data, "secret_id_accessor", json_object_get(secret, "accessor"));
    json_object_set(data, "secret_id_num_uses", json_object_get(secret, "num_uses"));
    json_object_set(data, "secret_id_ttl", json_object_get(secret, "ttl"));
    json_object_set_new(data, "creation_time", time_text(json_int(secret, "created", 0)));
    json_object_set_new(data, "expiration_time", time_text(json_int(secret, "expires", 0)));
    json_object_set_new(data, "last_updated_time", time_text(json_int(secret, "updated", 0)));
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++)
        json_object_set(data, same[i], json_object_get(secret, same[i]));
    reply_data(req, data);
}

/* The role, and the secret id that the request names; ERR_NOTFOUND without a sentence when there is no such one. */
static int find_secret(struct request *req, json_t **ret_role, const json_t **ret_secret)
{
    const char *secret_id = field_str(req, "secret_id", "");
    if (secret_id[0] == '\0')
        return fail(req, ERR_INVALID, "missing secret_id");
    int rc = load_role_or(req, ERR_INTERNAL, ret_role);
    return rc == OK ? secret_load(req, *ret_role, secret_id, ret_secret) : rc;
}

int secret_lookup(struct request *req)
{
    json_t *role;
    const json_t *secret;
    int rc = find_secret(req, &role, &secret);
    if (rc == OK)
        reply_secret(req, secret);
    return rc == ERR_NOTFOUND ? OK : rc;
}

int secret_destroy(struct request *req)
{
    json_t *role;
    const json_t *secret;
    int rc = find_secret(req, &role, &secret);
    if (rc != OK)
        return rc == ERR_NOTFOUND ? OK : rc;
    const char *mac = approle_mac(req, uid_of(role), field_str(req, "secret_id", ""));
    return mac != NULL ? delete_secret(req, role, mac, secret) : ERR_SEALED;
}

/* Only among the secret ids of the role in the path. */
static int find_by_accessor(struct request *req, json_t **ret_role, const char **ret_mac, const json_t **ret_secret)
{
    const char *accessor = field_str(req, "secret_id_accessor", "");
    json_t *entry;
    if (accessor[0] == '\0')
        return fail(req, ERR_INVALID, "missing secret_id_accessor");
    int rc = load_role_or(req, ERR_INTERNAL, ret_role);
    if (rc != OK)
        return rc;
    if (strlen(accessor) > 64 || strchr(accessor, '/') != NULL)
        return ERR_NOTFOUND;
    rc = mount_get(req, accessor_path(req, *ret_role, accessor), &entry);
    if (rc != OK)
        return rc;
    request_own(req, entry);
    *ret_mac = json_str(entry, "mac", "");
    return load_by_mac(req, *ret_role, *ret_mac, ret_secret);
}

static const char *no_accessor(struct request *req)
{
    return arena_printf(&req->arena, "failed to find accessor entry for secret_id_accessor: \"%.64s\"",
                        field_str(req, "secret_id_accessor", ""));
}

int secret_accessor_lookup(struct request *req)
{
    json_t *role;
    const json_t *secret;
    const char *mac;
    int rc = find_by_accessor(req, &role, &mac, &secret);
    if (rc == OK && !is_over(req, secret))
        reply_secret(req, secret);
    else if (rc == OK || (rc == ERR_NOTFOUND && req->err.text[0] == '\0')) {
        reply_data(req, json_pack("{s:s}", "error", no_accessor(req)));
        reply_status(req, 404);
        rc = OK;
    }
    return rc;
}

int secret_accessor_destroy(struct request *req)
{
    json_t *role;
    const json_t *secret;
    const char *mac;
    int rc = find_by_accessor(req, &role, &mac, &secret);
    if (rc == ERR_NOTFOUND)
        return fail(req, ERR_INTERNAL, "1 error occurred:\n\t* %s\n\n", no_accessor(req));
    return rc == OK ? delete_secret(req, role, mac, secret) : rc;
}

/* ---- Tidying ---- */

static int tidy_role(struct request *req, const char *name, int *budget)
{
    const json_t *role, *secret;
    json_t *macs, *mac;
    size_t i;
    int rc = role_load_named(req, name, &role);
    if (rc == OK)
        rc = mount_list(req, secret_path(req, role, ""), &macs);
    if (rc != OK)
        return rc == ERR_NOTFOUND ? OK : rc;
    json_array_foreach(macs, i, mac)
    {
        if (rc != OK || *budget == 0)
            break;
        --*budget;
        rc = load_by_mac(req, role, json_string_value(mac), &secret);
        if (rc == OK && is_over(req, secret))
            rc = delete_secret(req, role, json_string_value(mac), secret);
    }
    json_decref(macs);
    return rc;
}

int secret_tidy(struct request *req)
{
    json_t *names, *name;
    size_t i;
    int budget = TIDY_AT_ONCE;
    int rc = mount_list(req, "role/", &names);
    if (rc != OK)
        return rc;
    json_array_foreach(names, i, name) if (rc == OK) rc = tidy_role(req, json_string_value(name), &budget);
    json_decref(names);
    if (rc != OK)
        return rc;
    reply_data(req, NULL);
    reply_warn(req, "Secret ids whose time is over were removed, as far as %d could be looked at.", TIDY_AT_ONCE);
    reply_status(req, 202);
    return OK;
}
