/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/net/net_private.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "raft/identity/identity.h"
#include "raft/net/net_stream.h"

#define PROGRESS_MS 60000  /* a disk may be slow, but not this slow */
#define TAKEN_MS    300000 /* after the last chunk the receiver syncs all of it and swaps it in */
#define STALLED_MS  30000  /* as NET_DEAD_MS, with room for a receiver whose disk lags */

struct transfer {
    LIST_ENTRY(transfer) entry;
    struct net *net;
    bool outgoing;
    char node_id[NET_NODE_ID_MAX];
    pthread_t thread;
    atomic_bool done; /* by the thread, as its last deed but one */
    struct stream stream;
    struct snapshot_sum sum;
    int rc; /* with its reason, for the loop once done is set */
    struct err err;
    /* Outgoing. */
    struct sockaddr_storage addr;
    struct buf header;
    void *snapshot;
};

/* ---- Sending, on a thread ---- */

/* Anything from the receiver before the end means that it gives up. */
static int check_refused(struct transfer *transfer)
{
    if (!stream_has_input(&transfer->stream))
        return OK;
    int rc = stream_receive(&transfer->stream, PROGRESS_MS, &transfer->err);
    return rc != OK ? rc : err_set(&transfer->err, ERR_INVALID, "the receiver answers before the end");
}

static int emit(void *arg, const void *chunk, size_t len)
{
    struct transfer *transfer = arg;
    const unsigned char *at = chunk;
    while (len > 0 && transfer->rc == OK) {
        size_t n = len < FRAME_SNAPSHOT_MAX ? len : FRAME_SNAPSHOT_MAX;
        transfer->rc = check_refused(transfer);
        if (transfer->rc == OK)
            transfer->rc = stream_send(&transfer->stream, FRAME_SNAPSHOT_CHUNK, at, n, PROGRESS_MS, &transfer->err);
        transfer->sum.chunks++;
        transfer->sum.bytes += n;
        at += n;
        len -= n;
    }
    return transfer->rc;
}

static int call_peer(struct transfer *transfer)
{
    struct stream *stream = &transfer->stream;
    struct err *err = &transfer->err;
    char named[NET_NODE_ID_MAX];
    int rc = stream_connect(stream, &transfer->addr, NET_CONNECT_MS, err);
    if (rc != OK)
        return rc;
    addr_tune(stream->fd, STALLED_MS);
    rc = stream_handshake(stream, transfer->net->as_client, NET_ALPN_SNAPSHOT, NET_HANDSHAKE_MS, err);
    if (rc == OK)
        rc = identity_peer(stream->tls.ssl, named, sizeof named, err);
    if (rc == OK && strcmp(named, transfer->node_id) != 0)
        rc = err_set(err, ERR_DENIED, "its certificate names node %s", named);
    return rc;
}

/* The end, and the receiver's word that all of it was taken. */
static int finish(struct transfer *transfer)
{
    struct stream *stream = &transfer->stream;
    struct snapshot_sum taken = {0};
    struct buf end = BUF_INIT;
    snapshot_sum_encode(&end, &transfer->sum);
    int rc = stream_send(stream, FRAME_SNAPSHOT_END, end.data, end.len, PROGRESS_MS, &transfer->err);
    buf_close(&end);
    if (rc == OK)
        rc = stream_receive(stream, TAKEN_MS, &transfer->err);
    if (rc != OK)
        return rc;
    if (stream->reader.type != FRAME_SNAPSHOT_TAKEN ||
        snapshot_sum_decode(stream->reader.payload, stream->reader.len, &taken) != OK ||
        taken.chunks != transfer->sum.chunks || taken.bytes != transfer->sum.bytes)
        return err_set(&transfer->err, ERR_INVALID, "the receiver has not taken what was sent");
    return OK;
}

static int send_all(struct transfer *transfer)
{
    const struct net_options *options = &transfer->net->options;
    int rc = call_peer(transfer);
    if (rc == OK)
        rc = stream_send(&transfer->stream, FRAME_SNAPSHOT_BEGIN, transfer->header.data, transfer->header.len,
                         PROGRESS_MS, &transfer->err);
    if (rc != OK)
        return rc;
    struct err err = {0};
    rc = options->snapshot_write(options->ctx, transfer->snapshot, emit, transfer, &err);
    if (transfer->rc != OK) /* whatever the writer made of it */
        return transfer->rc;
    if (rc != OK)
        return err_set(&transfer->err, rc, "it cannot be read: %s", err.code != OK ? err_text(&err) : err_name(rc));
    return finish(transfer);
}

/* ---- Receiving, on a thread ---- */

static int check_end(struct transfer *transfer)
{
    struct frame_reader *frame = &transfer->stream.reader;
    struct snapshot_sum sum = {0};
    if (frame->type != FRAME_SNAPSHOT_END || snapshot_sum_decode(frame->payload, frame->len, &sum) != OK ||
        sum.chunks != transfer->sum.chunks || sum.bytes != transfer->sum.bytes)
        return err_set(&transfer->err, ERR_INVALID, "its end does not fit what came before");
    return OK;
}

static int receive_chunks(struct transfer *transfer, void *sink)
{
    const struct net_options *options = &transfer->net->options;
    struct frame_reader *frame = &transfer->stream.reader;
    for (;;) {
        int rc = stream_receive(&transfer->stream, PROGRESS_MS, &transfer->err);
        if (rc != OK)
            return rc;
        if (frame->type != FRAME_SNAPSHOT_CHUNK)
            return check_end(transfer);
        rc = options->snapshot_chunk(options->ctx, sink, frame->payload, frame->len);
        if (rc != OK)
            return err_set(&transfer->err, rc, "this node cannot keep it: %s", err_default_text(rc));
        transfer->sum.chunks++;
        transfer->sum.bytes += frame->len;
    }
}

static int confirm(struct transfer *transfer)
{
    struct buf taken = BUF_INIT;
    snapshot_sum_encode(&taken, &transfer->sum);
    int rc = stream_send(&transfer->stream, FRAME_SNAPSHOT_TAKEN, taken.data, taken.len, PROGRESS_MS, &transfer->err);
    buf_close(&taken);
    return rc;
}

static int receive_all(struct transfer *transfer)
{
    const struct net_options *options = &transfer->net->options;
    struct frame_reader *frame = &transfer->stream.reader;
    void *sink = NULL;
    int rc = stream_receive(&transfer->stream, PROGRESS_MS, &transfer->err);
    if (rc == OK && frame->type != FRAME_SNAPSHOT_BEGIN)
        rc = err_set(&transfer->err, ERR_INVALID, "it does not begin as a snapshot");
    if (rc != OK)
        return rc;
    rc = options->snapshot_begin(options->ctx, transfer->node_id, frame->payload, frame->len, &sink);
    if (rc != OK)
        return err_set(&transfer->err, rc, "this node does not take it: %s", err_default_text(rc));
    rc = receive_chunks(transfer, sink);
    options->snapshot_end(options->ctx, sink, rc);
    return rc == OK ? confirm(transfer) : rc;
}

/* ---- Threads and the loop ---- */

static void *run(void *arg)
{
    struct transfer *transfer = arg;
    int64_t began = clock_steady_ms();
    pthread_setname_np(pthread_self(), "snapshot");
    transfer->rc = transfer->outgoing ? send_all(transfer) : receive_all(transfer);
    const char *way = transfer->outgoing ? "to" : "from";
    if (transfer->rc == OK)
        log_info("raft", "the snapshot %s node %s is complete: %llu bytes in %lld ms", way, transfer->node_id,
                 (unsigned long long)transfer->sum.bytes, (long long)(clock_steady_ms() - began));
    else
        log_warn("raft", "the snapshot %s node %s has failed: %s", way, transfer->node_id, err_text(&transfer->err));
    atomic_store(&transfer->done, true);
    uv_async_send(&transfer->net->ended);
    return NULL;
}

static void transfer_free(struct transfer *transfer)
{
    stream_close(&transfer->stream);
    buf_close(&transfer->header);
    free(transfer);
}

static struct transfer *transfer_find(const struct net *net, const char *node_id, bool outgoing)
{
    struct transfer *transfer;
    LIST_FOREACH(transfer, &net->transfers, entry)
    if (transfer->outgoing == outgoing && strcmp(transfer->node_id, node_id) == 0)
        return transfer;
    return NULL;
}

static struct transfer *transfer_new(struct net *net, const char *node_id, bool outgoing, struct err *err)
{
    struct transfer *transfer = calloc(1, sizeof *transfer);
    if (transfer == NULL)
        abort();
    transfer->net = net;
    transfer->outgoing = outgoing;
    snprintf(transfer->node_id, sizeof transfer->node_id, "%s", node_id);
    if (stream_open(&transfer->stream, err) == OK)
        return transfer;
    free(transfer);
    return NULL;
}

static int transfer_start(struct transfer *transfer, struct err *err)
{
    LIST_INSERT_HEAD(&transfer->net->transfers, transfer, entry);
    int failed = pthread_create(&transfer->thread, NULL, run, transfer);
    if (failed == 0)
        return OK;
    LIST_REMOVE(transfer, entry);
    return err_set(err, ERR_IO, "no thread for a snapshot: %s", strerror(failed));
}

bool snapshot_send(struct net *net, const struct link *link, const void *header, size_t len, void *snapshot)
{
    struct err err = {0};
    if (transfer_find(net, link->node_id, true) != NULL || len > FRAME_SNAPSHOT_MAX)
        return false;
    struct transfer *transfer = transfer_new(net, link->node_id, true, &err);
    if (transfer == NULL)
        goto failed;
    int size = sizeof transfer->addr;
    uv_tcp_getpeername(&link->tcp, (struct sockaddr *)&transfer->addr, &size);
    buf_put(&transfer->header, header, len);
    transfer->snapshot = snapshot;
    if (transfer_start(transfer, &err) == OK)
        return true;
    transfer_free(transfer);
failed:
    log_warn("raft", "a snapshot to node %s cannot be sent: %s", link->node_id, err_text(&err));
    return false;
}

int snapshot_receive(struct link *link, struct err *err)
{
    struct transfer *running = transfer_find(link->net, link->node_id, false);
    if (running != NULL) {
        /* The sender runs one at a time, so that one is dead; it tries again when the sink is closed. */
        stream_stop(&running->stream);
        return err_set(err, ERR_BUSY, "another snapshot from node %s has not ended yet", link->node_id);
    }
    struct transfer *transfer = transfer_new(link->net, link->node_id, false, err);
    if (transfer == NULL)
        return err->code;
    int rc = link_detach(link, &transfer->stream, STALLED_MS, err);
    if (rc == OK)
        rc = transfer_start(transfer, err);
    if (rc != OK)
        transfer_free(transfer);
    return rc;
}

void snapshots_stop(struct net *net, const char *node_id)
{
    struct transfer *transfer;
    LIST_FOREACH(transfer, &net->transfers, entry)
    if (node_id == NULL || (transfer->outgoing && strcmp(transfer->node_id, node_id) == 0))
        stream_stop(&transfer->stream);
}

void snapshots_reap(struct net *net)
{
    struct transfer *transfer = LIST_FIRST(&net->transfers);
    while (transfer != NULL) {
        if (!atomic_load(&transfer->done)) {
            transfer = LIST_NEXT(transfer, entry);
            continue;
        }
        pthread_join(transfer->thread, NULL);
        LIST_REMOVE(transfer, entry);
        if (transfer->outgoing)
            net->options.snapshot_sent(net->options.ctx, transfer->node_id, transfer->snapshot, transfer->rc);
        transfer_free(transfer);
        /* The driver may have begun another one. */
        transfer = LIST_FIRST(&net->transfers);
    }
}
