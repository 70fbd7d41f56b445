/* SPDX-License-Identifier: Apache-2.0 */
/*
 * channel.h — a connection of its own between two nodes, for threads that may wait: what one asks of another besides
 * Raft. The same port and the same mutual TLS as a link (ALPN "coffer-call/1"); frames go both ways.
 *
 * A channel belongs to one thread at a time; only channel_stop() may come from others. Errors: ERR_TIMEOUT,
 * ERR_UNAVAILABLE (ended, or stopped), ERR_DENIED (TLS, or another node than was meant), ERR_INVALID (no frame).
 */
#ifndef COFFER_RAFT_CHANNEL_H
#define COFFER_RAFT_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct cluster;
struct channel;

/* Opens one to the node at addr ("host:port") and checks that its certificate names it. Waits some seconds at most. */
int cluster_dial(struct cluster *cluster, const char *node_id, const char *addr, struct channel **ret_channel,
                 struct err *err) MUST_CHECK;
/*
 * From now on take(ctx, channel) gets what other nodes open, on the cluster's loop: it takes the channel over and must
 * only hand it on. NULL, and before the first call: they are closed. When this returns, no earlier take is running.
 */
void cluster_take_channels(struct cluster *cluster, void (*take)(void *ctx, struct channel *channel), void *ctx);

/* The node at the other end, as its certificate says. */
const char *channel_node_id(const struct channel *channel);
/* timeout_ms: without any progress. */
int channel_send(struct channel *channel, uint8_t type, const void *payload, size_t len, int timeout_ms,
                 struct err *err) MUST_CHECK;
/* The next frame, of at most max bytes; it stays where it is until the next call. */
int channel_receive(struct channel *channel, uint32_t max, int timeout_ms, uint8_t *ret_type, const void **ret_payload,
                    size_t *ret_len, struct err *err) MUST_CHECK;
/* Whether, within ms, something has come in, or the other end has ended it. Only between frames. */
bool channel_wait(const struct channel *channel, int ms);
/* Whoever waits on it is woken with ERR_UNAVAILABLE, from now on. */
void channel_stop(struct channel *channel);
/* NULL is fine. */
void channel_close(struct channel *channel);

#endif
