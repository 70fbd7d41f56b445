/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net.h — frames between nodes: mutual TLS 1.3 on the driver's libuv loop.
 *
 * A node dials every peer that it is told of and sends on the link that it dialled; it receives on the links that
 * peers dialled. So each direction is one FIFO. A link begins with a hello of both sides (protocol version, api
 * address). Frames are `length u32 ‖ type u8 ‖ payload`, checked against NET_FRAME_MAX before memory is taken. What is
 * on a dead link is lost, never sent again by itself. Snapshots go over connections of their own (ALPN tells them
 * apart), at most one to a peer.
 *
 * Threads: the loop's only, but for net_snapshot_* callbacks, as said there.
 */
#ifndef COFFER_RAFT_NET_H
#define COFFER_RAFT_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/buf.h"
#include "base/err.h"

#define NET_FRAME_MAX   (64u << 20)
#define NET_BACKLOG_MAX (128u << 20) /* unsent bytes to one peer; beyond it the link is cut and dialled anew */

struct channel;
struct net;

struct net_options {
    uv_loop_t *loop;
    const char *identity_dir; /* identity.h */
    const char *node_id;
    const char *listen_addr;
    const char *api_addr; /* told in the hello */
    void *ctx;
    /* A frame from a peer whose certificate names it. The payload is valid during the call. */
    void (*on_frame)(void *ctx, const char *node_id, uint8_t type, const void *payload, size_t len);
    /* The link to (dialled) a peer came up, with what its hello said, or went down. */
    void (*on_link)(void *ctx, const char *node_id, bool is_up, const char *api_addr);
    /*
     * Sending side, on a thread of its own: write the snapshot that was asked for, by emit, which may block. header is
     * what net_send_snapshot() was given.
     */
    int (*snapshot_write)(void *ctx, void *snapshot, int (*emit)(void *arg, const void *chunk, size_t len), void *arg,
                          struct err *err);
    /* Sending side, on the loop: it ended; rc OK: the peer has taken all of it. Frees snapshot. */
    void (*snapshot_sent)(void *ctx, const char *node_id, void *snapshot, int rc);
    /* Receiving side, on a thread of its own, in this order: begin, chunk…, end (rc OK: complete). A code other than OK
     * from begin or chunk ends the transfer. */
    int (*snapshot_begin)(void *ctx, const char *node_id, const void *header, size_t len, void **ret_sink);
    int (*snapshot_chunk)(void *ctx, void *sink, const void *chunk, size_t len);
    void (*snapshot_end)(void *ctx, void *sink, int rc);
    /* On the loop: a node has opened a channel (channel.h), which now belongs to whoever takes it. */
    void (*on_channel)(void *ctx, struct channel *channel);
};

/*
 * Listens and waits. ERR_INVALID with the reason when the address cannot be had, or when the certificate is not for
 * this node; ERR_CORRUPT, naming the file. The options' strings are copied.
 */
int net_open(const struct net_options *options, struct net **ret_net, struct err *err) MUST_CHECK;
/* The identity trusts more than when it was opened: so do new links; those that are up stay up. */
int net_trust(struct net *net, const char *identity_dir, struct err *err) MUST_CHECK;
/*
 * Closes everything; on_closed is called on the loop when the last handle is gone, and net is freed after it. Until
 * then only the callbacks of snapshots that still run are called: each ends, with ERR_UNAVAILABLE at the latest when
 * its callback returns. May be called in any callback on the loop.
 */
void net_close(struct net *net, void (*on_closed)(void *ctx));

struct net_peer {
    const char *node_id;
    const char *addr; /* "host:port"; a name is resolved at each dial */
};
/*
 * The peers to keep links to; others are cut, without a call of on_link, and snapshots to them end. This node's own id
 * is passed over. Calls nothing back.
 */
void net_set_peers(struct net *net, const struct net_peer *peers, size_t n);
/*
 * Queues a frame; dropped (and false) when there is no link, or too much waits on it. The payload is copied. All that
 * is queued in one turn of the loop leaves together at its end. Calls nothing back.
 */
bool net_send(struct net *net, const char *node_id, uint8_t type, const void *payload, size_t len);
/*
 * Opens a snapshot connection, to where the link goes, and starts snapshot_write. False, and snapshot stays the
 * caller's, when one to this peer runs already or when there is no link to it. header (at most 1 MiB) is copied.
 */
bool net_send_snapshot(struct net *net, const char *node_id, const void *header, size_t len, void *snapshot);
bool net_link_up(const struct net *net, const char *node_id);

#endif
