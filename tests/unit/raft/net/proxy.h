/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proxy.h — what an eavesdropper sees: passes connections on and keeps all bytes of both directions.
 */
#ifndef COFFER_TESTS_RAFT_NET_PROXY_H
#define COFFER_TESTS_RAFT_NET_PROXY_H

#include "base/buf.h"

struct proxy;

/* Listens on 127.0.0.1:port from the return on, with a thread of its own. */
struct proxy *proxy_open(int port, int to_port);
/* Ends it; appends what went through. */
void proxy_close(struct proxy *proxy, struct buf *ret_seen);

#endif
