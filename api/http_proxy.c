/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listeners behind a proxy: the PROXY header is read before h2o sees the connection. h2o's own reader knows version 1
 * only, and believes everybody.
 *
 * A connection that does not begin with a header is served under its own address, as in Vault: that is never a lie,
 * and health checks often come without one.
 */
#include "api/http_private.h"
#include "api/proxy_header.h"
#include "base/cidr.h"
#include "base/clock.h"
#include "base/log.h"

static bool is_authorized(const struct listener *listener, const char *address)
{
    for (size_t i = 0; i < listener->n_proxy_authorized; i++) {
        if (cidr_has(listener->proxy_authorized[i], address))
            return true;
    }
    return false;
}

static void peer_of(h2o_socket_t *sock, char *ret, size_t size)
{
    struct sockaddr_storage peer = {0};

    ret[0] = '\0';
    if (h2o_socket_getpeername(sock, (struct sockaddr *)&peer) != 0)
        (void)http_format_address(&peer, ret, size);
}

/* One line for each kind of trouble and worker: what strangers do must not fill the log. */
static void refuse(struct conn *conn, bool *has_complained, const char *why)
{
    char peer[64];

    peer_of(conn->sock, peer, sizeof peer);
    if (!*has_complained)
        log_warn("http", "a connection from %s to %s was closed: %s; further ones are not logged", peer,
                 conn->listener->address, why);
    *has_complained = true;
    h2o_socket_close(conn->sock);
}

static void go_on(struct conn *conn)
{
    h2o_linklist_unlink(&conn->proxy_link);
    conn->phase_since_ms = clock_steady_ms();
    h2o_accept(&conn->port->accept, conn->sock);
}

static void on_header(h2o_socket_t *sock, const char *err)
{
    struct conn *conn = sock->data;
    struct sockaddr_storage source;
    size_t len = 0;

    if (err != NULL) {
        h2o_socket_close(sock);
        return;
    }
    enum proxy_header found = proxy_header_parse(sock->input->bytes, sock->input->size, &source, &len);
    if (found == PROXY_MORE)
        return;
    if (found == PROXY_BAD) {
        refuse(conn, &conn->port->has_told_bad, "its PROXY header is malformed");
        return;
    }
    h2o_socket_read_stop(sock);
    h2o_buffer_consume(&sock->input, len);
    if (found == PROXY_ADDRESS && conn->trusts_proxy)
        h2o_socket_setpeername(sock, (struct sockaddr *)&source,
                               source.ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
    go_on(conn);
}

void proxy_begin(struct conn *conn)
{
    const struct listener *listener = conn->listener;
    char peer[64];

    peer_of(conn->sock, peer, sizeof peer);
    conn->trusts_proxy = listener->proxy == HTTP_PROXY_ALWAYS || is_authorized(listener, peer);
    if (listener->proxy == HTTP_PROXY_DENY && !conn->trusts_proxy) {
        refuse(conn, &conn->port->has_told_stranger, "proxy_protocol_authorized_addrs does not have it");
        return;
    }
    conn->sock->data = conn;
    h2o_linklist_insert(&conn->worker->proxied, &conn->proxy_link);
    h2o_socket_read_start(conn->sock, on_header);
}

void proxies_sweep(struct worker *worker, int64_t now_ms)
{
    for (h2o_linklist_t *node = worker->proxied.next, *next; node != &worker->proxied; node = next) {
        struct conn *conn = H2O_STRUCT_FROM_MEMBER(struct conn, proxy_link, node);
        next = node->next;
        if (worker->is_stopping || now_ms - conn->phase_since_ms >= worker->server->limits.first_ms)
            h2o_socket_close(conn->sock);
    }
}
