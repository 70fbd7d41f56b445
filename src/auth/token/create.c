/* SPDX-License-Identifier: Apache-2.0 */
/*
 * create.c — who may create which token: never one that can do more than its maker.
 */
#include "auth/token/create.h"

#include <ctype.h>
#include <string.h>

#include "auth/token/policies.h"
#include "auth/token/role.h"
#include "base/duration.h"
#include "base/glob.h"
#include "base/json.h"
#include "core/mount/mount.h"
#include "core/policy/policy.h"
#include "core/request/request.h"
#include "core/token/token.h"

const struct field token_create_fields[] = {
    {"id", FIELD_STRING, "A chosen token; root or sudo only."},
    {"policies", FIELD_STRINGS, "Policies; none: the parent's."},
    {"meta", FIELD_KV, "Texts that are shown and audited with the token."},
    {"no_parent", FIELD_BOOL, "Without a parent; root or sudo only."},
    {"no_default_policy", FIELD_BOOL, "Without the policy default."},
    {"renewable", FIELD_BOOL, "Whether it can be renewed; usually it can."},
    {"ttl", FIELD_STRING, "How long it lives."},
    {"lease", FIELD_STRING, "The old name of ttl."},
    {"type", FIELD_STRING, "service or batch; a role may say it."},
    {"explicit_max_ttl", FIELD_STRING, "How long it lives at the most, renewed or not."},
    {"display_name", FIELD_STRING, "A name to show."},
    {"num_uses", FIELD_INT, "How many requests it is good for; 0: any number."},
    {"period", FIELD_STRING, "Lives on as long as it is renewed this often; root or sudo only."},
    {"entity_alias", FIELD_STRING, "Of token roles only."},
    {0},
};

/* ---- Who may ask for what ---- */

/* Aliases are of the identity engine, which this server does not have: a role may name them, no token can bear one. */
static int check_alias(struct request *req, const json_t *role)
{
    const char *alias = field_str(req, "entity_alias", "");
    if (alias[0] == '\0')
        return OK;
    if (role == NULL)
        return fail(req, ERR_INVALID, "'entity_alias' is only allowed in combination with token role");
    char *lower = arena_strdup(&req->arena, alias);
    for (char *c = lower; *c != '\0'; c++)
        *c = (char)tolower((unsigned char)*c);
    if (!glob_list_fits(json_list_at(role, "allowed_entity_aliases"), lower))
        return fail(req, ERR_INVALID, "invalid 'entity_alias' value");
    return fail(req, ERR_INVALID, "'entity_alias' needs the identity engine, which this server does not have");
}

/* A role may force the type, or say what it is when nobody does. */
static const char *type_of(struct request *req, const json_t *role)
{
    const char *type = field_str(req, "type", ""), *by_role = json_str(role, "token_type", "default-service");
    bool is_default = strncmp(by_role, "default-", 8) == 0;
    if (!is_default)
        return by_role;
    return type[0] != '\0' ? type : by_role + 8;
}

static int check_kind(struct request *req, const json_t *role, const char *type)
{
    if (req->token->is_batch)
        return fail(req, ERR_INVALID, "batch tokens cannot create more tokens");
    if (req->token->num_uses != 0)
        return fail(req, ERR_INVALID, "restricted use token cannot generate child tokens");
    if (strcmp(type, "batch") != 0 && strcmp(type, "service") != 0)
        return fail(req, ERR_INVALID, "invalid 'token_type' value");
    if (field_int(req, "num_uses", 0) < 0)
        return fail(req, ERR_INVALID, "number of uses cannot be negative");
    return check_alias(req, role);
}

/* What nobody would look after, once it is made. */
static int check_batch(struct request *req, const struct token_order *order)
{
    const struct {
        bool is_asked;
        const char *name;
    } asked[] = {{order->explicit_max_ttl_s > 0, "explicit_max_ttl"},
                 {order->num_uses != 0, "num_uses"},
                 {order->period_s > 0, "period"}};
    for (size_t i = 0; order->is_batch && i < sizeof asked / sizeof asked[0]; i++)
        if (asked[i].is_asked)
            return fail(req, ERR_INVALID, "batch tokens cannot have \"%s\" set", asked[i].name);
    if (order->is_batch && json_list_has(order->policies, "root"))
        return fail(req, ERR_INVALID, "batch tokens cannot be root tokens");
    return OK;
}

/* What only root, or the sudo capability on this path, may ask for. Clients send empty fields for what they do not. */
static int check_privileged(struct request *req, const struct token_order *order, const json_t *role)
{
    const struct {
        bool is_asked;
        const char *sentence;
    } privileged[] = {
        {order->id != NULL, "root or sudo privileges required to specify token id"},
        {role == NULL && field_bool(req, "no_parent", false),
         "root or sudo privileges required to create orphan token"},
        {order->period_s > 0, "root or sudo privileges required to create periodic token"},
    };
    for (size_t i = 0; i < sizeof privileged / sizeof privileged[0]; i++)
        if (privileged[i].is_asked && !req->has_sudo && !req->token->is_root)
            return fail(req, ERR_INVALID, "%s", privileged[i].sentence);
    return OK;
}

static const char *display_name(struct request *req)
{
    const char *given = field_str(req, "display_name", "");
    if (given[0] == '\0')
        return "token";
    char *name = arena_printf(&req->arena, "token-%s", given);
    for (char *c = name; *c != '\0'; c++)
        if (!isalnum((unsigned char)*c) && *c != '-')
            *c = '-';
    return name;
}

/* ---- What it is to be ---- */

static int read_duration(struct request *req, const char *name, int64_t *ret_s)
{
    const char *text = field_str(req, name, "");
    if (duration_parse_s(text, ret_s) != OK)
        return fail(req, ERR_INVALID, "time: invalid duration \"%.64s\"", text);
    return *ret_s >= 0 ? OK : fail(req, ERR_INVALID, "%s must be positive", name);
}

static int read_durations(struct request *req, struct token_order *order)
{
    bool has_ttl = field_str(req, "ttl", "")[0] != '\0';
    int rc = read_duration(req, "explicit_max_ttl", &order->explicit_max_ttl_s);
    if (rc == OK)
        rc = read_duration(req, "period", &order->period_s);
    return rc == OK ? read_duration(req, has_ttl ? "ttl" : "lease", &order->ttl_s) : rc;
}

static void warn_of_lesser(struct request *req, const char *what, int64_t asked_s, int64_t role_s)
{
    if (asked_s > 0 && role_s > 0)
        reply_warn(req, "%s specified both during creation call and in role; using the lesser value of %lld seconds",
                   what, (long long)(asked_s < role_s ? asked_s : role_s));
}

/* A role takes the place of what the maker is bound by: that is what it is for. */
static void order_by_role(struct request *req, const char *name, const json_t *role, struct token_order *order)
{
    const char *suffix = json_str(role, "path_suffix", "");
    int64_t uses = json_int(role, "token_num_uses", 0);
    order->role = name;
    order->internal = json_pack("{s:s}", "role", name);
    request_own(req, order->internal);
    order->parent = json_flag(role, "orphan", false) ? NULL : req->token->hash;
    order->bound_cidrs = json_list_at(role, "token_bound_cidrs");
    order->not_renewable |= !json_flag(role, "renewable", true);
    if (suffix[0] != '\0')
        order->path = arena_printf(&req->arena, "%s/%s", order->path, suffix);
    if (uses > 0 && (order->num_uses == 0 || uses < order->num_uses))
        order->num_uses = uses;
    order->role_explicit_max_ttl_s = json_int(role, "token_explicit_max_ttl", 0);
    order->role_period_s = json_int(role, "token_period", 0);
    warn_of_lesser(req, "Explicit max TTL", order->explicit_max_ttl_s, order->role_explicit_max_ttl_s);
    warn_of_lesser(req, "Period", order->period_s, order->role_period_s);
}

/* A child is bound to the addresses that its parent is bound to. */
static void order_by_parent(struct request *req, bool orphan, struct token_order *order)
{
    bool has_parent = !orphan && !field_bool(req, "no_parent", false);
    order->parent = has_parent ? req->token->hash : NULL;
    order->bound_cidrs = has_parent ? req->token->bound_cidrs : NULL;
}

/* Root for ever, unless anything bounds it. A root token that ends makes none that does not. */
static int decide_end(struct request *req, struct token_order *order)
{
    order->never_expires = json_list_has(order->policies, "root") && order->ttl_s == 0 && order->period_s == 0 &&
                           order->explicit_max_ttl_s == 0 && order->role_period_s == 0 &&
                           order->role_explicit_max_ttl_s == 0;
    if (order->never_expires && req->token->expires_s != 0)
        return fail(req, ERR_INVALID, "expiring root tokens cannot create non-expiring root tokens");
    if (order->never_expires)
        order->bound_cidrs = NULL;
    return OK;
}

static void warn_of_missing(struct request *req, const json_t *policies)
{
    const json_t *policy;
    size_t i;
    json_array_foreach(policies, i, policy)
    {
        if (!policy_exists(req, json_string_value(policy)))
            reply_warn(req, "Policy \"%s\" does not exist", json_string_value(policy));
    }
}

/* What is asked for, and whether that may be. */
static int read_order(struct request *req, const json_t *role, struct token_order *ret_order)
{
    const char *type = type_of(req, role), *id = field_str(req, "id", "");
    *ret_order = (struct token_order){
        .is_batch = strcmp(type, "batch") == 0,
        .id = id[0] != '\0' ? id : NULL,
        .path = req->path,
        .display_name = display_name(req),
        .meta = field_json(req, "meta"),
        .mount = req->mount,
        .num_uses = field_int(req, "num_uses", 0),
        .not_renewable = !field_bool(req, "renewable", true),
    };
    int rc = check_kind(req, role, type);
    if (rc == OK)
        rc = read_durations(req, ret_order);
    if (rc == OK)
        rc = check_privileged(req, ret_order, role);
    return rc == OK ? token_choose_policies(req, role, &ret_order->policies) : rc;
}

static void warn_of_choice(struct request *req, const struct token_order *order)
{
    if (order->id != NULL && order->is_batch)
        reply_warn(req, "A batch token cannot be chosen: its text says what it is");
    else if (order->id != NULL)
        reply_warn(req, "A token that was chosen is only as hard to guess as its choice was");
    warn_of_missing(req, order->policies);
}

static int create(struct request *req, const char *role_name, const json_t *role, bool orphan)
{
    struct token_order order;
    int rc = read_order(req, role, &order);
    if (rc != OK)
        return rc;
    if (role != NULL)
        order_by_role(req, role_name, role, &order);
    else
        order_by_parent(req, orphan, &order);
    rc = check_batch(req, &order);
    if (rc == OK)
        rc = decide_end(req, &order);
    if (rc == OK)
        rc = token_create(req, &order, &req->auth_reply);
    if (rc == OK)
        warn_of_choice(req, &order);
    return rc;
}

int token_create_child(struct request *req)
{
    return create(req, NULL, NULL, false);
}

int token_create_no_parent(struct request *req)
{
    return create(req, NULL, NULL, true);
}

int token_create_by_role(struct request *req)
{
    const char *name = capture(req, "role_name");
    json_t *role;
    int rc = token_role_load(req, name, &role);
    if (rc == ERR_NOTFOUND)
        return fail(req, ERR_INVALID, "unknown role %s", name);
    return rc == OK ? create(req, name, role, false) : rc;
}
