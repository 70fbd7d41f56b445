/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy_match.c — finds the one rule that decides on a path.
 *
 * An exact pattern wins; else the best of the longest prefix and of the patterns with '+'. Which of two is better:
 * https://developer.hashicorp.com/vault/docs/concepts/policies#priority-matching
 */
#include <stdlib.h>
#include <string.h>

#include "core/policy/policy_private.h"

/* Below, above or equal to zero, as a loses against, wins over or is b. */
static int compare_priority(const struct rule_pattern *a, const struct rule_pattern *b)
{
    if (a->first_wild != b->first_wild)
        return a->first_wild < b->first_wild ? -1 : 1;
    if (a->is_prefix != b->is_prefix)
        return a->is_prefix ? -1 : 1;
    if (a->n_plus != b->n_plus)
        return a->n_plus > b->n_plus ? -1 : 1;
    if (a->len != b->len)
        return a->len < b->len ? -1 : 1;
    return strcmp(a->text, b->text);
}

/* ---- Exact patterns ---- */

static uint64_t hash_of(const char *text, size_t len)
{
    uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a */
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (unsigned char)text[i]) * 0x100000001b3u;
    return hash ^ hash >> 29;
}

static void add_exact(struct matcher *matcher, const struct acl_rule *rule)
{
    size_t mask = matcher->n_exact - 1, i = hash_of(rule->pattern.text, rule->pattern.len) & mask;
    while (matcher->exact[i] != NULL)
        i = (i + 1) & mask;
    matcher->exact[i] = rule;
}

static const struct acl_rule *find_exact(const struct matcher *matcher, const char *path, size_t len)
{
    if (matcher->n_exact == 0)
        return NULL;
    size_t mask = matcher->n_exact - 1, i = hash_of(path, len) & mask;
    for (; matcher->exact[i] != NULL; i = (i + 1) & mask) {
        const struct rule_pattern *pattern = &matcher->exact[i]->pattern;
        if (pattern->len == len && memcmp(pattern->text, path, len) == 0)
            return matcher->exact[i];
    }
    return NULL;
}

/* ---- Prefixes ---- */

static bool is_prefix_of(const struct rule_pattern *pattern, const char *path, size_t len)
{
    return pattern->len <= len && memcmp(pattern->text, path, pattern->len) == 0;
}

static int compare_text(const char *a, size_t a_len, const char *b, size_t b_len)
{
    int order = memcmp(a, b, a_len < b_len ? a_len : b_len);
    return order != 0 ? order : (a_len > b_len) - (a_len < b_len);
}

static int compare_prefixes(const void *a, const void *b)
{
    const struct rule_pattern *x = &(*(const struct acl_rule *const *)a)->pattern;
    const struct rule_pattern *y = &(*(const struct acl_rule *const *)b)->pattern;
    return compare_text(x->text, x->len, y->text, y->len);
}

/* In sorted order the prefixes of an element stand before it, and are linked to each other. */
static void link_parents(struct matcher *matcher)
{
    for (size_t i = 0; i < matcher->n_prefixes; i++) {
        const struct rule_pattern *pattern = &matcher->prefixes[i]->pattern;
        size_t parent = i > 0 ? i - 1 : SIZE_MAX;
        while (parent != SIZE_MAX && !is_prefix_of(&matcher->prefixes[parent]->pattern, pattern->text, pattern->len))
            parent = matcher->parents[parent];
        matcher->parents[i] = parent;
    }
}

static const struct acl_rule *find_prefix(const struct matcher *matcher, const char *path, size_t len)
{
    size_t low = 0, high = matcher->n_prefixes;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct rule_pattern *pattern = &matcher->prefixes[middle]->pattern;
        if (compare_text(pattern->text, pattern->len, path, len) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    size_t at = low > 0 ? low - 1 : SIZE_MAX;
    while (at != SIZE_MAX && !is_prefix_of(&matcher->prefixes[at]->pattern, path, len))
        at = matcher->parents[at];
    return at != SIZE_MAX ? matcher->prefixes[at] : NULL;
}

/* ---- Patterns with '+' ---- */

static int compare_segments(const void *a, const void *b)
{
    const struct acl_rule *x = *(const struct acl_rule *const *)a, *y = *(const struct acl_rule *const *)b;
    return compare_priority(&y->pattern, &x->pattern);
}

static size_t segment_length(const char *at, const char *end)
{
    const char *slash = memchr(at, '/', (size_t)(end - at));
    return (size_t)((slash != NULL ? slash : end) - at);
}

static bool segments_fit(const struct rule_pattern *pattern, const char *path, size_t len)
{
    if (len < pattern->first_wild || memcmp(pattern->text, path, pattern->first_wild) != 0)
        return false;
    const char *want = pattern->text, *want_end = want + pattern->len, *path_end = path + len;
    for (;;) {
        size_t want_len = segment_length(want, want_end), path_len = segment_length(path, path_end);
        bool is_last = want + want_len == want_end;
        bool is_plus = want_len == 1 && *want == '+';
        if (is_last && pattern->is_prefix)
            return path_len >= want_len && memcmp(want, path, want_len) == 0;
        if (!is_plus && (want_len != path_len || memcmp(want, path, want_len) != 0))
            return false;
        bool path_is_last = path + path_len == path_end;
        if (is_last || path_is_last)
            return is_last && path_is_last;
        want += want_len + 1;
        path += path_len + 1;
    }
}

static const struct acl_rule *find_segments(const struct matcher *matcher, const char *path, size_t len)
{
    for (size_t i = 0; i < matcher->n_segments; i++)
        if (segments_fit(&matcher->segments[i]->pattern, path, len))
            return matcher->segments[i];
    return NULL;
}

/* ---- All together ---- */

static const struct acl_rule *better(const struct acl_rule *a, const struct acl_rule *b)
{
    if (a == NULL || b == NULL)
        return a != NULL ? a : b;
    return compare_priority(&a->pattern, &b->pattern) >= 0 ? a : b;
}

static const struct acl_rule *find_wild(const struct matcher *matcher, const char *path, size_t len)
{
    return better(find_prefix(matcher, path, len), find_segments(matcher, path, len));
}

/*
 * For a list the path without its last '/' is tried second. A denial of it counts all the same where it is the
 * better match: else a wide grant ("kv/" and a star) would let through what "kv/+/private" denies.
 */
static const struct acl_rule *find_wild_list(const struct matcher *matcher, const char *path, size_t len)
{
    const struct acl_rule *rule = find_wild(matcher, path, len), *bare = find_wild(matcher, path, len - 1);
    bool is_denial = bare != NULL && bare->capabilities == CAP_DENY;
    return rule == NULL || (is_denial && better(rule, bare) == bare) ? bare : rule;
}

const struct acl_rule *matcher_find(const struct matcher *matcher, const char *path, bool as_list)
{
    size_t len = strlen(path);
    bool has_slash = as_list && len > 0 && path[len - 1] == '/';
    const struct acl_rule *rule = find_exact(matcher, path, len);
    if (rule == NULL && has_slash)
        rule = find_exact(matcher, path, len - 1);
    if (rule != NULL)
        return rule;
    return has_slash ? find_wild_list(matcher, path, len) : find_wild(matcher, path, len);
}

static void count_kinds(const struct acl_rule *rules, size_t n, size_t counts[RULE_SEGMENTS + 1])
{
    for (size_t i = 0; i < n; i++)
        counts[rules[i].pattern.kind]++;
}

void matcher_build(struct matcher *matcher, struct arena *arena, const struct acl_rule *rules, size_t n)
{
    size_t counts[RULE_SEGMENTS + 1] = {0};
    count_kinds(rules, n, counts);
    *matcher = (struct matcher){0};
    if (counts[RULE_EXACT] > 0)
        for (matcher->n_exact = 2; matcher->n_exact < 2 * counts[RULE_EXACT];)
            matcher->n_exact *= 2;
    matcher->exact = arena_alloc(arena, (matcher->n_exact + 1) * sizeof *matcher->exact);
    matcher->prefixes = arena_alloc(arena, (counts[RULE_PREFIX] + 1) * sizeof *matcher->prefixes);
    matcher->parents = arena_alloc(arena, (counts[RULE_PREFIX] + 1) * sizeof *matcher->parents);
    matcher->segments = arena_alloc(arena, (counts[RULE_SEGMENTS] + 1) * sizeof *matcher->segments);
    for (size_t i = 0; i < n; i++) {
        const struct acl_rule *rule = &rules[i];
        if (rule->pattern.kind == RULE_EXACT)
            add_exact(matcher, rule);
        else if (rule->pattern.kind == RULE_PREFIX)
            matcher->prefixes[matcher->n_prefixes++] = rule;
        else
            matcher->segments[matcher->n_segments++] = rule;
    }
    qsort(matcher->prefixes, matcher->n_prefixes, sizeof *matcher->prefixes, compare_prefixes);
    qsort(matcher->segments, matcher->n_segments, sizeof *matcher->segments, compare_segments);
    link_parents(matcher);
}
