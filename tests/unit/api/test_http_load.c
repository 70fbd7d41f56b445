/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "api/http_private.h"
#include "http_client.h"
#include "test_http.h"

#define CLIENTS 200
#define ROUNDS  10

void many_clients(void **state)
{
    int fds[CLIENTS];
    char out[1024];

    (void)state;
    for (int i = 0; i < CLIENTS; i++)
        fds[i] = client_connect(PORT);
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < CLIENTS; i++)
            client_send(fds[i], i % 10 == 0 ? "GET /posted HTTP/1.1\r\nHost: a\r\n\r\n"
                                            : "GET /now HTTP/1.1\r\nHost: a\r\n\r\n");
        for (int i = 0; i < CLIENTS; i++) {
            client_read(fds[i], out, sizeof out, 1, 3000);
            assert_non_null(strstr(out, i % 10 == 0 ? "posted" : "hello"));
        }
    }
    for (int i = 0; i < CLIENTS; i++)
        close(fds[i]);
}

void vanishing_clients(void **state)
{
    char out[1024];

    (void)state;
    for (int i = 0; i < 40; i++) {
        struct linger reset = {.l_onoff = i % 2, .l_linger = 0};
        int fd = client_connect(PORT);
        client_send(fd, "PUT /later HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nsecret");
        if (i % 4 < 2)
            usleep(1000);
        (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        close(fd);
    }
    client_ask(PORT, "GET /later HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", out, sizeof out);
    assert_non_null(strstr(out, "later"));
}

/* Sends 2 MiB of an 8 MB body. */
static int begin_upload(int port)
{
    static char block[65537];
    int fd = client_connect(port);

    memset(block, 'b', sizeof block - 1);
    client_send(fd, "PUT /now HTTP/1.1\r\nHost: a\r\nX-Vault-Token: t\r\nContent-Length: 8000000\r\n\r\n");
    for (int i = 0; i < 32; i++)
        client_send(fd, block);
    return fd;
}

void memory_budget(void **state)
{
    struct http_limits before = http_limits;
    int fds[16], closed = 0;
    char out[1024];

    (void)state;
    http_limits.body_ms = 20000;
    http_limits.unread_max = 32u << 20; /* a buffer grows by doubling: 4 MiB for each */
    struct http_server *server = server_start("127.0.0.1:21202");
    http_limits = before;
    for (int i = 0; i < 16; i++)
        fds[i] = begin_upload(21202);
    for (long long end = now_ms() + 10000; closed < 4 && now_ms() < end;) {
        closed = 0;
        for (int i = 0; i < 16; i++)
            closed += client_is_closed(fds[i], 10);
    }
    if (closed < 4 || closed == 16)
        fail_msg("%d of 16 were closed", closed);
    client_ask(21202, "GET /now HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", out, sizeof out);
    assert_non_null(strstr(out, "hello"));
    for (int i = 0; i < 16; i++)
        close(fds[i]);
    (void)http_server_stop(server, 0, 1000);
}
