/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/socket/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/duration.h"
#include "base/json.h"

#define TIMEOUT_MAX_MS 60000

static const struct kind {
    const char *name;
    int family, type;
} kinds[] = {
    {"tcp", AF_UNSPEC, SOCK_STREAM}, {"tcp4", AF_INET, SOCK_STREAM},    {"tcp6", AF_INET6, SOCK_STREAM},
    {"udp", AF_UNSPEC, SOCK_DGRAM},  {"udp4", AF_INET, SOCK_DGRAM},     {"udp6", AF_INET6, SOCK_DGRAM},
    {"unix", AF_UNIX, SOCK_STREAM},  {"unixgram", AF_UNIX, SOCK_DGRAM}, {"unixpacket", AF_UNIX, SOCK_SEQPACKET},
};

struct audit_socket {
    const struct kind *kind;
    char *address; /* as configured */
    char *host;    /* of the internet kinds */
    char *port;
    int timeout_ms;
    int fd; /* -1: not connected */
};

/* ---- Options ---- */

static const struct kind *find_kind(const char *name)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(kinds[i].name, name) == 0)
            return &kinds[i];
    return NULL;
}

static int read_timeout(const json_t *options, int *ret_ms, struct err *err)
{
    const char *text = json_str(options, "write_timeout", "2s");
    int64_t ns;
    if (duration_parse_ns(text, &ns) != OK)
        return err_set(err, ERR_INVALID, "time: invalid duration \"%.32s\"", text);
    int64_t ms = ns / 1000000;
    if (ms < 1 || ms > TIMEOUT_MAX_MS)
        return err_set(err, ERR_INVALID, "write_timeout must be from 1ms to 60s: so long may each request be delayed");
    *ret_ms = (int)ms;
    return OK;
}

/* "host:port", "[::1]:port". */
static int split_address(struct audit_socket *sock, struct err *err)
{
    const char *colon = strrchr(sock->address, ':');
    size_t len = colon != NULL ? (size_t)(colon - sock->address) : 0;
    bool is_bracketed = len >= 2 && sock->address[0] == '[' && sock->address[len - 1] == ']';
    if (colon == NULL || colon[1] == '\0')
        return err_set(err, ERR_INVALID, "address %.128s: missing port in address", sock->address);
    if (!is_bracketed && memchr(sock->address, ':', len) != NULL)
        return err_set(err, ERR_INVALID, "address %.128s: too many colons in address", sock->address);
    sock->host = is_bracketed ? strndup(sock->address + 1, len - 2) : strndup(sock->address, len);
    sock->port = strdup(colon + 1);
    if (sock->host == NULL || sock->port == NULL)
        abort();
    return OK;
}

static int read_options(struct audit_socket *sock, const json_t *options, struct err *err)
{
    const char *kind = json_str(options, "socket_type", "tcp"), *address = json_str(options, "address", "");
    if (address[0] == '\0')
        return err_set(err, ERR_INVALID, "address is required");
    sock->kind = find_kind(kind);
    if (sock->kind == NULL)
        return err_set(err, ERR_INVALID, "dial %.32s: unknown network %.32s", kind, kind);
    sock->address = strdup(address);
    if (sock->address == NULL)
        abort();
    int rc = read_timeout(options, &sock->timeout_ms, err);
    if (rc == OK && sock->kind->family != AF_UNIX)
        rc = split_address(sock, err);
    return rc;
}

/* ---- Connecting: until a time of the steady clock ---- */

static void disconnect(struct audit_socket *sock)
{
    if (sock->fd >= 0)
        close(sock->fd);
    sock->fd = -1;
}

static int say(const struct audit_socket *sock, const char *what, int error, struct err *err)
{
    return err_set(err, ERR_IO, "%s %s %.128s: %s", what, sock->kind->name, sock->address, strerror(error));
}

/* 0, or an errno. */
static int await(int fd, short events, int64_t until_ms)
{
    for (;;) {
        int64_t left_ms = until_ms - clock_steady_ms();
        struct pollfd pollfd = {.fd = fd, .events = events};
        int n = left_ms > 0 ? poll(&pollfd, 1, (int)left_ms) : 0;
        if (n > 0)
            return 0;
        if (n == 0)
            return ETIMEDOUT;
        if (errno != EINTR)
            return errno;
    }
}

/* 0, or an errno; *ret_fd is connected then. */
static int connect_to(const struct sockaddr *address, socklen_t len, int type, int64_t until_ms, int *ret_fd)
{
    int error = 0;
    socklen_t size = sizeof error;
    int fd = socket(address->sa_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return errno;
    if (connect(fd, address, len) != 0) {
        error = errno;
        if (error == EINPROGRESS)
            error = await(fd, POLLOUT, until_ms);
        if (error == 0 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
            error = errno;
    }
    if (error == 0)
        *ret_fd = fd;
    else
        close(fd);
    return error;
}

static int connect_unix(struct audit_socket *sock, int64_t until_ms, struct err *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(sock->address) >= sizeof address.sun_path)
        return err_set(err, ERR_INVALID, "the path of the socket is longer than %zu bytes",
                       sizeof address.sun_path - 1);
    strcpy(address.sun_path, sock->address);
    int error = connect_to((struct sockaddr *)&address, sizeof address, sock->kind->type, until_ms, &sock->fd);
    return error == 0 ? OK : say(sock, "dial", error, err);
}

/* A peer that is gone without a word is noticed by its silence. */
static void set_tcp_options(const struct audit_socket *sock)
{
    unsigned silence_ms = (unsigned)sock->timeout_ms;
    int yes = 1;
    setsockopt(sock->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &silence_ms, sizeof silence_ms);
    setsockopt(sock->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
}

static int connect_internet(struct audit_socket *sock, int64_t until_ms, struct err *err)
{
    struct addrinfo hints = {.ai_family = sock->kind->family, .ai_socktype = sock->kind->type}, *list;
    int error = getaddrinfo(sock->host[0] != '\0' ? sock->host : NULL, sock->port, &hints, &list);
    if (error != 0)
        return err_set(err, ERR_IO, "dial %s %.128s: %s", sock->kind->name, sock->address, gai_strerror(error));
    error = EADDRNOTAVAIL;
    for (const struct addrinfo *at = list; at != NULL && error != 0; at = at->ai_next)
        error = connect_to(at->ai_addr, at->ai_addrlen, sock->kind->type, until_ms, &sock->fd);
    freeaddrinfo(list);
    if (error != 0)
        return say(sock, "dial", error, err);
    if (sock->kind->type == SOCK_STREAM)
        set_tcp_options(sock);
    return OK;
}

/* A stream whose peer has closed it would take one more entry, and lose it. */
static bool is_closed_by_peer(const struct audit_socket *sock)
{
    char byte;
    return sock->kind->type != SOCK_DGRAM && recv(sock->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

static int ensure_connected(struct audit_socket *sock, int64_t until_ms, struct err *err)
{
    if (sock->fd >= 0 && is_closed_by_peer(sock))
        disconnect(sock);
    if (sock->fd >= 0)
        return OK;
    return (sock->kind->family == AF_UNIX ? connect_unix : connect_internet)(sock, until_ms, err);
}

/* ---- Writing ---- */

static int send_all(struct audit_socket *sock, const char *line, size_t len, int64_t until_ms, struct err *err)
{
    size_t sent = 0;
    while (sent < len) {
        ssize_t n = send(sock->fd, line + sent, len - sent, MSG_NOSIGNAL);
        int error = n >= 0 ? 0 : errno;
        if (error == EAGAIN)
            error = await(sock->fd, POLLOUT, until_ms);
        else if (n > 0)
            sent += (size_t)n;
        if (error != 0 && error != EINTR)
            return say(sock, "write", error, err);
    }
    return OK;
}

static int write_once(struct audit_socket *sock, const char *line, size_t len, int64_t until_ms, struct err *err)
{
    int rc = ensure_connected(sock, until_ms, err);
    if (rc == OK)
        rc = send_all(sock, line, len, until_ms, err);
    if (rc != OK)
        disconnect(sock); /* part of an entry may be on its way: the next one needs another connection */
    return rc;
}

/* A connection that broke while nothing was sent is noticed only now, so it is tried twice. */
static int socket_write(void *state, const char *line, size_t len, struct err *err)
{
    struct audit_socket *sock = state;
    int64_t until_ms = clock_steady_ms() + sock->timeout_ms;
    bool was_connected = sock->fd >= 0;
    int rc = write_once(sock, line, len, until_ms, err);
    if (rc != OK && was_connected && clock_steady_ms() < until_ms)
        rc = write_once(sock, line, len, until_ms, err);
    return rc;
}

/* ---- The device ---- */

static void socket_close(void *state)
{
    struct audit_socket *sock = state;
    disconnect(sock);
    free(sock->address);
    free(sock->host);
    free(sock->port);
    free(sock);
}

static int socket_open(const json_t *options, void **ret_state, struct err *err)
{
    struct audit_socket *sock = calloc(1, sizeof *sock);
    if (sock == NULL)
        abort();
    sock->fd = -1;
    int rc = read_options(sock, options, err);
    if (rc == OK)
        *ret_state = sock;
    else
        socket_close(sock);
    return rc;
}

static int socket_reopen(void *state, struct err *err)
{
    (void)err;
    disconnect(state);
    return OK;
}

static int socket_bound_ms(const void *state)
{
    return ((const struct audit_socket *)state)->timeout_ms;
}

const struct audit_device audit_socket_device = {
    .type = "socket",
    .open = socket_open,
    .bound_ms = socket_bound_ms,
    .write = socket_write,
    .reopen = socket_reopen,
    .close = socket_close,
};
