/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json.h — jansson, with what a secrets server needs on top.
 *
 * jansson's words hold: `_new` in a name steals the reference. json_setup() must run first: it
 * gives jansson an allocator that wipes what it frees.
 */
#ifndef COFFER_BASE_JSON_H
#define COFFER_BASE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define JSON_DEPTH_MAX 64
#define JSON_NODES_MAX 10000

void json_setup(void);

/*
 * Reads one JSON value from hostile text: at most JSON_DEPTH_MAX deep, JSON_NODES_MAX values,
 * nothing after it, no NUL inside strings. ret_value is a new reference.
 * Errors: ERR_INVALID, with where and why.
 */
int json_parse(const char *text, size_t len, json_t **ret_value, struct err *err) MUST_CHECK;

/*
 * Compact text as Go's encoder writes it: keys sorted, <, > and & escaped. The caller frees it
 * with json_text_free(), which wipes it.
 */
char *json_format(const json_t *value);
char *json_format_indent(const json_t *value, int indent);
void json_text_free(char *text);

/* The text at a key; fallback when it is absent or no string. The text belongs to the object. */
const char *json_str(const json_t *object, const char *key, const char *fallback);
int64_t json_int(const json_t *object, const char *key, int64_t fallback);
bool json_flag(const json_t *object, const char *key, bool fallback);
/* The array or object at a key, borrowed; NULL when it is absent or of another kind. */
json_t *json_list_at(const json_t *object, const char *key);
json_t *json_map_at(const json_t *object, const char *key);
/* Whether an array of strings holds this one. */
bool json_list_has(const json_t *list, const char *text);
/* A new array of strings: sorted, each once. */
json_t *json_list_sorted(const json_t *list);

#endif
