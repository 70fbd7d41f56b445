/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/net/net_private.h"

#include <string.h>
#include <unistd.h>

#include "base/log.h"

/*
 * Of too many strangers the oldest goes: an honest peer needs milliseconds, so who has been silent longest is
 * the least likely to be one. Refusing newcomers instead would let 64 silent connections lock every peer out.
 */
static void drop_oldest(struct net *net)
{
    struct link *oldest = NULL, *at;
    LIST_FOREACH(at, &net->links, entry)
    if (at->accepted && at->state != LINK_UP)
        oldest = at;
    struct err err = {0};
    err_set(&err, ERR_BUSY, "too many connections have proved nothing yet");
    link_close(oldest, &err);
}

/* Handshakes cost time that links need: so many at once, and so many a second. The rest waits in the kernel. */
static void refill(struct net *net, uint64_t now)
{
    uint64_t periods = (now - net->accept_filled_at) / NET_ACCEPT_PERIOD_MS;
    uint64_t credit = net->accept_credit + periods * NET_ACCEPT_PER_PERIOD;
    net->accept_credit = credit < NET_ACCEPT_BURST ? (unsigned)credit : NET_ACCEPT_BURST;
    net->accept_filled_at += periods * NET_ACCEPT_PERIOD_MS;
}

/* Takes the connection that libuv holds ready; until then it does not look for another one. */
static void take_connection(struct net *net)
{
    struct link *link = link_new(net, NULL);
    net->unproven++;
    net->accept_credit--;
    int status = uv_accept((uv_stream_t *)&net->listener, (uv_stream_t *)&link->tcp);
    if (status != 0) {
        struct err err = {0};
        err_set(&err, ERR_UNAVAILABLE, "%s", uv_strerror(status));
        link_close(link, &err);
        return;
    }
    if (net->unproven > NET_UNPROVEN_MAX)
        drop_oldest(net);
    link_serve(link);
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct net *net = listener->data;
    if (net->closing)
        return;
    if (status != 0) {
        net_notice(net, "a connection cannot be accepted: %s", uv_strerror(status));
        return;
    }
    refill(net, uv_now(net->loop));
    net->accept_waits = net->accept_credit == 0;
    if (net->accept_waits)
        net_arm(net);
    else
        take_connection(net);
}

void accept_tick(struct net *net, uint64_t now)
{
    refill(net, now);
    if (!net->accept_waits || net->accept_credit == 0)
        return;
    net->accept_waits = false;
    take_connection(net);
}

uint64_t accept_due(const struct net *net)
{
    return net->accept_waits ? net->accept_filled_at + NET_ACCEPT_PERIOD_MS : UINT64_MAX;
}

int accept_start(struct net *net, int fd, struct err *err)
{
    net->accept_credit = NET_ACCEPT_BURST;
    net->accept_filled_at = uv_now(net->loop);
    int status = uv_tcp_open(&net->listener, fd);
    if (status == 0)
        status = uv_listen((uv_stream_t *)&net->listener, LISTEN_BACKLOG, on_connection);
    else
        close(fd);
    return status == 0 ? OK : err_set(err, ERR_INVALID, "cannot listen: %s", uv_strerror(status));
}

void accept_up(struct link *link)
{
    struct net *net = link->net;
    struct link *at, *next;
    struct err err = {0};
    net->unproven--;
    log_debug("raft", "node %s has opened a link from %s", link->node_id, link->remote);
    for (at = LIST_FIRST(&net->links); at != NULL; at = next) {
        next = LIST_NEXT(at, entry);
        if (at == link || !at->accepted || at->state != LINK_UP || strcmp(at->node_id, link->node_id) != 0)
            continue;
        err_set(&err, ERR_UNAVAILABLE, "the node has opened a newer one");
        link_close(at, &err);
    }
}

void accept_over(struct link *link, enum link_state state, const struct err *why)
{
    struct net *net = link->net;
    if (state != LINK_UP)
        net->unproven--;
    if (why->code == OK || net->closing)
        return;
    if (state != LINK_UP)
        net_notice(net, "a connection from %s is closed: %s", link->remote, err_text(why));
    else if (why->code == ERR_UNAVAILABLE)
        log_debug("raft", "the link from node %s has ended: %s", link->node_id, err_text(why));
    else
        net_notice(net, "the link from node %s is cut: %s", link->node_id, err_text(why));
}
