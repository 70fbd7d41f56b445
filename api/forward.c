/* SPDX-License-Identifier: Apache-2.0 */
#include "api/forward.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/call_reply.h"
#include "api/forward_private.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/pool.h"
#include "core/core.h"

#define CALLS_MAX   1024
#define PATIENCE_MS 10000 /* from a call's arrival, for an active node to take it */
#define PAUSE_MS    20
#define LOOK_MS     500  /* so often it is asked whether the node that has a call still leads */
#define DEPOSED_MS  2000 /* one that does not any more may still answer so long */

struct forward {
    struct core *core;
    void (*again)(void *ctx, struct http_call *call);
    void *ctx;
    struct pool *pool;
    atomic_int n_calls;
    atomic_bool is_stopping;
    struct budget bodies;
    pthread_mutex_t mutex; /* guards what follows */
    struct channel *idle[FORWARD_THREADS];
    size_t n_idle;
    int64_t complained_at_ms; /* in the log; 0: never */
};

struct job {
    struct forward *forward;
    struct http_call *call;
    struct arena arena; /* what was received */
    size_t reply_len;   /* of the budget */
};

struct leader {
    char node_id[CLUSTER_NODE_ID_MAX];
    char addr[CLUSTER_ADDR_MAX];
};

/* What has become of a call. */
enum fate {
    FATE_SETTLED, /* it is answered */
    FATE_OPEN,    /* nobody has done anything for it yet */
    FATE_LOST,    /* somebody has it, or had it, and will not answer */
};

/* ---- Channels ---- */

static struct channel *take_idle(struct forward *forward, const char *node_id)
{
    struct channel *found = NULL;

    pthread_mutex_lock(&forward->mutex);
    while (found == NULL && forward->n_idle > 0) {
        found = forward->idle[--forward->n_idle];
        /* One that was ended, or is of the leader before. */
        if (strcmp(channel_node_id(found), node_id) != 0 || channel_wait(found, 0)) {
            channel_close(found);
            found = NULL;
        }
    }
    pthread_mutex_unlock(&forward->mutex);
    return found;
}

static void put_idle(struct forward *forward, struct channel *channel)
{
    pthread_mutex_lock(&forward->mutex);
    if (forward->n_idle < FORWARD_THREADS) {
        forward->idle[forward->n_idle++] = channel;
        channel = NULL;
    }
    pthread_mutex_unlock(&forward->mutex);
    channel_close(channel);
}

static void complain(struct forward *forward, const struct leader *leader, const struct err *err)
{
    int64_t now = clock_steady_ms();

    pthread_mutex_lock(&forward->mutex);
    bool is_due = forward->complained_at_ms == 0 || now - forward->complained_at_ms > 60000;
    if (is_due)
        forward->complained_at_ms = now;
    pthread_mutex_unlock(&forward->mutex);
    if (is_due)
        log_warn("forward", "requests cannot be forwarded to node %s at %s: %s", leader->node_id, leader->addr,
                 err_text(err));
}

static struct channel *open_channel(struct forward *forward, const struct leader *leader)
{
    struct err err = {0};
    struct channel *channel = take_idle(forward, leader->node_id);

    if (channel != NULL)
        return channel;
    if (cluster_dial(core_cluster(forward->core), leader->node_id, leader->addr, &channel, &err) == OK)
        return channel;
    complain(forward, leader, &err);
    return NULL;
}

/* ---- One try ---- */

static bool find_leader(struct core *core, struct leader *ret)
{
    struct cluster_status status;

    cluster_status(core_cluster(core), &status);
    memcpy(ret->node_id, status.leader_id, sizeof ret->node_id);
    memcpy(ret->addr, status.leader_cluster_addr, sizeof ret->addr);
    return ret->node_id[0] != '\0' && ret->addr[0] != '\0' && strcmp(ret->node_id, core_options(core)->node_id) != 0;
}

static bool send_request(struct channel *channel, const struct http_call *call)
{
    struct buf head = BUF_INIT;
    struct err err = {0};

    forward_request_encode(&head, call);
    int rc = forward_send(channel, FORWARD_REQUEST, &head, call->body, call->body_len, &err);
    buf_close(&head);
    return rc == OK;
}

/* Whether, as far as this node knows, no other one leads: this node itself neither. */
static bool may_lead(struct core *core, const char *node_id)
{
    struct cluster_status status;

    cluster_status(core_cluster(core), &status);
    return status.leader_id[0] == '\0' || strcmp(status.leader_id, node_id) == 0;
}

/* Until the answer comes. A node that is paused, or cut off, has no say any more when another one leads. */
static bool await_answer(struct forward *forward, struct channel *channel)
{
    int64_t began = clock_steady_ms(), led = began;

    while (!channel_wait(channel, LOOK_MS)) {
        int64_t now = clock_steady_ms();
        if (may_lead(forward->core, channel_node_id(channel)))
            led = now;
        if (now - led > DEPOSED_MS || now - began > FORWARD_ANSWER_MS || atomic_load(&forward->is_stopping))
            return false;
    }
    return true;
}

static int receive_reply(struct job *job, struct channel *channel, enum forward_outcome *ret_outcome,
                         struct http_reply *ret_reply)
{
    struct err err = {0};
    const void *bytes;
    size_t len;
    int rc = forward_receive_head(channel, FORWARD_REPLY, FORWARD_SEND_MS, &bytes, &len, &err);

    if (rc == OK)
        rc = forward_reply_decode(bytes, len, &job->arena, ret_outcome, ret_reply);
    if (rc != OK || ret_reply->body_len == 0)
        return rc;
    if (!budget_take(&job->forward->bodies, ret_reply->body_len))
        return ERR_TOO_LARGE;
    job->reply_len = ret_reply->body_len;
    rc = forward_receive_body(channel, ret_reply->body_len, &bytes, &err);
    ret_reply->body = bytes;
    return rc;
}

static enum fate ask(struct job *job, struct channel *channel)
{
    struct forward *forward = job->forward;
    enum forward_outcome outcome = FORWARD_NOT_TAKEN;
    struct http_reply reply = {0};

    /* Without its last byte nobody begins with a request. */
    if (!send_request(channel, job->call)) {
        channel_close(channel);
        return FATE_OPEN;
    }
    if (!await_answer(forward, channel) || receive_reply(job, channel, &outcome, &reply) != OK) {
        channel_close(channel);
        return FATE_LOST;
    }
    if (outcome == FORWARD_ANSWERED)
        http_reply(job->call, &reply);
    put_idle(forward, channel);
    return outcome == FORWARD_ANSWERED ? FATE_SETTLED : FATE_OPEN;
}

static enum fate try_leader(struct job *job)
{
    struct leader leader;
    struct channel *channel = NULL;

    if (find_leader(job->forward->core, &leader))
        channel = open_channel(job->forward, &leader);
    return channel != NULL ? ask(job, channel) : FATE_OPEN;
}

/* ---- A call ---- */

static void job_free(struct job *job, size_t body_len)
{
    struct forward *forward = job->forward;

    budget_give(&forward->bodies, body_len + job->reply_len);
    arena_close(&job->arena);
    free(job);
    atomic_fetch_sub(&forward->n_calls, 1);
}

static void pause_briefly(void)
{
    nanosleep(&(struct timespec){.tv_nsec = PAUSE_MS * 1000000}, NULL);
}

struct rerun {
    struct forward *forward;
    struct http_call *call;
};

static void run_again(void *arg)
{
    struct rerun rerun = *(struct rerun *)arg;

    free(arg);
    rerun.forward->again(rerun.forward->ctx, rerun.call);
}

static void answer_here(struct forward *forward, struct http_call *call)
{
    struct rerun *rerun = malloc(sizeof *rerun);

    if (rerun == NULL)
        abort();
    *rerun = (struct rerun){.forward = forward, .call = call};
    http_post(call, run_again, rerun);
}

static void refuse(struct http_call *call, int status, const char *text)
{
    call_refuse(call, &(struct refusal){.status = status, .text = text});
}

static void run(void *arg)
{
    struct job *job = arg;
    struct forward *forward = job->forward;
    struct http_call *call = job->call;
    size_t body_len = call->body_len;
    int64_t until = call->arrived_ms + PATIENCE_MS;
    bool is_standby = true;
    enum fate fate = FATE_OPEN;

    while (fate == FATE_OPEN && clock_steady_ms() < until && is_standby && !atomic_load(&forward->is_stopping)) {
        fate = try_leader(job);
        if (fate == FATE_OPEN)
            pause_briefly();
        is_standby = core_standing(forward->core) == CORE_STANDBY;
    }
    if (fate == FATE_LOST)
        refuse(call, 502, "the active node did not answer: whether the request took effect is not known");
    else if (fate == FATE_OPEN && !is_standby && clock_steady_ms() < until)
        answer_here(forward, call);
    else if (fate == FATE_OPEN)
        refuse(call, 503, "no active Vault instance found");
    job_free(job, body_len);
}

void forward_call(struct forward *forward, struct http_call *call)
{
    bool has_room = atomic_fetch_add(&forward->n_calls, 1) < CALLS_MAX;
    bool has_memory = has_room && budget_take(&forward->bodies, call->body_len);
    struct job *job = has_memory ? calloc(1, sizeof *job) : NULL;

    if (job == NULL) {
        if (has_memory)
            abort();
        atomic_fetch_sub(&forward->n_calls, 1);
        refuse(call, 503, "too many requests wait to be forwarded to the active node");
        return;
    }
    *job = (struct job){.forward = forward, .call = call};
    arena_init(&job->arena);
    pool_run(forward->pool, run, job);
}

struct forward *forward_new(struct core *core, void (*again)(void *ctx, struct http_call *call), void *ctx)
{
    struct forward *forward = calloc(1, sizeof *forward);

    if (forward == NULL)
        abort();
    *forward = (struct forward){.core = core, .again = again, .ctx = ctx};
    pthread_mutex_init(&forward->mutex, NULL);
    forward->pool = pool_new("forward", FORWARD_THREADS);
    return forward;
}

void forward_free(struct forward *forward)
{
    if (forward == NULL)
        return;
    atomic_store(&forward->is_stopping, true);
    pool_free(forward->pool);
    for (size_t i = 0; i < forward->n_idle; i++)
        channel_close(forward->idle[i]);
    pthread_mutex_destroy(&forward->mutex);
    free(forward);
}
