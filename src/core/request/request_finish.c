/* SPDX-License-Identifier: Apache-2.0 */
/*
 * request_finish.c — the steps after the handler: what it wrote becomes an entry of the log, and the answer goes out.
 */
#include <unistd.h>

#include "base/failpoint.h"
#include "base/json.h"
#include "base/log.h"
#include "core/core_private.h"
#include "core/request/quota.h"
#include "core/request/request_private.h"
#include "core/token/lockout.h"
#include "core/token/token.h"

/* What the handler had ready for the caller must not go out with an error, and its lease's secret reaches nobody. */
static void drop_result(struct request *req)
{
    json_t **results[] = {&req->reply, &req->auth_reply, &req->wrap_info};
    for (size_t i = 0; i < sizeof results / sizeof results[0]; i++) {
        json_decref(*results[i]);
        *results[i] = NULL;
    }
    req->has_reply = false;
    json_text_free(req->text);
    req->text = NULL;
    req->content_type = NULL;
    if (req->reply_file.fd >= 0)
        close(req->reply_file.fd);
    req->reply_file.fd = -1;
    if (req->lease != NULL && req->lease->last_renewal_s == 0) /* one that was to be renewed lives on */
        core_abandon_lease(req->core, req->lease->id);
    req->lease = NULL;
}

static void count_use(struct request *req)
{
    struct err said = req->err;
    if (token_lookup(req, req->client_token, &req->token) != OK || token_use(req, req->token) != OK ||
        token_leave(req, req->token) != OK)
        log_debug("core", "a failed request's token was gone before its use could be counted");
    req->err = said;
}

/* A failure that cannot be counted is not told either: the answer is why it cannot. */
static void count_failure(struct request *req)
{
    int rc = lockout_count(req);
    if (rc != OK)
        req->rc = rc;
}

/*
 * A failed request leaves nothing behind but the use of its token, which counts however the request ended, and that a
 * login failed.
 */
enum step_result step_settle(struct request *req)
{
    if (req->rc == OK || req->txn == NULL)
        return NEXT;
    bool counts_use = req->token != NULL && req->token->num_uses != 0 && !req->use_is_taken;
    drop_result(req);
    txn_free(req->txn);
    req->txn = NULL;
    if ((!counts_use && !req->login.is_refused) ||
        txn_begin(req->core->store, req->core->barrier, &req->txn, NULL) != OK)
        return NEXT;
    if (counts_use)
        count_use(req);
    if (req->login.is_refused)
        count_failure(req);
    return NEXT;
}

static void committed(void *arg, int rc)
{
    struct request *req = arg;
    req->commit_rc = rc;
    req->resume(req, request_run);
}

enum step_result step_commit(struct request *req)
{
    if (req->txn == NULL || req->epoch == 0 || !txn_has_writes(req->txn))
        return NEXT;
    struct batch *batch;
    struct err err = {0};
    int rc = request_check_room(req);
    if (rc != OK) {
        req->rc = rc;
        return NEXT;
    }
    rc = txn_seal(req->txn, &batch, &err);
    if (rc != OK) {
        req->err = err;
        req->rc = rc;
        return NEXT;
    }
    (void)failpoint("request.before_commit");
    req->is_committing = req->may_be_durable = true;
    req->step++;
    commit_submit(req->core->commit, req->epoch, batch, committed, req);
    return WAIT;
}

/* A handler that committed something in its middle cannot be run again: what it had read must hold, or the request
 * fails. */
static enum step_result take_commit_result(struct request *req)
{
    req->is_committing = false;
    int rc = req->commit_rc;
    if (rc == ERR_CONFLICT || rc == ERR_NOTLEADER)
        req->may_be_durable = false;
    if (rc == ERR_CONFLICT && !req->has_committed)
        return AGAIN;
    if (rc == ERR_CONFLICT)
        rc = fail(req, ERR_UNAVAILABLE, "what this request rests on was changed meanwhile; try again");
    else if (rc != OK)
        fail(req, rc, "%s", err_default_text(rc));
    if (rc != OK && req->rc == OK)
        req->rc = rc;
    return NEXT;
}

enum step_result step_confirm(struct request *req)
{
    if (req->is_committing && take_commit_result(req) == AGAIN)
        return AGAIN;
    (void)failpoint("request.after_commit");
    quotas_take_over(req);
    if (req->expiry_changed)
        core_wake_expiry(req->core);
    if (req->begins_upgrade)
        mount_upgrade_soon(req->core);
    return NEXT;
}

enum step_result step_audit_response(struct request *req)
{
    if (is_bare(req) || has_flag(req, ROUTE_NO_AUDIT) || req->is_unaudited || req->redirect != NULL)
        return NEXT;
    if (!req->is_audited && req->rc != ERR_INTERNAL && core_standing(req->core) == CORE_ACTIVE) {
        /* Refused before its turn: the refusal is on record all the same. */
        struct err said = req->err;
        if (audit_log_request(req) == OK)
            req->err = said;
    }
    if (core_standing(req->core) != CORE_ACTIVE) {
        /* The devices are closed: what cannot be on record is not answered. */
        if (req->rc == OK && !has_flag(req, ROUTE_LOCAL | ROUTE_SEALS))
            req->rc = fail(req, ERR_STANDBY, "node is not active");
        return NEXT;
    }
    struct err said = req->err;
    int rc = audit_log_response(req);
    if (rc == OK)
        req->err = said;
    else
        req->rc = rc;
    return NEXT;
}

bool request_was_untouched(const struct request *req)
{
    bool is_refused = req->rc == ERR_STANDBY || req->rc == ERR_NOTLEADER || req->rc == ERR_SEALED;
    bool has_called_out = req->is_handled && has_flag(req, ROUTE_BLOCKS);
    return is_refused && !req->may_be_durable && !req->has_committed && !req->use_is_taken && !has_called_out;
}

enum step_result step_respond(struct request *req)
{
    if (req->rc != OK)
        drop_result(req);
    bool may_be_silent = req->rc == ERR_NOTFOUND || req->rc == ERR_UNSUPPORTED;
    if (req->rc != OK && req->err.text[0] == '\0' && !may_be_silent)
        fail(req, req->rc, "%s", err_default_text(req->rc));
    txn_free(req->txn);
    req->txn = NULL;
    (void)failpoint("request.before_answer");
    request_let_go(req);
    req->done(req);
    return DONE;
}
