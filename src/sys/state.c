/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state.c — what this node is working on, and how it is configured.
 */
#include "core/core.h"
#include "core/request/in_flight.h"
#include "core/request/request.h"
#include "sys/handlers.h"

int sys_in_flight(struct request *req)
{
    reply_data(req, in_flight_describe(req->core));
    return OK;
}

int sys_config_sanitized(struct request *req)
{
    const json_t *config = core_options(req->core)->sanitized_config;
    reply_data(req, config != NULL ? json_deep_copy(config) : json_object());
    return OK;
}
