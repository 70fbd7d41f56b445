/* SPDX-License-Identifier: Apache-2.0 */
/*
 * approle_login.c — a role_id, and as a rule a secret_id, become a token.
 */
#include "auth/approle/approle_private.h"
#include "base/cidr.h"
#include "base/json.h"

/* Whichever of the two is wrong, the answer is the same. */
static int refuse(struct request *req)
{
    return login_refuse(req, ERR_INVALID, "invalid role or secret ID");
}

static int check_address(struct request *req, const json_t *blocks, const char *whose)
{
    if (json_array_size(blocks) == 0 || cidr_list_has(blocks, req->remote_addr))
        return OK;
    return fail(req, ERR_INVALID, "source address \"%s\" unauthorized by CIDR restrictions on the %s",
                req->remote_addr != NULL ? req->remote_addr : "", whose);
}

static int check_secret(struct request *req, const json_t *role, const json_t **ret_secret)
{
    const char *secret_id = field_str(req, "secret_id", "");
    const json_t *secret;
    if (secret_id[0] == '\0')
        return fail(req, ERR_INVALID, "missing secret_id");
    int rc = secret_load(req, role, secret_id, &secret);
    if (rc != OK)
        return rc == ERR_NOTFOUND ? refuse(req) : rc;
    rc = check_address(req, json_list_at(secret, "cidr_list"), "secret ID");
    if (rc == OK)
        *ret_secret = secret;
    return rc;
}

static void grant(struct request *req, const json_t *role, const json_t *secret)
{
    json_t *metadata = json_map_at(secret, "metadata"), *blocks = json_list_at(secret, "token_bound_cidrs");
    const char *name = json_str(role, "name", "");
    token_params_grant(req, role);
    req->auth.alias = arena_strdup(&req->arena, json_str(role, "role_id", ""));
    req->auth.metadata = metadata != NULL ? json_copy(metadata) : json_object();
    json_object_set_new(req->auth.metadata, "role_name", json_string(name));
    req->auth.internal = json_pack("{s:s}", "role_name", name);
    if (json_array_size(blocks) > 0) {
        json_decref(req->auth.bound_cidrs);
        req->auth.bound_cidrs = json_incref(blocks);
    }
}

int approle_login(struct request *req)
{
    const char *role_id = field_str(req, "role_id", "");
    const json_t *role, *secret = NULL;
    if (role_id[0] == '\0')
        return fail(req, ERR_INTERNAL, "missing role_id");
    int rc = role_load_by_id(req, role_id, &role);
    if (rc == ERR_NOTFOUND)
        return refuse(req);
    if (rc == OK)
        rc = login_as(req, role_id, true);
    if (rc == OK && json_flag(role, "bind_secret_id", true))
        rc = check_secret(req, role, &secret);
    if (rc == OK)
        rc = check_address(req, json_list_at(role, "secret_id_bound_cidrs"), "role");
    if (rc == OK && secret != NULL)
        rc = secret_use(req, role, field_str(req, "secret_id", ""), secret);
    if (rc == OK)
        grant(req, role, secret);
    return rc;
}

int approle_renew(struct request *req, const json_t *data, struct renew_terms *renewal)
{
    const char *name = json_str(data, "role_name", "");
    const json_t *role;
    int rc = role_load_named(req, name, &role);
    if (rc == ERR_NOTFOUND)
        return fail(req, ERR_INTERNAL, "role \"%s\" does not exist during renewal", name);
    if (rc == OK)
        token_params_limits(role, renewal);
    return rc;
}
