/* SPDX-License-Identifier: Apache-2.0 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/http_private.h"
#include "base/clock.h"

#define ACCEPTS_AT_ONCE 16
/* The least time between two sweeps: it bounds what comes in unseen, and what looking at all connections costs. */
#define SWEEP_MS(n_conns) (20 + (int64_t)(n_conns) / 256)
#define WAIT_MS           1000 /* the most time between them */
#define STOP_WAIT_MS      20
#define STOP_KILL_MS      500 /* after the deadline: for connections to notice that they were closed */

static _Thread_local const struct worker *current;

bool worker_is_current(const struct worker *worker)
{
    return current == worker;
}

/* ---- Messages ---- */

static void on_messages(h2o_multithread_receiver_t *receiver, h2o_linklist_t *messages)
{
    (void)receiver;
    while (!h2o_linklist_is_empty(messages)) {
        struct message *message = H2O_STRUCT_FROM_MEMBER(struct message, link.link, messages->next);
        h2o_linklist_unlink(&message->link.link);
        message->run(message);
    }
}

void worker_send(struct worker *worker, struct message *message)
{
    atomic_fetch_add(&worker->n_senders, 1);
    h2o_multithread_send_message(&worker->mailbox, message != NULL ? &message->link : NULL);
    atomic_fetch_sub(&worker->n_senders, 1);
}

struct tls_message {
    struct message message;
    struct port *port;
    SSL_CTX *ssl;
};

static void run_set_tls(struct message *message)
{
    struct tls_message *change = H2O_STRUCT_FROM_MEMBER(struct tls_message, message, message);

    change->port->accept.ssl_ctx = change->ssl;
    free(change);
}

void worker_set_tls(struct worker *worker, size_t listener, SSL_CTX *ssl)
{
    struct tls_message *change = calloc(1, sizeof *change);

    if (change == NULL)
        abort();
    *change = (struct tls_message){.message = {.run = run_set_tls}, .port = &worker->ports[listener], .ssl = ssl};
    worker_send(worker, &change->message);
}

/* ---- Connections ---- */

struct conn *conn_of(h2o_req_t *req)
{
    return req->conn->callbacks->get_socket(req->conn)->on_close.data;
}

void conn_kill(struct conn *conn)
{
    (void)shutdown(h2o_socket_get_fd(conn->sock), SHUT_RDWR);
}

static void on_conn_close(void *data)
{
    struct conn *conn = data;

    h2o_linklist_unlink(&conn->link);
    if (h2o_linklist_is_linked(&conn->proxy_link))
        h2o_linklist_unlink(&conn->proxy_link);
    conn->worker->n_conns--;
    if (conn->linger_fd >= 0)
        linger_begin(conn->worker, conn->linger_fd);
    free(conn);
}

static void conn_new(struct port *port, h2o_socket_t *sock)
{
    struct conn *conn = calloc(1, sizeof *conn);
    unsigned timeout_ms = (unsigned)port->worker->server->limits.send_ms;

    if (conn == NULL)
        abort();
    conn->sock = sock;
    conn->linger_fd = -1;
    conn->worker = port->worker;
    conn->port = port;
    conn->listener = port->listener;
    conn->phase_since_ms = clock_steady_ms();
    h2o_linklist_insert(&port->worker->conns, &conn->link);
    port->worker->n_conns++;
    sock->on_close.data = conn;
    sock->on_close.cb = on_conn_close;
    /* A reader who takes nothing at all. */
    (void)setsockopt(h2o_socket_get_fd(sock), IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof timeout_ms);
    if (port->listener->proxy != HTTP_PROXY_OFF)
        proxy_begin(conn);
    else
        h2o_accept(&port->accept, sock);
}

static void on_accept(h2o_socket_t *sock, const char *err)
{
    struct port *port = sock->data;
    struct worker *worker = port->worker;

    for (int n = 0; err == NULL && n < ACCEPTS_AT_ONCE && worker->n_conns < worker->server->conns_max; n++) {
        h2o_socket_t *accepted = h2o_evloop_socket_accept(sock);
        if (accepted == NULL)
            return;
        conn_new(port, accepted);
    }
}

/* A full house leaves newcomers in the kernel's queue. */
static void sync_ports(struct worker *worker)
{
    bool is_full = worker->n_conns >= worker->server->conns_max;

    for (size_t i = 0; i < worker->server->n_listeners; i++) {
        struct port *port = &worker->ports[i];
        if (port->sock == NULL || port->is_paused == is_full)
            continue;
        port->is_paused = is_full;
        if (is_full)
            h2o_socket_read_stop(port->sock);
        else
            h2o_socket_read_start(port->sock, on_accept);
    }
}

/* ---- Life ---- */

int worker_init(struct worker *worker, struct http_server *server, struct err *err)
{
    int rc = OK;

    worker->server = server;
    worker->ports = calloc(server->n_listeners, sizeof *worker->ports);
    if (worker->ports == NULL)
        abort();
    for (size_t i = 0; i < server->n_listeners; i++) {
        struct port *port = &worker->ports[i];
        port->worker = worker;
        port->listener = &server->listeners[i];
        port->fd = -1;
        if (rc == OK)
            rc = listen_open(port->listener->address, &port->fd, err);
    }
    return rc;
}

static void port_begin(struct port *port)
{
    port->accept.ctx = &port->worker->ctx;
    port->accept.hosts = port->worker->server->conf.hosts;
    port->accept.ssl_ctx = port->listener->ssl;
    port->sock = h2o_evloop_socket_create(port->worker->ctx.loop, port->fd, H2O_SOCKET_FLAG_DONT_READ);
    port->sock->data = port;
    port->fd = -1;
    h2o_socket_read_start(port->sock, on_accept);
}

/*
 * On the worker's own thread: a socket of h2o's recycles its buffers in a variable of the thread that has made it,
 * even the pipe of the message queue.
 */
static void worker_begin(struct worker *worker)
{
    h2o_linklist_init_anchor(&worker->conns);
    h2o_linklist_init_anchor(&worker->lingers);
    h2o_linklist_init_anchor(&worker->proxied);
    h2o_context_init(&worker->ctx, h2o_evloop_create(), &worker->server->conf);
    h2o_multithread_register_receiver(worker->ctx.queue, &worker->mailbox, on_messages);
    for (size_t i = 0; i < worker->server->n_listeners; i++)
        port_begin(&worker->ports[i]);
}

static void worker_end(struct worker *worker)
{
    h2o_loop_t *loop = worker->ctx.loop;

    (void)h2o_evloop_run(loop, 0); /* frees closed sockets */
    h2o_multithread_unregister_receiver(worker->ctx.queue, &worker->mailbox);
    h2o_context_dispose(&worker->ctx);
    (void)h2o_evloop_run(loop, 0);
    h2o_evloop_destroy(loop);
}

static void close_ports(struct worker *worker)
{
    for (size_t i = 0; i < worker->server->n_listeners; i++) {
        if (worker->ports[i].sock != NULL)
            h2o_socket_close(worker->ports[i].sock);
        worker->ports[i].sock = NULL;
    }
}

void worker_close(struct worker *worker)
{
    for (size_t i = 0; i < worker->server->n_listeners; i++) {
        if (worker->ports[i].fd >= 0)
            close(worker->ports[i].fd);
    }
    free(worker->ports);
}

static void kill_all(struct worker *worker)
{
    for (h2o_linklist_t *node = worker->conns.next; node != &worker->conns; node = node->next)
        conn_kill(H2O_STRUCT_FROM_MEMBER(struct conn, link, node));
}

/*
 * h2o has no way to end a loop that still has connections, and answers may still come for calls. Then everything is
 * left where it is, for the process to end.
 */
static bool has_ended(struct worker *worker, int64_t now_ms)
{
    int64_t stop_at_ms = atomic_load(&worker->server->stop_at_ms);

    if (stop_at_ms == 0)
        return false;
    if (!worker->is_stopping) {
        worker->is_stopping = true;
        worker->ctx.shutdown_requested = 1; /* replies say "Connection: close" */
        close_ports(worker);
    }
    worker->is_clean = worker->n_conns == 0 && worker->n_calls == 0 && atomic_load(&worker->n_senders) == 0;
    if (now_ms >= stop_at_ms)
        kill_all(worker);
    return worker->is_clean || now_ms >= stop_at_ms + STOP_KILL_MS;
}

void *worker_run(void *arg)
{
    struct worker *worker = arg;
    int64_t now_ms = clock_steady_ms();

    current = worker;
    worker_begin(worker);
    sem_post(&worker->server->ready);
    while (!has_ended(worker, now_ms)) {
        sync_ports(worker);
        /* It returns -1 on any trouble of epoll; there is nothing to do but to go on. */
        (void)h2o_evloop_run(worker->ctx.loop, worker->is_stopping ? STOP_WAIT_MS : WAIT_MS);
        now_ms = clock_steady_ms();
        if (now_ms - worker->swept_ms >= SWEEP_MS(worker->n_conns))
            worker_sweep(worker, now_ms);
    }
    if (worker->is_clean)
        worker_end(worker);
    current = NULL;
    return NULL;
}
