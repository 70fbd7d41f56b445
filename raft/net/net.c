/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/net/net.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "raft/identity/identity.h"
#include "raft/net/net_private.h"

#define NOTICE_EVERY_MS 1000

void net_notice(struct net *net, const char *fmt, ...)
{
    uint64_t now = uv_now(net->loop);
    if (net->noticed_at != 0 && now - net->noticed_at < NOTICE_EVERY_MS) {
        net->unnoticed++;
        return;
    }
    char text[512], more[64] = "";
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (net->unnoticed > 0)
        snprintf(more, sizeof more, " (and %u more)", net->unnoticed);
    net->noticed_at = now > 0 ? now : 1;
    net->unnoticed = 0;
    log_warn("raft", "%s%s", text, more);
}

/* ---- Time ---- */

static void close_late(struct net *net, uint64_t now)
{
    struct link *link, *next;
    struct err err = {0};
    for (link = LIST_FIRST(&net->links); link != NULL; link = next) {
        next = LIST_NEXT(link, entry);
        if (link->state == LINK_UP || link->deadline > now)
            continue;
        err_set(&err, ERR_TIMEOUT, link->state == LINK_CONNECTING ? "no answer" : "the handshake takes too long");
        link_close(link, &err);
    }
}

static void on_timer(uv_timer_t *timer)
{
    struct net *net = timer->data;
    uint64_t now = uv_now(net->loop);
    close_late(net, now);
    accept_tick(net, now);
    peers_tick(net, now);
    net_arm(net);
}

void net_arm(struct net *net)
{
    if (net->closing)
        return;
    uint64_t due = peers_due(net), accept_at = accept_due(net), now = uv_now(net->loop);
    due = accept_at < due ? accept_at : due;
    const struct link *link;
    LIST_FOREACH(link, &net->links, entry)
    if (link->state != LINK_UP && link->deadline < due)
        due = link->deadline;
    if (due == UINT64_MAX)
        uv_timer_stop(&net->timer);
    else
        uv_timer_start(&net->timer, on_timer, due > now ? due - now : 0, 0);
}

/* An active idle handle keeps the loop from sleeping: whichever phase queued a frame, it leaves before the next sleep.
 */
static void on_flush(uv_idle_t *flusher)
{
    uv_idle_stop(flusher);
    peers_flush(flusher->data);
}

void net_want_flush(struct net *net)
{
    if (!net->closing)
        uv_idle_start(&net->flusher, on_flush);
}

/* ---- Beginning and end ---- */

static void net_free(struct net *net)
{
    SSL_CTX_free(net->as_server);
    SSL_CTX_free(net->as_client);
    free(net);
}

void net_release(struct net *net)
{
    net->open--;
    if (net->open > 0 || !net->closing)
        return;
    if (net->on_closed != NULL)
        net->on_closed(net->options.ctx);
    net_free(net);
}

static void on_handle_closed(uv_handle_t *handle)
{
    net_release(handle->data);
}

static void close_handle(void *handle)
{
    if (!uv_is_closing(handle))
        uv_close(handle, on_handle_closed);
}

static void on_ended(uv_async_t *ended)
{
    struct net *net = ended->data;
    snapshots_reap(net);
    if (net->closing && LIST_EMPTY(&net->transfers))
        close_handle(&net->ended);
}

static int load_identity(struct net *net, const struct net_options *options, struct err *err)
{
    char named[NET_NODE_ID_MAX];
    int rc = identity_context(options->identity_dir, true, &net->as_server, err);
    if (rc == OK)
        rc = identity_context(options->identity_dir, false, &net->as_client, err);
    if (rc == OK)
        rc = identity_own(net->as_server, named, sizeof named, err);
    if (rc == OK && strcmp(named, options->node_id) != 0)
        rc = err_set(err, ERR_INVALID, "the certificate in %s is for node %s, this is node %s", options->identity_dir,
                     named, options->node_id);
    return rc;
}

int net_trust(struct net *net, const char *identity_dir, struct err *err)
{
    int rc = identity_context_trust(net->as_server, identity_dir, err);
    return rc == OK ? identity_context_trust(net->as_client, identity_dir, err) : rc;
}

static void open_handle(struct net *net, void *handle)
{
    ((uv_handle_t *)handle)->data = net;
    net->open++;
}

static struct net *new_net(const struct net_options *options)
{
    struct net *net = calloc(1, sizeof *net);
    if (net == NULL)
        abort();
    net->loop = options->loop;
    net->options = *options;
    snprintf(net->node_id, sizeof net->node_id, "%s", options->node_id);
    snprintf(net->api_addr, sizeof net->api_addr, "%s", options->api_addr);
    net->options.node_id = net->node_id;
    net->options.api_addr = net->api_addr;
    net->options.identity_dir = net->options.listen_addr = NULL;
    return net;
}

static int open_handles(struct net *net, int fd, struct err *err)
{
    uv_tcp_init(net->loop, &net->listener);
    open_handle(net, &net->listener);
    uv_timer_init(net->loop, &net->timer);
    open_handle(net, &net->timer);
    uv_idle_init(net->loop, &net->flusher);
    open_handle(net, &net->flusher);
    return accept_start(net, fd, err);
}

/* What can fail comes before the first handle, for a handle can only be closed by running the loop. */
int net_open(const struct net_options *options, struct net **ret_net, struct err *err)
{
    if (strlen(options->api_addr) >= NET_ADDR_MAX)
        return err_set(err, ERR_INVALID, "the API address is too long");
    struct net *net = new_net(options);
    int fd = -1;
    int rc = load_identity(net, options, err);
    if (rc == OK)
        rc = addr_listen(options->listen_addr, &fd, err);
    int status = rc == OK ? uv_async_init(net->loop, &net->ended, on_ended) : 0;
    if (status != 0)
        rc = err_set(err, ERR_IO, "cannot watch for transfers: %s", uv_strerror(status));
    if (rc != OK) {
        if (fd >= 0)
            close(fd);
        net_free(net);
        return rc;
    }
    open_handle(net, &net->ended);
    rc = open_handles(net, fd, err);
    if (rc == OK)
        *ret_net = net;
    else
        net_close(net, NULL);
    return rc;
}

void net_close(struct net *net, void (*on_closed)(void *ctx))
{
    static const struct err closing = {.code = ERR_UNAVAILABLE, .text = "this node closes its links"};
    net->closing = true;
    net->on_closed = on_closed;
    peers_close(net);
    while (!LIST_EMPTY(&net->links))
        link_close(LIST_FIRST(&net->links), &closing);
    snapshots_stop(net, NULL);
    close_handle(&net->listener);
    close_handle(&net->timer);
    close_handle(&net->flusher);
    if (LIST_EMPTY(&net->transfers))
        close_handle(&net->ended);
}

/* ---- What the driver asks for ---- */

void net_set_peers(struct net *net, const struct net_peer *peers, size_t n)
{
    if (!net->closing)
        peers_set(net, peers, n);
}

/* The link to a peer, if it is up. */
static struct link *live_link(const struct net *net, const char *node_id)
{
    const struct peer *peer = peer_find(net, node_id);
    struct link *link = peer != NULL ? peer_link(peer) : NULL;
    return link != NULL && link->state == LINK_UP && link->doom == NULL ? link : NULL;
}

bool net_send(struct net *net, const char *node_id, uint8_t type, const void *payload, size_t len)
{
    struct link *link = live_link(net, node_id);
    if (len > NET_FRAME_MAX) {
        log_error("raft", "a frame of %zu bytes is not sent: the peer would refuse it", len);
        return false;
    }
    return link != NULL && link_send(link, type, payload, len);
}

bool net_send_snapshot(struct net *net, const char *node_id, const void *header, size_t len, void *snapshot)
{
    const struct link *link = live_link(net, node_id);
    return link != NULL && snapshot_send(net, link, header, len, snapshot);
}

bool net_link_up(const struct net *net, const char *node_id)
{
    return live_link(net, node_id) != NULL;
}
