/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/token/role.h"

#include <ctype.h>
#include <string.h>

#include "base/json.h"
#include "core/mount/mount.h"
#include "core/token/token_params.h"
#include "core/token/ttl.h"

/* No token_ttl, no token_policies: whoever makes a token says these. */
const struct field token_role_fields[] = {
    {"role_name", FIELD_STRING, "The role."},
    {"allowed_policies", FIELD_LIST, "The policies that tokens may have; those of a token that asks for none."},
    {"disallowed_policies", FIELD_LIST, "Policies that tokens may not have."},
    {"allowed_policies_glob", FIELD_LIST, "The same as patterns; * stands for any text."},
    {"disallowed_policies_glob", FIELD_LIST, "The same as patterns; * stands for any text."},
    {"orphan", FIELD_BOOL, "Whether tokens have no parent."},
    {"renewable", FIELD_BOOL, "Whether tokens can be renewed; usually they can."},
    {"path_suffix", FIELD_STRING, "Put after the path of tokens, so that these can be revoked by it."},
    {"allowed_entity_aliases", FIELD_LIST, "The aliases that tokens may be asked for with."},
    {"period", FIELD_DURATION, "The old name of token_period."},
    {"explicit_max_ttl", FIELD_DURATION, "The old name of token_explicit_max_ttl."},
    {"bound_cidrs", FIELD_LIST, "The old name of token_bound_cidrs."},
    {"token_period", FIELD_DURATION, "How long each renewal of a token is good for."},
    {"token_explicit_max_ttl", FIELD_DURATION, "How long a token lives at most, renewed or not."},
    {"token_bound_cidrs", FIELD_LIST, "The addresses that a token can be used from."},
    {"token_no_default_policy", FIELD_BOOL, "Whether a token goes without the policy default."},
    {"token_num_uses", FIELD_INT, "How many requests a token is good for at most; 0 for any number."},
    {"token_type", FIELD_STRING, "service or batch; default-service or default-batch where it may be asked for."},
    {0},
};

static const struct token_alias aliases[] = {
    {"period", "token_period"},
    {"explicit_max_ttl", "token_explicit_max_ttl"},
    {"bound_cidrs", "token_bound_cidrs"},
    {0},
};

/* ---- Records ---- */

static const char *role_path(struct request *req, const char *name)
{
    return arena_printf(&req->arena, "role/%s", name);
}

int token_role_load(struct request *req, const char *name, json_t **ret_role)
{
    json_t *role;
    int rc = mount_get(req, role_path(req, name), &role);
    if (rc != OK)
        return rc;
    request_own(req, role);
    *ret_role = role;
    return OK;
}

int token_role_exists(struct request *req, bool *ret_exists)
{
    json_t *role;
    int rc = token_role_load(req, capture(req, "role_name"), &role);
    *ret_exists = rc == OK;
    return rc == ERR_NOTFOUND ? OK : rc;
}

int token_role_list(struct request *req)
{
    json_t *names;
    int rc = mount_list(req, "role/", &names);
    return rc == OK ? reply_keys(req, names) : rc;
}

int token_role_delete(struct request *req)
{
    return mount_delete(req, role_path(req, capture(req, "role_name")));
}

/* ---- Showing ---- */

/* What a role says of itself, and what it says when it was told nothing. */
static const struct shown {
    const char *name;
    enum { SHOWN_LIST, SHOWN_BOOL, SHOWN_TRUE, SHOWN_NUMBER, SHOWN_TEXT, SHOWN_IF_GIVEN, SHOWN_OR_NULL } as;
} shown[] = {
    {"allowed_policies", SHOWN_LIST},
    {"disallowed_policies", SHOWN_LIST},
    {"allowed_policies_glob", SHOWN_LIST},
    {"disallowed_policies_glob", SHOWN_LIST},
    {"orphan", SHOWN_BOOL},
    {"renewable", SHOWN_TRUE},
    {"path_suffix", SHOWN_TEXT},
    {"allowed_entity_aliases", SHOWN_OR_NULL},
    {"token_period", SHOWN_NUMBER},
    {"token_explicit_max_ttl", SHOWN_NUMBER},
    {"token_no_default_policy", SHOWN_BOOL},
    {"token_bound_cidrs", SHOWN_IF_GIVEN},
    {"token_num_uses", SHOWN_IF_GIVEN},
};

static bool says_nothing(const json_t *value)
{
    return value == NULL || (json_is_array(value) && json_array_size(value) == 0) ||
           (json_is_integer(value) && json_integer_value(value) == 0);
}

static json_t *show(const json_t *role, const struct shown *row)
{
    json_t *value = json_object_get(role, row->name);
    switch (row->as) {
    case SHOWN_LIST:
        return value != NULL ? json_incref(value) : json_array();
    case SHOWN_BOOL:
    case SHOWN_TRUE:
        return json_boolean(json_flag(role, row->name, row->as == SHOWN_TRUE));
    case SHOWN_NUMBER:
        return json_integer(json_int(role, row->name, 0));
    case SHOWN_TEXT:
        return json_string(json_str(role, row->name, ""));
    case SHOWN_OR_NULL:
        return value != NULL ? json_incref(value) : json_null();
    default:
        return says_nothing(value) ? NULL : json_incref(value);
    }
}

/* The old names are always there for numbers; they say something only where they were used. */
static void show_aliases(const json_t *role, json_t *data)
{
    const json_t *marks = json_map_at(role, "aliases");
    for (const struct token_alias *alias = aliases; alias->alias != NULL; alias++) {
        bool is_used = json_object_get(marks, alias->alias) != NULL;
        if (strcmp(alias->alias, "bound_cidrs") != 0)
            json_object_set_new(data, alias->alias, json_integer(is_used ? json_int(role, alias->name, 0) : 0));
        else if (is_used && !says_nothing(json_object_get(role, alias->name)))
            json_object_set(data, alias->alias, json_object_get(role, alias->name));
    }
}

int token_role_read(struct request *req)
{
    json_t *role, *value;
    const char *name = capture(req, "role_name");
    int rc = token_role_load(req, name, &role);
    if (rc != OK)
        return rc;
    json_t *data = json_pack("{s:s, s:s}", "name", name, "token_type", json_str(role, "token_type", "default-service"));
    for (size_t i = 0; i < sizeof shown / sizeof shown[0]; i++)
        if ((value = show(role, &shown[i])) != NULL)
            json_object_set_new(data, shown[i].name, value);
    show_aliases(role, data);
    reply_data(req, data);
    return OK;
}

/* ---- Writing ---- */

static void take_lists(struct request *req, json_t *role)
{
    static const char *const names[] = {"allowed_policies", "disallowed_policies", "allowed_policies_glob",
                                        "disallowed_policies_glob", "allowed_entity_aliases"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (!field_given(req, names[i]))
            continue;
        json_t *list = token_policies_clean(field_json(req, names[i]));
        if (strncmp(names[i], "allowed_policies", 16) == 0 && json_list_has(list, "root")) {
            json_array_clear(list); /* root swallows the others */
            json_array_append_new(list, json_string("root"));
        }
        json_object_set_new(role, names[i], list);
    }
}

static void take_flags(struct request *req, json_t *role)
{
    static const char *const names[] = {"orphan", "renewable", "path_suffix"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (field_given(req, names[i]))
            json_object_set(role, names[i], json_object_get(req->fields, names[i]));
}

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

/* It becomes a part of paths, so it is not only somewhere in it that it must look like one. */
static bool is_suffix(const char *text)
{
    size_t len = strlen(text);
    if (len < 3 || len > 256 || !is_word(text[0]) || !is_word(text[len - 1]) || strstr(text, "//") != NULL)
        return false;
    for (const char *c = text; *c != '\0'; c++)
        if (!is_word(*c) && strchr("-./", *c) == NULL)
            return false;
    return true;
}

static int check_suffix(struct request *req, const json_t *role)
{
    const char *suffix = json_str(role, "path_suffix", "");
    if (suffix[0] != '\0' && !is_suffix(suffix))
        return fail(req, ERR_INVALID, "given role path suffix contains invalid characters; must match \\w[\\w-.]+\\w");
    if (strstr(suffix, "..") != NULL)
        return fail(req, ERR_INVALID, "error registering path suffix: path cannot contain parent references");
    return OK;
}

/* A batch token has nothing of it. */
static int check_batch(struct request *req, const json_t *role)
{
    const struct {
        bool is_set;
        const char *what;
    } wrong[] = {{!json_flag(role, "orphan", false), "non-orphan tokens"},
                 {json_int(role, "token_period", 0) != 0, "periodic tokens"},
                 {json_flag(role, "renewable", true), "renewable tokens"},
                 {json_int(role, "token_explicit_max_ttl", 0) != 0, "tokens with an explicit max TTL"},
                 {json_int(role, "token_num_uses", 0) != 0, "tokens with limited use count"}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        if (wrong[i].is_set)
            return fail(req, ERR_INVALID, "'token_type' cannot be 'batch' when role is set to generate %s",
                        wrong[i].what);
    return OK;
}

static int check_type(struct request *req, const json_t *role)
{
    static const char *const types[] = {"service", "default-service", "default-batch"};
    const char *type = json_str(role, "token_type", "default-service");
    if (strcmp(type, "batch") == 0)
        return check_batch(req, role);
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (strcmp(type, types[i]) == 0)
            return OK;
    return fail(req, ERR_INVALID, "invalid 'token_type' value \"%.64s\"", type);
}

/* Otherwise than at the other methods, an old name is not shown when the new one was given with it. */
static void ignore_old_names(struct request *req, json_t *role)
{
    for (const struct token_alias *alias = aliases; alias->alias != NULL; alias++) {
        if (!field_given(req, alias->alias) || !field_given(req, alias->name))
            continue;
        json_object_del(json_map_at(role, "aliases"), alias->alias);
        reply_warn(req, "Both '%s' and deprecated '%s' value supplied, ignoring the deprecated value", alias->name,
                   alias->alias);
    }
}

static void warn(struct request *req, const json_t *role)
{
    int64_t explicit_max_s = json_int(role, "token_explicit_max_ttl", 0), max_s = mount_max_ttl_s(req, req->mount);
    if (explicit_max_s > max_s)
        reply_warn(req,
                   "Given explicit max TTL of %lld is greater than system/mount allowed value of %lld seconds; tokens "
                   "of this role live for the lesser of the two",
                   (long long)explicit_max_s, (long long)max_s);
}

int token_role_write(struct request *req)
{
    json_t *role;
    const char *name = capture(req, "role_name");
    int rc = token_role_load(req, name, &role);
    if (rc == ERR_NOTFOUND) {
        role = json_object();
        request_own(req, role);
        rc = OK;
    }
    if (rc != OK)
        return rc;
    take_lists(req, role);
    take_flags(req, role);
    rc = check_suffix(req, role);
    if (rc == OK)
        rc = token_params_take_values(req, role, aliases);
    if (rc == OK)
        rc = check_type(req, role);
    if (rc == OK)
        ignore_old_names(req, role);
    if (rc == OK)
        rc = mount_put(req, role_path(req, name), role);
    if (rc == OK)
        warn(req, role);
    return rc;
}

/* ---- Renewing ---- */

int token_role_renew(struct request *req, const json_t *data, struct renew_terms *renewal)
{
    json_t *role;
    const char *name = json_str(data, "role", "");
    int rc = token_role_load(req, name, &role);
    if (rc == ERR_NOTFOUND)
        return fail(req, ERR_INTERNAL, "original token role \"%s\" could not be found, not renewing", name);
    if (rc != OK)
        return rc;
    renewal->period_s = ttl_lesser(renewal->period_s, json_int(role, "token_period", 0));
    renewal->explicit_max_ttl_s = ttl_lesser(renewal->explicit_max_ttl_s, json_int(role, "token_explicit_max_ttl", 0));
    return OK;
}
