/* SPDX-License-Identifier: Apache-2.0 */
#include "core/commit.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/cond.h"
#include "core/metrics.h"
#include "raft/cluster.h"
#include "storage/batch.h"
#include "storage/store.h"

#define GROUP_BATCHES_MAX 512
#define PATIENCE_MS       5000 /* for an entry: then those who wait for it hear that its fate is open */

struct waiting {
    struct waiting *next;
    uint64_t epoch;
    struct batch *batch;
    commit_cb *cb;
    void *arg;
    int64_t since_us;
    int rc; /* OK while it is part of the entry */
};

struct commit {
    struct cluster *cluster;
    struct store *store;
    struct metrics *metrics;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t wake; /* batches came, the entry in flight ended, or stopping */
    struct waiting *first, **last;
    bool stopping;
    bool is_paused;
    bool is_busy; /* a group was taken and is not done with */

    /* The entry in flight; under the mutex. */
    bool is_done;
    int done_rc;
    uint64_t done_index;

    /* The committer thread's own. */
    uint64_t epoch;
    struct window *window;
};

/* What the next entry may be made of, in the order of arrival. */
static struct waiting *take_group(struct commit *commit)
{
    pthread_mutex_lock(&commit->mutex);
    commit->is_busy = false;
    pthread_cond_broadcast(&commit->wake);
    while ((commit->first == NULL || commit->is_paused) && !commit->stopping)
        pthread_cond_wait(&commit->wake, &commit->mutex);
    commit->is_busy = true;
    struct waiting *group = commit->first, **link = &commit->first;
    size_t bytes = 0;
    int n = 0;
    for (; *link != NULL && n < GROUP_BATCHES_MAX; n++, link = &(*link)->next) {
        bytes += batch_size((*link)->batch);
        if (n > 0 && bytes > ENTRY_SIZE_MAX / 2)
            break;
    }
    commit->first = *link;
    *link = NULL;
    if (commit->first == NULL)
        commit->last = &commit->first;
    atomic_fetch_sub(&commit->metrics->commit_waiting, n);
    pthread_mutex_unlock(&commit->mutex);
    return group;
}

static void tell(struct waiting *waiting, int rc)
{
    commit_cb *cb = waiting->cb;
    waiting->cb = NULL;
    if (cb != NULL)
        cb(waiting->arg, rc);
}

static void count_batch(struct commit *commit, const struct waiting *waiting)
{
    if (waiting->rc == OK) {
        metric_count(&commit->metrics->commit_batches);
        metric_time(&commit->metrics->commit, clock_steady_us() - waiting->since_us);
    } else if (waiting->rc == ERR_CONFLICT) {
        metric_count(&commit->metrics->commit_conflicts);
    }
}

static void finish_group(struct commit *commit, struct waiting *group)
{
    while (group != NULL) {
        struct waiting *next = group->next;
        count_batch(commit, group);
        batch_free(group->batch);
        tell(group, group->rc);
        free(group);
        group = next;
    }
}

static struct waiting *take_all(struct commit *commit)
{
    struct waiting *all = commit->first;
    for (struct waiting *w = all; w != NULL; w = w->next)
        atomic_fetch_sub(&commit->metrics->commit_waiting, 1);
    commit->first = NULL;
    commit->last = &commit->first;
    return all;
}

static void fail_group(struct commit *commit, struct waiting *group, int rc)
{
    for (struct waiting *w = group; w != NULL; w = w->next)
        w->rc = rc;
    finish_group(commit, group);
}

/* A new epoch knows nothing of what others committed before: everything older than now conflicts, and runs again. */
static void enter_epoch(struct commit *commit, uint64_t epoch, uint64_t applied)
{
    window_free(commit->window);
    commit->window = window_new(applied);
    commit->epoch = epoch;
}

static uint64_t applied_index(struct commit *commit)
{
    struct store_position position;
    store_position(commit->store, &position, NULL);
    return position.index;
}

/* Puts into the entry what still holds. The position is read after the batches were taken, so no snapshot of theirs is
 * newer. */
static int gather(struct commit *commit, struct waiting *group, struct buf *entry)
{
    uint64_t applied = applied_index(commit);
    struct cluster_status status;
    cluster_status(commit->cluster, &status);
    if (status.epoch != 0 && status.epoch != commit->epoch)
        enter_epoch(commit, status.epoch, applied);
    int n = 0;
    for (struct waiting *w = group; w != NULL; w = w->next) {
        w->rc = w->epoch != commit->epoch || status.epoch == 0 ? ERR_NOTLEADER
                : window_conflicts(commit->window, w->batch)   ? ERR_CONFLICT
                                                               : OK;
        if (w->rc != OK)
            continue;
        entry_add(entry, w->batch);
        window_add(commit->window, w->batch, applied + 1);
        n++;
    }
    return n;
}

static void entry_done(void *arg, int rc, uint64_t index)
{
    struct commit *commit = arg;
    pthread_mutex_lock(&commit->mutex);
    commit->is_done = true;
    commit->done_rc = rc;
    commit->done_index = index;
    pthread_cond_broadcast(&commit->wake);
    pthread_mutex_unlock(&commit->mutex);
}

/* Until the entry is done, or time is up, or the node stops. Under the mutex. */
static void wait_for_entry(struct commit *commit)
{
    struct timespec until = cond_deadline(PATIENCE_MS);
    while (!commit->is_done && !commit->stopping)
        if (pthread_cond_timedwait(&commit->wake, &commit->mutex, &until) == ETIMEDOUT)
            return;
}

/*
 * The entry hangs: a disk that is full, or a majority that is away without our having lost the leadership yet. Those
 * who wait for it are told that it may still happen; those who come meanwhile, that theirs did not.
 */
static void sit_out(struct commit *commit, struct waiting *group)
{
    pthread_mutex_unlock(&commit->mutex);
    for (struct waiting *w = group; w != NULL; w = w->next)
        tell(w, w->rc == OK ? ERR_UNAVAILABLE : w->rc);
    pthread_mutex_lock(&commit->mutex);
    while (!commit->is_done) {
        struct waiting *late = take_all(commit);
        if (late == NULL) {
            pthread_cond_wait(&commit->wake, &commit->mutex);
            continue;
        }
        pthread_mutex_unlock(&commit->mutex);
        fail_group(commit, late, ERR_NOSPACE);
        pthread_mutex_lock(&commit->mutex);
    }
}

static void propose(struct commit *commit, struct waiting *group, const struct buf *entry)
{
    commit->is_done = false;
    metric_count(&commit->metrics->commit_entries);
    cluster_submit(commit->cluster, commit->epoch, entry->data, entry->len, entry_done, commit);
    pthread_mutex_lock(&commit->mutex);
    wait_for_entry(commit);
    if (!commit->is_done)
        sit_out(commit, group);
    pthread_mutex_unlock(&commit->mutex);
    for (struct waiting *w = group; w != NULL; w = w->next) {
        if (w->rc != OK)
            continue;
        w->rc = commit->done_rc;
        /* Its index is known only now: another entry, a member's, may have come between. */
        if (w->rc == OK)
            window_add(commit->window, w->batch, commit->done_index);
    }
}

static bool is_stopping(struct commit *commit)
{
    pthread_mutex_lock(&commit->mutex);
    bool stopping = commit->stopping;
    pthread_mutex_unlock(&commit->mutex);
    return stopping;
}

static void *committer(void *arg)
{
    struct commit *commit = arg;
    pthread_setname_np(pthread_self(), "committer");
    struct waiting *group;
    while ((group = take_group(commit)) != NULL) {
        struct buf entry = BUF_INIT;
        if (is_stopping(commit)) {
            fail_group(commit, group, ERR_NOTLEADER);
            continue;
        }
        entry_begin(&entry, cluster_format(commit->cluster), cluster_time_ns(commit->cluster) / 1000000);
        if (gather(commit, group, &entry) > 0)
            propose(commit, group, &entry);
        buf_close(&entry);
        finish_group(commit, group);
    }
    return NULL;
}

struct commit *commit_start(struct cluster *cluster, struct store *store, struct metrics *metrics)
{
    struct commit *commit = calloc(1, sizeof *commit);
    if (commit == NULL)
        abort();
    commit->cluster = cluster;
    commit->store = store;
    commit->metrics = metrics;
    commit->last = &commit->first;
    commit->window = window_new(0);
    pthread_mutex_init(&commit->mutex, NULL);
    cond_init(&commit->wake);
    if (pthread_create(&commit->thread, NULL, committer, commit) != 0)
        abort();
    return commit;
}

void commit_halt(struct commit *commit)
{
    if (commit == NULL)
        return;
    pthread_mutex_lock(&commit->mutex);
    commit->stopping = true;
    pthread_cond_broadcast(&commit->wake);
    pthread_mutex_unlock(&commit->mutex);
}

void commit_pause(struct commit *commit)
{
    pthread_mutex_lock(&commit->mutex);
    commit->is_paused = true;
    while (commit->is_busy && !commit->stopping)
        pthread_cond_wait(&commit->wake, &commit->mutex);
    pthread_mutex_unlock(&commit->mutex);
}

void commit_resume(struct commit *commit)
{
    pthread_mutex_lock(&commit->mutex);
    commit->epoch = 0; /* the next group enters its epoch anew, and with it a window that knows nothing */
    commit->is_paused = false;
    pthread_cond_broadcast(&commit->wake);
    pthread_mutex_unlock(&commit->mutex);
}

void commit_stop(struct commit *commit)
{
    if (commit == NULL)
        return;
    commit_halt(commit);
    pthread_join(commit->thread, NULL);
    window_free(commit->window);
    pthread_mutex_destroy(&commit->mutex);
    pthread_cond_destroy(&commit->wake);
    free(commit);
}

void commit_submit(struct commit *commit, uint64_t epoch, struct batch *batch, commit_cb *cb, void *arg)
{
    struct waiting *waiting = calloc(1, sizeof *waiting);
    if (waiting == NULL)
        abort();
    *waiting = (struct waiting){.epoch = epoch, .batch = batch, .cb = cb, .arg = arg, .since_us = clock_steady_us()};
    atomic_fetch_add(&commit->metrics->commit_waiting, 1);
    pthread_mutex_lock(&commit->mutex);
    *commit->last = waiting;
    commit->last = &waiting->next;
    pthread_cond_broadcast(&commit->wake);
    pthread_mutex_unlock(&commit->mutex);
}

struct waiter {
    pthread_mutex_t mutex;
    pthread_cond_t done;
    bool is_done;
    int rc;
};

static void waiter_done(void *arg, int rc)
{
    struct waiter *waiter = arg;
    pthread_mutex_lock(&waiter->mutex);
    waiter->is_done = true;
    waiter->rc = rc;
    pthread_cond_signal(&waiter->done);
    pthread_mutex_unlock(&waiter->mutex);
}

int commit_wait(struct commit *commit, uint64_t epoch, struct batch *batch)
{
    struct waiter waiter = {.is_done = false};
    pthread_mutex_init(&waiter.mutex, NULL);
    pthread_cond_init(&waiter.done, NULL);
    commit_submit(commit, epoch, batch, waiter_done, &waiter);
    pthread_mutex_lock(&waiter.mutex);
    while (!waiter.is_done)
        pthread_cond_wait(&waiter.done, &waiter.mutex);
    pthread_mutex_unlock(&waiter.mutex);
    pthread_mutex_destroy(&waiter.mutex);
    pthread_cond_destroy(&waiter.done);
    return waiter.rc;
}
