/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/net/net_private.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/secret.h"

#define COMPLAIN_EVERY_MS 60000
#define NEVER             UINT64_MAX

struct resolve {
    uv_getaddrinfo_t request;
    struct net *net;
    struct peer *peer; /* NULL when it is gone, or has another address now */
};

struct peer {
    LIST_ENTRY(peer) entry;
    struct net *net;
    char node_id[NET_NODE_ID_MAX];
    char addr[NET_ADDR_MAX];
    struct link *link;       /* while dialling or up */
    struct resolve *resolve; /* while its name is looked up */
    struct sockaddr_storage found[NET_ADDRESSES_MAX];
    size_t n_found;
    size_t n_tried;
    uint64_t dial_at;
    unsigned backoff_ms;
    uint64_t complained_at; /* 0: not since it was up */
};

static void try_next(struct peer *peer);

/* ---- When to dial ---- */

/* Half of the delay is chance, so that nodes that lost each other do not meet in step. */
static void dial_later(struct peer *peer)
{
    unsigned half = peer->backoff_ms / 2, chance;
    random_bytes(&chance, sizeof chance);
    peer->dial_at = uv_now(peer->net->loop) + half + chance % (half + 1);
    peer->backoff_ms *= 2;
    if (peer->backoff_ms > NET_REDIAL_MAX_MS)
        peer->backoff_ms = NET_REDIAL_MAX_MS;
    net_arm(peer->net);
}

static void dial_failed(struct peer *peer, const char *why)
{
    uint64_t now = uv_now(peer->net->loop);
    if (peer->complained_at == 0 || now - peer->complained_at >= COMPLAIN_EVERY_MS) {
        peer->complained_at = now > 0 ? now : 1;
        log_warn("raft", "cannot reach node %s at %s: %s; trying on", peer->node_id, peer->addr, why);
    }
    dial_later(peer);
}

/* ---- Resolving ---- */

static void take_addresses(struct peer *peer, const struct addrinfo *list)
{
    peer->n_found = 0;
    for (const struct addrinfo *at = list; at != NULL && peer->n_found < NET_ADDRESSES_MAX; at = at->ai_next)
        if (at->ai_family == AF_INET || at->ai_family == AF_INET6)
            memcpy(&peer->found[peer->n_found++], at->ai_addr, at->ai_addrlen);
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *list)
{
    struct resolve *resolve = request->data;
    struct net *net = resolve->net;
    struct peer *peer = resolve->peer;
    free(resolve);
    if (peer != NULL) {
        peer->resolve = NULL;
        take_addresses(peer, list);
        if (peer->n_found > 0)
            try_next(peer);
        else
            dial_failed(peer, status != 0 ? uv_strerror(status) : "its name has no address");
    }
    uv_freeaddrinfo(list);
    net_release(net);
}

static void resolve_name(struct peer *peer, const struct addr_parts *parts)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct resolve *resolve = calloc(1, sizeof *resolve);
    if (resolve == NULL)
        abort();
    *resolve = (struct resolve){.request.data = resolve, .net = peer->net, .peer = peer};
    int status = uv_getaddrinfo(peer->net->loop, &resolve->request, on_resolved, parts->host, parts->port, &hints);
    if (status != 0) {
        free(resolve);
        dial_failed(peer, uv_strerror(status));
        return;
    }
    peer->resolve = resolve;
    peer->net->open++;
}

static void forget_resolve(struct peer *peer)
{
    if (peer->resolve == NULL)
        return;
    peer->resolve->peer = NULL;
    uv_cancel((uv_req_t *)&peer->resolve->request);
    peer->resolve = NULL;
}

/* ---- Dialling ---- */

static void dial(struct peer *peer)
{
    struct addr_parts parts;
    struct err err = {0};
    peer->dial_at = NEVER;
    peer->n_tried = 0;
    if (addr_split(peer->addr, &parts, &err) != OK) {
        dial_failed(peer, err_text(&err));
    } else if (addr_literal(&parts, &peer->found[0])) {
        peer->n_found = 1;
        try_next(peer);
    } else {
        resolve_name(peer, &parts);
    }
}

static void try_next(struct peer *peer)
{
    peer->link = link_new(peer->net, peer);
    net_arm(peer->net);
    link_dial(peer->link, &peer->found[peer->n_tried++]);
}

void peer_up(struct peer *peer, const char *api_addr)
{
    struct net *net = peer->net;
    peer->backoff_ms = NET_REDIAL_MIN_MS;
    peer->complained_at = 0;
    log_info("raft", "the link to node %s at %s is up", peer->node_id, peer->addr);
    net->options.on_link(net->options.ctx, peer->node_id, true, api_addr);
}

void peer_over(struct peer *peer, enum link_state state, const struct err *why)
{
    struct net *net = peer->net;
    peer->link = NULL;
    if (state == LINK_UP) {
        log_info("raft", "the link to node %s is down: %s", peer->node_id, err_text(why));
        dial_later(peer);
        net->options.on_link(net->options.ctx, peer->node_id, false, "");
    } else if (peer->n_tried < peer->n_found) {
        try_next(peer);
    } else {
        dial_failed(peer, err_text(why));
    }
}

/* ---- The set of peers ---- */

static void peer_add(struct net *net, const char *node_id, const char *addr)
{
    struct peer *peer = calloc(1, sizeof *peer);
    if (peer == NULL)
        abort();
    *peer = (struct peer){.net = net, .dial_at = uv_now(net->loop), .backoff_ms = NET_REDIAL_MIN_MS};
    snprintf(peer->node_id, sizeof peer->node_id, "%s", node_id);
    snprintf(peer->addr, sizeof peer->addr, "%s", addr);
    LIST_INSERT_HEAD(&net->peers, peer, entry);
}

static void peer_remove(struct peer *peer)
{
    static const struct err removed = {.code = ERR_UNAVAILABLE, .text = "the node is no longer a peer"};
    snapshots_stop(peer->net, peer->node_id);
    forget_resolve(peer);
    if (peer->link != NULL) {
        peer->link->peer = NULL;
        link_close(peer->link, &removed);
    }
    LIST_REMOVE(peer, entry);
    free(peer);
}

static void peer_move(struct peer *peer, const char *addr)
{
    snprintf(peer->addr, sizeof peer->addr, "%s", addr);
    forget_resolve(peer);
    peer->n_found = peer->n_tried = 0;
    peer->backoff_ms = NET_REDIAL_MIN_MS;
    if (peer->link != NULL)
        link_doom(peer->link, "the node has another address now");
    else
        peer->dial_at = uv_now(peer->net->loop);
}

static bool names(const struct net_peer *peers, size_t n, const char *node_id)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(peers[i].node_id, node_id) == 0)
            return true;
    return false;
}

void peers_set(struct net *net, const struct net_peer *peers, size_t n)
{
    struct peer *peer, *next;
    for (peer = LIST_FIRST(&net->peers); peer != NULL; peer = next) {
        next = LIST_NEXT(peer, entry);
        if (!names(peers, n, peer->node_id))
            peer_remove(peer);
    }
    for (size_t i = 0; i < n; i++) {
        peer = peer_find(net, peers[i].node_id);
        if (strcmp(peers[i].node_id, net->node_id) == 0)
            continue;
        if (peer == NULL)
            peer_add(net, peers[i].node_id, peers[i].addr);
        else if (strcmp(peer->addr, peers[i].addr) != 0)
            peer_move(peer, peers[i].addr);
    }
    net_arm(net);
}

struct peer *peer_find(const struct net *net, const char *node_id)
{
    struct peer *peer;
    LIST_FOREACH(peer, &net->peers, entry)
    if (strcmp(peer->node_id, node_id) == 0)
        return peer;
    return NULL;
}

struct link *peer_link(const struct peer *peer)
{
    return peer->link;
}

const char *peer_node_id(const struct peer *peer)
{
    return peer->node_id;
}

/* A flush may close a link and call the driver, who may change the peers: so each time from the beginning. */
void peers_flush(struct net *net)
{
    struct peer *peer = LIST_FIRST(&net->peers);
    while (peer != NULL) {
        if (peer->link == NULL || !peer->link->waits) {
            peer = LIST_NEXT(peer, entry);
            continue;
        }
        peer->link->waits = false;
        link_flush(peer->link);
        peer = LIST_FIRST(&net->peers);
    }
}

void peers_close(struct net *net)
{
    while (!LIST_EMPTY(&net->peers))
        peer_remove(LIST_FIRST(&net->peers));
}

void peers_tick(struct net *net, uint64_t now)
{
    struct peer *peer;
    LIST_FOREACH(peer, &net->peers, entry)
    if (peer->dial_at <= now)
        dial(peer);
}

uint64_t peers_due(const struct net *net)
{
    const struct peer *peer;
    uint64_t due = NEVER;
    LIST_FOREACH(peer, &net->peers, entry)
    if (peer->dial_at < due)
        due = peer->dial_at;
    return due;
}
