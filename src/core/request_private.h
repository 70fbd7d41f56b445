/* SPDX-License-Identifier: Apache-2.0 */
/*
 * request_private.h — between request.c and request_run.c.
 */
#ifndef COFFER_CORE_REQUEST_PRIVATE_H
#define COFFER_CORE_REQUEST_PRIVATE_H

#include "core/request.h"

/* Forgets what the handler did and what the steps found; the client's words stay. */
void request_forget(struct request *req);

#endif
