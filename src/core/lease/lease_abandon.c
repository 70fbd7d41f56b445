/* SPDX-License-Identifier: Apache-2.0 */
/* lease_abandon.c — a lease whose secret will not reach anybody is ended at once. */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/pool.h"
#include "core/core_private.h"
#include "core/lease/lease_private.h"
#include "core/request/request.h"

struct abandoned {
    struct core *core;
    char id[REQUEST_PATH_MAX + 1];
};

static int expire_abandoned(struct request *req, void *arg)
{
    const struct abandoned *job = arg;
    struct lease *lease;
    int rc = lease_get(req, job->id, &lease);
    return rc == OK ? lease_expire_now(req, lease) : rc;
}

static void abandon(void *arg)
{
    struct abandoned *job = arg;
    struct err err = {0};
    /* If this fails, because the node lost its leadership, the next leader finds the pending lease itself. */
    if (request_run_internal(job->core, 0, expire_abandoned, job, &err) != OK)
        log_info("core", "a lease whose request failed is left to the worker: %s", err_text(&err));
    free(job);
}

void core_abandon_lease(struct core *core, const char *lease_id)
{
    struct abandoned *job = calloc(1, sizeof *job);
    if (job == NULL)
        abort();
    job->core = core;
    snprintf(job->id, sizeof job->id, "%s", lease_id);
    pool_run(core->pool, abandon, job);
}
