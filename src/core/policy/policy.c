/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy.c — reads the text of a policy.
 */
#include "core/policy/policy_private.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/duration.h"
#include "config/hcl.h"

static const struct {
    const char *name;
    unsigned capabilities;
} capability_names[] = {
    {"create", CAP_CREATE}, {"read", CAP_READ}, {"update", CAP_UPDATE},
    {"delete", CAP_DELETE}, {"list", CAP_LIST}, {"patch", CAP_PATCH},
    {"sudo", CAP_SUDO},     {"deny", CAP_DENY}, {"scan", 0}, /* known, and never asked for */
};

/* The one word of the oldest policies. */
static const struct {
    const char *name;
    unsigned capabilities;
} old_names[] = {
    {"deny", CAP_DENY},
    {"read", CAP_READ | CAP_LIST},
    {"write", CAP_CREATE | CAP_READ | CAP_UPDATE | CAP_DELETE | CAP_LIST},
    {"sudo", CAP_CREATE | CAP_READ | CAP_UPDATE | CAP_DELETE | CAP_LIST | CAP_SUDO},
};

#define N(array) (sizeof(array) / sizeof((array)[0]))

static int read_capabilities(struct rule *rule, json_t *value, struct err *err)
{
    const json_t *item;
    size_t i;
    if (!json_is_array(value))
        return err_set(err, ERR_INVALID, "capabilities must be a list");
    json_array_foreach(value, i, item)
    {
        const char *name = json_string_value(item);
        size_t k = 0;
        while (k < N(capability_names) && (name == NULL || strcmp(name, capability_names[k].name) != 0))
            k++;
        if (k == N(capability_names))
            return err_set(err, ERR_INVALID, "invalid capability \"%.64s\"", name != NULL ? name : "");
        rule->capabilities |= capability_names[k].capabilities;
    }
    return OK;
}

static int read_old_policy(struct rule *rule, json_t *value, struct err *err)
{
    const char *name = json_string_value(value);
    for (size_t i = 0; name != NULL && i < N(old_names); i++) {
        if (strcmp(name, old_names[i].name) == 0) {
            rule->capabilities |= old_names[i].capabilities;
            return OK;
        }
    }
    return err_set(err, ERR_INVALID, "invalid policy \"%.64s\"", name != NULL ? name : "");
}

bool policy_fold_name(const char *name, char ret_folded[PARAMETER_NAME_MAX + 1])
{
    size_t len = strlen(name);
    if (len > PARAMETER_NAME_MAX)
        return false;
    for (size_t i = 0; i <= len; i++)
        ret_folded[i] = (char)tolower((unsigned char)name[i]);
    return true;
}

static int read_parameters(json_t **slot, const char *key, json_t *value, struct err *err)
{
    char folded[PARAMETER_NAME_MAX + 1];
    const char *name;
    json_t *values;
    if (!json_is_object(value))
        return err_set(err, ERR_INVALID, "%s must be a map of lists", key);
    if (*slot == NULL)
        *slot = json_object();
    json_object_foreach(value, name, values)
    {
        if (!json_is_array(values))
            return err_set(err, ERR_INVALID, "%s must be a map of lists", key);
        if (!policy_fold_name(name, folded))
            return err_set(err, ERR_INVALID, "a name in %s is longer than %d bytes", key, PARAMETER_NAME_MAX);
        json_object_set(*slot, folded, values);
    }
    return OK;
}

static int read_allowed(struct rule *rule, json_t *value, struct err *err)
{
    return read_parameters(&rule->limits.allowed, "allowed_parameters", value, err);
}

static int read_denied(struct rule *rule, json_t *value, struct err *err)
{
    return read_parameters(&rule->limits.denied, "denied_parameters", value, err);
}

static int read_required(struct rule *rule, json_t *value, struct err *err)
{
    char folded[PARAMETER_NAME_MAX + 1];
    const json_t *item;
    size_t i;
    if (!json_is_array(value))
        return err_set(err, ERR_INVALID, "required_parameters must be a list");
    if (rule->limits.required == NULL)
        rule->limits.required = json_array();
    json_array_foreach(value, i, item)
    {
        if (!json_is_string(item) || !policy_fold_name(json_string_value(item), folded))
            return err_set(err, ERR_INVALID, "required_parameters must be a list of names");
        json_array_append_new(rule->limits.required, json_string(folded));
    }
    return OK;
}

static int read_ttl(int64_t *slot, const char *key, const json_t *value, struct err *err)
{
    if (json_is_integer(value)) {
        *slot = json_integer_value(value);
        return OK;
    }
    if (!json_is_string(value) || duration_parse_s(json_string_value(value), slot) != OK)
        return err_set(err, ERR_INVALID, "error parsing %s: time: invalid duration \"%.64s\"", key,
                       json_is_string(value) ? json_string_value(value) : "");
    return OK;
}

static int read_min_wrap(struct rule *rule, json_t *value, struct err *err)
{
    return read_ttl(&rule->limits.min_wrap_s, "min_wrapping_ttl", value, err);
}

static int read_max_wrap(struct rule *rule, json_t *value, struct err *err)
{
    return read_ttl(&rule->limits.max_wrap_s, "max_wrapping_ttl", value, err);
}

/* Allows nothing by itself, so that it may be passed over. */
static int read_nothing(struct rule *rule, json_t *value, struct err *err)
{
    (void)rule;
    (void)value;
    (void)err;
    return OK;
}

static const struct {
    const char *key;
    int (*read)(struct rule *rule, json_t *value, struct err *err);
} rule_keys[] = {
    {"capabilities", read_capabilities},    {"policy", read_old_policy},
    {"allowed_parameters", read_allowed},   {"denied_parameters", read_denied},
    {"required_parameters", read_required}, {"min_wrapping_ttl", read_min_wrap},
    {"max_wrapping_ttl", read_max_wrap},    {"comment", read_nothing},
};

/* They narrow what a rule allows, so that to pass over them would allow more than was meant. */
static const char *const unsupported_keys[] = {"mfa_methods", "control_group", "pagination_limit", "expiration",
                                               "list_scan_response_keys_filter_path"};

/* Where something stands, as far as it is known: not in JSON. */
static const char *place_of(const struct hcl_item *item, char buffer[32])
{
    buffer[0] = '\0';
    if (item->line > 0)
        snprintf(buffer, 32, " on line %d", item->line);
    return buffer;
}

static int invalid_key(const struct hcl_item *item, struct err *err)
{
    char place[32];
    for (size_t i = 0; i < N(unsupported_keys); i++)
        if (strcmp(item->key, unsupported_keys[i]) == 0)
            return err_set(err, ERR_INVALID, "key \"%s\"%s is not supported", item->key, place_of(item, place));
    return err_set(err, ERR_INVALID, "1 error occurred:\n\t* invalid key \"%.64s\"%s\n\n", item->key,
                   place_of(item, place));
}

static int read_rule_item(struct rule *rule, const struct hcl_item *item, struct err *err)
{
    for (size_t i = 0; i < N(rule_keys); i++) {
        if (strcmp(item->key, rule_keys[i].key) != 0)
            continue;
        json_t *value = hcl_item_json(item);
        int rc = rule_keys[i].read(rule, value, err);
        json_decref(value);
        return rc;
    }
    return invalid_key(item, err);
}

/* A template that is not closed would be taken for a name. */
static bool braces_are_balanced(const char *path)
{
    int open = 0;
    for (const char *at = path; *at != '\0' && open >= 0 && open <= 1; at++) {
        if (at[0] == '{' && at[1] == '{')
            open++, at++;
        else if (at[0] == '}' && at[1] == '}')
            open--, at++;
    }
    return open == 0;
}

/*
 * A '+' that begins a segment makes a pattern one of segments and is its first wildcard, also where it is not the
 * whole segment and so stands only for itself: Vault's order of rules is defined so.
 */
static void find_wildcards(struct rule_pattern *pattern)
{
    const char *text = pattern->text;
    pattern->first_wild = pattern->len;
    pattern->kind = pattern->is_prefix ? RULE_PREFIX : RULE_EXACT;
    if (strstr(text, "/+") == NULL && strncmp(text, "+/", 2) != 0 && strcmp(text, "+") != 0)
        return;
    pattern->kind = RULE_SEGMENTS;
    pattern->first_wild = strcspn(text, "+");
    for (size_t i = 0; i < pattern->len; i++)
        pattern->n_plus += text[i] == '+' && (i == 0 || text[i - 1] == '/') && (text[i + 1] == '/' || text[i + 1] == 0);
}

static int read_pattern(struct arena *arena, const char *path, struct rule_pattern *pattern, struct err *err)
{
    if (strstr(path, "+*") != NULL)
        return err_set(err, ERR_INVALID, "invalid use of wildcards ('+*' is forbidden)");
    if (!braces_are_balanced(path))
        return err_set(err, ERR_INVALID, "failed to validate policy templating: unbalanced templating characters");
    path += path[0] == '/';
    pattern->len = strlen(path);
    pattern->is_prefix = pattern->len > 0 && path[pattern->len - 1] == '*';
    pattern->len -= pattern->is_prefix;
    pattern->text = arena_strndup(arena, path, pattern->len);
    find_wildcards(pattern);
    return OK;
}

static int read_rule(struct arena *arena, const struct hcl_item *item, struct rule *rule, struct err *err)
{
    int rc = read_pattern(arena, item->labels[0], &rule->pattern, err);
    for (size_t i = 0; rc == OK && i < item->body->n_items; i++)
        rc = read_rule_item(rule, &item->body->items[i], err);
    if (rc != OK)
        return rc;
    if (rule->capabilities & CAP_DENY)
        rule->capabilities = CAP_DENY;
    if (rule->limits.max_wrap_s > 0 && rule->limits.max_wrap_s < rule->limits.min_wrap_s)
        return err_set(err, ERR_INVALID, "max_wrapping_ttl cannot be less than min_wrapping_ttl");
    return OK;
}

static int read_items(struct policy *policy, const struct hcl_body *body, struct err *err)
{
    char place[32];
    policy->rules = arena_alloc(&policy->arena, (body->n_items + 1) * sizeof *policy->rules);
    for (size_t i = 0; i < body->n_items; i++) {
        const struct hcl_item *item = &body->items[i];
        if (strcmp(item->key, "name") == 0 && item->value != NULL)
            continue;
        if (strcmp(item->key, "path") != 0)
            return invalid_key(item, err);
        if (item->body == NULL || item->n_labels != 1)
            return err_set(err, ERR_INVALID, "a path must be written as path \"name\" { ... }%s",
                           place_of(item, place));
        if (read_rule(&policy->arena, item, &policy->rules[policy->n_rules++], err) != OK)
            return err_wrap(err, "path \"%.128s\"", item->labels[0]);
    }
    return OK;
}

int policy_parse(const char *name, const char *text, size_t len, struct policy **ret_policy, struct err *err)
{
    struct err own = {0};
    struct hcl *hcl;
    if (err == NULL)
        err = &own;
    int rc = hcl_parse(text, len, &hcl, err);
    if (rc != OK)
        return rc;
    struct policy *policy = calloc(1, sizeof *policy);
    if (policy == NULL)
        abort();
    arena_init(&policy->arena);
    atomic_init(&policy->refs, 1);
    policy->name = arena_strdup(&policy->arena, name);
    rc = read_items(policy, hcl_root(hcl), err);
    hcl_free(hcl);
    if (rc == OK)
        *ret_policy = policy;
    else
        policy_unref(policy);
    return rc;
}

struct policy *policy_ref(struct policy *policy)
{
    atomic_fetch_add_explicit(&policy->refs, 1, memory_order_relaxed);
    return policy;
}

void policy_unref(struct policy *policy)
{
    if (policy == NULL || atomic_fetch_sub_explicit(&policy->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < policy->n_rules; i++) {
        json_decref(policy->rules[i].limits.allowed);
        json_decref(policy->rules[i].limits.denied);
        json_decref(policy->rules[i].limits.required);
    }
    arena_close(&policy->arena);
    free(policy);
}

const char *policy_name(const struct policy *policy)
{
    return policy->name;
}

const char policy_default_text[] =
    "# What every token may do, unless it was made without this policy: mind itself.\n"
    "path \"auth/token/lookup-self\" {\n    capabilities = [\"read\"]\n}\n"
    "path \"auth/token/renew-self\" {\n    capabilities = [\"update\"]\n}\n"
    "path \"auth/token/revoke-self\" {\n    capabilities = [\"update\"]\n}\n"
    "path \"sys/capabilities-self\" {\n    capabilities = [\"update\"]\n}\n\n"
    "# Its entity.\n"
    "path \"identity/entity/id/{{identity.entity.id}}\" {\n    capabilities = [\"read\"]\n}\n"
    "path \"identity/entity/name/{{identity.entity.name}}\" {\n    capabilities = [\"read\"]\n}\n\n"
    "# What a user interface asks for.\n"
    "path \"sys/internal/ui/resultant-acl\" {\n    capabilities = [\"read\"]\n}\n\n"
    "# Leases that it knows the id of.\n"
    "path \"sys/renew\" {\n    capabilities = [\"update\"]\n}\n"
    "path \"sys/leases/renew\" {\n    capabilities = [\"update\"]\n}\n"
    "path \"sys/leases/lookup\" {\n    capabilities = [\"update\"]\n}\n\n"
    "# A place of its own.\n"
    "path \"cubbyhole/*\" {\n    capabilities = [\"create\", \"read\", \"update\", \"delete\", \"list\"]\n}\n\n"
    "# Wrapped answers, and what needs no secret.\n"
    "path \"sys/wrapping/wrap\" {\n    capabilities = [\"update\"]\n}\n"
    "path \"sys/wrapping/lookup\" {\n    capabilities = [\"update\"]\n}\n"
    "path \"sys/wrapping/unwrap\" {\n    capabilities = [\"update\"]\n}\n"
    "path \"sys/tools/hash\" {\n    capabilities = [\"update\"]\n}\n"
    "path \"sys/tools/hash/*\" {\n    capabilities = [\"update\"]\n}\n"
    "path \"identity/oidc/provider/+/authorize\" {\n    capabilities = [\"read\", \"update\"]\n}\n";
