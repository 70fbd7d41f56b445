/* SPDX-License-Identifier: Apache-2.0 */
/*
 * expiry_queue.c — each mount's leases that are due, and the threads that revoke them.
 *
 * A queue is short, so that memory stays bounded, and has at most IN_FLIGHT_MAX threads, and only one while the mount's
 * target fails, so that a dead AWS account takes one thread from the others and not all.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/pool.h"
#include "core/core.h"
#include "core/lease/expiry_private.h"
#include "core/lease/lease_private.h"
#include "core/metrics.h"

#define IN_FLIGHT_MAX  8
#define QUEUE_MAX      64
#define OVERDUE_MS_MAX 660000 /* a failed revocation is tried again within half of that: lease_revoke.c */

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
        expiry_wake_locked(expiry);
    pthread_mutex_unlock(&expiry->mutex);
}

void expiry_offer(struct expiry *expiry, const struct due *due)
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

void expiry_queues_tidy(struct expiry *expiry)
{
    drop_idle_targets(expiry);
    for (struct target *target = expiry->targets; target != NULL; target = target->next)
        target->is_starved = false;
}

void expiry_queues_close(struct expiry *expiry)
{
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
