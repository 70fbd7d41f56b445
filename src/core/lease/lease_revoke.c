/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lease_revoke.c — one attempt to take back what a lease stands for.
 *
 *     mark: REVOKING, so that it cannot be renewed or activated any more      one commit
 *     the engine takes back what is outside                                   no lock held, may take long
 *     settle: the lease is removed, or filed for the next attempt             one commit
 *
 * Every step may be done twice: a leader that dies between two of them leaves a lease that the next leader finds in
 * the order of expiry and begins with anew. The engine says OK when what it should remove is not there.
 *
 * That is also the danger with a lease that never became active: its leader may have died, or its request given up,
 * with a call still on its way to the outside, and the user that it makes appears after we looked. So such a lease
 * is revoked at once, but not forgotten: it is revoked a second time when its deadline has passed, by when every
 * call has arrived or never will.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/failpoint.h"
#include "base/log.h"
#include "base/secret.h"
#include "core/core.h"
#include "core/lease/lease_private.h"
#include "core/mount/mount.h"
#include "storage/txn.h"

#define RETRY_FIRST_MS 1000
#define RETRY_MS_MAX   300000
#define FORCED_MS_MAX  5000
#define LOG_EVERY      20 /* failed attempts of one lease */

/* ---- One at a time for each lease, whoever wants it revoked ---- */

struct busy {
    struct busy *next;
    const char *id;
};

static pthread_mutex_t busy_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t busy_changed = PTHREAD_COND_INITIALIZER;
static struct busy *busy_first;

static struct busy **busy_find(const char *id)
{
    struct busy **link = &busy_first;
    while (*link != NULL && strcmp((*link)->id, id) != 0)
        link = &(*link)->next;
    return link;
}

/* False when somebody is at it and this is not to wait. */
static bool busy_enter(struct busy *busy, bool wait)
{
    pthread_mutex_lock(&busy_mutex);
    while (wait && *busy_find(busy->id) != NULL)
        pthread_cond_wait(&busy_changed, &busy_mutex);
    bool is_free = *busy_find(busy->id) == NULL;
    if (is_free) {
        busy->next = busy_first;
        busy_first = busy;
    }
    pthread_mutex_unlock(&busy_mutex);
    return is_free;
}

static void busy_leave(struct busy *busy)
{
    pthread_mutex_lock(&busy_mutex);
    *busy_find(busy->id) = busy->next;
    pthread_cond_broadcast(&busy_changed);
    pthread_mutex_unlock(&busy_mutex);
}

/* ---- The three steps ---- */

struct attempt {
    const char *id, *entry;
    bool force;

    bool is_there, mount_is_gone;
    bool is_skipped; /* by force: it is known not to work */
    bool stays;      /* revoked, but not for good yet */
    char mount_uuid[64];
    json_t *data;

    int rc; /* the engine's */
    struct err said;
    int64_t attempts;
    int64_t due_s;
};

static int drop_stale_entry(struct request *req, const struct attempt *attempt)
{
    req->err = (struct err){0};
    return attempt->entry != NULL ? lease_said(req, txn_delete(req->txn, attempt->entry)) : OK;
}

static int mark(struct request *req, void *arg)
{
    struct attempt *attempt = arg;
    struct lease *lease;

    attempt->is_there = false;
    int rc = lease_get(req, attempt->id, &lease);
    if (rc == ERR_INVALID)
        return drop_stale_entry(req, attempt);
    if (rc != OK)
        return rc;
    if (attempt->entry != NULL && strcmp(attempt->entry, expiry_entry_path(req, lease->filed_s, 'l', lease->uid)) != 0)
        return drop_stale_entry(req, attempt);
    attempt->is_there = true;
    attempt->is_skipped |= attempt->force && lease->attempts > 0;
    attempt->mount_is_gone = lease_mount(req, lease->mount_uuid) == NULL;
    snprintf(attempt->mount_uuid, sizeof attempt->mount_uuid, "%s", lease->mount_uuid);
    json_decref(attempt->data);
    attempt->data = json_incref(lease->data);
    if (lease->state == LEASE_REVOKING)
        return OK;
    int64_t now_s = lease_now_s(req);
    return lease_mark_revoking(req, lease, lease->filed_s < now_s ? lease->filed_s : now_s);
}

static int take_back(struct request *req, void *arg)
{
    struct attempt *attempt = arg;
    if (attempt->force) /* who forces it believes that it will not work: the try is a short one */
        req->started_ms -= REQUEST_MS_MAX - FORCED_MS_MAX;
    int rc = request_still_leading(req);
    if (rc != OK)
        return rc;
    (void)failpoint("revoke.before");
    return req->mount->engine->revoke != NULL ? req->mount->engine->revoke(req, attempt->data) : OK;
}

/* Half of the pause is certain, half is chance, so that what failed together does not come again together. */
static int64_t retry_in_s(int64_t attempts)
{
    uint32_t random;
    int64_t ms = attempts > 10 ? RETRY_MS_MAX : (int64_t)RETRY_FIRST_MS << attempts;
    if (ms > RETRY_MS_MAX)
        ms = RETRY_MS_MAX;
    random_bytes(&random, sizeof random);
    return (ms / 2 + (int64_t)(random % (uint32_t)(ms / 2 + 1)) + 999) / 1000;
}

static int settle(struct request *req, void *arg)
{
    struct attempt *attempt = arg;
    struct lease *lease;

    int rc = lease_get(req, attempt->id, &lease);
    if (rc == ERR_INVALID)
        return OK;
    if (rc != OK)
        return rc;
    if (attempt->force || attempt->mount_is_gone)
        return lease_remove(req, lease);
    if (attempt->rc == OK && lease->deadline_s <= lease_now_s(req))
        return lease_remove(req, lease);
    if (attempt->rc == ERR_NOTLEADER) /* not the lease's failure: leadership came or went just now */
        return lease_mark_revoking(req, lease, lease_now_s(req));
    if (attempt->rc == OK) {
        attempt->stays = true;
        lease->error = "";
        return lease_mark_revoking(req, lease, lease->deadline_s);
    }
    int64_t pause_s = retry_in_s(lease->attempts);
    attempt->attempts = ++lease->attempts;
    attempt->due_s = lease->due_s;
    lease->error = err_text(&attempt->said);
    rc = lease_note_failing(req, lease);
    return rc == OK ? lease_mark_revoking(req, lease, lease_now_s(req) + pause_s) : rc;
}

static void log_outcome(const struct attempt *attempt)
{
    if (attempt->mount_is_gone)
        log_warn("lease", "a lease was dropped: its mount is gone, with all that would be needed to revoke it");
    else if (attempt->rc != OK && attempt->force)
        log_warn("lease", "a lease was dropped by force although it could not be revoked: %s",
                 err_text(&attempt->said));
    else if (attempt->rc != OK && attempt->attempts % LOG_EVERY == 1)
        log_warn("lease", "a lease could not be revoked (attempt %lld; it will be tried again): %s",
                 (long long)attempt->attempts, err_text(&attempt->said));
}

static int attempt_in_turn(struct core *core, uint64_t epoch, struct attempt *attempt, struct err *err)
{
    int rc = request_run_internal(core, epoch, mark, attempt, err);
    if (rc != OK || !attempt->is_there)
        return rc;
    if (attempt->is_skipped)
        attempt->rc = err_set(&attempt->said, ERR_UPSTREAM, "it was not tried again");
    else if (!attempt->mount_is_gone)
        attempt->rc =
            request_run_engine(core, epoch, attempt->mount_uuid, OP_REVOKE, take_back, attempt, &attempt->said);
    (void)failpoint("revoke.before_remove");
    rc = request_run_internal(core, epoch, settle, attempt, err);
    if (rc != OK)
        return rc;
    log_outcome(attempt);
    if (attempt->rc != OK && !attempt->force)
        return err_set(err, attempt->rc, "%s", err_text(&attempt->said));
    return OK;
}

static int attempt_one(struct core *core, uint64_t epoch, struct attempt *attempt, struct err *err)
{
    struct busy busy = {.id = attempt->id};

    bool entered = busy_enter(&busy, !attempt->force);
    attempt->is_skipped = !entered;
    int rc = attempt_in_turn(core, epoch, attempt, err);
    if (entered)
        busy_leave(&busy);
    json_decref(attempt->data);
    return rc;
}

int lease_attempt(struct core *core, uint64_t epoch, const char *id, const char *entry, int64_t *ret_due_s)
{
    struct attempt attempt = {.id = id, .entry = entry};
    int rc = attempt_one(core, epoch, &attempt, NULL);
    *ret_due_s = attempt.due_s;
    return rc;
}

int lease_revoke_now(struct core *core, const char *id, bool force, struct err *err)
{
    struct attempt attempt = {.id = id, .force = force};
    int rc = attempt_one(core, core_epoch(core), &attempt, err);
    if (rc == OK && attempt.stays)
        rc = err_set(err, ERR_UNAVAILABLE,
                     "the request that began this lease may still be at work outside; the lease "
                     "is revoked once more when that is certainly over");
    return rc;
}
