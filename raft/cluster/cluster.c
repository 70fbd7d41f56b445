/* SPDX-License-Identifier: Apache-2.0 */
/* Opening, closing, and the loop between. */
#include "raft/cluster.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/secret.h"
#include "raft/cluster/cluster_private.h"
#include "raft/identity/identity.h"
#include "raft/driver/member.h"

#define ELECTION_MS  300
#define HEARTBEAT_MS 50
#define KEEP_ENTRIES 8192
#define KEEP_BYTES   (64u << 20)

uint64_t cluster_now(void)
{
    return uv_hrtime() / 1000000;
}

void cluster_die(const char *fmt, ...)
{
    char why[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(why, sizeof why, fmt, args);
    va_end(args);
    log_error("raft", "%s: this node stops", why);
    _exit(1);
}

/* ---- The loop ---- */

void cluster_post(struct cluster *cluster, struct task *task)
{
    bool was_empty;
    if (!task_queue_put(&cluster->tasks, task, &was_empty))
        task->run(cluster, task);
    else if (was_empty)
        uv_async_send(&cluster->wake);
}

/* Before the loop waits: when it must wake, and what has become of it all. */
static void on_settle(uv_prepare_t *settle)
{
    struct cluster *cluster = settle->data;
    if (cluster->closing)
        return;
    if (cluster->driver != NULL) {
        uint64_t now = cluster_now(), due = driver_deadline(cluster->driver);
        uv_update_time(&cluster->loop);
        uv_timer_start(&cluster->timer, cluster->timer.timer_cb, due > now ? due - now : 0, 0);
    }
    cluster_publish(cluster);
    call_finish_settled(cluster);
}

static void run_tasks(struct cluster *cluster)
{
    for (struct task *task = task_queue_take(&cluster->tasks), *next; task != NULL; task = next) {
        next = task->next;
        task->run(cluster, task);
    }
}

static void on_wake(uv_async_t *wake)
{
    run_tasks(wake->data);
}

static void on_timer(uv_timer_t *timer)
{
    struct cluster *cluster = timer->data;
    if (cluster->driver != NULL)
        driver_timeout(cluster->driver);
}

static void on_tick(uv_timer_t *tick)
{
    struct cluster *cluster = tick->data;
    cluster_time_tick(cluster);
    cluster_peers_tick(cluster);
    cluster_add_tick(cluster);
}

static void *run_loop(void *arg)
{
    struct cluster *cluster = arg;
    uv_run(&cluster->loop, UV_RUN_DEFAULT);
    return NULL;
}

/* ---- Opening ---- */

static int copy_text(char *to, size_t size, const char *from, const char *what, struct err *err)
{
    if (from == NULL || strlen(from) >= size)
        return err_set(err, ERR_INVALID, "%s is missing or too long", what);
    memcpy(to, from, strlen(from) + 1);
    return OK;
}

static int copy_options(struct cluster *cluster, const struct cluster_options *options, struct err *err)
{
    struct member member;
    cluster->options = *options;
    if (cluster->options.election_ms <= 0)
        cluster->options.election_ms = ELECTION_MS;
    if (cluster->options.heartbeat_ms <= 0)
        cluster->options.heartbeat_ms = HEARTBEAT_MS;
    if (cluster->options.heartbeat_ms * 3 > cluster->options.election_ms)
        return err_set(err, ERR_INVALID, "the election timeout must be at least three heartbeats");
    int rc = copy_text(cluster->node_id, sizeof cluster->node_id, options->node_id, "the node id", err);
    if (rc == OK)
        rc = copy_text(cluster->listen_addr, sizeof cluster->listen_addr, options->listen_addr,
                       "the address to listen on", err);
    if (rc == OK)
        rc = copy_text(cluster->cluster_addr, sizeof cluster->cluster_addr, options->cluster_addr,
                       "the cluster address", err);
    if (rc == OK)
        rc = copy_text(cluster->api_addr, sizeof cluster->api_addr, options->api_addr, "the API address", err);
    if (rc == OK)
        rc = member_make(cluster->node_id, cluster->cluster_addr, false, &member, err);
    if (rc == OK && (size_t)snprintf(cluster->raft_dir, sizeof cluster->raft_dir, "%s/raft", options->dir) >=
                        sizeof cluster->raft_dir)
        rc = err_set(err, ERR_INVALID, "the directory's name is too long");
    snprintf(cluster->log_dir, sizeof cluster->log_dir, "%.*s/log", (int)sizeof cluster->log_dir - 8,
             cluster->raft_dir);
    return rc;
}

int cluster_start_driver(struct cluster *cluster, struct err *err)
{
    struct journal_vote vote;
    struct store_position position;
    struct buf members = BUF_INIT;
    uint64_t first, next;
    struct driver_options options = {.id = cluster->id,
                                     .election_ms = (unsigned)cluster->options.election_ms,
                                     .heartbeat_ms = (unsigned)cluster->options.heartbeat_ms,
                                     .non_leader = cluster->options.non_leader,
                                     .affirm_members = cluster->is_recovered,
                                     .keep_entries = KEEP_ENTRIES,
                                     .keep_bytes = KEEP_BYTES};
    random_bytes(&options.seed, sizeof options.seed);
    journal_get_vote(cluster->journal, &vote);
    journal_bounds(cluster->journal, &first, &next);
    store_position(cluster->options.store, &position, &members);
    cluster_time_applied(cluster, position.time_ms);
    struct driver_disk disk = {.term = vote.term,
                               .vote = vote.vote,
                               .log_first = first,
                               .log_last = next - 1,
                               .applied = position.index,
                               .applied_term = position.term,
                               .configuration_index = position.configuration_index,
                               .configuration = members.data,
                               .configuration_len = members.len};
    int rc = driver_start(&options, &cluster_ops, cluster, &disk, &cluster->driver, err);
    if (rc != OK) {
        err_wrap(err, "%s", cluster->raft_dir);
    } else {
        driver_set_sealed(cluster->driver, cluster->sealed);
        driver_set_autopilot(cluster->driver, &cluster->autopilot);
        driver_set_cramped(cluster->driver, cluster->cramped);
    }
    buf_close(&members);
    return rc;
}

static int open_disk(struct cluster *cluster, struct err *err)
{
    struct journal_vote vote;
    int rc = file_make_dir(cluster->raft_dir, 0700, err);
    if (rc == OK)
        rc = journal_open(cluster->raft_dir, &cluster->journal, err);
    if (rc == OK)
        rc = store_sync(cluster->options.store, err); /* the driver takes what is applied for durable */
    if (rc != OK)
        return rc;
    journal_get_vote(cluster->journal, &vote);
    cluster->id = vote.id;
    return OK;
}

static int open_loop(struct cluster *cluster)
{
    if (uv_loop_init(&cluster->loop) != 0)
        return ERR_INTERNAL;
    uv_async_init(&cluster->loop, &cluster->wake, on_wake);
    uv_timer_init(&cluster->loop, &cluster->timer);
    uv_timer_init(&cluster->loop, &cluster->tick);
    uv_prepare_init(&cluster->loop, &cluster->settle);
    cluster->timer.timer_cb = on_timer;
    cluster->wake.data = cluster->timer.data = cluster->tick.data = cluster->settle.data = cluster;
    uv_timer_start(&cluster->tick, on_tick, CLUSTER_STATUS_MS / 2, CLUSTER_STATUS_MS / 2);
    uv_prepare_start(&cluster->settle, on_settle);
    return OK;
}

static int start_threads(struct cluster *cluster)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    cluster->thread_started = pthread_create(&cluster->thread, NULL, run_loop, cluster) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return cluster->thread_started ? OK : ERR_INTERNAL;
}

static int open_all(struct cluster *cluster, struct err *err)
{
    int rc = open_disk(cluster, err);
    if (rc == OK)
        rc = cluster_recover(cluster, err);
    if (rc == OK)
        rc = worker_start(&cluster->writer, cluster, cluster_write_tasks);
    if (rc == OK)
        rc = worker_start(&cluster->applier, cluster, cluster_apply_tasks);
    if (rc == OK)
        rc = worker_start(&cluster->watcher, cluster, cluster_disk_watch);
    if (rc == OK)
        rc = cluster_start_driver(cluster, err);
    if (rc == OK)
        task_queue_put(&cluster->watcher.queue, &cluster->watch, NULL);
    if (rc == OK && identity_exists(cluster->raft_dir))
        rc = cluster_open_net(cluster, err);
    if (rc == OK) {
        cluster->standing_changed = true;
        on_settle(&cluster->settle);
        rc = start_threads(cluster);
    }
    return rc;
}

int cluster_open(const struct cluster_options *options, struct cluster **ret_cluster, struct err *err)
{
    struct cluster *cluster = calloc(1, sizeof *cluster);
    if (cluster == NULL)
        abort();
    cluster->sealed = true;
    cluster->sealed_since = cluster_now();
    cluster_autopilot_default(&cluster->autopilot);
    task_queue_init(&cluster->tasks);
    pthread_mutex_init(&cluster->lock, NULL);
    pthread_mutex_init(&cluster->import_lock, NULL);
    pthread_mutex_init(&cluster->channel_lock, NULL);
    int rc = copy_options(cluster, options, err);
    if (rc == OK)
        rc = open_loop(cluster);
    if (rc != OK) {
        free(cluster);
        return rc;
    }
    rc = open_all(cluster, err);
    if (rc != OK) {
        cluster_close(cluster);
        return rc;
    }
    *ret_cluster = cluster;
    return OK;
}

/* ---- Closing ---- */

void cluster_end_loop(struct cluster *cluster)
{
    /* Snapshots that were under way have posted their last by now. */
    task_queue_close(&cluster->tasks);
    run_tasks(cluster);
    uv_close((uv_handle_t *)&cluster->wake, NULL);
    uv_close((uv_handle_t *)&cluster->timer, NULL);
    uv_close((uv_handle_t *)&cluster->tick, NULL);
    uv_close((uv_handle_t *)&cluster->settle, NULL);
}

static void on_net_closed(void *ctx)
{
    struct cluster *cluster = ctx;
    cluster->net = NULL;
    cluster_end_loop(cluster);
}

static void fail_waiting(struct call **call)
{
    if (*call != NULL)
        call_finish(*call, ERR_NOTLEADER, 0);
    *call = NULL;
}

static void run_stop(struct cluster *cluster, struct task *task)
{
    free(task);
    cluster->closing = true;
    atomic_store(&cluster->lead_epoch, 0);
    /* What the driver lent to the applier it takes back when it is stopped. */
    worker_stop(&cluster->applier);
    worker_stop(&cluster->watcher);
    if (cluster->driver != NULL)
        driver_stop(cluster->driver);
    cluster->driver = NULL;
    worker_stop(&cluster->writer);
    call_finish_settled(cluster);
    fail_waiting(&cluster->bootstrapping);
    fail_waiting(&cluster->reopen);
    for (unsigned i = 0; i < cluster->n_peers; i++)
        fail_waiting(&cluster->peers[i].adding);
    if (cluster->net != NULL && !cluster->net_closing)
        net_close(cluster->net, on_net_closed);
    else if (cluster->net == NULL)
        cluster_end_loop(cluster);
}

void cluster_close(struct cluster *cluster)
{
    struct task *stop = calloc(1, sizeof *stop);
    if (stop == NULL)
        abort();
    stop->run = run_stop;
    cluster_post(cluster, stop);
    if (cluster->thread_started)
        pthread_join(cluster->thread, NULL);
    else
        run_loop(cluster);
    uv_loop_close(&cluster->loop);
    if (cluster->journal != NULL)
        journal_close(cluster->journal);
    buf_close(&cluster->frame);
    buf_close(&cluster->assembly.data);
    pthread_mutex_destroy(&cluster->lock);
    pthread_mutex_destroy(&cluster->import_lock);
    pthread_mutex_destroy(&cluster->channel_lock);
    free(cluster);
}
