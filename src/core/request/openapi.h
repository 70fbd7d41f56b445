/* SPDX-License-Identifier: Apache-2.0 */
/*
 * openapi.h — route tables as an OpenAPI document, version 3.0.2.
 * Format: https://spec.openapis.org/oas/v3.0.2
 */
#ifndef COFFER_CORE_OPENAPI_H
#define COFFER_CORE_OPENAPI_H

#include <jansson.h>

#include "core/engine.h"

/* A document without paths; a new reference. */
json_t *openapi_new(void);
/*
 * Adds the routes of a mount at `mount` ("aws/", or ""); tag: what they are filed under. pattern: only routes of this
 * path; NULL: all. A route without help only says why nothing is there, and is left out.
 */
void openapi_add(json_t *document, const char *mount, const char *tag, const struct route *routes, const char *pattern);

#endif
