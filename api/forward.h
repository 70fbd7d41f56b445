/* SPDX-License-Identifier: Apache-2.0 */
/*
 * forward.h — a standby has the active node answer what it was asked, for clients that cannot follow a redirect.
 *
 * A request travels over the cluster port, between two nodes that have proved by their certificates that they are
 * members. So the client's address, which travels along, is believed. It is forwarded once: the node that gets it
 * answers it or says that it has not touched it. Only in the latter case, or if it has not arrived, another node is
 * asked. What may have been done already is never sent again. Why so: docs/decisions/0008-forwarding.md.
 */
#ifndef COFFER_API_FORWARD_H
#define COFFER_API_FORWARD_H

#include "api/http.h"

struct core;

/* ---- The node that is asked by a client ---- */

struct forward;
/* again(ctx, call): this node is no standby any more, let it answer itself; runs on the call's thread. */
struct forward *forward_new(struct core *core, void (*again)(void *ctx, struct http_call *call), void *ctx);
/*
 * Takes the call over and answers it, sooner or later, from whatever thread. For a while it waits for an active node to
 * appear. The number of calls under way, and of bytes in their bodies, is bounded; beyond it the answer is 503.
 */
void forward_call(struct forward *forward, struct http_call *call);
/* Calls that are still under way are given up within seconds; waits for it. NULL is fine. */
void forward_free(struct forward *forward);

/* ---- The active node ---- */

struct forward_server;
/* Answers what other members forward, from now on. */
struct forward_server *forward_serve(struct core *core);
/* Takes no more, and waits up to drain_ms for what is under way; what is left then stays in memory. NULL is fine. */
void forward_serve_stop(struct forward_server *server, int drain_ms);

#endif
