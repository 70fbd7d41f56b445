/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The active node's end: each channel has a thread, which is the home of the requests that come over it, one after the
 * other.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>

#include "api/call_reply.h"
#include "api/forward.h"
#include "api/forward_private.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "core/core.h"
#include "core/request/request.h"

#define IDLE_MS 300000

struct forward_server {
    struct core *core;
    struct budget bodies;
    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t ended;
    LIST_HEAD(, session) sessions;
    size_t n_sessions;
    bool is_stopping;
};

/* One channel. */
struct session {
    LIST_ENTRY(session) entry;
    struct forward_server *server;
    struct channel *channel;
    bool is_busy; /* with a request; the server's mutex */
    /* The request's way back to this thread. */
    pthread_mutex_t mutex;
    pthread_cond_t turn;
    void (*next)(struct request *req);
    bool is_done;
};

/* ---- Running a request on this thread ---- */

static void on_resume(struct request *req, void (*fn)(struct request *req))
{
    struct session *session = req->front;

    pthread_mutex_lock(&session->mutex);
    session->next = fn;
    pthread_cond_signal(&session->turn);
    pthread_mutex_unlock(&session->mutex);
}

static void on_done(struct request *req)
{
    struct session *session = req->front;

    pthread_mutex_lock(&session->mutex);
    session->is_done = true;
    pthread_cond_signal(&session->turn);
    pthread_mutex_unlock(&session->mutex);
}

static void run_request(struct session *session, struct request *req)
{
    session->next = request_start;
    session->is_done = false;
    req->front = session;
    req->resume = on_resume;
    req->done = on_done;
    pthread_mutex_lock(&session->mutex);
    while (!session->is_done) {
        void (*next)(struct request * req) = session->next;
        session->next = NULL;
        if (next == NULL) {
            pthread_cond_wait(&session->turn, &session->mutex);
            continue;
        }
        pthread_mutex_unlock(&session->mutex);
        next(req);
        pthread_mutex_lock(&session->mutex);
    }
    pthread_mutex_unlock(&session->mutex);
}

/* ---- Answering ---- */

static int send_reply(struct session *session, enum forward_outcome outcome, const struct http_reply *reply)
{
    struct buf head = BUF_INIT;
    struct err err = {0};

    forward_reply_encode(&head, outcome, reply);
    int rc = forward_send(session->channel, FORWARD_REPLY, &head, reply->body, reply->body_len, &err);
    buf_close(&head);
    return rc;
}

static int send_text(struct session *session, int status, const char *location, const char *body)
{
    struct http_header header = {.name = "Location", .value = location};
    struct http_reply reply = {.status = status,
                               .headers = &header,
                               .n_headers = location != NULL,
                               .body = body,
                               .body_len = body != NULL ? strlen(body) : 0};

    return send_reply(session, FORWARD_ANSWERED, &reply);
}

static int send_outcome(struct session *session, struct request *req)
{
    static const struct http_reply nothing = {0};
    int status;

    if (request_was_untouched(req))
        return send_reply(session, FORWARD_NOT_TAKEN, &nothing);
    char *body = request_body(req, &status);
    int rc = body != NULL && strlen(body) > FORWARD_BODY_MAX
                 ? send_text(session, 500, NULL, "{\"errors\":[\"the answer is too large to be forwarded\"]}\n")
                 : send_text(session, status, req->redirect, body);
    json_text_free(body);
    return rc;
}

static int answer(struct session *session, const struct http_call *call)
{
    struct request *req = request_new(session->server->core);
    struct refusal refusal = {0};
    int rc;

    if (call_read_request(call, req, &refusal) == OK) {
        req->forwarded_from = arena_strdup(&req->arena, channel_node_id(session->channel));
        run_request(session, req);
        rc = send_outcome(session, req);
    } else {
        rc = send_text(session, refusal.status, refusal.location, call_refusal_body(&refusal, &req->arena));
    }
    request_free(req);
    return rc;
}

/* ---- Receiving ---- */

/* What is not taken must be read all the same, or the next head would not be found: so the channel ends. */
static int take_body(struct session *session, struct http_call *call, struct arena *arena)
{
    const void *body;
    struct err err = {0};
    int rc = forward_receive_body(session->channel, call->body_len, &body, &err);

    if (rc == OK)
        call->body = arena_dup(arena, body, call->body_len);
    return rc;
}

static int serve_call(struct session *session, struct http_call *call, struct arena *arena)
{
    struct budget *bodies = &session->server->bodies;
    int rc = OK;

    if (!cluster_has_member(core_cluster(session->server->core), channel_node_id(session->channel)))
        return ERR_DENIED;
    if (!budget_take(bodies, call->body_len))
        return ERR_BUSY;
    if (call->body_len > 0)
        rc = take_body(session, call, arena);
    if (rc == OK)
        rc = answer(session, call);
    budget_give(bodies, call->body_len);
    return rc;
}

/* Whether the session may go on with a request, or rest until the next. */
static bool set_busy(struct session *session, bool is_busy)
{
    struct forward_server *server = session->server;

    pthread_mutex_lock(&server->mutex);
    session->is_busy = is_busy;
    bool goes_on = !server->is_stopping;
    pthread_mutex_unlock(&server->mutex);
    return goes_on;
}

static int serve_one(struct session *session)
{
    struct arena arena;
    struct http_call call;
    struct err err = {0};
    const void *head;
    size_t len;
    int rc = forward_receive_head(session->channel, FORWARD_REQUEST, IDLE_MS, &head, &len, &err);

    if (rc != OK)
        return rc;
    if (!set_busy(session, true))
        return ERR_UNAVAILABLE;
    arena_init(&arena);
    rc = forward_request_decode(head, len, &arena, &call);
    if (rc == OK)
        rc = serve_call(session, &call, &arena);
    arena_close(&arena);
    return set_busy(session, false) ? rc : ERR_UNAVAILABLE;
}

/* ---- Sessions ---- */

static void session_free(struct session *session)
{
    channel_close(session->channel);
    pthread_mutex_destroy(&session->mutex);
    pthread_cond_destroy(&session->turn);
    free(session);
}

static void *serve(void *arg)
{
    struct session *session = arg;
    struct forward_server *server = session->server;

    pthread_setname_np(pthread_self(), "forwarded");
    while (serve_one(session) == OK)
        ;
    pthread_mutex_lock(&server->mutex);
    LIST_REMOVE(session, entry);
    pthread_mutex_unlock(&server->mutex);
    session_free(session);
    /* As the last deed: who stops the server frees it as soon as there is none. */
    pthread_mutex_lock(&server->mutex);
    server->n_sessions--;
    pthread_cond_signal(&server->ended);
    pthread_mutex_unlock(&server->mutex);
    return NULL;
}

static size_t count_from(const struct forward_server *server, const char *node_id)
{
    const struct session *session;
    size_t n = 0;

    LIST_FOREACH(session, &server->sessions, entry)
    n += strcmp(channel_node_id(session->channel), node_id) == 0;
    return n;
}

/* Under the mutex. */
static bool start_session(struct forward_server *server, struct channel *channel)
{
    pthread_attr_t detached;
    pthread_t thread;
    struct session *session = calloc(1, sizeof *session);

    if (session == NULL)
        abort();
    *session = (struct session){.server = server, .channel = channel};
    pthread_mutex_init(&session->mutex, NULL);
    pthread_cond_init(&session->turn, NULL);
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    LIST_INSERT_HEAD(&server->sessions, session, entry);
    bool is_started = pthread_create(&thread, &detached, serve, session) == 0;
    pthread_attr_destroy(&detached);
    if (is_started) {
        server->n_sessions++;
    } else {
        LIST_REMOVE(session, entry);
        session->channel = NULL;
        session_free(session);
    }
    return is_started;
}

/* On the cluster's loop. */
static void on_channel(void *ctx, struct channel *channel)
{
    struct forward_server *server = ctx;
    bool is_taken = false;

    pthread_mutex_lock(&server->mutex);
    if (!server->is_stopping && count_from(server, channel_node_id(channel)) < FORWARD_THREADS)
        is_taken = start_session(server, channel);
    pthread_mutex_unlock(&server->mutex);
    if (!is_taken)
        channel_close(channel);
}

/* ---- Life ---- */

struct forward_server *forward_serve(struct core *core)
{
    struct forward_server *server = calloc(1, sizeof *server);

    if (server == NULL)
        abort();
    server->core = core;
    pthread_mutex_init(&server->mutex, NULL);
    pthread_cond_init(&server->ended, NULL);
    LIST_INIT(&server->sessions);
    cluster_take_channels(core_cluster(core), on_channel, server);
    return server;
}

static bool wait_for_sessions(struct forward_server *server, int drain_ms)
{
    struct timespec until;
    struct session *session;
    int timed_out = 0;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += drain_ms / 1000 + 1;
    pthread_mutex_lock(&server->mutex);
    server->is_stopping = true;
    LIST_FOREACH(session, &server->sessions, entry)
    {
        if (!session->is_busy)
            channel_stop(session->channel);
    }
    while (server->n_sessions > 0 && timed_out == 0)
        timed_out = pthread_cond_timedwait(&server->ended, &server->mutex, &until);
    bool is_over = server->n_sessions == 0;
    pthread_mutex_unlock(&server->mutex);
    return is_over;
}

void forward_serve_stop(struct forward_server *server, int drain_ms)
{
    if (server == NULL)
        return;
    cluster_take_channels(core_cluster(server->core), NULL, NULL);
    if (!wait_for_sessions(server, drain_ms))
        return;
    pthread_mutex_destroy(&server->mutex);
    pthread_cond_destroy(&server->ended);
    free(server);
}
