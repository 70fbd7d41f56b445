/* SPDX-License-Identifier: Apache-2.0 */
/*
 * userpass.c — users: "user/<name>", {"hash", the parameters of tokens}. Names are lower case, whatever was written.
 */
#include "auth/userpass/userpass.h"

#include <ctype.h>
#include <string.h>

#include "auth/userpass/bcrypt.h"
#include "base/cidr.h"
#include "base/json.h"
#include "core/token/token_params.h"

static const struct token_alias aliases[] = {
    {"policies", "token_policies"},
    {"ttl", "token_ttl"},
    {"max_ttl", "token_max_ttl"},
    {"bound_cidrs", "token_bound_cidrs"},
    {0},
};

/* ---- Users ---- */

static const char *user_name(struct request *req)
{
    char *name = arena_strdup(&req->arena, capture(req, "username"));
    for (char *c = name; *c != '\0'; c++)
        *c = (char)tolower((unsigned char)*c);
    return name;
}

static const char *user_path(struct request *req, const char *name)
{
    return arena_printf(&req->arena, "user/%s", name);
}

/* ERR_NOTFOUND without a sentence. */
static int load_user(struct request *req, const char *name, json_t **ret_user)
{
    json_t *user;
    int rc = mount_get(req, user_path(req, name), &user);
    if (rc != OK)
        return rc;
    request_own(req, user);
    *ret_user = user;
    return OK;
}

static int save_user(struct request *req, const json_t *user)
{
    return mount_put(req, user_path(req, user_name(req)), user);
}

static int user_list(struct request *req)
{
    json_t *names;
    int rc = mount_list(req, "user/", &names);
    return rc == OK ? reply_keys(req, names) : rc;
}

static int user_exists(struct request *req, bool *ret_exists)
{
    json_t *user;
    int rc = load_user(req, user_name(req), &user);
    *ret_exists = rc == OK;
    return rc == ERR_NOTFOUND ? OK : rc;
}

static int user_read(struct request *req)
{
    json_t *user;
    int rc = load_user(req, user_name(req), &user);
    if (rc != OK)
        return rc;
    json_t *data = json_object();
    token_params_describe(user, aliases, data);
    reply_data(req, data);
    return OK;
}

static int user_delete(struct request *req)
{
    return mount_delete(req, user_path(req, user_name(req)));
}

static int hash_password(struct request *req, json_t *user, const char *password)
{
    char hash[BCRYPT_HASH_SIZE];
    int rc = bcrypt_hash(password, hash);
    if (rc == ERR_INVALID)
        return fail(req, ERR_INTERNAL, "1 error occurred:\n\t* bcrypt: password length exceeds 72 bytes\n\n");
    if (rc != OK)
        return fail(req, rc, "the password could not be hashed");
    json_object_set_new(user, "hash", json_string(hash));
    return OK;
}

/* is_required: one of the two must be there. */
static int take_password(struct request *req, json_t *user, bool is_required)
{
    const char *password = field_str(req, "password", ""), *hash = field_str(req, "password_hash", "");
    if (password[0] != '\0' && hash[0] != '\0')
        return fail(req, ERR_INVALID, "only one of password or password_hash may be provided");
    if (password[0] != '\0')
        return hash_password(req, user, password);
    if (hash[0] == '\0')
        return is_required ? fail(req, ERR_INVALID, "must provide either password or password_hash") : OK;
    if (!bcrypt_is_hash(hash))
        return fail(req, ERR_INVALID, "password_hash is not a valid bcrypt hash");
    if (bcrypt_cost(hash) > BCRYPT_COST_MAX)
        return fail(req, ERR_INVALID, "bcrypt cost of %d exceeds maximum cost of %d", bcrypt_cost(hash),
                    BCRYPT_COST_MAX);
    json_object_set_new(user, "hash", json_string(hash));
    return OK;
}

static int user_write(struct request *req)
{
    json_t *user;
    int rc = load_user(req, user_name(req), &user);
    bool is_new = rc == ERR_NOTFOUND;
    if (rc != OK && !is_new)
        return rc;
    if (is_new) {
        user = json_object();
        request_own(req, user);
    }
    rc = token_params_take(req, user, aliases);
    if (rc == OK)
        rc = take_password(req, user, is_new);
    return rc == OK ? save_user(req, user) : rc;
}

static int load_for_write(struct request *req, json_t **ret_user)
{
    int rc = load_user(req, user_name(req), ret_user);
    return rc == ERR_NOTFOUND ? fail(req, ERR_INTERNAL, "1 error occurred:\n\t* username does not exist\n\n") : rc;
}

static int password_write(struct request *req)
{
    json_t *user = NULL;
    int rc = load_for_write(req, &user);
    if (rc == OK)
        rc = take_password(req, user, true);
    return rc == OK ? save_user(req, user) : rc;
}

static int policies_write(struct request *req)
{
    json_t *user = NULL;
    int rc = load_for_write(req, &user);
    if (rc == OK)
        rc = token_params_take(req, user, aliases);
    return rc == OK ? save_user(req, user) : rc;
}

/* ---- Logging in ---- */

static void grant(struct request *req, const char *name, const json_t *user)
{
    json_t *policies = token_params_policies(user);
    token_params_grant(req, user);
    req->auth.display_name = name;
    req->auth.alias = name;
    req->auth.metadata = json_pack("{s:s}", "username", name);
    req->auth.internal = json_pack("{s:s, s:o}", "username", name, "policies", policies);
}

/* The answer, its time, and being locked out are the same for a user who is not there. */
static int login(struct request *req)
{
    const char *name = user_name(req), *password = field_str(req, "password", "");
    json_t *user = NULL;
    if (password[0] == '\0')
        return fail(req, ERR_INTERNAL, "missing password");
    int rc = load_user(req, name, &user);
    bool exists = rc == OK;
    if (rc == OK || rc == ERR_NOTFOUND)
        rc = login_as(req, name, exists);
    if (rc != OK)
        return rc;
    if (!bcrypt_fits(password, exists ? json_str(user, "hash", "") : NULL))
        return login_refuse(req, ERR_INVALID, "invalid username or password");
    if (!cidr_list_has(json_list_at(user, "token_bound_cidrs"), req->remote_addr))
        return fail(req, ERR_DENIED, "permission denied");
    grant(req, name, user);
    return OK;
}

static int renew(struct request *req, const json_t *data, struct renew_terms *renewal)
{
    json_t *user;
    int rc = load_user(req, json_str(data, "username", ""), &user);
    if (rc == ERR_NOTFOUND)
        return fail(req, ERR_INTERNAL, "the user does not exist any more, not renewing");
    if (rc != OK)
        return rc;
    json_t *policies = token_params_policies(user);
    bool same = json_equal(policies, json_object_get(data, "policies"));
    json_decref(policies);
    if (!same)
        return fail(req, ERR_INTERNAL, "policies have changed, not renewing");
    token_params_limits(user, renewal);
    return OK;
}

/* ---- Routes ---- */

#define NAME                                                                                                           \
    {                                                                                                                  \
        "username", FIELD_STRING, "The user."                                                                          \
    }
#define PASSWORD                                                                                                       \
    {                                                                                                                  \
        "password", FIELD_STRING, "The password, of at most 72 bytes."                                                 \
    }
#define HASH                                                                                                           \
    {                                                                                                                  \
        "password_hash", FIELD_STRING, "The password's bcrypt hash, in its place."                                     \
    }
#define POLICIES                                                                                                       \
    {                                                                                                                  \
        "policies", FIELD_LIST, "The old name of token_policies."                                                      \
    }

static const struct field user_fields[] = {
    NAME,
    PASSWORD,
    HASH,
    POLICIES,
    {"ttl", FIELD_DURATION, "The old name of token_ttl."},
    {"max_ttl", FIELD_DURATION, "The old name of token_max_ttl."},
    {"bound_cidrs", FIELD_LIST, "The old name of token_bound_cidrs."},
    TOKEN_PARAM_FIELDS,
    {0},
};
static const struct field password_fields[] = {NAME, PASSWORD, HASH, {0}};
static const struct field policies_fields[] = {
    NAME, POLICIES, {"token_policies", FIELD_LIST, "The policies of a token."}, {0}};
static const struct field login_fields[] = {NAME, {"password", FIELD_STRING, "The user's password."}, {0}};

#define USER "users/:username"

static const struct route userpass_routes[] = {
    {"login/:username", OP_UPDATE, login, ROUTE_UNAUTH | ROUTE_LOGIN | ROUTE_BLOCKS, "Log in.", login_fields, NULL},
    {"users/", OP_LIST, user_list, 0, "List the users.", NULL, NULL},
    {USER, OP_READ, user_read, ROUTE_FOLDS, "Read a user, without the password.", user_fields, NULL},
    {USER, OP_UPDATE, user_write, ROUTE_FOLDS | ROUTE_BLOCKS, "Write a user.", user_fields, user_exists},
    {USER, OP_DELETE, user_delete, ROUTE_FOLDS, "Delete a user.", user_fields, NULL},
    {USER "/password", OP_UPDATE, password_write, ROUTE_FOLDS | ROUTE_BLOCKS, "Set a user's password.", password_fields,
     NULL},
    {USER "/policies", OP_UPDATE, policies_write, ROUTE_FOLDS, "Set a user's policies.", policies_fields, NULL},
    {0},
};

const struct engine userpass_engine = {
    .type = "userpass",
    .kind = ENGINE_AUTH,
    .description = "",
    .routes = userpass_routes,
    .renew = renew,
};
