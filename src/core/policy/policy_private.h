/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy_private.h — what policy.c reads out of a text, and policy_acl.c and policy_match.c make an ACL of.
 */
#ifndef COFFER_CORE_POLICY_PRIVATE_H
#define COFFER_CORE_POLICY_PRIVATE_H

#include <stdatomic.h>

#include "base/arena.h"
#include "core/policy/policy.h"

enum rule_kind {
    RULE_EXACT,    /* "secret/a" */
    RULE_PREFIX,   /* "secret/a*" */
    RULE_SEGMENTS, /* "secret/+/a", "secret/+/a*" */
};

/* The pattern of a rule, without a leading '/' and without the '*' at its end. */
struct rule_pattern {
    const char *text;
    size_t len;
    enum rule_kind kind;
    bool is_prefix;    /* there was a '*' at its end */
    size_t first_wild; /* where the first '+', or the '*', stands */
    size_t n_plus;
};

/* What a rule says of the parameters, and of wrapping the answer. All of it may be absent. */
struct rule_limits {
    json_t *allowed, *denied; /* lower-case name → array of values; an empty array stands for any value */
    json_t *required;         /* array of lower-case names */
    int64_t min_wrap_s, max_wrap_s;
};

struct rule {
    struct rule_pattern pattern;
    unsigned capabilities; /* CAP_DENY alone, if it is there */
    struct rule_limits limits;
};

struct policy {
    atomic_int refs;
    struct arena arena;
    const char *name;
    struct rule *rules;
    size_t n_rules;
};

#define PARAMETER_NAME_MAX 255
/* Lower case, as names of parameters are compared; false when it is too long to be one. */
bool policy_fold_name(const char *name, char ret_folded[PARAMETER_NAME_MAX + 1]);

/* ---- policy_match.c ---- */

/* All the rules of one pattern, from whichever policies, as one. */
struct acl_rule {
    struct rule_pattern pattern;
    unsigned capabilities;
    struct rule_limits limits; /* owned */
    const struct grant {
        const char *policy;
        unsigned capabilities;
    } * grants;
    size_t n_grants;
};

/* Finds the rule that decides: hashed exact patterns, a forest of prefixes, and the few with '+' one by one. */
struct matcher {
    const struct acl_rule **exact; /* open addressing; n_exact is a power of two, or 0 */
    size_t n_exact;
    const struct acl_rule **prefixes; /* sorted */
    size_t *parents;                  /* of each the longest other that is a prefix of it; SIZE_MAX for none */
    size_t n_prefixes;
    const struct acl_rule **segments; /* the one that wins comes first */
    size_t n_segments;
};

/* Indexes rules, each pattern once; all memory is the arena's. */
void matcher_build(struct matcher *matcher, struct arena *arena, const struct acl_rule *rules, size_t n);
/* NULL when no rule fits. as_list: a rule for the path without its last '/' counts too. */
const struct acl_rule *matcher_find(const struct matcher *matcher, const char *path, bool as_list);

#endif
