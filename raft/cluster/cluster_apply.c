/* SPDX-License-Identifier: Apache-2.0 */
/* The applier: committed entries into the store, and all else that must come in order with them. */
#include <stdlib.h>

#include "base/failpoint.h"
#include "base/format.h"
#include "base/log.h"
#include "raft/cluster/cluster_private.h"
#include "raft/driver/member.h"
#include "raft/driver/message.h"
#include "storage/restore.h"

#define RETRY_MS 200

struct apply_task {
    struct task task;
    void (*work)(struct cluster *cluster, struct apply_task *apply);
    struct entry *const *entries; /* lent by the driver */
    size_t n;
    struct store_import *import;
    uint64_t index; /* the answer, or what the log is to begin with */
};

static void submit(struct cluster *cluster, struct apply_task apply)
{
    struct apply_task *copy = malloc(sizeof *copy);
    if (copy == NULL)
        abort();
    *copy = apply;
    if (!task_queue_put(&cluster->applier.queue, &copy->task, NULL))
        abort(); /* the driver is stopped before the applier */
}

static void answer(struct cluster *cluster, struct apply_task *apply, void (*run)(struct cluster *, struct task *))
{
    apply->task.run = run;
    cluster_post(cluster, &apply->task);
}

/* ---- Entries ---- */

static enum store_entry_kind kind_of(const struct entry *entry)
{
    switch (entry->type) {
    case ENTRY_COMMAND:
        return STORE_ENTRY_BATCH;
    case ENTRY_CONFIGURATION:
        return STORE_ENTRY_CONFIGURATION;
    default:
        return STORE_ENTRY_NOTHING;
    }
}

static void run_applied(struct cluster *cluster, struct task *task)
{
    struct apply_task *apply = (struct apply_task *)task;
    if (cluster->driver != NULL)
        driver_applied(cluster->driver, apply->index);
    free(apply);
}

static void note_time(struct cluster *cluster)
{
    struct store_position position;
    store_position(cluster->options.store, &position, NULL);
    cluster_time_applied(cluster, position.time_ms);
}

/* False when it was told to stop before there was room. */
static bool apply_all(struct cluster *cluster, const struct store_entry *entries, size_t n)
{
    struct err err = {0};
    bool was_stuck = false;
    for (;;) {
        int rc = failpoint("raft.before_apply") ? err_set(&err, ERR_NOSPACE, "a test pretends that the disk is full")
                                                : store_apply(cluster->options.store, entries, n, &err);
        if (rc == OK)
            break;
        if (rc != ERR_NOSPACE)
            cluster_die("what was committed cannot be applied: %s", err_text(&err));
        if (!was_stuck) {
            log_error("raft", "%s: nothing is acknowledged until there is room", err_text(&err));
            cluster_post_stuck(cluster, false, true);
            cluster_disk_give_up(cluster);
        }
        was_stuck = true;
        if (!worker_rest(&cluster->applier, RETRY_MS))
            return false;
    }
    (void)failpoint("raft.after_apply");
    note_time(cluster);
    if (was_stuck)
        cluster_post_stuck(cluster, false, false);
    return true;
}

static void tell_replaced(struct cluster *cluster)
{
    if (cluster->options.on_replaced != NULL)
        cluster->options.on_replaced(cluster->options.ctx);
}

static void work_entries(struct cluster *cluster, struct apply_task *apply)
{
    struct store_entry *entries = calloc(apply->n, sizeof *entries);
    if (entries == NULL)
        abort();
    for (size_t i = 0; i < apply->n; i++) {
        const struct entry *entry = apply->entries[i];
        entries[i] = (struct store_entry){
            .index = entry->index, .term = entry->term, .kind = kind_of(entry), .data = entry->data, .len = entry->len};
    }
    uint64_t restored = store_restored_index(cluster->options.store);
    bool is_applied = apply_all(cluster, entries, apply->n);
    free(entries);
    if (store_restored_index(cluster->options.store) != restored)
        tell_replaced(cluster); /* before anybody is answered */
    if (is_applied)
        answer(cluster, apply, run_applied);
    else
        free(apply);
}

void cluster_apply_entries(struct cluster *cluster, struct entry *const *entries, size_t n)
{
    submit(cluster,
           (struct apply_task){.work = work_entries, .entries = entries, .n = n, .index = entries[n - 1]->index});
}

/* ---- Durability ---- */

static void run_synced(struct cluster *cluster, struct task *task)
{
    struct apply_task *apply = (struct apply_task *)task;
    if (cluster->driver != NULL)
        driver_synced(cluster->driver, apply->index);
    free(apply);
}

static void work_sync(struct cluster *cluster, struct apply_task *apply)
{
    struct err err = {0};
    int rc = store_sync(cluster->options.store, &err);
    if (rc != OK && rc != ERR_NOSPACE)
        cluster_die("the state cannot be made durable: %s", err_text(&err));
    apply->index = store_durable_index(cluster->options.store);
    answer(cluster, apply, run_synced);
}

void cluster_apply_sync(struct cluster *cluster)
{
    submit(cluster, (struct apply_task){.work = work_sync});
}

/* ---- Snapshots ---- */

static void work_install(struct cluster *cluster, struct apply_task *apply)
{
    struct err err = {0};
    /* Then the log: a crash in between leaves one that is behind the state, which the driver finds at the start. */
    if (store_import_finish(apply->import, &err) != OK)
        cluster_die("a snapshot cannot be taken over: %s", err_text(&err));
    note_time(cluster);
    tell_replaced(cluster);
    cluster_import_over(cluster);
    cluster_write_reset(cluster, apply->index);
    free(apply);
}

void cluster_apply_install(struct cluster *cluster, struct store_import *import, uint64_t first)
{
    submit(cluster, (struct apply_task){.work = work_install, .import = import, .index = first});
}

struct capture_task {
    struct apply_task apply;
    struct cluster_capture *capture;
};

static int encode_header(const struct cluster_capture *capture, struct cluster *cluster, struct buf *ret)
{
    struct store_position position;
    struct buf members = BUF_INIT;
    struct raft_message message = {.type = RAFT_INSTALL_SNAPSHOT};
    struct raft_install_snapshot *args = &message.install_snapshot;
    store_position(cluster->options.store, &position, &members);
    int rc = configuration_decode(members.data, members.len, &args->conf);
    buf_close(&members);
    if (rc != OK)
        return rc;
    args->term = capture->term;
    args->last_index = position.index;
    args->last_term = position.term;
    args->conf_index = position.configuration_index;
    buf_put_u64(ret, cluster->id);
    buf_put_u64(ret, capture->to);
    message_encode(&message, NULL, FORMAT_FIRST, ret);
    raft_configuration_close(&args->conf);
    return OK;
}

/* Only here do a view and the position go together: nothing is applied meanwhile. */
static void work_capture(struct cluster *cluster, struct apply_task *apply)
{
    struct cluster_capture *capture = ((struct capture_task *)apply)->capture;
    struct err err = {0};
    int rc = store_view_begin(cluster->options.store, &capture->view, &err);
    if (rc == OK)
        rc = encode_header(capture, cluster, &capture->header);
    if (rc != OK) {
        log_error("raft", "the state cannot be sent: %s", err_text(&err));
        if (capture->view != NULL)
            store_view_end(capture->view);
        capture->view = NULL;
    }
    capture->task.run = cluster_snapshot_captured;
    cluster_post(cluster, &capture->task);
    free(apply);
}

void cluster_apply_capture(struct cluster *cluster, uint64_t to, uint64_t term)
{
    struct cluster_capture *capture = calloc(1, sizeof *capture);
    struct capture_task *task = calloc(1, sizeof *task);
    if (capture == NULL || task == NULL)
        abort();
    capture->to = to;
    capture->term = term;
    task->apply.work = work_capture;
    task->capture = capture;
    if (!task_queue_put(&cluster->applier.queue, &task->apply.task, NULL))
        abort();
}

void cluster_apply_tasks(struct cluster *cluster, struct task *tasks)
{
    for (struct task *next; tasks != NULL; tasks = next) {
        struct apply_task *apply = (struct apply_task *)tasks;
        next = tasks->next;
        apply->work(cluster, apply);
    }
}
