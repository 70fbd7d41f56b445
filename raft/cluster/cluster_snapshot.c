/* SPDX-License-Identifier: Apache-2.0 */
/* Snapshots: out as a view of the store, in as an import beside it, one at a time. Header: from u64 ‖ to u64 ‖
 * message.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "raft/cluster/cluster_private.h"
#include "raft/driver/message.h"

/* ---- Sending ---- */

static void free_capture(struct cluster_capture *capture)
{
    if (capture->view != NULL)
        store_view_end(capture->view);
    buf_close(&capture->header);
    free(capture);
}

void cluster_snapshot_captured(struct cluster *cluster, struct task *task)
{
    struct cluster_capture *capture = (struct cluster_capture *)task;
    const char *node_id = cluster->driver == NULL ? NULL : cluster_node_of(cluster, capture->to);
    if (capture->view != NULL && node_id != NULL && cluster->net != NULL && !cluster->net_closing &&
        net_send_snapshot(cluster->net, node_id, capture->header.data, capture->header.len, capture)) {
        log_info("raft", "sending the state to %s", node_id);
        return;
    }
    if (cluster->driver != NULL)
        driver_snapshot_sent(cluster->driver, capture->to);
    free_capture(capture);
}

int cluster_snapshot_write(void *ctx, void *snapshot, int (*emit)(void *arg, const void *chunk, size_t len), void *arg,
                           struct err *err)
{
    (void)ctx;
    return store_export(((struct cluster_capture *)snapshot)->view, emit, arg, err);
}

void cluster_snapshot_sent(void *ctx, const char *node_id, void *snapshot, int rc)
{
    struct cluster *cluster = ctx;
    struct cluster_capture *capture = snapshot;
    log_info("raft", "the state %s to %s", rc == OK ? "went" : "did not go", node_id);
    if (cluster->driver != NULL)
        driver_snapshot_sent(cluster->driver, capture->to);
    free_capture(capture);
}

/* ---- Receiving ---- */

struct sink {
    struct task task;
    struct store_import *import;
    uint64_t from;
    struct buf message;
};

void cluster_import_over(struct cluster *cluster)
{
    pthread_mutex_lock(&cluster->import_lock);
    cluster->importing = false;
    pthread_mutex_unlock(&cluster->import_lock);
}

static bool claim_import(struct cluster *cluster)
{
    pthread_mutex_lock(&cluster->import_lock);
    bool is_free = !cluster->importing;
    cluster->importing = true;
    pthread_mutex_unlock(&cluster->import_lock);
    return is_free;
}

/* Whether it is for this node's disk, and well formed. */
static bool check_header(struct cluster *cluster, const void *header, size_t len, uint64_t *ret_from)
{
    struct message message;
    struct reader reader = reader_of(header, len);
    *ret_from = reader_u64(&reader);
    uint64_t to = reader_u64(&reader);
    if (reader.failed || to != cluster->id || *ret_from == 0 ||
        message_decode(reader.at, (size_t)(reader.end - reader.at), &message) != OK)
        return false;
    bool is_good = message.raft.type == RAFT_INSTALL_SNAPSHOT;
    message_close(&message);
    return is_good;
}

int cluster_snapshot_begin(void *ctx, const char *node_id, const void *header, size_t len, void **ret_sink)
{
    struct cluster *cluster = ctx;
    struct err err = {0};
    uint64_t from;
    if (!check_header(cluster, header, len, &from))
        return ERR_CORRUPT;
    if (!claim_import(cluster))
        return ERR_BUSY;
    struct sink *sink = calloc(1, sizeof *sink);
    if (sink == NULL)
        abort();
    int rc = store_import_begin(cluster->options.store, &sink->import, &err);
    if (rc != OK) {
        log_error("raft", "the state of %s cannot be taken: %s", node_id, err_text(&err));
        cluster_import_over(cluster);
        free(sink);
        return rc;
    }
    log_info("raft", "taking the state of %s", node_id);
    sink->from = from;
    buf_put(&sink->message, (const char *)header + 16, len - 16);
    *ret_sink = sink;
    return OK;
}

int cluster_snapshot_chunk(void *ctx, void *sink, const void *chunk, size_t len)
{
    struct err err = {0};
    (void)ctx;
    int rc = store_import_chunk(((struct sink *)sink)->import, chunk, len, &err);
    if (rc != OK)
        log_error("raft", "the state of a peer cannot be taken: %s", err_text(&err));
    return rc;
}

static void run_received(struct cluster *cluster, struct task *task)
{
    struct sink *sink = (struct sink *)task;
    if (cluster->driver != NULL) {
        driver_snapshot_received(cluster->driver, sink->from, sink->message.data, sink->message.len, sink->import);
    } else {
        store_import_abort(sink->import);
        cluster_import_over(cluster);
    }
    buf_close(&sink->message);
    free(sink);
}

void cluster_snapshot_end(void *ctx, void *arg, int rc)
{
    struct cluster *cluster = ctx;
    struct sink *sink = arg;
    if (rc == OK) {
        sink->task.run = run_received;
        cluster_post(cluster, &sink->task);
        return;
    }
    store_import_abort(sink->import);
    cluster_import_over(cluster);
    buf_close(&sink->message);
    free(sink);
}
