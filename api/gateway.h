/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gateway.h — between the HTTP front and the pipeline: every call becomes a request, its outcome the reply.
 */
#ifndef COFFER_API_GATEWAY_H
#define COFFER_API_GATEWAY_H

#include "base/err.h"

struct config;
struct core;
struct gateway;

/* Listens as configured. The core and the configuration must outlive the gateway. Errors: ERR_INVALID, ERR_IO with the
 * listener's address. */
int gateway_start(struct core *core, const struct config *config, struct gateway **ret_gateway,
                  struct err *err) MUST_CHECK;
/* Reads the listeners' certificates again; where they are bad, keeps those it has and says so. */
int gateway_reload(struct gateway *gateway, struct err *err) MUST_CHECK;
/*
 * Listens no more; connections that nothing is asked on end after idle_ms, and requests may go on for drain_ms more.
 * Call it before core_close(): those requests need the core. What is still running then stays in memory, for the
 * process to end. NULL is fine.
 */
void gateway_stop(struct gateway *gateway, int idle_ms, int drain_ms);

#endif
