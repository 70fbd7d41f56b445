/* SPDX-License-Identifier: Apache-2.0 */
/*
 * help.h — what ?help=1 answers on any path: a text for people, and the same as an OpenAPI document; both out of the
 * route tables.
 */
#ifndef COFFER_CORE_HELP_H
#define COFFER_CORE_HELP_H

#include "core/request/request.h"

/* Of a path that has a route, or of a mount. */
int help_answer(struct request *req) MUST_CHECK;

#endif
