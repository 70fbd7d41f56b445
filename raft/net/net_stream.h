/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net_stream.h — frames over TLS for a thread that may wait: what carries a snapshot.
 *
 * Every wait ends at its time, or at once when the stream is told to stop. Errors: ERR_TIMEOUT, ERR_UNAVAILABLE
 * (ended, or stopped), ERR_DENIED (TLS), ERR_INVALID (not a frame). Threads: one; stream_stop() any.
 */
#ifndef COFFER_RAFT_NET_STREAM_H
#define COFFER_RAFT_NET_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"
#include "raft/net/net_protocol.h"
#include "raft/net/net_tls.h"

struct stream {
    int fd;      /* -1 before it is connected */
    int stop_fd; /* an eventfd: readable from the moment of stop on */
    struct tls tls;
    struct frame_reader reader; /* holds the frame that stream_receive() got, until the next call */
};

/* Not connected yet. ERR_IO when there is no descriptor left. */
int stream_open(struct stream *ret_stream, struct err *err) MUST_CHECK;
void stream_close(struct stream *stream);
void stream_stop(struct stream *stream);

/* Gives a connection up, to try another address. */
void stream_disconnect(struct stream *stream);
int stream_connect(struct stream *stream, const struct sockaddr_storage *addr, int timeout_ms,
                   struct err *err) MUST_CHECK;
/* As dialler. Then stream->tls has the peer's certificate, checked against the authority. */
int stream_handshake(struct stream *stream, SSL_CTX *context, const char *alpn, int timeout_ms,
                     struct err *err) MUST_CHECK;
/* timeout_ms: without any progress. */
int stream_send(struct stream *stream, uint8_t type, const void *payload, size_t len, int timeout_ms,
                struct err *err) MUST_CHECK;
int stream_receive(struct stream *stream, int timeout_ms, struct err *err) MUST_CHECK;
/* Whether the other side has sent something, or ended. */
bool stream_has_input(const struct stream *stream);

#endif
