/* SPDX-License-Identifier: Apache-2.0 */
#include "core/request/in_flight.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "core/core_private.h"
#include "core/request/request.h"

void in_flight_init(struct in_flight *all)
{
    for (size_t i = 0; i < IN_FLIGHT_LISTS; i++) {
        pthread_mutex_init(&all->lists[i].lock, NULL);
        LIST_INIT(&all->lists[i].requests);
    }
}

void in_flight_close(struct in_flight *all)
{
    for (size_t i = 0; i < IN_FLIGHT_LISTS; i++)
        pthread_mutex_destroy(&all->lists[i].lock);
}

static size_t list_of(const struct request *req)
{
    return (uintptr_t)req / 64 % IN_FLIGHT_LISTS;
}

void in_flight_add(struct request *req)
{
    size_t i = list_of(req);
    struct in_flight *all = &req->core->in_flight;
    req->started_wall_ns = clock_wall_ns();
    pthread_mutex_lock(&all->lists[i].lock);
    LIST_INSERT_HEAD(&all->lists[i].requests, req, in_flight);
    pthread_mutex_unlock(&all->lists[i].lock);
    req->is_in_flight = true;
}

void in_flight_remove(struct request *req)
{
    size_t i = list_of(req);
    struct in_flight *all = &req->core->in_flight;
    if (!req->is_in_flight)
        return;
    pthread_mutex_lock(&all->lists[i].lock);
    LIST_REMOVE(req, in_flight);
    pthread_mutex_unlock(&all->lists[i].lock);
    req->is_in_flight = false;
}

static json_t *describe(const struct request *req)
{
    char started[40], address[96], path[REQUEST_PATH_MAX + 8];
    clock_format_rfc3339(req->started_wall_ns, started, sizeof started);
    bool is_v6 = req->remote_addr != NULL && strchr(req->remote_addr, ':') != NULL;
    snprintf(address, sizeof address, is_v6 ? "[%s]:%d" : "%s:%d", req->remote_addr != NULL ? req->remote_addr : "",
             req->remote_port);
    snprintf(path, sizeof path, "/v1/%s", req->raw_path);
    /* Clients are not counted here, so they have no ids. */
    return json_pack("{s:s, s:s, s:s, s:s, s:s}", "start_time", started, "client_remote_address", address,
                     "request_path", path, "request_method", req->method != NULL ? req->method : "", "client_id", "");
}

json_t *in_flight_describe(struct core *core)
{
    json_t *all = json_object();
    const struct request *req;
    for (size_t i = 0; i < IN_FLIGHT_LISTS; i++) {
        pthread_mutex_lock(&core->in_flight.lists[i].lock);
        LIST_FOREACH(req, &core->in_flight.lists[i].requests, in_flight)
        json_object_set_new(all, req->id, describe(req));
        pthread_mutex_unlock(&core->in_flight.lists[i].lock);
    }
    return all;
}
