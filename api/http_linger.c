/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client that is refused in the middle of its body: closing the socket at once would make its kernel drop our
 * answer unread. So what it still sends is thrown away for a while, until it has read the answer and closes too.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/http_private.h"
#include "base/clock.h"

#define LINGER_MS   2000
#define DISCARD_MAX (1 << 20) /* at once */

struct lingering {
    h2o_linklist_t link; /* worker's lingers */
    struct worker *worker;
    h2o_socket_t *sock;
    int64_t until_ms;
};

static void linger_end(struct lingering *linger)
{
    h2o_linklist_unlink(&linger->link);
    linger->worker->n_conns--;
    h2o_socket_close(linger->sock);
    free(linger);
}

static void on_readable(h2o_socket_t *sock, const char *err)
{
    ssize_t n = recv(h2o_socket_get_fd(sock), NULL, DISCARD_MAX, MSG_TRUNC | MSG_DONTWAIT);

    if (err != NULL || n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        linger_end(sock->data);
}

void conn_will_linger(struct conn *conn)
{
    if (conn->linger_fd < 0)
        conn->linger_fd = fcntl(h2o_socket_get_fd(conn->sock), F_DUPFD_CLOEXEC, 0);
}

void linger_begin(struct worker *worker, int fd)
{
    struct lingering *linger = calloc(1, sizeof *linger);

    if (linger == NULL)
        abort();
    (void)shutdown(fd, SHUT_WR);
    linger->worker = worker;
    linger->until_ms = clock_steady_ms() + LINGER_MS;
    linger->sock = h2o_evloop_socket_create(worker->ctx.loop, fd, H2O_SOCKET_FLAG_DONT_READ);
    linger->sock->data = linger;
    h2o_linklist_insert(&worker->lingers, &linger->link);
    worker->n_conns++;
    h2o_socket_read_start(linger->sock, on_readable);
}

void lingers_sweep(struct worker *worker, int64_t now_ms)
{
    for (h2o_linklist_t *node = worker->lingers.next, *next; node != &worker->lingers; node = next) {
        struct lingering *linger = H2O_STRUCT_FROM_MEMBER(struct lingering, link, node);
        next = node->next;
        if (worker->is_stopping || now_ms >= linger->until_ms)
            linger_end(linger);
    }
}
