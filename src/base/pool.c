/* SPDX-License-Identifier: Apache-2.0 */
#include "base/pool.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

struct job {
    struct job *next;
    void (*fn)(void *arg);
    void *arg;
};

struct pool {
    char name[16];
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    struct job *first, **last;
    pthread_t *threads;
    int n_threads, threads_max, n_idle, n_queued;
    bool stopping;
};

struct pool *pool_new(const char *name, int threads)
{
    struct pool *pool = calloc(1, sizeof *pool);
    if (pool == NULL || (pool->threads = calloc((size_t)threads, sizeof *pool->threads)) == NULL)
        abort();
    snprintf(pool->name, sizeof pool->name, "%s", name);
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->wake, NULL);
    pool->last = &pool->first;
    pool->threads_max = threads;
    return pool;
}

static struct job *take(struct pool *pool)
{
    while (pool->first == NULL && !pool->stopping) {
        pool->n_idle++;
        pthread_cond_wait(&pool->wake, &pool->mutex);
        pool->n_idle--;
    }
    struct job *job = pool->first;
    if (job != NULL && (pool->first = job->next) == NULL)
        pool->last = &pool->first;
    if (job != NULL)
        pool->n_queued--;
    return job;
}

static void *work(void *arg)
{
    struct pool *pool = arg;
    pthread_setname_np(pthread_self(), pool->name);
    for (;;) {
        pthread_mutex_lock(&pool->mutex);
        struct job *job = take(pool);
        pthread_mutex_unlock(&pool->mutex);
        if (job == NULL)
            return NULL;
        job->fn(job->arg);
        free(job);
    }
}

void pool_run(struct pool *pool, void (*fn)(void *arg), void *arg)
{
    struct job *job = malloc(sizeof *job);
    if (job == NULL)
        abort();
    *job = (struct job){.fn = fn, .arg = arg};
    pthread_mutex_lock(&pool->mutex);
    *pool->last = job;
    pool->last = &job->next;
    pool->n_queued++;
    if (pool->n_queued > pool->n_idle && pool->n_threads < pool->threads_max &&
        pthread_create(&pool->threads[pool->n_threads], NULL, work, pool) == 0)
        pool->n_threads++;
    pthread_cond_signal(&pool->wake);
    pthread_mutex_unlock(&pool->mutex);
}

void pool_free(struct pool *pool)
{
    if (pool == NULL)
        return;
    pthread_mutex_lock(&pool->mutex);
    pool->stopping = true;
    pthread_cond_broadcast(&pool->wake);
    int n = pool->n_threads;
    pthread_mutex_unlock(&pool->mutex);
    for (int i = 0; i < n; i++)
        pthread_join(pool->threads[i], NULL);
    pthread_mutex_destroy(&pool->mutex);
    pthread_cond_destroy(&pool->wake);
    free(pool->threads);
    free(pool);
}
