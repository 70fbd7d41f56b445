/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks, the threads that do them, and requests that somebody waits for. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include "base/cond.h"
#include "raft/cluster/cluster_private.h"

/* ---- Queues ---- */

void task_queue_init(struct task_queue *queue)
{
    *queue = (struct task_queue){0};
    pthread_mutex_init(&queue->lock, NULL);
    cond_init(&queue->more);
}

bool task_queue_put(struct task_queue *queue, struct task *task, bool *ret_was_empty)
{
    task->next = NULL;
    pthread_mutex_lock(&queue->lock);
    bool is_open = !queue->closed, was_empty = queue->front == NULL;
    if (is_open && was_empty)
        queue->front = task;
    else if (is_open)
        queue->back->next = task;
    if (is_open) {
        queue->back = task;
        pthread_cond_signal(&queue->more);
    }
    pthread_mutex_unlock(&queue->lock);
    if (ret_was_empty != NULL)
        *ret_was_empty = was_empty;
    return is_open;
}

struct task *task_queue_take(struct task_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    struct task *tasks = queue->front;
    queue->front = queue->back = NULL;
    pthread_mutex_unlock(&queue->lock);
    return tasks;
}

void task_queue_close(struct task_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue->closed = true;
    pthread_cond_broadcast(&queue->more);
    pthread_mutex_unlock(&queue->lock);
}

/* ---- Workers ---- */

static void *work(void *arg)
{
    struct worker *worker = arg;
    struct task_queue *queue = &worker->queue;
    for (;;) {
        pthread_mutex_lock(&queue->lock);
        while (queue->front == NULL && !queue->closed)
            pthread_cond_wait(&queue->more, &queue->lock);
        struct task *tasks = queue->front;
        queue->front = queue->back = NULL;
        pthread_mutex_unlock(&queue->lock);
        if (tasks == NULL)
            return NULL;
        worker->run(worker->cluster, tasks);
    }
}

int worker_start(struct worker *worker, struct cluster *cluster, void (*run)(struct cluster *, struct task *))
{
    task_queue_init(&worker->queue);
    worker->cluster = cluster;
    worker->run = run;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the main thread's */
    worker->started = pthread_create(&worker->thread, NULL, work, worker) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return worker->started ? OK : ERR_INTERNAL;
}

void worker_stop(struct worker *worker)
{
    if (!worker->started)
        return;
    task_queue_close(&worker->queue);
    pthread_join(worker->thread, NULL);
    worker->started = false;
}

bool worker_rest(struct worker *worker, int ms)
{
    struct timespec until = cond_deadline(ms);
    pthread_mutex_lock(&worker->queue.lock);
    while (!worker->queue.closed &&
           pthread_cond_timedwait(&worker->queue.more, &worker->queue.lock, &until) != ETIMEDOUT)
        ;
    bool goes_on = !worker->queue.closed;
    pthread_mutex_unlock(&worker->queue.lock);
    return goes_on;
}

bool worker_is_open(struct worker *worker)
{
    pthread_mutex_lock(&worker->queue.lock);
    bool is_open = !worker->queue.closed;
    pthread_mutex_unlock(&worker->queue.lock);
    return is_open;
}

/* ---- Requests ---- */

struct call *call_new(struct cluster *cluster, void (*run)(struct cluster *, struct task *))
{
    struct call *call = calloc(1, sizeof *call);
    if (call == NULL)
        abort();
    call->task.run = run;
    call->cluster = cluster;
    atomic_init(&call->holders, 1);
    pthread_mutex_init(&call->lock, NULL);
    cond_init(&call->done);
    return call;
}

static void let_go(struct call *call)
{
    if (atomic_fetch_sub(&call->holders, 1) > 1)
        return;
    pthread_mutex_destroy(&call->lock);
    pthread_cond_destroy(&call->done);
    free(call);
}

void call_finish(struct call *call, int rc, uint64_t index)
{
    if (call->cb != NULL) {
        call->cb(call->arg, rc, index);
    } else {
        pthread_mutex_lock(&call->lock);
        call->rc = rc;
        call->index = index;
        call->is_done = true;
        pthread_cond_signal(&call->done);
        pthread_mutex_unlock(&call->lock);
    }
    let_go(call);
}

void call_settle(struct call *call, int rc, uint64_t index)
{
    struct cluster *cluster = call->cluster;
    call->rc = rc;
    call->index = index;
    call->task.next = NULL;
    *(cluster->finished == NULL ? &cluster->finished : cluster->finished_end) = &call->task;
    cluster->finished_end = &call->task.next;
}

void call_finish_settled(struct cluster *cluster)
{
    struct task *task = cluster->finished;
    cluster->finished = NULL;
    for (struct task *next; task != NULL; task = next) {
        struct call *call = (struct call *)task;
        next = task->next;
        call_finish(call, call->rc, call->index);
    }
}

int call_wait(struct call *call, int timeout_ms, struct err *err)
{
    struct timespec until = cond_deadline(timeout_ms);
    call->deadline = cluster_now() + (uint64_t)timeout_ms;
    atomic_store(&call->holders, 2);
    cluster_post(call->cluster, &call->task);
    pthread_mutex_lock(&call->lock);
    while (!call->is_done && pthread_cond_timedwait(&call->done, &call->lock, &until) != ETIMEDOUT)
        ;
    int rc = ERR_TIMEOUT;
    if (call->is_done) {
        rc = call->rc;
        if (rc != OK && err != NULL) {
            *err = call->err;
            err->code = rc;
        }
    } else {
        err_set(err, ERR_TIMEOUT, "the cluster did not answer in time");
    }
    pthread_mutex_unlock(&call->lock);
    let_go(call);
    return rc;
}
