/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pool.h — threads for work that may block: calls to AWS, password hashing.
 */
#ifndef COFFER_BASE_POOL_H
#define COFFER_BASE_POOL_H

#include "base/err.h"

struct pool;

/* At most `threads` run at once; they are started when first needed. Queued work waits its turn. */
struct pool *pool_new(const char *name, int threads);
/* Waits for what runs, drops nothing that was queued, joins the threads. */
void pool_free(struct pool *pool);
/* Runs fn(arg) on a thread of the pool. Any thread may call. */
void pool_run(struct pool *pool, void (*fn)(void *arg), void *arg);

#endif
