/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who the peers are: the members, and who else called with a certificate of this cluster (a node that joins knows its
 * leader so, a node that lags a new member).
 * FRAME_STATUS: number u64 ‖ traits u8 ‖ ms that it is sealed, or unsealed, u64 ‖ cluster address block ‖ API address
 * block ‖ the program's version block ‖ its wall clock u64 ‖ cluster time as it knows it u64, both in nanoseconds; 0 if
 * it does not ‖ the newest form that it reads u8 (base/format.h).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/format.h"
#include "base/log.h"
#include "raft/cluster/cluster_private.h"
#include "raft/driver/member.h"

/* ---- The table ---- */

struct cluster_peer *cluster_peer_by_node(struct cluster *cluster, const char *node_id)
{
    for (unsigned i = 0; i < cluster->n_peers; i++)
        if (strcmp(cluster->peers[i].node_id, node_id) == 0)
            return &cluster->peers[i];
    return NULL;
}

/* NULL when there are too many; members always find room. */
struct cluster_peer *cluster_peer_make(struct cluster *cluster, const char *node_id)
{
    struct cluster_peer *peer = cluster_peer_by_node(cluster, node_id);
    if (peer != NULL)
        return peer;
    unsigned members = 0;
    for (unsigned i = 0; i < cluster->n_peers; i++)
        members += cluster->peers[i].is_member;
    if (cluster->n_peers - members >= CLUSTER_MEMBERS_MAX || cluster->n_peers >= CLUSTER_PEERS_MAX)
        return NULL;
    peer = &cluster->peers[cluster->n_peers++];
    *peer = (struct cluster_peer){.traits.sealed = true, .heard = cluster_now()};
    snprintf(peer->node_id, sizeof peer->node_id, "%s", node_id);
    return peer;
}

const char *cluster_node_of(struct cluster *cluster, uint64_t id)
{
    struct member member;
    if (id == cluster->id)
        return cluster->node_id;
    const struct raft_server *server =
        cluster->driver == NULL ? NULL : configuration_find(driver_configuration(cluster->driver), id);
    if (server != NULL && member_parse(server->address, &member) == OK) {
        struct cluster_peer *peer = cluster_peer_by_node(cluster, member.node_id);
        return peer == NULL ? NULL : peer->node_id;
    }
    for (unsigned i = 0; i < cluster->n_peers; i++)
        if (cluster->peers[i].id == id)
            return cluster->peers[i].node_id;
    return NULL;
}

void cluster_peers_dial(struct cluster *cluster)
{
    struct net_peer peers[CLUSTER_PEERS_MAX];
    size_t n = 0;
    for (unsigned i = 0; i < cluster->n_peers; i++)
        if (cluster->peers[i].addr[0] != '\0')
            peers[n++] = (struct net_peer){.node_id = cluster->peers[i].node_id, .addr = cluster->peers[i].addr};
    if (cluster->net != NULL && !cluster->net_closing)
        net_set_peers(cluster->net, peers, n);
}

static void note_members(struct cluster *cluster, const struct raft_configuration *members)
{
    for (unsigned i = 0; i < cluster->n_peers; i++)
        cluster->peers[i].is_member = false;
    for (unsigned i = 0; i < members->n; i++) {
        struct member member;
        if (member_parse(members->servers[i].address, &member) != OK || strcmp(member.node_id, cluster->node_id) == 0)
            continue;
        struct cluster_peer *peer = cluster_peer_make(cluster, member.node_id);
        if (peer == NULL)
            continue;
        peer->is_member = true;
        if (peer->addr[0] == '\0') /* what it says itself is newer */
            snprintf(peer->addr, sizeof peer->addr, "%s", member.cluster_addr);
    }
}

void cluster_peers_refresh(struct cluster *cluster)
{
    if (cluster->driver == NULL)
        return;
    const struct raft_configuration *members = driver_configuration(cluster->driver);
    uint64_t seen = members->n;
    for (unsigned i = 0; i < members->n; i++)
        for (const char *c = members->servers[i].address; *c != '\0'; c++)
            seen = (seen ^ (unsigned char)*c) * 0x100000001b3u;
    if (seen == cluster->members_seen)
        return;
    cluster->members_seen = seen;
    note_members(cluster, members);
    cluster_peers_dial(cluster);
}

static void forget_strangers(struct cluster *cluster)
{
    uint64_t now = cluster_now();
    unsigned n = 0;
    for (unsigned i = 0; i < cluster->n_peers; i++) {
        const struct cluster_peer *peer = &cluster->peers[i];
        if (peer->is_member || peer->adding != NULL || now < peer->heard + CLUSTER_STRANGE_MS)
            cluster->peers[n++] = *peer;
    }
    if (n == cluster->n_peers)
        return;
    cluster->n_peers = n;
    cluster_peers_dial(cluster);
}

/* ---- Status frames ---- */

#define TRAIT_SEALED     1
#define TRAIT_NON_LEADER 2
#define TRAIT_CRAMPED    4

static void tell(struct cluster *cluster, const char *node_id)
{
    struct buf frame = BUF_INIT;
    buf_put_u64(&frame, cluster->id);
    buf_put_u8(&frame, (cluster->sealed ? TRAIT_SEALED : 0) | (cluster->options.non_leader ? TRAIT_NON_LEADER : 0) |
                           (cluster->cramped ? TRAIT_CRAMPED : 0));
    buf_put_u64(&frame, cluster_now() - cluster->sealed_since);
    buf_put_block(&frame, cluster->cluster_addr, strlen(cluster->cluster_addr));
    buf_put_block(&frame, cluster->api_addr, strlen(cluster->api_addr));
    buf_put_block(&frame, COFFER_VERSION, strlen(COFFER_VERSION));
    buf_put_u64(&frame, (uint64_t)clock_wall_ns());
    buf_put_u64(&frame, atomic_load(&cluster->time.is_known) ? (uint64_t)cluster_time_ns(cluster) : 0);
    buf_put_u8(&frame, format_newest());
    if (cluster->net != NULL && !cluster->net_closing)
        net_send(cluster->net, node_id, FRAME_STATUS, frame.data, frame.len);
    buf_close(&frame);
}

void cluster_peers_tell(struct cluster *cluster)
{
    for (unsigned i = 0; i < cluster->n_peers; i++)
        tell(cluster, cluster->peers[i].node_id);
}

static bool get_text(struct reader *reader, char *ret, size_t size)
{
    size_t len = 0;
    const void *text = reader_block(reader, size - 1, &len);
    if (text == NULL || memchr(text, '\0', len) != NULL)
        return false;
    memcpy(ret, text, len);
    ret[len] = '\0';
    return true;
}

/* Where two nodes tell clients to go to the same place, half of the redirects end at the wrong one. */
static void warn_of_twins(const struct cluster *cluster, const char *node_id, const char *api_addr)
{
    const char *twin = strcmp(cluster->api_addr, api_addr) == 0 ? cluster->node_id : NULL;
    for (unsigned i = 0; i < cluster->n_peers && twin == NULL; i++)
        if (strcmp(cluster->peers[i].node_id, node_id) != 0 && strcmp(cluster->peers[i].api_addr, api_addr) == 0)
            twin = cluster->peers[i].node_id;
    if (twin != NULL && api_addr[0] != '\0')
        log_warn("raft", "nodes %s and %s have the same api_addr, %s; redirects need one of each node's own", node_id,
                 twin, api_addr);
}

static int64_t get_time(struct reader *reader)
{
    uint64_t ns = reader_u64(reader);
    if (ns > INT64_MAX / 2)
        reader->failed = true;
    return (int64_t)ns;
}

/* What a status says, into `told`, which begins as what was known of the peer. */
static int read_status(const void *payload, size_t len, struct cluster_peer *told)
{
    struct reader reader = reader_of(payload, len);
    struct member member;
    told->id = reader_u64(&reader);
    uint8_t traits = reader_u8(&reader);
    uint64_t sealed_for = reader_u64(&reader);
    told->traits = (struct driver_traits){.sealed = (traits & TRAIT_SEALED) != 0,
                                          .non_leader = (traits & TRAIT_NON_LEADER) != 0,
                                          .cramped = (traits & TRAIT_CRAMPED) != 0};
    told->heard = cluster_now();
    told->sealed_since = sealed_for < told->heard ? told->heard - sealed_for : 1;
    bool has_texts = get_text(&reader, told->addr, sizeof told->addr) &&
                     get_text(&reader, told->api_addr, sizeof told->api_addr) &&
                     get_text(&reader, told->version, sizeof told->version);
    told->has_clock = true;
    told->clock_ns = get_time(&reader) - clock_boot_ns();
    int64_t time_ns = get_time(&reader);
    told->knows_time = time_ns != 0;
    told->time_ns = time_ns - clock_boot_ns();
    told->traits.format = reader_u8(&reader);
    /* What follows was added by a version that is newer. */
    if (!has_texts || reader.failed || told->id == 0)
        return ERR_CORRUPT;
    return member_make(told->node_id, told->addr, false, &member, NULL);
}

static bool is_news(const struct cluster_peer *before, const struct cluster_peer *now)
{
    return before->id != now->id || strcmp(before->addr, now->addr) != 0 ||
           strcmp(before->api_addr, now->api_addr) != 0 || before->traits.sealed != now->traits.sealed ||
           before->traits.non_leader != now->traits.non_leader || before->traits.cramped != now->traits.cramped ||
           before->traits.format != now->traits.format;
}

static void take_status(struct cluster *cluster, const char *node_id, const void *payload, size_t len)
{
    struct cluster_peer *peer = cluster_peer_make(cluster, node_id);
    if (peer == NULL)
        return;
    struct cluster_peer before = *peer, told = *peer;
    if (read_status(payload, len, &told) != OK) {
        log_debug("raft", "a malformed status of %s is dropped", node_id);
        return;
    }
    if (strcmp(before.api_addr, told.api_addr) != 0)
        warn_of_twins(cluster, node_id, told.api_addr);
    *peer = told;
    cluster_time_heard(cluster, peer);
    if (strcmp(before.addr, told.addr) != 0)
        cluster_peers_dial(cluster);
    if (is_news(&before, &told) || !atomic_load(&cluster->time.is_known))
        cluster->standing_changed = true;
    driver_peer_told(cluster->driver, told.id, &told.traits);
    cluster_add_heard(cluster, peer);
}

/* ---- The net ---- */

static void on_frame(void *ctx, const char *node_id, uint8_t type, const void *payload, size_t len)
{
    struct cluster *cluster = ctx;
    if (cluster->driver == NULL || strcmp(node_id, cluster->node_id) == 0)
        return;
    if (type == FRAME_STATUS)
        take_status(cluster, node_id, payload, len);
    else
        cluster_frame_take(cluster, node_id, type, payload, len);
}

static void on_link(void *ctx, const char *node_id, bool is_up, const char *api_addr)
{
    struct cluster *cluster = ctx;
    (void)api_addr; /* the status that comes next says it, too */
    log_debug("raft", "the link to %s is %s", node_id, is_up ? "up" : "down");
    if (!is_up || cluster->driver == NULL)
        return;
    tell(cluster, node_id);
    const struct cluster_peer *peer = cluster_peer_by_node(cluster, node_id);
    if (peer != NULL && peer->id != 0)
        driver_link_up(cluster->driver, peer->id);
}

int cluster_open_net(struct cluster *cluster, struct err *err)
{
    const struct net_options options = {.loop = &cluster->loop,
                                        .identity_dir = cluster->raft_dir,
                                        .node_id = cluster->node_id,
                                        .listen_addr = cluster->listen_addr,
                                        .api_addr = cluster->api_addr,
                                        .ctx = cluster,
                                        .on_frame = on_frame,
                                        .on_link = on_link,
                                        .snapshot_write = cluster_snapshot_write,
                                        .snapshot_sent = cluster_snapshot_sent,
                                        .snapshot_begin = cluster_snapshot_begin,
                                        .snapshot_chunk = cluster_snapshot_chunk,
                                        .snapshot_end = cluster_snapshot_end,
                                        .on_channel = cluster_channel_opened};
    return net_open(&options, &cluster->net, err);
}

static void open_again(struct cluster *cluster)
{
    struct call *call = cluster->reopen;
    cluster->reopen = NULL;
    int rc = cluster_open_net(cluster, &call->err);
    if (rc == OK)
        cluster_peers_dial(cluster);
    call_finish(call, rc, 0);
}

static void on_closed(void *ctx)
{
    struct cluster *cluster = ctx;
    cluster->net = NULL;
    cluster->net_closing = false;
    if (cluster->closing)
        cluster_end_loop(cluster);
    else
        open_again(cluster);
}

void cluster_reopen_net(struct cluster *cluster, struct call *call)
{
    cluster->reopen = call;
    if (cluster->net == NULL) {
        open_again(cluster);
        return;
    }
    cluster->net_closing = true;
    net_close(cluster->net, on_closed);
}

/* ---- Time ---- */

/* A member that has moved tells its new address; the leader puts it into the members' list. */
static void follow_moves(struct cluster *cluster)
{
    const struct raft_configuration *members = driver_configuration(cluster->driver);
    struct driver_standing standing;
    driver_standing(cluster->driver, &standing);
    for (unsigned i = 0; i < members->n && standing.role == CLUSTER_LEADER; i++) {
        struct member member;
        if (member_parse(members->servers[i].address, &member) != OK)
            continue;
        const struct cluster_peer *peer = cluster_peer_by_node(cluster, member.node_id);
        bool is_self = members->servers[i].id == cluster->id;
        const char *addr = is_self ? cluster->cluster_addr : peer == NULL ? "" : peer->addr;
        if (addr[0] == '\0' || strcmp(addr, member.cluster_addr) == 0 ||
            (!is_self && peer->id != members->servers[i].id))
            continue;
        snprintf(member.cluster_addr, sizeof member.cluster_addr, "%s", addr);
        log_info("raft", "%s is at %s now", member.node_id, addr);
        (void)driver_add_member(cluster->driver, members->servers[i].id, &member, NULL, NULL);
        return;
    }
}

void cluster_peers_tick(struct cluster *cluster)
{
    if (cluster->driver == NULL)
        return;
    follow_moves(cluster);
    forget_strangers(cluster);
    cluster_peers_refresh(cluster);
    cluster_peers_tell(cluster);
}
