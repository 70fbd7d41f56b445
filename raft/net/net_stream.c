/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/net/net_stream.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "raft/net/net_addr.h"

#define PIECE (16u << 10)

int stream_open(struct stream *ret_stream, struct err *err)
{
    struct stream stream = {.fd = -1, .stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    if (stream.stop_fd < 0)
        return err_set(err, ERR_IO, "no descriptor for a transfer: %s", strerror(errno));
    stream.reader.max = FRAME_SNAPSHOT_MAX;
    *ret_stream = stream;
    return OK;
}

void stream_close(struct stream *stream)
{
    tls_close(&stream->tls);
    frame_reader_close(&stream->reader);
    if (stream->fd >= 0)
        close(stream->fd);
    close(stream->stop_fd);
}

void stream_stop(struct stream *stream)
{
    static const uint64_t one = 1;
    /* It fails only when the counter is full, that is when it was told so before. */
    ssize_t n = write(stream->stop_fd, &one, sizeof one);
    (void)n;
}

static int wait_for(struct stream *stream, short events, int64_t until, struct err *err)
{
    struct pollfd fds[] = {{.fd = stream->stop_fd, .events = POLLIN}, {.fd = stream->fd, .events = events}};
    for (;;) {
        int64_t left = until - clock_steady_ms();
        int n = poll(fds, 2, left > 0 ? (int)left : 0);
        if (n > 0 && fds[0].revents != 0)
            return err_set(err, ERR_UNAVAILABLE, "it was stopped");
        if (n > 0)
            return OK;
        if (n == 0 && left <= 0)
            return err_set(err, ERR_TIMEOUT, "the peer does not answer");
        if (n < 0 && errno != EINTR)
            return err_set(err, ERR_IO, "cannot wait: %s", strerror(errno));
    }
}

void stream_disconnect(struct stream *stream)
{
    if (stream->fd >= 0)
        close(stream->fd);
    stream->fd = -1;
}

int stream_connect(struct stream *stream, const struct sockaddr_storage *addr, int timeout_ms, struct err *err)
{
    stream->fd = socket(addr->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (stream->fd < 0)
        return err_set(err, ERR_IO, "no socket: %s", strerror(errno));
    int reason = 0;
    if (connect(stream->fd, (const struct sockaddr *)addr, addr_len(addr)) != 0) {
        if (errno != EINPROGRESS)
            return err_set(err, ERR_UNAVAILABLE, "cannot connect: %s", strerror(errno));
        int rc = wait_for(stream, POLLOUT, clock_steady_ms() + timeout_ms, err);
        if (rc != OK)
            return rc;
        socklen_t size = sizeof reason;
        getsockopt(stream->fd, SOL_SOCKET, SO_ERROR, &reason, &size);
    }
    return reason == 0 ? OK : err_set(err, ERR_UNAVAILABLE, "cannot connect: %s", strerror(reason));
}

static int send_piece(struct stream *stream, const unsigned char *data, size_t len, int timeout_ms, struct err *err)
{
    while (len > 0) {
        ssize_t n = send(stream->fd, data, len, MSG_NOSIGNAL);
        if (n >= 0) {
            data += n;
            len -= (size_t)n;
            continue;
        }
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN && errno != EWOULDBLOCK)
            return err_set(err, ERR_UNAVAILABLE, "the peer has ended the transfer: %s", strerror(errno));
        int rc = wait_for(stream, POLLOUT, clock_steady_ms() + timeout_ms, err);
        if (rc != OK)
            return rc;
    }
    return OK;
}

static int send_pending(struct stream *stream, int timeout_ms, struct err *err)
{
    unsigned char piece[PIECE];
    size_t len;
    int rc = OK;
    while (rc == OK && (len = tls_take(&stream->tls, piece, sizeof piece)) > 0)
        rc = send_piece(stream, piece, len, timeout_ms, err);
    return rc;
}

/* Waits for bytes and gives them to TLS. */
static int feed(struct stream *stream, int64_t until, struct err *err)
{
    unsigned char piece[PIECE];
    for (;;) {
        int rc = wait_for(stream, POLLIN, until, err);
        if (rc != OK)
            return rc;
        ssize_t n = recv(stream->fd, piece, sizeof piece, 0);
        if (n > 0) {
            tls_feed(&stream->tls, piece, (size_t)n);
            return OK;
        }
        if (n == 0)
            return err_set(err, ERR_UNAVAILABLE, "the peer has closed the connection");
        if (errno != EINTR && errno != EAGAIN && errno != EWOULDBLOCK)
            return err_set(err, ERR_UNAVAILABLE, "the connection broke: %s", strerror(errno));
    }
}

int stream_handshake(struct stream *stream, SSL_CTX *context, const char *alpn, int timeout_ms, struct err *err)
{
    int64_t until = clock_steady_ms() + timeout_ms;
    int rc = tls_open(&stream->tls, context, alpn, err);
    enum tls_state state = TLS_AGAIN;
    while (rc == OK && state != TLS_OK) {
        struct err why = {0};
        state = tls_handshake(&stream->tls, &why);
        rc = send_pending(stream, timeout_ms, err);
        if (state == TLS_OVER)
            rc = err_set(err, why.code, "%s", err_text(&why));
        else if (rc == OK && state == TLS_AGAIN)
            rc = feed(stream, until, err);
    }
    return rc;
}

int stream_send(struct stream *stream, uint8_t type, const void *payload, size_t len, int timeout_ms, struct err *err)
{
    unsigned char head[FRAME_HEAD];
    frame_put_head(head, type, (uint32_t)len);
    if (tls_write(&stream->tls, head, sizeof head, err) != TLS_OK ||
        tls_write(&stream->tls, payload, len, err) != TLS_OK)
        return err->code;
    return send_pending(stream, timeout_ms, err);
}

int stream_receive(struct stream *stream, int timeout_ms, struct err *err)
{
    struct frame_reader *reader = &stream->reader;
    enum frame_state got = FRAME_MORE;
    int rc = OK;
    frame_next(reader);
    while (rc == OK && got == FRAME_MORE) {
        void *room;
        size_t len, size = frame_room(reader, &room);
        switch (tls_read(&stream->tls, room, size, &len, err)) {
        case TLS_OK:
            got = frame_got(reader, len);
            break;
        case TLS_AGAIN:
            rc = feed(stream, clock_steady_ms() + timeout_ms, err);
            break;
        default:
            rc = err->code;
        }
    }
    if (rc == OK && got == FRAME_REFUSED)
        rc = err_set(err, ERR_INVALID, "a frame of %u bytes is more than is taken", reader->len);
    return rc;
}

bool stream_has_input(const struct stream *stream)
{
    struct pollfd fd = {.fd = stream->fd, .events = POLLIN};
    return poll(&fd, 1, 0) > 0;
}
