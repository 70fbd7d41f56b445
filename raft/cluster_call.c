/* SPDX-License-Identifier: Apache-2.0 */
/* Writing, reading, handing over: what callers ask of the loop. */
#include <stdlib.h>
#include <string.h>

#include "raft/cluster_private.h"
#include "raft/member.h"

#define READ_TIMEOUT_MS 5000
#define REST_MS         10000

static struct request *call_of(struct task *task)
{
    return (struct request *)task;
}

/* True when the driver has it; else it was answered. */
static void answer_unless(struct request *request, int rc)
{
    if (rc != OK)
        call_finish(request, rc, 0);
}

static void run_submit(struct cluster *cluster, struct task *task)
{
    struct request *request = call_of(task);
    struct entry *entry = request->entry;
    request->entry = NULL;
    if (cluster->driver != NULL) {
        answer_unless(request, driver_submit(cluster->driver, request->epoch, entry, request));
        return;
    }
    entry_unref(entry);
    call_finish(request, ERR_NOTLEADER, 0);
}

void cluster_submit(struct cluster *cluster, uint64_t epoch, const void *entry, size_t len, cluster_submit_cb *cb,
                    void *arg)
{
    if (len > ENTRY_DATA_MAX) {
        cb(arg, ERR_TOO_LARGE, 0);
        return;
    }
    struct request *request = call_new(cluster, run_submit);
    request->epoch = epoch;
    request->entry = entry_new(0, 0, ENTRY_COMMAND, entry, len);
    request->cb = cb;
    request->arg = arg;
    cluster_post(cluster, &request->task);
}

static void run_read(struct cluster *cluster, struct task *task)
{
    struct request *request = call_of(task);
    answer_unless(request,
                  cluster->driver == NULL ? ERR_NOTLEADER : driver_read(cluster->driver, request->epoch, request));
}

int cluster_read_barrier(struct cluster *cluster, uint64_t epoch, struct err *err)
{
    struct request *request = call_new(cluster, run_read);
    request->epoch = epoch;
    return call_wait(request, READ_TIMEOUT_MS, err);
}

static void run_step_down(struct cluster *cluster, struct task *task)
{
    struct request *request = call_of(task);
    uint64_t to = 0;
    int rc = cluster->driver == NULL ? ERR_NOTLEADER : OK;
    if (rc == OK && request->node_id[0] != '\0') {
        const struct raft_server *server =
            configuration_find_node(driver_configuration(cluster->driver), request->node_id);
        if (server == NULL)
            rc = err_set(&request->err, ERR_NOTFOUND, "there is no such member");
        else
            to = server->id;
    }
    if (rc == OK)
        rc = driver_transfer(cluster->driver, to, REST_MS, request, &request->err);
    answer_unless(request, rc);
}

int cluster_step_down(struct cluster *cluster, const char *node_id, struct err *err)
{
    struct request *request = call_new(cluster, run_step_down);
    if (node_id != NULL)
        memcpy(request->node_id, node_id, strnlen(node_id, sizeof request->node_id - 1));
    return call_wait(request, CLUSTER_WAIT_MS, err);
}

struct seal_task {
    struct task task;
    bool is_sealed;
};

static void run_seal(struct cluster *cluster, struct task *task)
{
    struct seal_task *seal = (struct seal_task *)task;
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
