/* SPDX-License-Identifier: Apache-2.0 */
/*
 * expiry.c — the worker that ends what has come to its end, on the leader alone.
 *
 * One thread walks the order of expiry (expiry_order.c) from its beginning to what is not yet due, and sleeps until
 * that is. Leases go to the threads of a pool, each mount's through a queue of its own (expiry_queue.c). What finds its
 * queue full stays where it is, on disk, and is met again by the next walk. A failed attempt files the lease anew, for
 * later; so nothing is forgotten, whoever leads.
 *
 * Nothing is loaded at the start. What another epoch left pending is ended first (expiry_adopt.c).
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
#include "core/lease/expiry_private.h"
#include "core/lease/lease_private.h"
#include "core/snapshot/quarantine.h"
#include "core/token/token.h"
#include "storage/txn.h"

#define THREADS_MAX    64
#define TOKENS_AT_ONCE 32
#define RESCAN_MS_MIN  20
#define TROUBLE_MS     1000 /* after a walk that failed */

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
            expiry_offer(expiry, due);
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
        expiry_queues_tidy(expiry);
        expiry->is_woken = false;
        pthread_mutex_unlock(&expiry->mutex);
        if (!adopted)
            adopted = expiry_adopt(expiry);
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
    expiry_queues_close(expiry);
    pthread_mutex_destroy(&expiry->mutex);
    pthread_cond_destroy(&expiry->wake);
    free(expiry);
}

void expiry_wake_locked(struct expiry *expiry)
{
    expiry->is_woken = true;
    pthread_cond_signal(&expiry->wake);
}

void expiry_wake(struct expiry *expiry)
{
    pthread_mutex_lock(&expiry->mutex);
    expiry_wake_locked(expiry);
    pthread_mutex_unlock(&expiry->mutex);
}
