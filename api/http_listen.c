/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/http_private.h"

#define BACKLOG 1024

/* "127.0.0.1:8200", "[::]:8200", ":8200": splits at the last colon, takes brackets away. */
static int split_address(const char *address, char *host, size_t host_size, const char **ret_port, struct err *err)
{
    const char *colon = strrchr(address, ':');
    const char *start = address, *end = colon;

    if (colon == NULL || colon[1] == '\0')
        return err_set(err, ERR_INVALID, "listener address \"%s\" has no port", address);
    if (*address == '[' && colon > address && colon[-1] == ']') {
        start = address + 1;
        end = colon - 1;
    }
    if ((size_t)(end - start) >= host_size)
        return err_set(err, ERR_INVALID, "listener address is too long");
    memcpy(host, start, (size_t)(end - start));
    host[end - start] = '\0';
    *ret_port = colon + 1;
    return OK;
}

static int resolve(const char *address, struct addrinfo **ret_info, struct err *err)
{
    struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
    char host[256];
    const char *port = NULL;
    int rc = split_address(address, host, sizeof host, &port, err);

    if (rc != OK)
        return rc;
    int failed = getaddrinfo(host[0] != '\0' ? host : NULL, port, &hints, ret_info);
    if (failed != 0)
        return err_set(err, ERR_INVALID, "listener address \"%s\": %s", address, gai_strerror(failed));
    return OK;
}

/* A name may have several addresses; like others, we take an IPv4 one if there is one. */
static const struct addrinfo *choose(const struct addrinfo *info)
{
    for (const struct addrinfo *p = info; p != NULL; p = p->ai_next) {
        if (p->ai_family == AF_INET)
            return p;
    }
    return info;
}

static int open_bound(const char *address, bool reuse_port, int *ret_fd, struct err *err)
{
    struct addrinfo *info = NULL;
    int on = 1, off = 0;
    int rc = resolve(address, &info, err);

    if (rc != OK)
        return rc;
    const struct addrinfo *chosen = choose(info);
    int fd = socket(chosen->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0) {
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        if (reuse_port)
            (void)setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
        if (chosen->ai_family == AF_INET6)
            (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    }
    if (fd < 0 || bind(fd, chosen->ai_addr, chosen->ai_addrlen) != 0) {
        rc = err_set(err, ERR_IO, "cannot listen on %s: %s", address, strerror(errno));
        if (fd >= 0)
            close(fd);
    } else {
        *ret_fd = fd;
    }
    freeaddrinfo(info);
    return rc;
}

/*
 * With SO_REUSEPORT a second server of the same user would get half of our connections, without a word. So the
 * address is first taken without it.
 */
int listen_probe(const char *address, struct err *err)
{
    int fd;
    int rc = open_bound(address, false, &fd, err);

    if (rc == OK)
        close(fd);
    return rc;
}

int listen_open(const char *address, int *ret_fd, struct err *err)
{
    int fd;
    int rc = open_bound(address, true, &fd, err);

    if (rc != OK)
        return rc;
    if (listen(fd, BACKLOG) != 0) {
        rc = err_set(err, ERR_IO, "cannot listen on %s: %s", address, strerror(errno));
        close(fd);
        return rc;
    }
    *ret_fd = fd;
    return OK;
}
