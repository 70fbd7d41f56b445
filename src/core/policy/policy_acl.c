/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy_acl.c — the union of policies, and the decision on one request.
 */
#include <stdlib.h>
#include <string.h>

#include "base/glob.h"
#include "core/policy/policy_private.h"

struct acl {
    atomic_int refs;
    bool is_root;
    struct arena arena;
    struct policy **policies; /* referenced: patterns and names are theirs */
    size_t n_policies;
    struct acl_rule *rules; /* sorted by pattern, each once */
    size_t n_rules;
    struct matcher matcher;
};

/* ---- Merging ---- */

/* An empty list stands for any value, and so does the union of it with another. */
static void merge_values(json_t **slot, json_t *more)
{
    const char *name;
    json_t *values;
    if (more == NULL)
        return;
    if (*slot == NULL)
        *slot = json_object();
    json_object_foreach(more, name, values)
    {
        json_t *there = json_object_get(*slot, name);
        if (there == NULL)
            json_object_set_new(*slot, name, json_copy(values));
        else if (json_array_size(there) == 0 || json_array_size(values) == 0)
            json_array_clear(there);
        else
            json_array_extend(there, values);
    }
}

static void merge_ttl(int64_t *slot, int64_t more)
{
    if (more > 0 && (*slot <= 0 || more < *slot))
        *slot = more;
}

static void merge_limits(struct rule_limits *limits, const struct rule_limits *more)
{
    merge_values(&limits->allowed, more->allowed);
    merge_values(&limits->denied, more->denied);
    if (more->required != NULL) {
        if (limits->required == NULL)
            limits->required = json_array();
        json_array_extend(limits->required, more->required);
    }
    merge_ttl(&limits->min_wrap_s, more->min_wrap_s);
    merge_ttl(&limits->max_wrap_s, more->max_wrap_s);
}

static void drop_limits(struct rule_limits *limits)
{
    json_decref(limits->allowed);
    json_decref(limits->denied);
    json_decref(limits->required);
    *limits = (struct rule_limits){0};
}

struct source {
    const struct rule *rule;
    const char *policy;
};

static int compare_patterns(const struct rule_pattern *a, const struct rule_pattern *b)
{
    int order = strcmp(a->text, b->text);
    return order != 0 ? order : (int)a->is_prefix - (int)b->is_prefix;
}

static int compare_sources(const void *a, const void *b)
{
    const struct source *x = a, *y = b;
    return compare_patterns(&x->rule->pattern, &y->rule->pattern);
}

/* The value of a template is an entity's; a rule for which there is none allows and denies nothing. */
static bool is_template(const struct rule *rule)
{
    return strstr(rule->pattern.text, "{{") != NULL;
}

static struct source *collect(struct acl *acl, size_t *ret_n)
{
    size_t n = 0, room = 1;
    for (size_t i = 0; i < acl->n_policies; i++)
        room += acl->policies[i]->n_rules;
    struct source *sources = arena_alloc(&acl->arena, room * sizeof *sources);
    for (size_t i = 0; i < acl->n_policies; i++) {
        const struct policy *policy = acl->policies[i];
        for (size_t k = 0; k < policy->n_rules; k++)
            if (!is_template(&policy->rules[k]))
                sources[n++] = (struct source){&policy->rules[k], policy->name};
    }
    qsort(sources, n, sizeof *sources, compare_sources);
    *ret_n = n;
    return sources;
}

/* Makes one of the n rules of one pattern. */
static void merge_rule(struct acl *acl, const struct source *sources, size_t n, struct acl_rule *rule)
{
    struct grant *grants = arena_alloc(&acl->arena, n * sizeof *grants);
    rule->pattern = sources[0].rule->pattern;
    for (size_t i = 0; i < n; i++) {
        grants[i] = (struct grant){sources[i].policy, sources[i].rule->capabilities};
        rule->capabilities |= sources[i].rule->capabilities;
        merge_limits(&rule->limits, &sources[i].rule->limits);
    }
    rule->grants = grants;
    rule->n_grants = n;
    if (rule->capabilities & CAP_DENY) {
        rule->capabilities = CAP_DENY;
        drop_limits(&rule->limits);
    }
}

static void merge_all(struct acl *acl)
{
    size_t n, len;
    struct source *sources = collect(acl, &n);
    acl->rules = arena_alloc(&acl->arena, (n + 1) * sizeof *acl->rules);
    for (size_t i = 0; i < n; i += len) {
        for (len = 1; i + len < n && compare_sources(&sources[i], &sources[i + len]) == 0;)
            len++;
        merge_rule(acl, &sources[i], len, &acl->rules[acl->n_rules++]);
    }
    matcher_build(&acl->matcher, &acl->arena, acl->rules, acl->n_rules);
}

struct acl *acl_new(struct policy *const *policies, size_t n, bool is_root)
{
    struct acl *acl = calloc(1, sizeof *acl);
    if (acl == NULL)
        abort();
    atomic_init(&acl->refs, 1);
    acl->is_root = is_root;
    arena_init(&acl->arena);
    acl->n_policies = n;
    acl->policies = arena_alloc(&acl->arena, (n + 1) * sizeof *acl->policies);
    for (size_t i = 0; i < n; i++)
        acl->policies[i] = policy_ref(policies[i]);
    merge_all(acl);
    return acl;
}

struct acl *acl_ref(struct acl *acl)
{
    atomic_fetch_add_explicit(&acl->refs, 1, memory_order_relaxed);
    return acl;
}

void acl_unref(struct acl *acl)
{
    if (acl == NULL || atomic_fetch_sub_explicit(&acl->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < acl->n_rules; i++)
        drop_limits(&acl->rules[i].limits);
    for (size_t i = 0; i < acl->n_policies; i++)
        policy_unref(acl->policies[i]);
    arena_close(&acl->arena);
    free(acl);
}

/* ---- Asking ---- */

unsigned acl_capabilities(const struct acl *acl, const char *path, bool as_list)
{
    if (acl->is_root)
        return CAP_ROOT;
    const struct acl_rule *rule = matcher_find(&acl->matcher, path, as_list);
    return rule != NULL && rule->capabilities != 0 ? rule->capabilities : CAP_DENY;
}

/* Whether some path that begins with the prefix could fit the pattern. */
static bool pattern_touches(const struct rule_pattern *pattern, const char *prefix)
{
    const char *want = pattern->text, *end = want + pattern->len;
    while (want < end && *prefix != '\0') {
        if (pattern->kind == RULE_SEGMENTS && *want == '+' && (want == pattern->text || want[-1] == '/') &&
            (want + 1 == end || want[1] == '/')) {
            want++;
            prefix += strcspn(prefix, "/");
        } else if (*want++ != *prefix++) {
            return false;
        }
    }
    return *prefix == '\0' || pattern->is_prefix;
}

bool acl_touches(const struct acl *acl, const char *prefix)
{
    if (acl->is_root)
        return true;
    for (size_t i = 0; i < acl->n_rules; i++)
        if ((acl->rules[i].capabilities & ~(unsigned)CAP_DENY) != 0 && pattern_touches(&acl->rules[i].pattern, prefix))
            return true;
    return false;
}

static unsigned capability_for(enum operation operation)
{
    static const unsigned needed[] = {
        [OP_READ] = CAP_READ,   [OP_LIST] = CAP_LIST,     [OP_CREATE] = CAP_CREATE, [OP_UPDATE] = CAP_UPDATE,
        [OP_PATCH] = CAP_PATCH, [OP_DELETE] = CAP_DELETE, [OP_REVOKE] = CAP_UPDATE, [OP_RENEW] = CAP_UPDATE,
    };
    return (size_t)operation < sizeof needed / sizeof needed[0] ? needed[operation] : 0;
}

/* ---- Parameters ---- */

/* The text of a string, number or boolean: clients may send any of them for another. NULL for what is none. */
static const char *scalar_text(const json_t *value, char buffer[64])
{
    if (json_is_string(value))
        return json_string_value(value);
    if (json_is_boolean(value))
        return json_is_true(value) ? "true" : "false";
    if (json_is_integer(value))
        snprintf(buffer, 64, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else if (json_is_real(value))
        snprintf(buffer, 64, "%.17g", json_real_value(value));
    else
        return NULL;
    return buffer;
}

static bool value_fits(const json_t *listed, const json_t *value)
{
    char listed_buffer[64], value_buffer[64];
    const char *listed_text = scalar_text(listed, listed_buffer), *text = scalar_text(value, value_buffer);
    if (listed_text == NULL || text == NULL)
        return json_equal(listed, value);
    return json_is_string(listed) ? glob_fits(listed_text, text) : strcmp(listed_text, text) == 0;
}

static bool list_has(const json_t *list, const json_t *value)
{
    const json_t *listed;
    size_t i;
    json_array_foreach(list, i, listed) if (value_fits(listed, value)) return true;
    return json_array_size(list) == 0;
}

/* What is listed for a parameter; NULL when nothing is. */
static const json_t *listed_for(const json_t *map, const char *name)
{
    char folded[PARAMETER_NAME_MAX + 1];
    return policy_fold_name(name, folded) ? json_object_get(map, folded) : NULL;
}

static bool has_required(const struct rule_limits *limits, const json_t *body)
{
    const json_t *name;
    size_t i;
    json_array_foreach(limits->required, i,
                       name) if (json_object_get(body, json_string_value(name)) == NULL) return false;
    return true;
}

static bool parameters_allowed(const struct rule_limits *limits, json_t *body)
{
    const char *name;
    json_t *value;
    if (!has_required(limits, body))
        return false;
    if (json_object_size(body) > 0 && json_object_get(limits->denied, "*") != NULL)
        return false;
    bool any_name = json_object_size(limits->allowed) == 0 || json_object_get(limits->allowed, "*") != NULL;
    json_object_foreach(body, name, value)
    {
        const json_t *denied = listed_for(limits->denied, name), *allowed = listed_for(limits->allowed, name);
        if (denied != NULL && list_has(denied, value))
            return false;
        if (allowed != NULL ? !list_has(allowed, value) : !any_name)
            return false;
    }
    return true;
}

static bool wrapping_allowed(const struct rule_limits *limits, int64_t wrap_ttl_s)
{
    if (limits->max_wrap_s > 0 && (wrap_ttl_s <= 0 || wrap_ttl_s > limits->max_wrap_s))
        return false;
    return limits->min_wrap_s <= 0 || wrap_ttl_s >= limits->min_wrap_s;
}

static bool limits_allow(const struct rule_limits *limits, enum operation operation, const json_t *body,
                         int64_t wrap_ttl_s)
{
    bool has_parameters =
        operation == OP_READ || operation == OP_CREATE || operation == OP_UPDATE || operation == OP_PATCH;
    if (!wrapping_allowed(limits, wrap_ttl_s))
        return false;
    return !has_parameters || parameters_allowed(limits, (json_t *)body);
}

static const char *granter(const struct acl_rule *rule, unsigned capability)
{
    for (size_t i = 0; i < rule->n_grants; i++)
        if (rule->grants[i].capabilities & capability)
            return rule->grants[i].policy;
    return NULL;
}

struct acl_verdict acl_check_wrapped(const struct acl *acl, enum operation operation, const char *path,
                                     const json_t *body, int64_t wrap_ttl_s)
{
    if (acl->is_root)
        return (struct acl_verdict){.allowed = true, .sudo = true, .granted_by = "root"};
    if (operation == OP_HELP)
        return (struct acl_verdict){.allowed = true};
    const struct acl_rule *rule = matcher_find(&acl->matcher, path, operation == OP_LIST);
    unsigned needed = capability_for(operation);
    struct acl_verdict verdict = {0};
    if (rule == NULL)
        return verdict;
    verdict.sudo = (rule->capabilities & CAP_SUDO) != 0;
    verdict.allowed = (rule->capabilities & needed) != 0 && limits_allow(&rule->limits, operation, body, wrap_ttl_s);
    verdict.granted_by = granter(rule, verdict.allowed ? needed : CAP_DENY);
    return verdict;
}

struct acl_verdict acl_check(const struct acl *acl, enum operation operation, const char *path, const json_t *body)
{
    return acl_check_wrapped(acl, operation, path, body, 0);
}
