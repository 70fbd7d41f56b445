/* SPDX-License-Identifier: Apache-2.0 */
/*
 * expiry.c — the worker that ends what has come to its end, on the leader alone.
 *
 * One thread walks the order of expiry (expiry_order.c) from its beginning to what is not yet due, and sleeps until
 * that is. Leases go to the threads of a pool, each mount's through a queue of its own: short, so that memory stays
 * bounded; with at most IN_FLIGHT_MAX under way, and only one while the mount's target fails, so that a dead AWS
 * account takes one thread from the others and not all. What finds its queue full stays where it is, on disk, and is
 * met again by the next walk. A failed attempt files the lease anew, for later; so nothing is forgotten, whoever leads.
 *
 * Nothing is loaded at the start. What another epoch left pending is ended first: its leader is gone, and whether
 * there is anything outside nobody knows.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/cond.h"
#include "base/log.h"
#include "base/pool.h"
#include "core/core.h"
#include "core/lease_private.h"
#include "core/metrics.h"
#include "core/token.h"
#include "storage/txn.h"

#define THREADS_MAX     64
#define IN_FLIGHT_MAX   8
#define QUEUE_MAX       64
#define TOKENS_AT_ONCE  32
#define PENDING_AT_ONCE 256
#define RESCAN_MS_MIN   20
#define TROUBLE_MS      1000   /* after a walk that failed */
#define OVERDUE_MS_MAX  660000 /* a failed revocation is tried again within half of that: lease_revoke.c */

struct job {
    struct job *next;
    char *id, *entry;
    int64_t since_ms; /* steady clock: when it was met */
};

/* The oldest lease of a target whose revocation failed, as long as it is tried again and again. */
struct overdue {
    char *id; /* or NULL */
    int64_t due_s;
    int64_t tried_ms;
};

/* A mount whose leases are being revoked. Under the worker's mutex. */
struct target {
    struct target *next;
    struct expiry *expiry;
    char *mount;
    struct job *waiting, **last;
    struct job *running;
    int n_waiting, n_running;
    bool is_failing; /* the last attempt failed */
    bool is_starved; /* a walk met more than the queue takes */
    struct overdue overdue;
};

struct expiry {
    struct core *core;
    uint64_t epoch;
    struct pool *pool;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    bool is_stopping, is_woken;
    struct target *targets;
};

/* ---- Targets and their queues ---- */

static void job_free(struct job *job)
{
    free(job->id);
    free(job->entry);
    free(job);
}

static char *copy(const char *text)
{
    char *made = strdup(text);
    if (made == NULL)
        abort();
    return made;
}

static struct target *target_of(struct expiry *expiry, const char *mount)
{
    struct target *target = expiry->targets;
    while (target != NULL && strcmp(target->mount, mount) != 0)
        target = target->next;
    if (target != NULL)
        return target;
    if ((target = calloc(1, sizeof *target)) == NULL)
        abort();
    *target = (struct target){.next = expiry->targets, .expiry = expiry, .mount = copy(mount)};
    target->last = &target->waiting;
    expiry->targets = target;
    return target;
}

/* Somebody else may have ended it: what is not tried any more is forgotten. */
static bool is_overdue(const struct overdue *overdue, int64_t now_ms)
{
    return overdue->id != NULL && now_ms - overdue->tried_ms < OVERDUE_MS_MAX;
}

static void note_overdue(struct overdue *overdue, const char *id, int64_t due_s)
{
    int64_t now_ms = clock_steady_ms();
    bool is_same = overdue->id != NULL && strcmp(overdue->id, id) == 0;
    if (due_s != 0 && (is_same || !is_overdue(overdue, now_ms) || due_s < overdue->due_s)) {
        char *kept = is_same ? overdue->id : copy(id);
        if (!is_same)
            free(overdue->id);
        *overdue = (struct overdue){.id = kept, .due_s = due_s, .tried_ms = now_ms};
    } else if (due_s == 0 && is_same) {
        free(overdue->id);
        overdue->id = NULL;
    }
}

static void drop_idle_targets(struct expiry *expiry)
{
    for (struct target **link = &expiry->targets; *link != NULL;) {
        struct target *target = *link;
        if (target->n_running > 0 || target->waiting != NULL || target->is_failing ||
            is_overdue(&target->overdue, clock_steady_ms())) {
            link = &target->next;
            continue;
        }
        *link = target->next;
        free(target->mount);
        free(target->overdue.id);
        free(target);
    }
}

static bool holds(const struct job *list, const char *id)
{
    while (list != NULL && strcmp(list->id, id) != 0)
        list = list->next;
    return list != NULL;
}

static int in_flight_max(const struct target *target)
{
    return target->is_failing ? 1 : IN_FLIGHT_MAX;
}

/* Takes the next job of a target, or retires this thread from it. Under the mutex. */
static struct job *next_job(struct target *target)
{
    struct job *job = target->waiting;
    if (job == NULL || target->n_running > in_flight_max(target) || target->expiry->is_stopping)
        return NULL;
    if ((target->waiting = job->next) == NULL)
        target->last = &target->waiting;
    target->n_waiting--;
    job->next = target->running;
    target->running = job;
    return job;
}

static void end_job(struct target *target, struct job *job, bool failed, int64_t due_s)
{
    note_overdue(&target->overdue, job->id, failed ? due_s : 0);

    struct job **link = &target->running;
    while (*link != job)
        link = &(*link)->next;
    *link = job->next;
    target->is_failing = failed;
    job_free(job);
}

static void wake(struct expiry *expiry)
{
    expiry->is_woken = true;
    pthread_cond_signal(&expiry->wake);
}

static void run_target(void *arg);

/* Puts threads to a target's queue, as many as it may have. Under the mutex. */
static void staff(struct target *target)
{
    while (target->n_running < in_flight_max(target) && target->n_running < target->n_waiting) {
        target->n_running++;
        pool_run(target->expiry->pool, run_target, target);
    }
}

static void run_target(void *arg)
{
    struct target *target = arg;
    struct expiry *expiry = target->expiry;
    struct job *job;

    pthread_mutex_lock(&expiry->mutex);
    while ((job = next_job(target)) != NULL) {
        pthread_mutex_unlock(&expiry->mutex);
        int64_t due_s;
        int rc = lease_attempt(expiry->core, expiry->epoch, job->id, job->entry, &due_s);
        pthread_mutex_lock(&expiry->mutex);
        end_job(target, job, rc != OK, due_s);
        staff(target);
    }
    target->n_running--;
    if (target->waiting == NULL && target->is_starved)
        wake(expiry);
    pthread_mutex_unlock(&expiry->mutex);
}

/* A lease is due: queues it, unless it is queued or has no room. */
static void offer(struct expiry *expiry, const struct due *due)
{
    pthread_mutex_lock(&expiry->mutex);
    struct target *target = target_of(expiry, due->mount);
    if (target->n_waiting >= QUEUE_MAX) {
        target->is_starved = true;
    } else if (!holds(target->running, due->target) && !holds(target->waiting, due->target)) {
        struct job *job = calloc(1, sizeof *job);
        if (job == NULL)
            abort();
        *job = (struct job){.id = copy(due->target), .entry = copy(due->entry), .since_ms = clock_steady_ms()};
        *target->last = job;
        target->last = &job->next;
        target->n_waiting++;
        staff(target);
    }
    pthread_mutex_unlock(&expiry->mutex);
}

/* ---- Tokens ---- */

struct token_run {
    const struct due *dues;
    size_t n;
    bool more;
};

static int expire_tokens(struct request *req, void *arg)
{
    struct token_run *run = arg;
    for (size_t i = 0; i < run->n; i++) {
        bool more = false;
        int rc = token_expire(req, run->dues[i].target, &more);
        if (rc == OK && !more)
            rc = lease_said(req, txn_delete(req->txn, run->dues[i].entry));
        if (rc != OK)
            return rc;
        run->more |= more;
    }
    return OK;
}

/* Many at a time; when that fails, one by one, so that one bad record holds up nobody else. */
static int end_tokens(struct expiry *expiry, const struct due *dues, size_t n, bool *ret_more)
{
    struct token_run run = {.dues = dues, .n = n};
    struct err err = {0};
    int rc = request_run_internal(expiry->core, expiry->epoch, expire_tokens, &run, &err);
    for (size_t i = 0; rc != OK && n > 1 && i < n; i++) {
        run = (struct token_run){.dues = &dues[i], .n = 1, .more = run.more};
        int one = request_run_internal(expiry->core, expiry->epoch, expire_tokens, &run, &err);
        if (one != OK && core_epoch(expiry->core) == expiry->epoch)
            log_warn("lease", "a token could not be expired; it will be tried again: %s", err_text(&err));
    }
    *ret_more |= run.more;
    return rc;
}

/* ---- Walking ---- */

static int handle_due(struct expiry *expiry, const struct due_list *list, bool *ret_more)
{
    int worst = OK;
    for (size_t i = 0; i < list->n;) {
        const struct due *due = &list->items[i];
        size_t n = 1;
        int rc = OK;
        if (due->kind == 't') {
            while (n < TOKENS_AT_ONCE && i + n < list->n && due[n].kind == 't')
                n++;
            rc = end_tokens(expiry, due, n, ret_more);
        } else if (due->kind == 'd') {
            rc = lease_sweep(expiry->core, expiry->epoch, due, NULL);
            *ret_more = true;
        } else {
            offer(expiry, due);
        }
        if (rc != OK)
            worst = rc;
        i += n;
    }
    return worst;
}

static bool is_stopping(struct expiry *expiry)
{
    pthread_mutex_lock(&expiry->mutex);
    bool stopping = expiry->is_stopping;
    pthread_mutex_unlock(&expiry->mutex);
    return stopping;
}

/* Returns after how many milliseconds the next walk is worth while. */
static int64_t walk(struct expiry *expiry)
{
    struct due_list *list = due_list_new();
    int64_t reading_ms = 0, wait_ms = EXPIRY_SLEEP_S_MAX * 1000;
    bool more = false;
    int rc;

    do {
        int64_t began_ms = clock_steady_ms();
        rc = request_run_internal(expiry->core, expiry->epoch, due_list_fill, list, NULL);
        reading_ms += clock_steady_ms() - began_ms;
        if (rc == OK)
            rc = handle_due(expiry, list, &more);
    } while (rc == OK && list->more && !is_stopping(expiry));
    if (rc != OK)
        wait_ms = TROUBLE_MS;
    else if (more)
        wait_ms = 0;
    else if (list->next_s < INT64_MAX / 1000 && list->next_s * 1000 - core_time_ms(expiry->core) < wait_ms)
        wait_ms = list->next_s * 1000 - core_time_ms(expiry->core);
    due_list_free(list);
    /* However often it is woken, walking over what has to wait takes a small part of one processor. */
    return wait_ms < 4 * reading_ms ? 4 * reading_ms : wait_ms;
}

/* ---- What other epochs left pending ---- */

struct adoption {
    uint64_t epoch;
    char after[64];
    json_t *uids;
};

static int list_pending(struct request *req, void *arg)
{
    struct adoption *adoption = arg;
    return lease_said(req, txn_list(req->txn, LEASE_PENDING_DIR, adoption->after[0] != '\0' ? adoption->after : NULL,
                                    PENDING_AT_ONCE, &adoption->uids));
}

static int adopt_one(struct request *req, const char *uid, uint64_t epoch)
{
    struct lease *lease;
    json_t *id;
    const char *path = arena_printf(&req->arena, LEASE_PENDING_DIR "%s", uid);
    int rc = txn_get(req->txn, path, &id);
    if (rc != OK)
        return rc == ERR_NOTFOUND ? OK : lease_said(req, rc);
    request_own(req, id);
    rc = lease_get(req, json_string_value(id), &lease);
    if (rc == ERR_INVALID)
        return lease_said(req, txn_delete(req->txn, path));
    if (rc == OK && lease->state == LEASE_PENDING && lease->epoch < epoch)
        rc = lease_expire_now(req, lease);
    return rc;
}

static int adopt_pending(struct request *req, void *arg)
{
    struct adoption *adoption = arg;
    json_t *uid;
    size_t i;
    json_array_foreach(adoption->uids, i, uid)
    {
        int rc = adopt_one(req, json_string_value(uid), adoption->epoch);
        if (rc != OK)
            return rc;
    }
    return OK;
}

/* Returns whether it is done with. */
static bool adopt_all(struct expiry *expiry)
{
    struct adoption adoption = {.epoch = expiry->epoch};
    size_t n = 0, found;
    do {
        int rc = request_run_internal(expiry->core, expiry->epoch, list_pending, &adoption, NULL);
        if (rc == OK)
            rc = request_run_internal(expiry->core, expiry->epoch, adopt_pending, &adoption, NULL);
        if (rc != OK) {
            json_decref(adoption.uids);
            return false;
        }
        found = json_array_size(adoption.uids);
        if (found > 0)
            strncpy(adoption.after, json_string_value(json_array_get(adoption.uids, found - 1)),
                    sizeof adoption.after - 1);
        n += found;
        json_decref(adoption.uids);
        adoption.uids = NULL;
    } while (found == PENDING_AT_ONCE);
    if (n > 0)
        log_info("lease", "%zu leases were pending when leadership changed; they are being revoked", n);
    return true;
}

/* ---- The thread ---- */

static void wait_ms(struct expiry *expiry, int64_t ms, bool may_be_woken)
{
    struct timespec until = cond_deadline(ms);
    while (!expiry->is_stopping && !(may_be_woken && expiry->is_woken)) {
        if (pthread_cond_timedwait(&expiry->wake, &expiry->mutex, &until) == ETIMEDOUT)
            return;
    }
}

static void *work(void *arg)
{
    struct expiry *expiry = arg;
    bool adopted = false;

    pthread_setname_np(pthread_self(), "expiry");
    pthread_mutex_lock(&expiry->mutex);
    while (!expiry->is_stopping) {
        drop_idle_targets(expiry);
        for (struct target *target = expiry->targets; target != NULL; target = target->next)
            target->is_starved = false;
        expiry->is_woken = false;
        pthread_mutex_unlock(&expiry->mutex);
        if (!adopted)
            adopted = adopt_all(expiry);
        int64_t ms = walk(expiry);
        pthread_mutex_lock(&expiry->mutex);
        wait_ms(expiry, RESCAN_MS_MIN, false);
        wait_ms(expiry, adopted ? ms : RESCAN_MS_MIN, true);
    }
    pthread_mutex_unlock(&expiry->mutex);
    return NULL;
}

struct expiry *expiry_start(struct core *core, uint64_t epoch)
{
    struct expiry *expiry = calloc(1, sizeof *expiry);

    if (expiry == NULL)
        abort();
    expiry->core = core;
    expiry->epoch = epoch;
    expiry->pool = pool_new("revoke", THREADS_MAX);
    pthread_mutex_init(&expiry->mutex, NULL);
    cond_init(&expiry->wake);
    if (pthread_create(&expiry->thread, NULL, work, expiry) != 0)
        abort();
    return expiry;
}

void expiry_stop(struct expiry *expiry)
{
    if (expiry == NULL)
        return;
    pthread_mutex_lock(&expiry->mutex);
    expiry->is_stopping = true;
    pthread_cond_signal(&expiry->wake);
    pthread_mutex_unlock(&expiry->mutex);
    pthread_join(expiry->thread, NULL);
    pool_free(expiry->pool);
    for (struct target *target = expiry->targets; target != NULL; target = target->next) {
        for (struct job *job = target->waiting, *next; job != NULL; job = next) {
            next = job->next;
            job_free(job);
        }
        target->waiting = NULL;
        target->is_failing = false;
        note_overdue(&target->overdue, target->overdue.id != NULL ? target->overdue.id : "", 0);
    }
    drop_idle_targets(expiry);
    pthread_mutex_destroy(&expiry->mutex);
    pthread_cond_destroy(&expiry->wake);
    free(expiry);
}

void expiry_wake(struct expiry *expiry)
{
    pthread_mutex_lock(&expiry->mutex);
    wake(expiry);
    pthread_mutex_unlock(&expiry->mutex);
}

/* ---- What it is at ---- */

static int64_t oldest_job_s(const struct job *job, int64_t now_ms, int64_t oldest_s)
{
    for (; job != NULL; job = job->next)
        if ((now_ms - job->since_ms) / 1000 > oldest_s)
            oldest_s = (now_ms - job->since_ms) / 1000;
    return oldest_s;
}

void expiry_standing(struct expiry *expiry, struct expiry_standing *ret)
{
    int64_t now_ms = clock_steady_ms(), now_s = (core_time_ms(expiry->core) + 999) / 1000;
    *ret = (struct expiry_standing){.waiting = 0};
    pthread_mutex_lock(&expiry->mutex);
    for (const struct target *target = expiry->targets; target != NULL; target = target->next) {
        ret->waiting += target->n_waiting;
        ret->running += target->n_running;
        ret->failing_targets += target->is_failing;
        ret->overdue_s = oldest_job_s(target->running, now_ms, oldest_job_s(target->waiting, now_ms, ret->overdue_s));
        if (is_overdue(&target->overdue, now_ms) && now_s - target->overdue.due_s > ret->overdue_s)
            ret->overdue_s = now_s - target->overdue.due_s;
    }
    pthread_mutex_unlock(&expiry->mutex);
}
