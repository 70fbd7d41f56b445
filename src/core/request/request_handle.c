/* SPDX-License-Identifier: Apache-2.0 */
/*
 * request_handle.c — the steps around the engine's own code.
 */
#include <string.h>

#include "base/pool.h"
#include "core/audit/audit.h"
#include "core/core_private.h"
#include "core/request/field.h"
#include "core/request/help.h"
#include "core/request/request_private.h"
#include "core/request/wrapping.h"
#include "core/token/lockout.h"
#include "core/token/token.h"
#include "storage/txn.h"

enum step_result step_audit_request(struct request *req)
{
    if (req->is_audited || has_flag(req, ROUTE_NO_AUDIT) || is_bare(req))
        return NEXT;
    int rc = audit_log_request(req);
    if (rc != OK)
        return failed(req, rc);
    req->is_audited = true;
    return NEXT;
}

static void handle(struct request *req)
{
    int rc = OK;
    req->is_handled = true;
    if (has_flag(req, ROUTE_BLOCKS) && req->txn != NULL && txn_has_writes(req->txn)) {
        rc = token_leave(req, req->token);
        if (rc == OK)
            rc = request_commit(req); /* the token's use: the handler cannot be run again */
        req->use_is_taken = rc == OK;
        req->has_committed = false;
    }
    if (rc == OK)
        rc = field_convert(req);
    if (rc == OK)
        rc = req->route->handler(req);
    req->rc = rc;
    if (rc == OK)
        field_warn(req);
}

static void handle_blocking(void *arg)
{
    struct request *req = arg;
    handle(req);
    if (req->rc == OK)
        req->rc = wrapping_apart(req);
    req->resume(req, request_run);
}

enum step_result step_handle(struct request *req)
{
    if (req->operation == OP_HELP)
        req->rc = help_answer(req);
    else if (has_flag(req, ROUTE_BLOCKS)) {
        req->step++;
        txn_release(req->txn); /* its turn may come late */
        pool_run(req->core->pool, handle_blocking, req);
        return WAIT;
    } else
        handle(req);
    return NEXT;
}

/* Here too a handler that blocks starts over, as long as nothing of it has been committed, so nothing was done outside.
 */
enum step_result step_grant(struct request *req)
{
    if (req->rc == ERR_CONFLICT && !req->has_committed)
        return AGAIN;
    if (req->rc == OK && req->auth.is_set)
        req->rc = token_create_login(req);
    if (req->rc == OK)
        req->rc = lockout_forget(req);
    return NEXT;
}

/* Not before: the handler may be about what lies in it. */
enum step_result step_leave(struct request *req)
{
    if (req->rc == OK && !has_flag(req, ROUTE_BLOCKS))
        req->rc = token_leave(req, req->token);
    return NEXT;
}
