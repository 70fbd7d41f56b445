/* SPDX-License-Identifier: Apache-2.0 */
/*
 * field.h — the pipeline's side of parameters; handlers use those of engine.h.
 */
#ifndef COFFER_CORE_FIELD_H
#define COFFER_CORE_FIELD_H

#include "core/request/request.h"

/* Fills req->fields by the route's table. ERR_INVALID: "Field validation failed: …". */
int field_convert(struct request *req) MUST_CHECK;
/* Adds the warnings about parameters that the route does not know. */
void field_warn(struct request *req);
/* A list, or a text between commas, as a new list of texts; NULL when it is neither. */
json_t *field_to_list(const json_t *value);
/* "string", "boolean", …: the type in the OpenAPI document. */
const char *field_type_name(enum field_type type);

#endif
