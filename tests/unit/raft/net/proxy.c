/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fixture.h"

#define PAIRS_MAX 8

struct proxy {
    int listener;
    int stop[2];
    int to_port;
    pthread_t thread;
    int pairs[PAIRS_MAX][2];
    int n;
    struct buf seen;
};

static struct sockaddr_in local(int port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return addr;
}

static void take_connection(struct proxy *proxy)
{
    struct sockaddr_in addr = local(proxy->to_port);
    int near = accept(proxy->listener, NULL, NULL), far = socket(AF_INET, SOCK_STREAM, 0);
    if (proxy->n == PAIRS_MAX || near < 0 || connect(far, (struct sockaddr *)&addr, sizeof addr) != 0) {
        close(near);
        close(far);
        return;
    }
    proxy->pairs[proxy->n][0] = near;
    proxy->pairs[proxy->n][1] = far;
    proxy->n++;
}

static void pass_on(struct proxy *proxy, int pair, int side)
{
    static unsigned char data[64 << 10];
    ssize_t n = read(proxy->pairs[pair][side], data, sizeof data);
    if (n > 0) {
        buf_put(&proxy->seen, data, (size_t)n);
        for (ssize_t at = 0, m = 0; at < n && m >= 0; at += m)
            m = send(proxy->pairs[pair][!side], data + at, (size_t)(n - at), MSG_NOSIGNAL);
        return;
    }
    close(proxy->pairs[pair][0]);
    close(proxy->pairs[pair][1]);
    proxy->n--;
    proxy->pairs[pair][0] = proxy->pairs[proxy->n][0];
    proxy->pairs[pair][1] = proxy->pairs[proxy->n][1];
}

static void *run(void *arg)
{
    struct proxy *proxy = arg;
    for (;;) {
        struct pollfd fds[2 + 2 * PAIRS_MAX] = {{.fd = proxy->stop[0], .events = POLLIN},
                                                {.fd = proxy->listener, .events = POLLIN}};
        for (int i = 0; i < 2 * proxy->n; i++)
            fds[2 + i] = (struct pollfd){.fd = proxy->pairs[i / 2][i % 2], .events = POLLIN};
        int n = proxy->n;
        poll(fds, (nfds_t)(2 + 2 * n), -1);
        if (fds[0].revents != 0)
            return NULL;
        for (int i = 2 * n - 1; i >= 0; i--) {
            if (fds[2 + i].revents == 0)
                continue;
            pass_on(proxy, i / 2, i % 2);
            break; /* a pair may be gone: look anew */
        }
        if (fds[1].revents != 0)
            take_connection(proxy);
    }
}

struct proxy *proxy_open(int port, int to_port)
{
    struct proxy *proxy = calloc(1, sizeof *proxy);
    struct sockaddr_in addr = local(port);
    int on = 1;
    assert_non_null(proxy);
    proxy->to_port = to_port;
    proxy->listener = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(proxy->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    assert_int_equal(bind(proxy->listener, (struct sockaddr *)&addr, sizeof addr), 0);
    assert_int_equal(listen(proxy->listener, 8), 0);
    assert_int_equal(pipe(proxy->stop), 0);
    assert_int_equal(pthread_create(&proxy->thread, NULL, run, proxy), 0);
    return proxy;
}

void proxy_close(struct proxy *proxy, struct buf *ret_seen)
{
    assert_int_equal(write(proxy->stop[1], "x", 1), 1);
    pthread_join(proxy->thread, NULL);
    for (int i = 0; i < 2 * proxy->n; i++)
        close(proxy->pairs[i / 2][i % 2]);
    close(proxy->listener);
    close(proxy->stop[0]);
    close(proxy->stop[1]);
    buf_put(ret_seen, proxy->seen.data, proxy->seen.len);
    buf_close(&proxy->seen);
    free(proxy);
}
