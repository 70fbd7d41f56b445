/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net_addr.h — "host:port" and sockets: reading the one, making and tuning the other.
 */
#ifndef COFFER_RAFT_NET_ADDR_H
#define COFFER_RAFT_NET_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "base/err.h"
#include "raft/net/net_protocol.h"

#define LISTEN_BACKLOG 256

struct addr_parts {
    char host[NET_ADDR_MAX]; /* without the brackets of an IPv6 address; "" for any, when listening */
    char port[6];
};

/* ERR_INVALID unless it is "host:port" or "[ipv6]:port" with a port of 1 to 65535. */
int addr_split(const char *addr, struct addr_parts *ret, struct err *err) MUST_CHECK;
/* Whether the host is an IP address already; then there is nothing to resolve. */
bool addr_literal(const struct addr_parts *parts, struct sockaddr_storage *ret);
/* "127.0.0.1:8201" or "[::1]:8201". */
void addr_format(const struct sockaddr_storage *addr, char *ret_text, size_t size);
socklen_t addr_len(const struct sockaddr_storage *addr);

/*
 * A listening socket on the first address that the name stands for and that can be had. May wait for a name server.
 * ERR_INVALID with the reason.
 */
int addr_listen(const char *addr, int *ret_fd, struct err *err) MUST_CHECK;

/* No delay for small frames; a peer that does not acknowledge for dead_ms is taken for dead. */
void addr_tune(int fd, unsigned dead_ms);

#endif
