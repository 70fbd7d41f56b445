/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What h2o does not limit: it has one timer for the whole of idling, head and body, none for readers, and keeps
 * bodies of any number of clients in memory before anybody was asked for a token.
 */
#include <string.h>

#include "api/http_private.h"

#define VICTIMS_MAX 16 /* of one sweep, when memory is short */

struct http_limits http_limits = {
    .first_ms = 10000,
    .idle_ms = 300000,
    .crowded_ms = 1000,
    .head_ms = 10000,
    .body_ms = 60000,
    .send_ms = 30000,
    .send_rate = 64u << 10,
    .unread_max = 256u << 20,
};

struct victim {
    struct conn *conn;
    size_t held;
};

struct sweep {
    struct worker *worker;
    int64_t now_ms;
    size_t held;                        /* bytes of requests, all together */
    struct victim victims[VICTIMS_MAX]; /* the largest that are still being read */
    size_t n_victims;
};

static enum conn_phase phase_of(const struct conn *conn, const h2o_req_t *req)
{
    if (conn->call != NULL)
        return CONN_WAITING;
    if (conn->is_sending)
        return CONN_SENDING;
    if (req->version != 0)
        return CONN_BODY; /* the head was parsed */
    return conn->sock->input->size > 0 ? CONN_HEAD : CONN_IDLE;
}

static int64_t limit_of(const struct worker *worker, const struct conn *conn)
{
    const struct http_limits *limits = &worker->server->limits;
    bool is_crowded = worker->n_conns >= worker->server->conns_max / 10 * 9;

    switch (conn->phase) {
    case CONN_IDLE:
        if (worker->is_stopping && worker->swept_ms >= atomic_load(&worker->server->idle_until_ms))
            return 0;
        if (conn->requests == 0)
            return limits->first_ms;
        return is_crowded ? limits->crowded_ms : limits->idle_ms;
    case CONN_HEAD:
        return limits->head_ms;
    case CONN_BODY:
        if (conn->is_upload)
            return limits->body_ms + (int64_t)(conn->sock->input->size / limits->send_rate) * 1000;
        return limits->body_ms;
    case CONN_WAITING:
        return conn->call->takes_time ? HTTP_SLOW_REPLY_MS : conn->listener->reply_ms;
    case CONN_SENDING:
        break;
    }
    return limits->send_ms + (int64_t)(conn->sending_bytes / limits->send_rate) * 1000;
}

/* A body that is larger than most may be goes on only where it may be so large; else its client is told. */
static bool refuse_large(struct sweep *sweep, struct conn *conn, h2o_req_t *req)
{
    size_t max = call_shows_token(req) ? conn->listener->body_max : HTTP_BODY_MAX_ANONYMOUS;
    const char *location = NULL;
    struct arena arena;

    if (conn->phase != CONN_BODY || conn->sock->input->size <= HTTP_HEAD_MAX + HTTP_BODY_SLACK + max)
        return false;
    arena_init(&arena);
    int status = call_ask_upload(conn, req, &arena, &location);
    if (status != 0) {
        conn->is_sending = true;
        conn->phase = CONN_SENDING;
        conn->phase_since_ms = sweep->now_ms;
        reply_refuse_amid(req, status, location);
    }
    arena_close(&arena);
    return status != 0;
}

/* Keeps the largest, in falling order. */
static void note_victim(struct sweep *sweep, struct conn *conn, size_t held)
{
    size_t i = sweep->n_victims;

    if (i == VICTIMS_MAX) {
        if (sweep->victims[--i].held >= held)
            return;
    } else {
        sweep->n_victims++;
    }
    for (; i > 0 && sweep->victims[i - 1].held < held; i--)
        sweep->victims[i] = sweep->victims[i - 1];
    sweep->victims[i] = (struct victim){.conn = conn, .held = held};
}

static void count_memory(struct sweep *sweep, struct conn *conn)
{
    size_t held = conn->sock->input->_fd < 0 ? conn->sock->input->capacity : 0; /* a file is none of our memory */

    sweep->held += held;
    if (conn->phase == CONN_HEAD || conn->phase == CONN_BODY)
        note_victim(sweep, conn, held);
    else if (conn->call != NULL)
        sweep->held += conn->call->pub.body_len;
}

static int visit(h2o_req_t *req, void *arg)
{
    struct sweep *sweep = arg;
    struct conn *conn = conn_of(req);
    enum conn_phase phase = phase_of(conn, req);

    if (phase != conn->phase || conn->requests != conn->phase_request) {
        conn->phase = phase;
        conn->phase_request = conn->requests;
        conn->phase_since_ms = sweep->now_ms;
    }
    bool is_late = sweep->now_ms - conn->phase_since_ms >= limit_of(sweep->worker, conn);
    if (sweep->worker->is_stopping)
        req->http1_is_persistent = 0;
    if (phase == CONN_WAITING && is_late)
        call_give_up(conn->call);
    else if (is_late || (phase == CONN_HEAD && conn->sock->input->size > HTTP_HEAD_MAX))
        conn_kill(conn);
    else if (!refuse_large(sweep, conn, req))
        count_memory(sweep, conn);
    return 0;
}

void worker_sweep(struct worker *worker, int64_t now_ms)
{
    struct sweep sweep = {.worker = worker, .now_ms = now_ms};
    size_t held_max = worker->server->limits.unread_max / worker->server->n_workers;

    worker->swept_ms = now_ms;
    lingers_sweep(worker, now_ms);
    proxies_sweep(worker, now_ms);
    (void)worker->server->conf.http1.callbacks.foreach_request(&worker->ctx, visit, &sweep);
    for (size_t i = 0; i < sweep.n_victims && sweep.held > held_max; i++) {
        sweep.held -= sweep.victims[i].held;
        conn_kill(sweep.victims[i].conn);
    }
}
