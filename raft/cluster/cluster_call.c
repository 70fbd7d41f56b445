/* SPDX-License-Identifier: Apache-2.0 */
/* Writing, reading, handing over: what callers ask of the loop. */
#include <stdlib.h>
#include <string.h>

#include "raft/cluster/cluster_private.h"
#include "raft/driver/member.h"

#define READ_TIMEOUT_MS 5000
#define REST_MS         10000

static struct call *call_of(struct task *task)
{
    return (struct call *)task;
}

/* True when the driver has it; else it was answered. */
static void answer_unless(struct call *call, int rc)
{
    if (rc != OK)
        call_finish(call, rc, 0);
}

static void run_submit(struct cluster *cluster, struct task *task)
{
    struct call *call = call_of(task);
    struct entry *entry = call->entry;
    call->entry = NULL;
    if (cluster->driver != NULL) {
        answer_unless(call, driver_submit(cluster->driver, call->epoch, entry, call));
        return;
    }
    entry_unref(entry);
    call_finish(call, ERR_NOTLEADER, 0);
}

void cluster_submit(struct cluster *cluster, uint64_t epoch, const void *entry, size_t len, cluster_submit_cb *cb,
                    void *arg)
{
    if (len > ENTRY_DATA_MAX) {
        cb(arg, ERR_TOO_LARGE, 0);
        return;
    }
    struct call *call = call_new(cluster, run_submit);
    call->epoch = epoch;
    call->entry = entry_new(0, 0, ENTRY_COMMAND, entry, len);
    call->cb = cb;
    call->arg = arg;
    cluster_post(cluster, &call->task);
}

static void run_read(struct cluster *cluster, struct task *task)
{
    struct call *call = call_of(task);
    answer_unless(call, cluster->driver == NULL ? ERR_NOTLEADER : driver_read(cluster->driver, call->epoch, call));
}

void cluster_read(struct cluster *cluster, uint64_t epoch, cluster_submit_cb *cb, void *arg)
{
    struct call *call = call_new(cluster, run_read);
    call->epoch = epoch;
    call->cb = cb;
    call->arg = arg;
    cluster_post(cluster, &call->task);
}

int cluster_read_barrier(struct cluster *cluster, uint64_t epoch, struct err *err)
{
    struct call *call = call_new(cluster, run_read);
    call->epoch = epoch;
    return call_wait(call, READ_TIMEOUT_MS, err);
}

static void run_step_down(struct cluster *cluster, struct task *task)
{
    struct call *call = call_of(task);
    uint64_t to = 0;
    int rc = cluster->driver == NULL ? ERR_NOTLEADER : OK;
    if (rc == OK && call->node_id[0] != '\0') {
        const struct raft_server *server =
            configuration_find_node(driver_configuration(cluster->driver), call->node_id);
        if (server == NULL)
            rc = err_set(&call->err, ERR_NOTFOUND, "there is no such member");
        else
            to = server->id;
    }
    if (rc == OK)
        rc = driver_transfer(cluster->driver, to, REST_MS, call, &call->err);
    answer_unless(call, rc);
}

int cluster_step_down(struct cluster *cluster, const char *node_id, struct err *err)
{
    struct call *call = call_new(cluster, run_step_down);
    if (node_id != NULL)
        memcpy(call->node_id, node_id, strnlen(node_id, sizeof call->node_id - 1));
    return call_wait(call, CLUSTER_WAIT_MS, err);
}

struct autopilot_task {
    struct task task;
    struct cluster_autopilot autopilot;
};

static void run_autopilot(struct cluster *cluster, struct task *task)
{
    struct autopilot_task *set = (struct autopilot_task *)task;
    cluster->autopilot = set->autopilot;
    if (cluster->driver != NULL)
        driver_set_autopilot(cluster->driver, &set->autopilot);
    free(set);
}

void cluster_set_autopilot(struct cluster *cluster, const struct cluster_autopilot *autopilot)
{
    struct autopilot_task *set = calloc(1, sizeof *set);
    if (set == NULL)
        abort();
    set->task.run = run_autopilot;
    set->autopilot = *autopilot;
    cluster_post(cluster, &set->task);
}

struct seal_task {
    struct task task;
    bool is_sealed;
};

static void run_seal(struct cluster *cluster, struct task *task)
{
    struct seal_task *seal = (struct seal_task *)task;
    if (cluster->sealed != seal->is_sealed)
        cluster->sealed_since = cluster_now();
    cluster->sealed = seal->is_sealed;
    cluster->standing_changed = true;
    if (cluster->driver != NULL) {
        cluster_peers_tell(cluster);
        driver_set_sealed(cluster->driver, seal->is_sealed);
    }
    free(seal);
}

void cluster_set_sealed(struct cluster *cluster, bool is_sealed)
{
    struct seal_task *seal = calloc(1, sizeof *seal);
    if (seal == NULL)
        abort();
    seal->task.run = run_seal;
    seal->is_sealed = is_sealed;
    cluster_post(cluster, &seal->task);
}
