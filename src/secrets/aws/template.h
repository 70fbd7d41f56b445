/* SPDX-License-Identifier: Apache-2.0 */
/*
 * template.h — username templates: the part of Go's text/template that names of users are made with.
 *
 * {{ if }}, {{ else if }}, {{ else }}, {{ end }}, pipelines, parentheses, strings, integers, .Type, .DisplayName,
 * .PolicyName; printf (%s %d %v %q), eq, ne, random, truncate, truncate_sha256, uppercase, lowercase, replace, sha256,
 * base64, unix_time, unix_time_millis, uuid. Everything is bounded; both branches of a condition are checked.
 */
#ifndef COFFER_SECRETS_AWS_TEMPLATE_H
#define COFFER_SECRETS_AWS_TEMPLATE_H

#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"

#define TEMPLATE_TEXT_MAX   4096
#define TEMPLATE_VALUE_MAX  4096 /* on the way */
#define TEMPLATE_OUTPUT_MAX 512

struct template_vars {
    const char *type; /* "STS" or "IAM" */
    const char *display_name;
    const char *policy_name;
};

extern const char aws_template_default[];

/* ret_text is of the arena. Errors: ERR_INVALID, with where and why. */
int aws_template_render(const char *text, const struct template_vars *vars, struct arena *arena, const char **ret_text,
                        struct err *err) MUST_CHECK;

/*
 * Makes a name as IAM allows it: characters that it does not allow become '_'. Two renderings must differ, or one
 * lease's user would be another's: a template without enough random() is refused. max: IAM's limit for this name.
 */
int aws_template_name(const char *text, const struct template_vars *vars, size_t max, struct arena *arena,
                      const char **ret_name, struct err *err) MUST_CHECK;

#endif
