/* SPDX-License-Identifier: Apache-2.0 */
/*
 * token_create.c — making tokens, and making them last longer.
 */
#include <assert.h>
#include <ctype.h>
#include <string.h>

#include "base/json.h"
#include "base/secret.h"
#include "core/core_private.h"
#include "core/lease/lease_private.h"
#include "core/token/token_batch.h"
#include "core/token/token_private.h"
#include "core/token/ttl.h"

#define TOKEN_PREFIX    "hvs."
#define TOKEN_RANDOM    24
#define ACCESSOR_RANDOM 24

static_assert(TOKEN_LENGTH == sizeof TOKEN_PREFIX - 1 + TOKEN_RANDOM, "what token.h says");

static json_t *list_of(json_t *list)
{
    return list != NULL ? json_incref(list) : json_array();
}

/* The `auth` object of an answer. */
static json_t *auth_object(const char *client_token, const json_t *record, int64_t ttl_s)
{
    json_t *policies = json_object_get(record, "policies");
    json_t *named = json_array_size(policies) > 0 ? policies : NULL; /* where there is none, there is no list of them */
    return json_pack("{s:s, s:s, s:o, s:O*, s:O?, s:I, s:b, s:s, s:s, s:b, s:n, s:I}", "client_token", client_token,
                     "accessor", json_str(record, "accessor", ""), "policies", list_of(policies), "token_policies",
                     named, "metadata", json_object_get(record, "meta"), "lease_duration", (json_int_t)ttl_s,
                     "renewable", json_flag(record, "renewable", false), "entity_id", "", "token_type",
                     json_str(record, "type", "service"), "orphan", json_str(record, "parent", "")[0] == '\0',
                     "mfa_requirement", "num_uses", (json_int_t)json_int(record, "num_uses", 0));
}

static json_t *new_record(const struct token_order *order, const char *accessor, int64_t now_s, int64_t ttl_s)
{
    json_t *policies = json_list_sorted(order->policies);
    json_t *record =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:I, s:I, s:I, s:b}", "accessor", accessor, "parent",
                  order->parent != NULL ? order->parent : "", "path", order->path, "display_name",
                  order->display_name != NULL ? order->display_name : "", "type", order->is_batch ? "batch" : "service",
                  "policies", policies, "created", (json_int_t)now_s, "expires",
                  (json_int_t)(order->never_expires ? 0 : now_s + ttl_s), "creation_ttl", (json_int_t)ttl_s,
                  "renewable", !order->not_renewable && !order->never_expires && !order->is_batch);
    const struct {
        const char *name;
        int64_t value;
    } numbers[] = {{"period", order->period_s},
                   {"explicit_max_ttl", order->explicit_max_ttl_s},
                   {"max_ttl", order->max_ttl_s},
                   {"num_uses", order->num_uses}};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if (numbers[i].value != 0)
            json_object_set_new(record, numbers[i].name, json_integer(numbers[i].value));
    if (order->role != NULL && order->role[0] != '\0')
        json_object_set_new(record, "role", json_string(order->role));
    if (order->meta != NULL)
        json_object_set(record, "meta", order->meta);
    if (order->internal != NULL)
        json_object_set(record, "internal", order->internal);
    if (json_array_size(order->bound_cidrs) > 0)
        json_object_set(record, "bound_cidrs", order->bound_cidrs);
    if (order->mount != NULL)
        json_object_set_new(record, "mount", json_string(order->mount->uuid));
    return record;
}

static int put_index(struct request *req, const char *path, const char *hash)
{
    json_t *value = json_pack("{s:s}", "hash", hash);
    int rc = txn_put(req->txn, path, value);
    json_decref(value);
    return rc;
}

/* The record and everything by which it is found. */
static int write_token(struct request *req, const char *hash, const json_t *record)
{
    int64_t expires_s = json_int(record, "expires", 0);
    const char *parent = json_str(record, "parent", "");
    int rc = txn_put(req->txn, token_path(req, "id", hash), record);
    if (rc == OK)
        rc = put_index(req, token_path(req, "accessor", json_str(record, "accessor", "")), hash);
    if (rc == OK && parent[0] != '\0')
        rc = put_index(req, arena_printf(&req->arena, "token/child/%s/%s", parent, hash), hash);
    const char *path = json_str(record, "path", "");
    if (rc == OK && token_has_lease(path))
        rc = put_index(req, arena_printf(&req->arena, "token/path/%s/%s", path, hash), hash);
    if (rc == OK && expires_s != 0)
        rc = expiry_file(req, expires_s, 't', hash, hash);
    return rc;
}

static int check_chosen_id(struct request *req, const char *id, const char *hash)
{
    json_t *record;
    static const char *const prefixes[] = {"hvs.", "s."};
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++)
        if (strncmp(id, prefixes[i], strlen(prefixes[i])) == 0)
            return fail(req, ERR_INVALID, "custom token ID cannot have the '%s' prefix", prefixes[i]);
    if (strchr(id, '.') != NULL)
        return fail(req, ERR_INVALID, "custom token ID cannot have a '.' in the value");
    if (id[0] == '\0' || strpbrk(id, "/ \t") != NULL || strlen(id) > 128)
        return fail(req, ERR_INVALID, "custom token ID has 1 to 128 characters, without '/' and blanks");
    int rc = txn_get(req->txn, token_path(req, "id", hash), &record);
    if (rc == OK) {
        json_decref(record);
        return fail(req, ERR_INVALID, "cannot create a token with a duplicate ID");
    }
    return rc == ERR_NOTFOUND ? OK : rc;
}

static int grant_ttl(struct request *req, const struct token_order *order, int64_t now_s, int64_t *ret_ttl_s)
{
    const struct ttl_wish wish = {
        .backend_ttl_s = order->ttl_s,
        .backend_max_s = order->max_ttl_s,
        .period_s = ttl_lesser(order->period_s, order->role_period_s),
        .explicit_max_s = ttl_lesser(order->explicit_max_ttl_s, order->role_explicit_max_ttl_s),
        .start_s = now_s,
        .now_s = now_s,
        .mount = order->mount,
    };
    *ret_ttl_s = order->is_exact ? order->ttl_s : 0;
    return order->never_expires || order->is_exact ? OK : ttl_grant(req, &wish, ret_ttl_s);
}

static int create_batch(struct request *req, const struct token_order *order, json_t **ret_auth)
{
    struct buf text = BUF_INIT;
    int64_t now_s = lease_now_s(req), ttl_s;
    int rc = grant_ttl(req, order, now_s, &ttl_s);
    if (rc != OK)
        return rc;
    json_t *record = new_record(order, "", now_s, ttl_s);
    rc = token_batch_seal(req->core->barrier, record, &text);
    if (rc == ERR_TOO_LARGE)
        rc = fail(req, ERR_INVALID,
                  "a batch token carries all that is known of it: give it fewer policies, or less metadata");
    if (rc == OK)
        *ret_auth = auth_object(buf_str(&text), record, ttl_s);
    json_decref(record);
    buf_close(&text);
    return rc;
}

int token_create(struct request *req, const struct token_order *order, json_t **ret_auth)
{
    if (order->is_batch)
        return create_batch(req, order, ret_auth);

    char id[sizeof TOKEN_PREFIX + TOKEN_RANDOM] = TOKEN_PREFIX, accessor[ACCESSOR_RANDOM + 1], hash[TOKEN_HASH_SIZE];
    const char *text = order->id != NULL ? order->id : id;
    int64_t now_s = lease_now_s(req), ttl_s;
    random_base62(id + strlen(TOKEN_PREFIX), TOKEN_RANDOM);
    random_base62(accessor, ACCESSOR_RANDOM);
    int rc = grant_ttl(req, order, now_s, &ttl_s);
    if (rc == OK)
        rc = token_hash(req, text, hash);
    if (rc == OK && order->id != NULL)
        rc = check_chosen_id(req, order->id, hash);
    if (rc != OK)
        return rc;
    json_t *record = new_record(order, accessor, now_s, ttl_s);
    rc = write_token(req, hash, record);
    if (rc == OK)
        *ret_auth = auth_object(text, record, ttl_s);
    json_decref(record);
    secret_wipe(id, sizeof id);
    return rc;
}

/* "auth/team/approle/" and "bob" → "team-approle-bob". */
static const char *login_name(struct request *req)
{
    char *name = arena_strdup(&req->arena, req->mount->path + strlen("auth/"));
    for (char *c = name; *c != '\0'; c++)
        if (*c == '/')
            *c = '-';
    const char *who = req->auth.display_name;
    if (who != NULL && who[0] != '\0')
        return arena_printf(&req->arena, "%s%s", name, who);
    name[strlen(name) - 1] = '\0';
    return name;
}

static json_t *login_policies(struct request *req)
{
    json_t *policies = json_array(), *policy;
    size_t i;
    json_array_foreach(req->auth.policies, i, policy)
    {
        char *lower = arena_strdup(&req->arena, json_string_value(policy));
        for (char *c = lower; *c != '\0'; c++)
            *c = (char)tolower((unsigned char)*c);
        if (lower[0] != '\0')
            json_array_append_new(policies, json_string(lower));
    }
    if (!req->auth.no_default_policy)
        json_array_append_new(policies, json_string("default"));
    return policies;
}

int token_create_root(struct request *req, const char *id, json_t **ret_auth)
{
    json_t *policies = json_pack("[s]", "root");
    struct token_order order = {
        .id = id,
        .path = "auth/token/root",
        .display_name = "root",
        .policies = policies,
        .never_expires = true,
    };
    int rc = token_create(req, &order, ret_auth);
    json_decref(policies);
    return rc;
}

/* The mount says, or leaves it to the method's role, or user, with what holds when that says nothing. */
static bool login_is_batch(const struct request *req)
{
    const char *mount = json_str(req->mount->config, "token_type", "default-service");
    const char *own = req->auth.token_type != NULL ? req->auth.token_type : "";
    if (strcmp(mount, "service") == 0 || strcmp(mount, "batch") == 0)
        return strcmp(mount, "batch") == 0;
    if (strcmp(own, "service") == 0 || strcmp(own, "batch") == 0)
        return strcmp(own, "batch") == 0;
    return strcmp(mount, "default-batch") == 0;
}

int token_create_login(struct request *req)
{
    json_t *policies = login_policies(req);
    struct token_order order = {
        .path = req->path,
        .display_name = login_name(req),
        .policies = policies,
        .meta = req->auth.metadata,
        .internal = req->auth.internal,
        .bound_cidrs = req->auth.bound_cidrs,
        .mount = req->mount,
        .ttl_s = req->auth.ttl_s,
        .max_ttl_s = req->auth.max_ttl_s,
        .period_s = req->auth.period_s,
        .explicit_max_ttl_s = req->auth.explicit_max_ttl_s,
        .num_uses = req->auth.num_uses,
        .is_batch = login_is_batch(req),
    };
    int rc = OK;
    if (order.is_batch && order.num_uses != 0)
        rc = fail(req, ERR_INVALID, "batch tokens cannot have \"num_uses\" set: nobody would count the uses");
    if (rc == OK && json_list_has(policies, "root"))
        rc = fail(req, ERR_INVALID, "auth methods cannot create root tokens");
    if (rc == OK)
        rc = token_create(req, &order, &req->auth_reply);
    json_decref(policies);
    return rc;
}

/* ---- Renewing ---- */

static const struct mount *mount_of(struct request *req, const struct token *token)
{
    const char *uuid = json_str(token->record, "mount", "");
    for (size_t i = 0; req->mounts != NULL && i < mount_table_count(req->mounts); i++)
        if (strcmp(mount_table_at(req->mounts, i)->uuid, uuid) == 0)
            return mount_table_at(req->mounts, i);
    return mount_table_find(req->mounts, "auth/token/");
}

/* The method may refuse (its role is gone) or lower the limits. It reads its own mount's storage for that. */
static int ask_method(struct request *req, const struct token *token, const struct mount *mount,
                      struct renew_terms *renewal)
{
    if (token->internal == NULL || mount == NULL || mount->engine == NULL || mount->engine->renew == NULL)
        return OK;
    const struct mount *was = req->mount;
    req->mount = mount;
    int rc = mount->engine->renew(req, token->internal, renewal);
    req->mount = was;
    if (rc != OK && req->err.text[0] != '\0')
        return fail(req, rc, "1 error occurred:\n\t* failed to renew entry: %s\n\n",
                    arena_strdup(&req->arena, req->err.text));
    return rc;
}

static int refile(struct request *req, struct token *token, int64_t now_s, int64_t ttl_s)
{
    int rc = expiry_unfile(req, token->expires_s, 't', token->hash);
    token->expires_s = now_s + ttl_s;
    token->last_renewal_s = now_s;
    json_t *record = token_change(req, token);
    json_object_set_new(record, "expires", json_integer(token->expires_s));
    json_object_set_new(record, "last_renewal", json_integer(now_s));
    json_object_set_new(record, "renewed_ttl", json_integer(ttl_s));
    if (rc == OK)
        rc = txn_put(req->txn, token_path(req, "id", token->hash), record);
    if (rc == OK)
        rc = expiry_file(req, token->expires_s, 't', token->hash, token->hash);
    return rc;
}

/* What a renewal that asks for nothing asks for: as long as the last one got; of a login, as long as its method said.
 */
static int64_t usual_ttl_s(const struct token *token)
{
    bool is_login = strncmp(token->path, "auth/token/", 11) != 0;
    return is_login || token->renewed_ttl_s == 0 ? token->creation_ttl_s : token->renewed_ttl_s;
}

int token_renew(struct request *req, struct token *token, const char *client_token, int64_t increment_s,
                json_t **ret_auth)
{
    if (token->is_batch)
        return fail(req, ERR_INVALID, "batch tokens cannot be renewed");
    if (token->expires_s == 0 || !token->renewable)
        return fail(req, ERR_INVALID, token_has_lease(token->path) ? "lease is not renewable" : "invalid lease ID");
    const struct mount *mount = mount_of(req, token);
    struct renew_terms renewal = {
        .ttl_s = usual_ttl_s(token),
        .max_ttl_s = token->max_ttl_s,
        .period_s = token->period_s,
        .explicit_max_ttl_s = token->explicit_max_ttl_s,
    };
    int64_t ttl_s;
    int rc = ask_method(req, token, mount, &renewal);
    if (rc != OK)
        return rc;
    struct ttl_wish wish = {
        .increment_s = increment_s,
        .backend_ttl_s = renewal.ttl_s,
        .backend_max_s = renewal.max_ttl_s,
        .period_s = renewal.period_s,
        .explicit_max_s = renewal.explicit_max_ttl_s,
        .start_s = token->created_s,
        .now_s = lease_now_s(req),
        .mount = mount,
    };
    rc = ttl_grant(req, &wish, &ttl_s);
    if (rc == OK)
        rc = refile(req, token, wish.now_s, ttl_s);
    if (rc == OK)
        *ret_auth = auth_object(client_token != NULL ? client_token : "", token->record, ttl_s);
    return rc;
}
