/* SPDX-License-Identifier: Apache-2.0 */
/*
 * in_flight.h — which requests this node is working on, for whoever wants to know what it is busy with.
 *
 * Lists, each with a lock that is held for a few instructions; a request goes to one of them by where it lies in
 * memory, so that threads seldom meet. What is told of a request is what does not change while it is in a list.
 * Threads: any.
 */
#ifndef COFFER_CORE_IN_FLIGHT_H
#define COFFER_CORE_IN_FLIGHT_H

#include <jansson.h>
#include <pthread.h>
#include <sys/queue.h>

struct core;
struct request;

#define IN_FLIGHT_LISTS 16

struct in_flight {
    struct {
        pthread_mutex_t lock;
        LIST_HEAD(, request) requests;
    } lists[IN_FLIGHT_LISTS];
};

void in_flight_init(struct in_flight *all);
void in_flight_close(struct in_flight *all);
void in_flight_add(struct request *req);
/* Fine for a request that was never added. */
void in_flight_remove(struct request *req);
/* By their ids: {"start_time", "client_remote_address", "request_path", "request_method", "client_id"}. */
json_t *in_flight_describe(struct core *core);

#endif
