/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cors.h — what a browser is told about pages of other origins (core/request/cors.h says who may).
 */
#ifndef COFFER_API_CORS_H
#define COFFER_API_CORS_H

#include <stdbool.h>

#include "api/http.h"

struct core;

/*
 * Before the call is served: puts the headers that its answer needs on it. True when it is answered, and gone: a
 * preflight request, or one of an origin that is not allowed.
 */
bool cors_answer(struct core *core, struct http_call *call);

#endif
