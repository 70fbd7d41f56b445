/* SPDX-License-Identifier: Apache-2.0 */
/*
 * counters.c — sys/internal/counters: how much of something there is.
 */
#include "core/request/request.h"
#include "core/token/token.h"
#include "sys/handlers.h"

int sys_counters_tokens(struct request *req)
{
    size_t n;
    int rc = token_count(req, &n);
    if (rc == OK)
        reply_data(req, json_pack("{s:{s:{s:I}}}", "counters", "service_tokens", "total", (json_int_t)n));
    return rc;
}

/* There are no entities. */
int sys_counters_entities(struct request *req)
{
    reply_data(req, json_pack("{s:{s:{s:i}}}", "counters", "entities", "total", 0));
    return OK;
}

int sys_counters_requests(struct request *req)
{
    return fail(req, ERR_NOTFOUND, "The functionality has been removed on this path");
}
