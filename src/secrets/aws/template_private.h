/* SPDX-License-Identifier: Apache-2.0 */
/* template_private.h — what the evaluator (template.c) and its functions (template_func.c) share. */
#ifndef COFFER_SECRETS_AWS_TEMPLATE_PRIVATE_H
#define COFFER_SECRETS_AWS_TEMPLATE_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

#include "secrets/aws/template.h"

#define TEMPLATE_ARGS_MAX 8

enum value_kind { VALUE_TEXT, VALUE_INT, VALUE_BOOL };

struct value {
    enum value_kind kind;
    const char *text; /* of the arena; set for every kind, as printed */
    int64_t number;   /* of an int, or 0 and 1 of a bool */
};

struct value value_text(const char *text);
struct value value_int(struct arena *arena, int64_t number);
struct value value_bool(bool truth);

struct template_func {
    const char *name;
    int args_min, args_max;
    int (*call)(struct arena *arena, const struct value *args, int n, struct value *ret, struct err *err);
};
/* NULL when there is no such function. */
const struct template_func *template_func_find(const char *name, size_t len);

#endif
