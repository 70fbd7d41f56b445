/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/token/policies.h"

#include <string.h>

#include "base/buf.h"
#include "base/glob.h"
#include "base/json.h"
#include "core/request/request.h"
#include "core/token/token.h"
#include "core/token/token_params.h"

static bool is_privileged(const struct request *req)
{
    return req->has_sudo || req->token->is_root;
}

/* Clean, with default if it is to be added; root swallows the others. The request's. */
static json_t *sanitized(struct request *req, const json_t *names, bool add_default)
{
    json_t *with = json_array(), *clean;
    if (names != NULL)
        json_array_extend(with, (json_t *)names);
    if (add_default)
        json_array_append_new(with, json_string("default"));
    clean = token_policies_clean(with);
    json_decref(with);
    if (json_list_has(clean, "root")) {
        json_array_clear(clean);
        json_array_append_new(clean, json_string("root"));
    }
    request_own(req, clean);
    return clean;
}

/* ["a" "b"], as Go prints a list of texts; of the arena. */
static const char *quoted(struct request *req, const json_t *names)
{
    struct buf text = BUF_INIT;
    const json_t *name;
    size_t i;
    json_array_foreach(names, i, name)
    {
        buf_printf(&text, "%s\"%s\"", i > 0 ? " " : "", json_string_value(name));
    }
    const char *all = arena_printf(&req->arena, "[%s]", buf_str(&text));
    buf_close(&text);
    return all;
}

/* ---- By a role that has lists: these alone say what is allowed, whatever the maker may do ---- */

static bool has_items(const json_t *role, const char *name)
{
    return json_array_size(json_list_at(role, name)) > 0;
}

static bool has_lists(const json_t *role)
{
    return has_items(role, "allowed_policies") || has_items(role, "allowed_policies_glob") ||
           has_items(role, "disallowed_policies") || has_items(role, "disallowed_policies_glob");
}

static bool is_disallowed(const json_t *role, const char *policy)
{
    return json_list_has(json_list_at(role, "disallowed_policies"), policy) ||
           glob_list_fits(json_list_at(role, "disallowed_policies_glob"), policy);
}

static int check_allowed(struct request *req, const json_t *role, const json_t *policies, const json_t *allowed)
{
    const json_t *globs = json_list_at(role, "allowed_policies_glob"), *policy;
    size_t i;
    json_array_foreach(policies, i, policy)
    {
        const char *name = json_string_value(policy);
        if (!json_list_has(allowed, name) && !glob_list_fits(globs, name))
            return fail(req, ERR_INVALID,
                        "token policies (%s) must be subset of the role's allowed policies (%s) or glob policies (%s)",
                        quoted(req, policies), quoted(req, allowed), quoted(req, globs));
    }
    return OK;
}

static int check_disallowed(struct request *req, const json_t *role, const json_t *policies)
{
    const json_t *policy;
    size_t i;
    json_array_foreach(policies, i, policy)
    {
        if (is_disallowed(role, json_string_value(policy)))
            return fail(req, ERR_INVALID, "token policy \"%s\" is disallowed by this role", json_string_value(policy));
    }
    return OK;
}

static int choose_by_role(struct request *req, const json_t *role, json_t **ret_policies)
{
    const json_t *given = field_json(req, "policies");
    bool names_allowed = has_items(role, "allowed_policies") || has_items(role, "allowed_policies_glob");
    bool add_default = !field_bool(req, "no_default_policy", false) &&
                       !json_flag(role, "token_no_default_policy", false) && !is_disallowed(role, "default");
    json_t *allowed = sanitized(req, json_list_at(role, "allowed_policies"), add_default), *policies;
    int rc = OK;
    if (json_array_size(given) == 0)
        policies = names_allowed ? allowed : sanitized(req, req->token->policies, add_default);
    else {
        policies = sanitized(req, given, add_default);
        rc = names_allowed ? check_allowed(req, role, policies, allowed) : OK;
    }
    if (rc == OK)
        rc = check_disallowed(req, role, policies);
    if (rc == OK)
        *ret_policies = policies;
    return rc;
}

/* ---- By what the maker has itself ---- */

static bool is_subset(const json_t *policies, const json_t *of)
{
    const json_t *policy;
    size_t i;
    json_array_foreach(policies, i, policy)
    {
        if (!json_list_has(of, json_string_value(policy)))
            return false;
    }
    return true;
}

static int choose_by_parent(struct request *req, json_t **ret_policies)
{
    const struct token *parent = req->token;
    const json_t *given = field_json(req, "policies");
    bool wants_default = !field_bool(req, "no_default_policy", false);
    if (json_array_size(given) == 0) {
        *ret_policies = sanitized(req, parent->policies, false);
        return OK;
    }
    if (!is_privileged(req) && !is_subset(sanitized(req, given, false), parent->policies))
        return fail(req, ERR_INVALID, "child policies must be subset of parent");
    bool may_default = is_privileged(req) || json_list_has(parent->policies, "default");
    *ret_policies = sanitized(req, given, wants_default && may_default);
    return OK;
}

/* ---- Either ---- */

static void drop_default(json_t *policies)
{
    for (size_t i = 0; i < json_array_size(policies); i++)
        if (strcmp(json_string_value(json_array_get(policies, i)), "default") == 0)
            json_array_remove(policies, i);
}

int token_choose_policies(struct request *req, const json_t *role, json_t **ret_policies)
{
    json_t *policies = NULL;
    int rc = has_lists(role) ? choose_by_role(req, role, &policies) : choose_by_parent(req, &policies);
    if (rc != OK)
        return rc;
    if (field_bool(req, "no_default_policy", false))
        drop_default(policies);
    if (json_list_has(policies, "response-wrapping"))
        return fail(req, ERR_INVALID, "cannot assign policy \"response-wrapping\"");
    if (json_list_has(policies, "root") && !req->token->is_root)
        return fail(req, ERR_INVALID, "root tokens may not be created without parent token being root");
    *ret_policies = policies;
    return OK;
}
