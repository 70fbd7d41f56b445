/* SPDX-License-Identifier: Apache-2.0 */
/*
 * upload.h — which requests may have a body that is too large for memory: restores of a snapshot, by a token that may
 * do it, on the active node, while the disk has room.
 */
#ifndef COFFER_API_UPLOAD_H
#define COFFER_API_UPLOAD_H

#include "api/http.h"

struct core;

/* As in struct http_uploads. */
int upload_ask(struct core *core, const struct http_upload *upload, struct arena *arena, const char **ret_location);

#endif
