/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/net/net_addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KEEPALIVE_IDLE_S  2
#define KEEPALIVE_EVERY_S 1

static bool port_valid(const char *port)
{
    size_t len = strlen(port);
    if (len == 0 || len > 5 || strspn(port, "0123456789") != len)
        return false;
    long number = strtol(port, NULL, 10);
    return number >= 1 && number <= 65535;
}

int addr_split(const char *addr, struct addr_parts *ret, struct err *err)
{
    const char *colon = strrchr(addr, ':');
    const char *host = addr;
    size_t len = colon != NULL ? (size_t)(colon - addr) : 0;
    if (len > 0 && host[0] == '[' && host[len - 1] == ']') {
        host++;
        len -= 2;
    } else if (memchr(host, ':', len) != NULL) {
        colon = NULL; /* an IPv6 address without brackets: where its port begins is a guess */
    }
    if (colon == NULL || len >= sizeof ret->host || !port_valid(colon + 1))
        return err_set(err, ERR_INVALID, "\"%.100s\" is no address of the form host:port or [ipv6]:port", addr);
    memcpy(ret->host, host, len);
    ret->host[len] = '\0';
    strcpy(ret->port, colon + 1);
    return OK;
}

bool addr_literal(const struct addr_parts *parts, struct sockaddr_storage *ret)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(parts->port))};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = v4.sin_port};
    memset(ret, 0, sizeof *ret);
    if (inet_pton(AF_INET, parts->host, &v4.sin_addr) == 1)
        memcpy(ret, &v4, sizeof v4);
    else if (inet_pton(AF_INET6, parts->host, &v6.sin6_addr) == 1)
        memcpy(ret, &v6, sizeof v6);
    else
        return false;
    return true;
}

socklen_t addr_len(const struct sockaddr_storage *addr)
{
    return addr->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
}

void addr_format(const struct sockaddr_storage *addr, char *ret_text, size_t size)
{
    char host[INET6_ADDRSTRLEN], port[6];
    int flags = NI_NUMERICHOST | NI_NUMERICSERV;
    if (getnameinfo((const struct sockaddr *)addr, addr_len(addr), host, sizeof host, port, sizeof port, flags) != 0)
        snprintf(ret_text, size, "an unknown address");
    else
        snprintf(ret_text, size, addr->ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}

/* -1 with errno set. */
static int listen_one(const struct addrinfo *info)
{
    static const int on = 1, off = 0;
    int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (info->ai_family == AF_INET6) /* "::" is to take IPv4 too, whatever the system's default */
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (bind(fd, info->ai_addr, info->ai_addrlen) == 0 && listen(fd, LISTEN_BACKLOG) == 0)
        return fd;
    int reason = errno;
    close(fd);
    errno = reason;
    return -1;
}

int addr_listen(const char *addr, int *ret_fd, struct err *err)
{
    struct addr_parts parts;
    int rc = addr_split(addr, &parts, err);
    if (rc != OK)
        return rc;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    int failed = getaddrinfo(parts.host[0] != '\0' ? parts.host : NULL, parts.port, &hints, &list);
    if (failed != 0)
        return err_set(err, ERR_INVALID, "cannot listen on %s: %s", addr, gai_strerror(failed));
    int fd = -1;
    for (const struct addrinfo *at = list; at != NULL && fd < 0; at = at->ai_next)
        fd = listen_one(at);
    int reason = errno;
    freeaddrinfo(list);
    if (fd < 0)
        return err_set(err, ERR_INVALID, "cannot listen on %s: %s", addr, strerror(reason));
    *ret_fd = fd;
    return OK;
}

void addr_tune(int fd, unsigned dead_ms)
{
    static const int on = 1, idle = KEEPALIVE_IDLE_S, every = KEEPALIVE_EVERY_S;
    const int probes = (int)(dead_ms / (KEEPALIVE_EVERY_S * 1000));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every, sizeof every);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &dead_ms, sizeof dead_ms);
}
