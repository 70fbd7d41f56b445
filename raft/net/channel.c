/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/net/channel.h"

#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "raft/identity/identity.h"
#include "raft/net/net_private.h"
#include "raft/net/net_stream.h"

#define STALLED_MS   10000 /* nothing acknowledged for so long */
#define HANDSHAKE_MS 3000

struct channel {
    struct stream stream;
    char node_id[NET_NODE_ID_MAX];
};

static int channel_new(const char *node_id, struct channel **ret_channel, struct err *err)
{
    struct channel *channel = calloc(1, sizeof *channel);
    if (channel == NULL)
        abort();
    snprintf(channel->node_id, sizeof channel->node_id, "%s", node_id);
    int rc = stream_open(&channel->stream, err);
    if (rc == OK)
        *ret_channel = channel;
    else
        free(channel);
    return rc;
}

/* ---- Opening ---- */

/* The first of the name's addresses that takes the connection. */
static int connect_to(struct channel *channel, const struct addr_parts *parts, struct err *err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV}, *list;
    int failed = getaddrinfo(parts->host, parts->port, &hints, &list);
    if (failed != 0)
        return err_set(err, ERR_UNAVAILABLE, "its address has no meaning: %s", gai_strerror(failed));
    int rc = ERR_UNAVAILABLE, tried = 0;
    for (const struct addrinfo *at = list; at != NULL && rc != OK && tried < NET_ADDRESSES_MAX; at = at->ai_next) {
        struct sockaddr_storage addr = {0};
        if (at->ai_family != AF_INET && at->ai_family != AF_INET6)
            continue;
        memcpy(&addr, at->ai_addr, at->ai_addrlen);
        stream_disconnect(&channel->stream);
        rc = stream_connect(&channel->stream, &addr, NET_CONNECT_MS, err);
        tried++;
    }
    freeaddrinfo(list);
    return tried > 0 ? rc : err_set(err, ERR_UNAVAILABLE, "its name has no address");
}

static int prove(struct channel *channel, const char *identity_dir, struct err *err)
{
    char named[NET_NODE_ID_MAX];
    SSL_CTX *context;
    int rc = identity_context(identity_dir, false, &context, err);
    if (rc != OK)
        return rc;
    addr_tune(channel->stream.fd, STALLED_MS);
    rc = stream_handshake(&channel->stream, context, NET_ALPN_CALL, HANDSHAKE_MS, err);
    SSL_CTX_free(context);
    if (rc == OK)
        rc = identity_peer(channel->stream.tls.ssl, named, sizeof named, err);
    if (rc == OK && strcmp(named, channel->node_id) != 0)
        rc = err_set(err, ERR_DENIED, "its certificate names node %s", named);
    return rc;
}

int channel_dial(const char *identity_dir, const char *node_id, const char *addr, struct channel **ret_channel,
                 struct err *err)
{
    struct addr_parts parts;
    struct channel *channel;
    int rc = addr_split(addr, &parts, err);
    if (rc == OK)
        rc = channel_new(node_id, &channel, err);
    if (rc != OK)
        return rc;
    rc = connect_to(channel, &parts, err);
    if (rc == OK)
        rc = prove(channel, identity_dir, err);
    if (rc == OK)
        *ret_channel = channel;
    else
        channel_close(channel);
    return rc;
}

int channel_accept(struct link *link, struct channel **ret_channel, struct err *err)
{
    struct channel *channel;
    int rc = channel_new(link->node_id, &channel, err);
    if (rc != OK)
        return rc;
    rc = link_detach(link, &channel->stream, STALLED_MS, err);
    if (rc == OK)
        *ret_channel = channel;
    else
        channel_close(channel);
    return rc;
}

/* ---- Using ---- */

const char *channel_node_id(const struct channel *channel)
{
    return channel->node_id;
}

int channel_send(struct channel *channel, uint8_t type, const void *payload, size_t len, int timeout_ms,
                 struct err *err)
{
    return stream_send(&channel->stream, type, payload, len, timeout_ms, err);
}

int channel_receive(struct channel *channel, uint32_t max, int timeout_ms, uint8_t *ret_type, const void **ret_payload,
                    size_t *ret_len, struct err *err)
{
    struct frame_reader *reader = &channel->stream.reader;
    reader->max = max;
    int rc = stream_receive(&channel->stream, timeout_ms, err);
    if (rc != OK)
        return rc;
    *ret_type = reader->type;
    *ret_payload = reader->payload;
    *ret_len = reader->len;
    return OK;
}

bool channel_wait(const struct channel *channel, int ms)
{
    struct pollfd fds[] = {{.fd = channel->stream.stop_fd, .events = POLLIN},
                           {.fd = channel->stream.fd, .events = POLLIN}};
    return SSL_has_pending(channel->stream.tls.ssl) == 1 || BIO_ctrl_pending(channel->stream.tls.in) > 0 ||
           poll(fds, 2, ms) > 0;
}

void channel_stop(struct channel *channel)
{
    stream_stop(&channel->stream);
}

void channel_close(struct channel *channel)
{
    if (channel == NULL)
        return;
    stream_close(&channel->stream);
    free(channel);
}
