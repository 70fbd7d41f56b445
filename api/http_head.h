/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_head.h — a second look at a request's head, as it came.
 *
 * h2o is lenient: of two Content-Lengths it takes the first, of Content-Length and Transfer-Encoding the latter,
 * bare line feeds and folded lines pass. A proxy that reads such a head otherwise lets a request be smuggled in.
 * Reference: RFC 9112, sections 2.2, 3.2, 5.2 and 6.3.
 */
#ifndef COFFER_API_HTTP_HEAD_H
#define COFFER_API_HTTP_HEAD_H

#include <stddef.h>

/*
 * text begins with a request that was parsed already; len may reach beyond its head.
 * NULL when the head can be read in one way only; else what is wrong.
 */
const char *http_head_problem(const char *text, size_t len);

#endif
