/* SPDX-License-Identifier: Apache-2.0 */
/*
 * request_private.h — between request.c and the files of its steps.
 */
#ifndef COFFER_CORE_REQUEST_PRIVATE_H
#define COFFER_CORE_REQUEST_PRIVATE_H

#include "core/request/request.h"

/*
 * A step returns NEXT, or WAIT when something else will resume the request, or FAIL with req->rc set: then the
 * request goes on at `settle`, so that refusals are audited and answered like everything else. AGAIN starts over with
 * a new snapshot: what the request had read was changed before it could be committed.
 */
enum step_result { NEXT, WAIT, FAIL, AGAIN, DONE };

/* request_enter.c: may it come in? */
enum step_result step_local(struct request *req);
enum step_result step_standing(struct request *req);
enum step_result step_begin(struct request *req);
enum step_result step_route(struct request *req);
enum step_result step_limit(struct request *req); /* quota.c */
enum step_result step_read(struct request *req);
enum step_result step_authenticate(struct request *req);
enum step_result step_authorize(struct request *req);
/* request_handle.c: what it wants done */
enum step_result step_audit_request(struct request *req);
enum step_result step_handle(struct request *req);
enum step_result step_grant(struct request *req);
enum step_result step_leave(struct request *req);
/* wrapping.c: who else may have the answer? */
enum step_result step_wrap(struct request *req);
/* request_finish.c: made durable, and told */
enum step_result step_settle(struct request *req);
enum step_result step_commit(struct request *req);
enum step_result step_confirm(struct request *req);
enum step_result step_audit_response(struct request *req);
enum step_result step_respond(struct request *req);

/* It does not hold up a hand-over of leadership any more. */
void request_let_go(struct request *req);
/* request_run.c: ERR_NOSPACE when the request would make the store grow and there is little room on the disk. */
int request_check_room(struct request *req);
/* The routes of the request's mount. */
const struct route *request_routes(const struct request *req);
/* Goes on with the step that is next. */
void request_run(struct request *req);
/* Forgets what the handler did and what the steps found; the client's words stay. */
void request_forget(struct request *req);

static inline enum step_result failed(struct request *req, int rc)
{
    req->rc = rc;
    return FAIL;
}

static inline bool has_flag(const struct request *req, unsigned flag)
{
    return req->route != NULL && ((req->route->flags | req->extra_flags) & flag) != 0;
}

/* What answers while sealed, without a token: no step before `handle` has anything to say about it. */
static inline bool is_bare(const struct request *req)
{
    return has_flag(req, ROUTE_LOCAL) && has_flag(req, ROUTE_UNAUTH);
}

#endif
