/* SPDX-License-Identifier: Apache-2.0 */
/* The writer: all that waits goes into one transaction of the journal, so that one flush serves many entries. */
#include <stdlib.h>

#include "base/failpoint.h"
#include "base/log.h"
#include "raft/cluster/cluster_private.h"

#define GROUP_MAX 128
#define RETRY_MS  200

struct write_task {
    struct task task;
    enum journal_kind kind;
    bool is_told; /* the driver has heard of it: by a planted bug only */
    uint64_t first;
    size_t n;
    struct entry *entries[];
};

static struct write_task *new_write(enum journal_kind kind, struct entry *const *entries, size_t n, uint64_t first)
{
    struct write_task *write = calloc(1, sizeof *write + n * sizeof(struct entry *));
    if (write == NULL)
        abort();
    write->kind = kind;
    write->first = first;
    write->n = n;
    for (size_t i = 0; i < n; i++)
        write->entries[i] = entry_ref(entries[i]);
    return write;
}

static void free_write(struct write_task *write)
{
    for (size_t i = 0; i < write->n; i++)
        entry_unref(write->entries[i]);
    free(write);
}

static void submit(struct cluster *cluster, struct write_task *write)
{
    if (!task_queue_put(&cluster->writer.queue, &write->task, NULL))
        free_write(write);
}

void cluster_write_trim(struct cluster *cluster, uint64_t first)
{
    submit(cluster, new_write(JOURNAL_TRIM, NULL, 0, first));
}

void cluster_write_reset(struct cluster *cluster, uint64_t first)
{
    submit(cluster, new_write(JOURNAL_RESET, NULL, 0, first));
}

/* ---- Back on the loop ---- */

static void run_written(struct cluster *cluster, struct task *task)
{
    struct write_task *write = (struct write_task *)task;
    if (cluster->driver != NULL && write->kind == JOURNAL_APPEND && !write->is_told)
        driver_written(cluster->driver, write->entries[write->n - 1]->index, write->entries[write->n - 1]->term);
    else if (cluster->driver != NULL && write->kind == JOURNAL_RESET)
        driver_installed(cluster->driver);
    free_write(write);
}

/* A bug that the chaos suite must notice: the entries count as written before they are. */
static void tell_early(struct cluster *cluster, struct write_task *write)
{
    struct write_task *told = new_write(write->kind, write->entries, write->n, write->first);
    told->task.run = run_written;
    write->is_told = true;
    cluster_post(cluster, &told->task);
}

void cluster_write_append(struct cluster *cluster, struct entry *const *entries, size_t n)
{
    struct write_task *write = new_write(JOURNAL_APPEND, entries, n, 0);
    if (failpoint("bug.ack_before_durable"))
        tell_early(cluster, write);
    submit(cluster, write);
}

struct stuck_task {
    struct task task;
    bool is_log, is_stuck;
};

static void run_stuck(struct cluster *cluster, struct task *task)
{
    struct stuck_task *stuck = (struct stuck_task *)task;
    *(stuck->is_log ? &cluster->log_full : &cluster->state_full) = stuck->is_stuck;
    if (cluster->driver != NULL)
        driver_log_stuck(cluster->driver, cluster->log_full || cluster->state_full);
    free(stuck);
}

void cluster_post_stuck(struct cluster *cluster, bool is_log, bool is_stuck)
{
    struct stuck_task *stuck = calloc(1, sizeof *stuck);
    if (stuck == NULL)
        abort();
    *stuck = (struct stuck_task){.task.run = run_stuck, .is_log = is_log, .is_stuck = is_stuck};
    cluster_post(cluster, &stuck->task);
}

/* ---- The writer's thread ---- */

static int write_once(struct cluster *cluster, const struct journal_op *ops, size_t n, struct err *err)
{
    if (failpoint("raft.before_append"))
        return err_set(err, ERR_NOSPACE, "a test pretends that there is no space left");
    int rc = journal_write(cluster->journal, ops, n, err);
    if (rc == OK)
        (void)failpoint("raft.after_append");
    return rc;
}

/* Without room nothing is confirmed, and so nothing acknowledged; it is tried until there is. */
static bool write_group(struct cluster *cluster, const struct journal_op *ops, size_t n)
{
    struct err err = {0};
    bool was_stuck = false;
    for (;;) {
        int rc = write_once(cluster, ops, n, &err);
        if (rc == OK)
            break;
        if (rc != ERR_NOSPACE)
            cluster_die("the log cannot be written, and what is on the disk is unknown: %s", err_text(&err));
        if (!was_stuck) {
            log_error("raft", "%s: nothing is acknowledged until there is room", err_text(&err));
            cluster_post_stuck(cluster, true, true);
            cluster_disk_give_up(cluster);
        }
        was_stuck = true;
        if (!worker_rest(&cluster->writer, RETRY_MS))
            return false;
    }
    if (was_stuck) {
        log_info("raft", "the log can be written again");
        cluster_post_stuck(cluster, true, false);
    }
    return true;
}

void cluster_write_tasks(struct cluster *cluster, struct task *tasks)
{
    while (tasks != NULL) {
        struct journal_op ops[GROUP_MAX];
        struct write_task *group[GROUP_MAX];
        size_t n = 0;
        for (; tasks != NULL && n < GROUP_MAX; tasks = tasks->next, n++) {
            struct write_task *write = group[n] = (struct write_task *)tasks;
            ops[n] = (struct journal_op){
                .kind = write->kind, .entries = write->entries, .n = write->n, .first = write->first};
        }
        bool is_written = write_group(cluster, ops, n);
        for (size_t i = 0; i < n; i++) {
            group[i]->task.run = run_written;
            if (is_written)
                cluster_post(cluster, &group[i]->task);
            else
                free_write(group[i]);
        }
    }
}
