/* SPDX-License-Identifier: Apache-2.0 */
#include "core/token/token_params.h"

#include <ctype.h>
#include <string.h>

#include "base/cidr.h"
#include "base/json.h"

enum param_kind { PARAM_SECONDS, PARAM_COUNT, PARAM_LIST, PARAM_BOOL, PARAM_TYPE };

static const struct param {
    const char *name;
    enum param_kind kind;
} params[] = {
    {"token_ttl", PARAM_SECONDS},
    {"token_max_ttl", PARAM_SECONDS},
    {"token_policies", PARAM_LIST},
    {"token_bound_cidrs", PARAM_LIST},
    {"token_explicit_max_ttl", PARAM_SECONDS},
    {"token_no_default_policy", PARAM_BOOL},
    {"token_num_uses", PARAM_COUNT},
    {"token_period", PARAM_SECONDS},
    {"token_type", PARAM_TYPE},
    {"token_strictly_bind_ip", PARAM_BOOL},
};

#define N_PARAMS (sizeof params / sizeof params[0])

/* ---- Taking ---- */

/* The field's value, converted; borrowed. */
static json_t *given(const struct request *req, const char *name)
{
    return field_given(req, name) ? json_object_get(req->fields, name) : NULL;
}

static void mark_alias(json_t *record, const char *alias, bool used)
{
    json_t *marks = json_map_at(record, "aliases");
    if (marks == NULL) {
        marks = json_object();
        json_object_set_new(record, "aliases", marks);
    }
    if (used)
        json_object_set_new(marks, alias, json_true());
    else
        json_object_del(marks, alias);
}

static void take_values(struct request *req, json_t *record, const struct token_alias *aliases)
{
    for (const struct token_alias *alias = aliases; alias->alias != NULL; alias++) {
        bool by_name = given(req, alias->name) != NULL, by_alias = given(req, alias->alias) != NULL;
        if (by_alias && !by_name)
            json_object_set(record, alias->name, given(req, alias->alias));
        if (by_alias || by_name)
            mark_alias(record, alias->alias, by_alias);
    }
    for (size_t i = 0; i < N_PARAMS; i++)
        if (given(req, params[i].name) != NULL)
            json_object_set(record, params[i].name, given(req, params[i].name));
}

static int check_type(struct request *req, const json_t *record)
{
    const char *type = json_str(record, "token_type", "default");
    bool is_batch = strcmp(type, "batch") == 0 || strcmp(type, "default-batch") == 0;
    if (is_batch && json_int(record, "token_num_uses", 0) != 0)
        return fail(
            req, ERR_INVALID,
            "'token_type' cannot be 'batch' or 'default_batch' when set to generate tokens with limited use count");
    if (is_batch && json_int(record, "token_period", 0) != 0)
        return fail(req, ERR_INVALID,
                    "'token_type' cannot be 'batch' or 'default_batch' when set to generate periodic tokens");
    if (type[0] != '\0' && strcmp(type, "default") != 0 && strcmp(type, "service") != 0 && strcmp(type, "batch") != 0)
        return fail(req, ERR_INVALID, "invalid 'token_type' value \"%.64s\"", type);
    return OK;
}

static int check_cidrs(struct request *req, const json_t *record)
{
    const json_t *block;
    size_t i;
    json_array_foreach(
        json_list_at(record, "token_bound_cidrs"), i,
        block) if (!cidr_is_valid(json_string_value(block))) return fail(req, ERR_INVALID,
                                                                         "error parsing address \"%.64s\": it is no "
                                                                         "IPv4 or IPv6 address or block",
                                                                         json_string_value(block));
    return OK;
}

static char *folded(struct arena *arena, const char *name)
{
    while (isspace((unsigned char)*name))
        name++;
    char *text = arena_strdup(arena, name);
    for (char *c = text; *c != '\0'; c++)
        *c = (char)tolower((unsigned char)*c);
    for (size_t len = strlen(text); len > 0 && isspace((unsigned char)text[len - 1]); len--)
        text[len - 1] = '\0';
    return text;
}

/* However it is spelled: no method makes root tokens, so that whoever may write roles does not become root. */
static int check_policies(struct request *req, const json_t *record)
{
    const json_t *name;
    size_t i;
    json_array_foreach(json_list_at(record, "token_policies"), i,
                       name) if (strcmp(folded(&req->arena, json_string_value(name)), "root") ==
                                 0) return fail(req, ERR_INVALID, "auth methods cannot create root tokens");
    return OK;
}

static int check_numbers(struct request *req, const json_t *record)
{
    int64_t max = json_int(record, "token_max_ttl", 0);
    if (json_int(record, "token_num_uses", 0) < 0)
        return fail(req, ERR_INVALID, "'token_num_uses' cannot be negative");
    if (max > 0 && json_int(record, "token_ttl", 0) > max)
        return fail(req, ERR_INVALID, "'token_ttl' cannot be greater than 'token_max_ttl'");
    return OK;
}

int token_params_take_values(struct request *req, json_t *record, const struct token_alias *aliases)
{
    take_values(req, record, aliases);
    int rc = check_policies(req, record);
    if (rc == OK)
        rc = check_cidrs(req, record);
    return rc == OK ? check_numbers(req, record) : rc;
}

int token_params_take(struct request *req, json_t *record, const struct token_alias *aliases)
{
    int rc = token_params_take_values(req, record, aliases);
    return rc == OK ? check_type(req, record) : rc;
}

/* ---- Showing ---- */

/* A block of one address is shown as that address. */
static json_t *shown_cidrs(const json_t *blocks)
{
    json_t *shown = json_array(), *block;
    size_t i;
    json_array_foreach(blocks, i, block)
    {
        const char *text = json_string_value(block), *slash = strchr(text, '/');
        bool is_one = slash != NULL && strcmp(slash, strchr(text, ':') != NULL ? "/128" : "/32") == 0;
        json_array_append_new(shown, json_stringn(text, is_one ? (size_t)(slash - text) : strlen(text)));
    }
    return shown;
}

static json_t *value_or_default(const json_t *record, const struct param *param)
{
    json_t *value = json_object_get(record, param->name);
    if (value != NULL && strcmp(param->name, "token_bound_cidrs") == 0)
        return shown_cidrs(value);
    if (value != NULL && !(param->kind == PARAM_TYPE && json_string_length(value) == 0))
        return json_incref(value);
    switch (param->kind) {
    case PARAM_LIST:
        return json_array();
    case PARAM_BOOL:
        return json_false();
    case PARAM_TYPE:
        return json_string("default");
    default:
        return json_integer(0);
    }
}

void token_params_describe(const json_t *record, const struct token_alias *aliases, json_t *data)
{
    const json_t *marks = json_map_at(record, "aliases");
    for (size_t i = 0; i < N_PARAMS; i++)
        json_object_set_new(data, params[i].name, value_or_default(record, &params[i]));
    for (const struct token_alias *alias = aliases; alias->alias != NULL; alias++)
        if (json_object_get(marks, alias->alias) != NULL)
            json_object_set(data, alias->alias, json_object_get(data, alias->name));
}

/* ---- Using ---- */

json_t *token_policies_clean(const json_t *names)
{
    struct arena arena;
    json_t *policies = json_array();
    const json_t *name;
    size_t i;
    arena_init(&arena);
    json_array_foreach(names, i, name)
    {
        const char *text = folded(&arena, json_string_value(name));
        if (text[0] != '\0')
            json_array_append_new(policies, json_string(text));
    }
    arena_close(&arena);
    json_t *sorted = json_list_sorted(policies);
    json_decref(policies);
    return sorted;
}

json_t *token_params_policies(const json_t *record)
{
    return token_policies_clean(json_list_at(record, "token_policies"));
}

/* Without a list of addresses, a strictly bound token is bound to the one it was asked for from. */
static json_t *bound_cidrs(const struct request *req, const json_t *record)
{
    json_t *list = json_list_at(record, "token_bound_cidrs");
    if (json_flag(record, "token_strictly_bind_ip", false) && req->remote_addr != NULL)
        return json_pack("[s]", req->remote_addr);
    return json_array_size(list) > 0 ? json_incref(list) : NULL;
}

void token_params_grant(struct request *req, const json_t *record)
{
    struct auth_grant *grant = &req->auth;
    grant->policies = token_params_policies(record);
    grant->ttl_s = json_int(record, "token_ttl", 0);
    grant->max_ttl_s = json_int(record, "token_max_ttl", 0);
    grant->period_s = json_int(record, "token_period", 0);
    grant->explicit_max_ttl_s = json_int(record, "token_explicit_max_ttl", 0);
    grant->num_uses = json_int(record, "token_num_uses", 0);
    grant->token_type = arena_strdup(&req->arena, json_str(record, "token_type", ""));
    grant->no_default_policy = json_flag(record, "token_no_default_policy", false);
    grant->bound_cidrs = bound_cidrs(req, record);
    grant->is_set = true;
}

void token_params_limits(const json_t *record, struct renew_terms *renewal)
{
    int64_t ttl = json_int(record, "token_ttl", 0), max = json_int(record, "token_max_ttl", 0);
    if (ttl > 0)
        renewal->ttl_s = ttl;
    if (max > 0 && (renewal->max_ttl_s <= 0 || max < renewal->max_ttl_s))
        renewal->max_ttl_s = max;
    renewal->period_s = json_int(record, "token_period", 0);
}
