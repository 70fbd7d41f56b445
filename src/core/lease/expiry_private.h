/* SPDX-License-Identifier: Apache-2.0 */
/*
 * expiry_private.h — what the worker that ends leases and tokens is made of: for expiry*.c alone.
 */
#ifndef COFFER_CORE_EXPIRY_PRIVATE_H
#define COFFER_CORE_EXPIRY_PRIVATE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct core;
struct due;
struct pool;
struct target;

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

/* Ends the thread's sleep. Under the mutex. */
void expiry_wake_locked(struct expiry *expiry);

/* ---- expiry_queue.c ---- */

/* A lease is due: queues it, unless it is queued or has no room. */
void expiry_offer(struct expiry *expiry, const struct due *due);
/* Before a walk: forgets the mounts that nothing is due for. Under the mutex. */
void expiry_queues_tidy(struct expiry *expiry);
/* At the end, when no thread of the pool is left. */
void expiry_queues_close(struct expiry *expiry);

/* ---- expiry_adopt.c ---- */

/* Has revoked what leaders of other epochs left pending. Returns whether it is done with. */
bool expiry_adopt(struct expiry *expiry);

#endif
