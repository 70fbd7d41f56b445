/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cond.h — condition variables whose waits the wall clock does not lengthen or cut short when it is set.
 */
#ifndef COFFER_BASE_COND_H
#define COFFER_BASE_COND_H

#include <pthread.h>
#include <stdint.h>

/* Its pthread_cond_timedwait() takes deadlines as the function below gives them. */
void cond_init(pthread_cond_t *cond);
/* So many milliseconds from now. */
struct timespec cond_deadline(int64_t ms);

#endif
