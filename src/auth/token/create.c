/* SPDX-License-Identifier: Apache-2.0 */
/*
 * create.c — who may create which token: never one that can do more than its maker.
 */
#include "auth/token/create.h"

#include <ctype.h>
#include <string.h>

#include "base/json.h"
#include "core/mount.h"
#include "core/policy.h"
#include "core/request.h"
#include "core/token.h"

const struct field token_create_fields[] = {
    {"id", FIELD_STRING, "A chosen token; root or sudo only."},
    {"policies", FIELD_STRINGS, "Policies; none: the parent's."},
    {"meta", FIELD_KV, "Texts that are shown and audited with the token."},
    {"no_parent", FIELD_BOOL, "Without a parent; root or sudo only."},
    {"no_default_policy", FIELD_BOOL, "Without the policy default."},
    {"renewable", FIELD_BOOL, "Whether it can be renewed; usually it can."},
    {"ttl", FIELD_DURATION, "How long it lives."},
    {"lease", FIELD_DURATION, "The old name of ttl."},
    {"type", FIELD_STRING, "service."},
    {"explicit_max_ttl", FIELD_DURATION, "How long it lives at the most, renewed or not."},
    {"display_name", FIELD_STRING, "A name to show."},
    {"num_uses", FIELD_INT, "How many requests it is good for; 0: any number."},
    {"period", FIELD_DURATION, "Lives on as long as it is renewed this often; root or sudo only."},
    {"entity_alias", FIELD_STRING, "Of token roles only."},
    {0},
};

static json_t *lower_policies(struct request *req)
{
    json_t *given = field_json(req, "policies"), *policies = json_array(), *policy;
    size_t i;
    json_array_foreach(given, i, policy)
    {
        char *name = arena_strdup(&req->arena, json_string_value(policy));
        for (char *c = name; *c != '\0'; c++)
            *c = (char)tolower((unsigned char)*c);
        if (name[0] != '\0')
            json_array_append_new(policies, json_string(name));
    }
    request_own(req, policies);
    return policies;
}

static bool is_subset(const json_t *policies, const json_t *of)
{
    const json_t *policy;
    size_t i;
    json_array_foreach(policies, i, policy) if (!json_list_has(of, json_string_value(policy))) return false;
    return true;
}

static int check_policies(struct request *req, const json_t *policies)
{
    const struct token *parent = req->token;
    if (json_list_has(policies, "response-wrapping"))
        return fail(req, ERR_INVALID, "cannot assign policy \"response-wrapping\"");
    if (json_list_has(policies, "root") && !parent->is_root)
        return fail(req, ERR_INVALID, "root tokens may not be created without parent token being root");
    if (!req->has_sudo && !parent->is_root && !is_subset(policies, parent->policies))
        return fail(req, ERR_INVALID, "child policies must be subset of parent");
    return OK;
}

static int choose_policies(struct request *req, json_t **ret_policies)
{
    const struct token *parent = req->token;
    json_t *policies = lower_policies(req);
    if (json_array_size(policies) == 0)
        json_array_extend(policies, parent->policies);
    int rc = check_policies(req, policies);
    if (rc != OK)
        return rc;
    bool is_root = json_list_has(policies, "root");
    bool may_default = req->has_sudo || parent->is_root || json_list_has(parent->policies, "default");
    if (is_root) {
        json_array_clear(policies); /* root swallows the others */
        json_array_append_new(policies, json_string("root"));
    } else if (!field_bool(req, "no_default_policy", false) && may_default) {
        json_array_append_new(policies, json_string("default"));
    }
    *ret_policies = policies;
    return OK;
}

/* What only root, or the sudo capability on this path, may ask for. Clients send empty fields for what they do not. */
static int check_privileged(struct request *req)
{
    const struct {
        bool is_asked;
        const char *sentence;
    } privileged[] = {
        {field_str(req, "id", "")[0] != '\0', "root or sudo privileges required to specify token id"},
        {field_bool(req, "no_parent", false), "root or sudo privileges required to create orphan token"},
        {field_int(req, "period", 0) > 0, "root or sudo privileges required to create periodic token"},
    };
    for (size_t i = 0; i < sizeof privileged / sizeof privileged[0]; i++)
        if (privileged[i].is_asked && !req->has_sudo && !req->token->is_root)
            return fail(req, ERR_INVALID, "%s", privileged[i].sentence);
    return OK;
}

static int check_kind(struct request *req)
{
    const char *type = field_str(req, "type", "service");
    if (req->token->num_uses != 0)
        return fail(req, ERR_INVALID, "restricted use token cannot generate child tokens");
    if (strcmp(type, "") != 0 && strcmp(type, "service") != 0)
        return fail(req, ERR_INVALID,
                    strcmp(type, "batch") == 0 ? "batch tokens are not supported" : "invalid 'token_type' value");
    if (field_str(req, "entity_alias", "")[0] != '\0')
        return fail(req, ERR_INVALID, "'entity_alias' is only allowed in combination with token role");
    if (field_int(req, "num_uses", 0) < 0)
        return fail(req, ERR_INVALID, "number of uses cannot be negative");
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

static void warn_of_missing(struct request *req, const json_t *policies)
{
    const json_t *policy;
    size_t i;
    json_array_foreach(policies, i, policy) if (!policy_exists(req, json_string_value(policy)))
        reply_warn(req, "Policy \"%s\" does not exist", json_string_value(policy));
}

/* A root token with a TTL makes no root token without one. */
static int check_root_ttl(struct request *req, const struct token_order *order, bool is_root)
{
    if (is_root && order->ttl_s == 0 && req->token->expires_s != 0)
        return fail(req, ERR_INVALID, "expiring root tokens cannot create non-expiring root tokens");
    return OK;
}

static int create(struct request *req, bool orphan)
{
    json_t *policies;
    int rc = check_kind(req);
    if (rc == OK)
        rc = check_privileged(req);
    if (rc == OK)
        rc = choose_policies(req, &policies);
    if (rc != OK)
        return rc;
    bool is_root = json_list_has(policies, "root");
    struct token_order order = {
        .id = field_str(req, "id", "")[0] != '\0' ? field_str(req, "id", "") : NULL,
        .parent = orphan || field_bool(req, "no_parent", false) ? NULL : req->token->hash,
        .path = req->path,
        .display_name = display_name(req),
        .policies = policies,
        .meta = field_json(req, "meta"),
        .mount = req->mount,
        .ttl_s = field_int(req, "ttl", field_int(req, "lease", 0)),
        .period_s = field_int(req, "period", 0),
        .explicit_max_ttl_s = field_int(req, "explicit_max_ttl", 0),
        .num_uses = field_int(req, "num_uses", 0),
        .not_renewable = !field_bool(req, "renewable", true),
    };
    order.never_expires = is_root && order.ttl_s == 0 && order.period_s == 0 && order.explicit_max_ttl_s == 0;
    rc = check_root_ttl(req, &order, is_root);
    if (rc == OK)
        rc = token_create(req, &order, &req->auth_reply);
    if (rc == OK && order.id != NULL)
        reply_warn(req, "A token that was chosen is only as hard to guess as its choice was");
    if (rc == OK)
        warn_of_missing(req, policies);
    return rc;
}

int token_create_child(struct request *req)
{
    return create(req, false);
}

int token_create_no_parent(struct request *req)
{
    return create(req, true);
}
