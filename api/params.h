/* SPDX-License-Identifier: Apache-2.0 */
/*
 * params.h — a request's parameters: the query of those that read, the body of those that write.
 */
#ifndef COFFER_API_PARAMS_H
#define COFFER_API_PARAMS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define PARAMS_MAX 1000

/*
 * An object: one value is a string, repeated ones an array of them. "help", "list" and "scan" are left out: they
 * say what to do. query may be NULL. ERR_INVALID.
 */
int params_read_query(const char *query, json_t **ret_data, struct err *err) MUST_CHECK;

/*
 * JSON, whatever the type says; a form only where the type says so and the text does not look like JSON.
 * Nothing, or null: an empty object. content_type may be NULL. ERR_INVALID with Vault's sentences.
 */
int params_read_body(const char *content_type, const char *body, size_t len, json_t **ret_data,
                     struct err *err) MUST_CHECK;

/* A flag in the query, as Go's ParseBool reads it. ERR_INVALID when it is neither; absent or empty: false. */
int params_query_flag(const char *query, const char *name, bool *ret_flag) MUST_CHECK;
/* Whether the query has it, and not empty. */
bool params_query_has(const char *query, const char *name);

#endif
