/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/net/net_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "raft/identity/identity.h"

/* Encrypted in one go: enough to fill the wire, little enough to keep the loop responsive. */
#define ENCRYPT_MAX (256u << 10)
/* Ciphertext that may wait behind a write. Only a peer that makes TLS answer and does not read gets beyond it. */
#define PENDING_MAX (2 * ENCRYPT_MAX)

/* ---- Sending ---- */

static void on_written(uv_write_t *write, int status)
{
    struct link *link = write->data;
    free(link->out);
    link->out = NULL;
    link->out_len = 0;
    if (link->state == LINK_CLOSED)
        return;
    if (status == 0) {
        link_flush(link);
        return;
    }
    struct err err = {0};
    err_set(&err, ERR_UNAVAILABLE, "cannot send: %s", uv_strerror(status));
    link_close(link, &err);
}

/* Hands what TLS has ready to the socket, one write at a time. */
static void push(struct link *link)
{
    size_t len = tls_pending(&link->tls);
    struct err err = {0};
    if (len > PENDING_MAX) {
        err_set(&err, ERR_INVALID, "it has TLS answer without end");
        link_close(link, &err);
        return;
    }
    if (link->out != NULL || len == 0)
        return;
    link->out = malloc(len);
    if (link->out == NULL) {
        err_set(&err, ERR_INTERNAL, "out of memory");
        link_close(link, &err);
        return;
    }
    link->out_len = tls_take(&link->tls, link->out, len);
    uv_buf_t buf = uv_buf_init((char *)link->out, (unsigned)link->out_len);
    link->write.data = link;
    int status = uv_write(&link->write, (uv_stream_t *)&link->tcp, &buf, 1, on_written);
    if (status == 0)
        return;
    free(link->out);
    link->out = NULL;
    err_set(&err, ERR_UNAVAILABLE, "cannot send: %s", uv_strerror(status));
    link_close(link, &err);
}

static enum tls_state encrypt_some(struct link *link, struct err *err)
{
    size_t len, left = ENCRYPT_MAX;
    const void *data;
    while (left > 0 && (data = queue_peek(&link->queue, left, &len)) != NULL) {
        if (tls_write(&link->tls, data, len, err) != TLS_OK)
            return TLS_OVER;
        queue_drop(&link->queue, len);
        left -= len;
    }
    return TLS_OK;
}

void link_flush(struct link *link)
{
    struct err err = {0};
    if (link->state == LINK_CLOSED)
        return;
    if (link->doom != NULL) {
        err_set(&err, ERR_UNAVAILABLE, "%s", link->doom);
        link_close(link, &err);
        return;
    }
    if (link->out == NULL && link->state >= LINK_HELLO && encrypt_some(link, &err) != TLS_OK)
        link_close(link, &err);
    else
        push(link);
}

void link_doom(struct link *link, const char *why)
{
    link->doom = why;
    link->waits = true;
    net_want_flush(link->net);
}

bool link_send(struct link *link, uint8_t type, const void *payload, size_t len)
{
    if (link->state != LINK_UP || link->doom != NULL)
        return false;
    if (link->queue.bytes + link->out_len + FRAME_HEAD + len > NET_BACKLOG_MAX) {
        /* Not here: closing calls the driver, who is in the middle of something. */
        link_doom(link, "it does not take what is sent to it, too much waits");
        return false;
    }
    if (!queue_put(&link->queue, type, payload, len))
        return false;
    link->waits = true;
    net_want_flush(link->net);
    return true;
}

/* ---- The steps from a connection to a link ---- */

static int check_peer(struct link *link, struct err *err)
{
    struct net *net = link->net;
    int rc = identity_peer(link->tls.ssl, link->node_id, sizeof link->node_id, err);
    if (rc != OK)
        return rc;
    if (link->accepted && strcmp(link->node_id, net->node_id) == 0)
        return err_set(err, ERR_DENIED, "it shows a certificate of this node itself");
    if (!link->accepted && strcmp(link->node_id, peer_node_id(link->peer)) != 0)
        return err_set(err, ERR_DENIED, "its certificate names node %s", link->node_id);
    return OK;
}

static int send_hello(struct link *link, struct err *err)
{
    struct buf hello = BUF_INIT;
    hello_encode(&hello, link->net->api_addr);
    bool is_queued = queue_put(&link->queue, FRAME_HELLO, hello.data, hello.len);
    buf_close(&hello);
    return is_queued ? OK : err_set(err, ERR_INTERNAL, "out of memory");
}

/* A descriptor of its own, for libuv closes its own. */
int link_detach(struct link *link, struct stream *stream, unsigned dead_ms, struct err *err)
{
    uv_os_fd_t fd;
    int status = uv_fileno((uv_handle_t *)&link->tcp, &fd);
    if (status != 0)
        return err_set(err, ERR_IO, "%s", uv_strerror(status));
    stream->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (stream->fd < 0)
        return err_set(err, ERR_IO, "no descriptor is left: %s", strerror(errno));
    addr_tune(stream->fd, dead_ms);
    stream->tls = link->tls;
    link->tls = (struct tls){0};
    return OK;
}

static int give_channel(struct link *link, struct err *err)
{
    struct net *net = link->net;
    struct channel *channel;
    if (net->options.on_channel == NULL)
        return err_set(err, ERR_UNSUPPORTED, "this node does not take calls");
    int rc = channel_accept(link, &channel, err);
    if (rc != OK)
        return rc;
    link_close(link, err);
    net->options.on_channel(net->options.ctx, channel);
    return OK;
}

/* Both sides have proved who they are. A snapshot's connection goes on elsewhere: the link has done its part. */
static int proven(struct link *link, struct err *err)
{
    int rc = check_peer(link, err);
    if (rc != OK)
        return rc;
    if (link->accepted && tls_speaks(&link->tls, NET_ALPN_SNAPSHOT)) {
        rc = snapshot_receive(link, err);
        if (rc == OK)
            link_close(link, err);
        return rc;
    }
    if (link->accepted && tls_speaks(&link->tls, NET_ALPN_CALL))
        return give_channel(link, err);
    if (!tls_speaks(&link->tls, NET_ALPN_LINK))
        return err_set(err, ERR_DENIED, "it does not say what it wants to speak");
    link->state = LINK_HELLO;
    link->reader.max = FRAME_HELLO_MAX;
    return send_hello(link, err);
}

static int take_hello(struct link *link, struct err *err)
{
    char api_addr[NET_ADDR_MAX];
    int rc = ERR_INVALID;
    if (link->reader.type != FRAME_HELLO)
        return err_set(err, rc, "it does not begin with a hello");
    rc = hello_decode(link->reader.payload, link->reader.len, api_addr, err);
    if (rc != OK)
        return rc;
    link->state = LINK_UP;
    /* Frames go from the dialler to the listener only. */
    link->reader.max = link->accepted ? NET_FRAME_MAX : 0;
    frame_next(&link->reader);
    if (link->accepted)
        accept_up(link);
    else
        peer_up(link->peer, api_addr);
    return OK;
}

static int take_frame(struct link *link, struct err *err)
{
    struct net *net = link->net;
    if (link->state == LINK_HELLO)
        return take_hello(link, err);
    if (!link->accepted)
        return err_set(err, ERR_INVALID, "it sends a frame where none belongs");
    net->options.on_frame(net->options.ctx, link->node_id, link->reader.type, link->reader.payload, link->reader.len);
    frame_next(&link->reader);
    return OK;
}

/* ---- Receiving ---- */

/* Reads what makes up the next piece of a frame. TLS_AGAIN when nothing is left. */
static enum tls_state read_piece(struct link *link, struct err *err)
{
    void *room;
    size_t len, size = frame_room(&link->reader, &room);
    enum tls_state state = tls_read(&link->tls, room, size, &len, err);
    if (state != TLS_OK)
        return state;
    switch (frame_got(&link->reader, len)) {
    case FRAME_MORE:
        return TLS_OK;
    case FRAME_READY:
        return take_frame(link, err) == OK ? TLS_OK : TLS_OVER;
    default:
        err_set(err, ERR_INVALID, "it sends a frame of %u bytes, more than is taken", link->reader.len);
        return TLS_OVER;
    }
}

static enum tls_state step(struct link *link, struct err *err)
{
    if (link->state != LINK_HANDSHAKE)
        return read_piece(link, err);
    enum tls_state state = tls_handshake(&link->tls, err);
    if (state != TLS_OK)
        return state;
    return proven(link, err) == OK ? TLS_OK : TLS_OVER;
}

/* Goes on as far as what was received allows. */
static void pump(struct link *link)
{
    struct err err = {0};
    enum tls_state state = TLS_OK;
    while (state == TLS_OK && link->state != LINK_CLOSED)
        state = step(link, &err);
    if (link->state == LINK_CLOSED)
        return;
    if (state == TLS_OVER)
        link_close(link, &err);
    else
        link_flush(link);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buf)
{
    struct link *link = handle->data;
    (void)suggested;
    *ret_buf = uv_buf_init(link->net->read_buffer, sizeof link->net->read_buffer);
}

static void on_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf)
{
    struct link *link = stream->data;
    struct err err = {0};
    if (link->state == LINK_CLOSED || len == 0)
        return;
    if (len < 0) {
        err_set(&err, ERR_UNAVAILABLE, "%s", len == UV_EOF ? "the peer closed the connection" : uv_strerror((int)len));
        link_close(link, &err);
        return;
    }
    tls_feed(&link->tls, buf->base, (size_t)len);
    pump(link);
}

/* ---- Beginning and end ---- */

struct link *link_new(struct net *net, struct peer *peer)
{
    struct link *link = calloc(1, sizeof *link);
    if (link == NULL)
        abort();
    link->net = net;
    link->peer = peer;
    link->accepted = peer == NULL;
    link->deadline = uv_now(net->loop) + NET_CONNECT_MS;
    uv_tcp_init(net->loop, &link->tcp);
    link->tcp.data = link;
    net->open++;
    LIST_INSERT_HEAD(&net->links, link, entry);
    return link;
}

static void start_handshake(struct link *link)
{
    struct net *net = link->net;
    struct err err = {0};
    uv_os_fd_t fd;
    if (uv_fileno((uv_handle_t *)&link->tcp, &fd) == 0)
        addr_tune(fd, NET_DEAD_MS);
    link->state = LINK_HANDSHAKE;
    link->deadline = uv_now(net->loop) + NET_HANDSHAKE_MS;
    SSL_CTX *context = link->accepted ? net->as_server : net->as_client;
    int rc = tls_open(&link->tls, context, link->accepted ? NULL : NET_ALPN_LINK, &err);
    int status = rc == OK ? uv_read_start((uv_stream_t *)&link->tcp, on_alloc, on_read) : 0;
    if (status != 0)
        rc = err_set(&err, ERR_UNAVAILABLE, "%s", uv_strerror(status));
    net_arm(net);
    if (rc == OK)
        pump(link);
    else
        link_close(link, &err);
}

static void on_connected(uv_connect_t *connect, int status)
{
    struct link *link = connect->data;
    struct err err = {0};
    if (link->state == LINK_CLOSED)
        return;
    if (status == 0) {
        start_handshake(link);
        return;
    }
    err_set(&err, ERR_UNAVAILABLE, "%s", uv_strerror(status));
    link_close(link, &err);
}

void link_dial(struct link *link, const struct sockaddr_storage *addr)
{
    struct err err = {0};
    addr_format(addr, link->remote, sizeof link->remote);
    link->connect.data = link;
    int status = uv_tcp_connect(&link->connect, &link->tcp, (const struct sockaddr *)addr, on_connected);
    if (status != 0) {
        err_set(&err, ERR_UNAVAILABLE, "%s", uv_strerror(status));
        link_close(link, &err);
    }
}

void link_serve(struct link *link)
{
    struct sockaddr_storage addr = {0};
    int len = sizeof addr;
    uv_tcp_getpeername(&link->tcp, (struct sockaddr *)&addr, &len);
    addr_format(&addr, link->remote, sizeof link->remote);
    start_handshake(link);
}

static void on_closed(uv_handle_t *handle)
{
    struct link *link = handle->data;
    struct net *net = link->net;
    tls_close(&link->tls);
    frame_reader_close(&link->reader);
    queue_close(&link->queue);
    free(link->out);
    free(link);
    net_release(net);
}

/* So that the other side can say why: what TLS wants to tell it, as far as the socket takes it at once. */
static void send_alert(struct link *link)
{
    char alert[512];
    size_t len = link->out == NULL ? tls_pending(&link->tls) : 0;
    if (len == 0 || len > sizeof alert)
        return;
    uv_buf_t buf = uv_buf_init(alert, (unsigned)tls_take(&link->tls, alert, sizeof alert));
    uv_try_write((uv_stream_t *)&link->tcp, &buf, 1);
}

void link_close(struct link *link, const struct err *why)
{
    enum link_state state = link->state;
    if (state == LINK_CLOSED)
        return;
    send_alert(link);
    link->state = LINK_CLOSED;
    LIST_REMOVE(link, entry);
    uv_close((uv_handle_t *)&link->tcp, on_closed);
    if (link->accepted)
        accept_over(link, state, why);
    else if (link->peer != NULL)
        peer_over(link->peer, state, why);
}
