/* SPDX-License-Identifier: Apache-2.0 */
/*
 * router.h — from an engine's table of routes to the row that a path and an operation mean.
 */
#ifndef COFFER_CORE_ROUTER_H
#define COFFER_CORE_ROUTER_H

#include <jansson.h>

#include "core/engine.h"

/*
 * ERR_NOTFOUND when no row has the path, ERR_UNSUPPORTED when none of those that have it does the operation. Rows are
 * tried in order. ret_captures is a new reference: an object, maybe empty.
 */
int router_match(const struct route *routes, const char *path, enum operation operation, const struct route **ret_route,
                 json_t **ret_captures) MUST_CHECK;

/* Whether a path fits the pattern of a route; captures go into `captures` (an object, or NULL). */
bool router_fits(const char *pattern, const char *path, json_t *captures);

#endif
