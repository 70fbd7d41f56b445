/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net_private.h — the parts of the network, for the net_*.c files alone.
 *
 *   net.c           the face; timer, flushing, closing
 *   net_dial.c      peers: resolving, dialling, backing off
 *   net_accept.c    the listener, and connections that have proved nothing yet
 *   net_link.c      one TLS connection on the loop, of either kind
 *   net_queue.c     what waits to be sent on it
 *   channel.c       connections that callers use
 *   net_snapshot.c  transfers, each on a thread of its own, over net_stream.c
 *
 * A link that is closed lives on until libuv lets go of it, so whoever calls back into the driver looks at
 * link->state afterwards: the callback may have closed anything, the whole network included.
 */
#ifndef COFFER_RAFT_NET_PRIVATE_H
#define COFFER_RAFT_NET_PRIVATE_H

#include <sys/queue.h>

#include "raft/net/net.h"
#include "raft/net/net_addr.h"
#include "raft/net/net_protocol.h"
#include "raft/net/net_stream.h"
#include "raft/net/net_tls.h"

#define NET_NODE_ID_MAX       64
#define NET_CONNECT_MS        1000
#define NET_HANDSHAKE_MS      10000 /* until both hellos are there */
#define NET_DEAD_MS           3000  /* nothing acknowledged for so long */
#define NET_UNPROVEN_MAX      64    /* accepted connections without a certificate and a hello yet */
#define NET_ACCEPT_BURST      64
#define NET_ACCEPT_PERIOD_MS  20
#define NET_ACCEPT_PER_PERIOD 10 /* 500 a second: the oldest of 64 strangers has had 128 ms */
#define NET_REDIAL_MIN_MS     20
#define NET_REDIAL_MAX_MS     500
#define NET_READ_SIZE         (64u << 10)
#define NET_ADDRESSES_MAX     8 /* tried of those that a name stands for */

/* ---- Queue: frames in the order in which they were put, small ones side by side. ---- */

struct send_chunk;
struct send_queue {
    struct send_chunk *head;
    struct send_chunk *tail;
    size_t bytes;
};

/* Copies a frame; false when there is no memory. */
bool queue_put(struct send_queue *queue, uint8_t type, const void *payload, size_t len);
/* The bytes at the head that lie in one piece, at most max; NULL when it is empty. */
const void *queue_peek(const struct send_queue *queue, size_t max, size_t *ret_len);
void queue_drop(struct send_queue *queue, size_t len);
void queue_close(struct send_queue *queue);

/* ---- Link ---- */

enum link_state { LINK_CONNECTING, LINK_HANDSHAKE, LINK_HELLO, LINK_UP, LINK_CLOSED };

struct peer;

struct link {
    LIST_ENTRY(link) entry;
    struct net *net;
    struct peer *peer; /* whom we dialled; NULL on an accepted link, and when the peer is gone */
    bool accepted;
    enum link_state state;
    const char *doom;              /* why the next flush closes it */
    bool waits;                    /* for the next flush */
    uint64_t deadline;             /* of becoming LINK_UP, in the loop's time */
    char node_id[NET_NODE_ID_MAX]; /* what the certificate said; "" before */
    char remote[80];               /* its address, for the log */
    uv_tcp_t tcp;
    uv_connect_t connect;
    struct tls tls;
    struct frame_reader reader;
    struct send_queue queue;
    uv_write_t write;
    unsigned char *out; /* ciphertext on its way, NULL when there is none */
    size_t out_len;
};

struct link *link_new(struct net *net, struct peer *peer);
/* Both end in the hellos, and in peer_up() or accept_up(), or in link_close(). */
void link_dial(struct link *link, const struct sockaddr_storage *addr);
void link_serve(struct link *link);
/* Queues; what is queued goes out with link_flush(). */
bool link_send(struct link *link, uint8_t type, const void *payload, size_t len);
void link_flush(struct link *link);
/*
 * Hands a proven connection to a thread: a descriptor of its own, and the link's TLS. The link then only needs closing.
 */
int link_detach(struct link *link, struct stream *stream, unsigned dead_ms, struct err *err) MUST_CHECK;
/* Has the next flush close it: for callers who must not be called back now. */
void link_doom(struct link *link, const char *why);
/* Ends in peer_over() or accept_over(), unless it was closed already. why: code OK when nothing went wrong. */
void link_close(struct link *link, const struct err *why);

/* ---- Peers ---- */

void peers_set(struct net *net, const struct net_peer *peers, size_t n);
struct peer *peer_find(const struct net *net, const char *node_id);
struct link *peer_link(const struct peer *peer);
const char *peer_node_id(const struct peer *peer);
void peers_flush(struct net *net);
void peers_close(struct net *net);
/* Dials those that are due. */
void peers_tick(struct net *net, uint64_t now);
/* The earliest time at which one is due; UINT64_MAX for never. */
uint64_t peers_due(const struct net *net);
/* Events of a dialled link; each may call the driver as its last deed. */
void peer_up(struct peer *peer, const char *api_addr);
void peer_over(struct peer *peer, enum link_state state, const struct err *why);

/* ---- Accepting ---- */

int accept_start(struct net *net, int fd, struct err *err) MUST_CHECK;
/* Accepts what had to wait. */
void accept_tick(struct net *net, uint64_t now);
uint64_t accept_due(const struct net *net);
/* The link's peer has said its hello: an older link of the same node ends. */
void accept_up(struct link *link);
void accept_over(struct link *link, enum link_state state, const struct err *why);

/* ---- Snapshots ---- */

bool snapshot_send(struct net *net, const struct link *link, const void *header, size_t len, void *snapshot);
/* Takes the connection over from an accepted link, which then only needs closing. ERR_BUSY while another one runs. */
int snapshot_receive(struct link *link, struct err *err) MUST_CHECK;
/* Tells those to node_id (NULL: all, of either direction) to end; snapshots_reap() follows. */
void snapshots_stop(struct net *net, const char *node_id);
/* Joins the threads that ended. */
void snapshots_reap(struct net *net);

/* ---- Channels ---- */

int channel_dial(const char *identity_dir, const char *node_id, const char *addr, struct channel **ret_channel,
                 struct err *err) MUST_CHECK;
/* Takes the connection over from an accepted link, as above. */
int channel_accept(struct link *link, struct channel **ret_channel, struct err *err) MUST_CHECK;

/* ---- Net ---- */

struct transfer;

struct net {
    uv_loop_t *loop;
    struct net_options options; /* its strings are those below */
    char node_id[NET_NODE_ID_MAX];
    char api_addr[NET_ADDR_MAX];
    SSL_CTX *as_server;
    SSL_CTX *as_client;
    uv_tcp_t listener;
    uv_timer_t timer;
    uv_idle_t flusher; /* active while frames wait */
    uv_async_t ended;  /* a transfer's thread is done */
    LIST_HEAD(, link) links;
    LIST_HEAD(, peer) peers;
    LIST_HEAD(, transfer) transfers;
    unsigned unproven;
    unsigned accept_credit; /* connections that may be accepted now */
    uint64_t accept_filled_at;
    bool accept_waits; /* libuv holds one that may not */
    uint64_t noticed_at;
    unsigned unnoticed;
    size_t open; /* handles and requests that libuv holds */
    bool closing;
    void (*on_closed)(void *ctx);
    char read_buffer[NET_READ_SIZE];
};

/* Something that libuv held is gone; the last one frees net. */
void net_release(struct net *net);
/* A deadline has changed. */
void net_arm(struct net *net);
/* Frames wait to go out at the end of this turn of the loop. */
void net_want_flush(struct net *net);
/* For what strangers cause: one line a second at most, with the number of those left out. */
void net_notice(struct net *net, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
