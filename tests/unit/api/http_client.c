/* SPDX-License-Identifier: Apache-2.0 */
#include "http_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

#define KEPT_MAX 64

static pthread_mutex_t kept_lock = PTHREAD_MUTEX_INITIALIZER;
static struct http_call *kept[KEPT_MAX];
static size_t n_kept;
static struct pool *later_pool;

static void answer(struct http_call *call, int status, const char *body, size_t len)
{
    struct http_reply reply = {.status = status, .body = body, .body_len = len};

    http_reply(call, &reply);
}

static void answer_posted(void *arg)
{
    answer(arg, 200, "posted", 6);
}

static void answer_later(void *arg)
{
    struct http_call *call = arg;

    usleep(30000);
    answer(call, 200, call->body != NULL ? call->body : "later", call->body != NULL ? call->body_len : 5);
}

static void answer_large(struct http_call *call)
{
    size_t n = strtoul(call->query, NULL, 10);
    char *bytes = malloc(n);

    memset(bytes, 'x', n);
    answer(call, 200, bytes, n);
    free(bytes);
}

static void keep(struct http_call *call)
{
    pthread_mutex_lock(&kept_lock);
    kept[n_kept++] = call;
    pthread_mutex_unlock(&kept_lock);
}

size_t later_release(void)
{
    pthread_mutex_lock(&kept_lock);
    size_t n = n_kept;
    for (size_t i = 0; i < n; i++)
        answer(kept[i], 200, "released", 8);
    n_kept = 0;
    pthread_mutex_unlock(&kept_lock);
    return n;
}

void later_join(void)
{
    if (later_pool != NULL)
        pool_free(later_pool);
    later_pool = NULL;
}

void test_handler(void *ctx, struct http_call *call)
{
    struct pool *pool = ctx;

    if (strcmp(call->path, "/later") == 0) {
        pool_run(pool, answer_later, call);
    } else if (strcmp(call->path, "/posted") == 0) {
        http_post(call, answer_posted, call);
    } else if (strcmp(call->path, "/never") == 0) {
        keep(call);
    } else if (strcmp(call->path, "/large") == 0) {
        answer_large(call);
    } else if (strcmp(call->path, "/header") == 0) {
        const char *value = http_call_header(call, call->query);
        answer(call, value != NULL ? 200 : 404, value, value != NULL ? strlen(value) : 0);
    } else if (strcmp(call->path, "/status") == 0) {
        answer(call, atoi(call->query), NULL, 0);
    } else {
        answer(call, 200, call->body != NULL ? call->body : "hello", call->body != NULL ? call->body_len : 5);
    }
}

struct pool *test_pool(void)
{
    if (later_pool == NULL)
        later_pool = pool_new("later", 4);
    return later_pool;
}

struct http_server *server_start(const char *address)
{
    struct http_listener listener = {.address = address, .tls_disable = true, .max_request_ms = 1000};
    struct http_server *server = NULL;
    struct err err = {0};

    if (http_server_start(&listener, 1, 2, test_handler, test_pool(), &server, &err) != OK) {
        fprintf(stderr, "%s\n", err_text(&err));
        abort();
    }
    return server;
}

/* ---- The client ---- */

long long now_ms(void)
{
    return clock_steady_ms();
}

int client_connect(int port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0) {
        perror("connect");
        abort();
    }
    return fd;
}

void client_send(int fd, const char *text)
{
    size_t len = strlen(text);

    while (len > 0) {
        ssize_t n = send(fd, text, len, MSG_NOSIGNAL);
        if (n <= 0)
            return;
        text += n;
        len -= (size_t)n;
    }
}

size_t client_read(int fd, char *out, size_t size, size_t want, int ms)
{
    long long end = now_ms() + ms;
    size_t len = 0;

    while (len < size - 1 && len < want) {
        struct pollfd poller = {.fd = fd, .events = POLLIN};
        long long left = end - now_ms();
        if (left <= 0 || poll(&poller, 1, (int)left) <= 0)
            break;
        ssize_t n = recv(fd, out + len, size - 1 - len, 0);
        if (n <= 0)
            break;
        len += (size_t)n;
    }
    out[len] = '\0';
    return len;
}

size_t client_ask(int port, const char *text, char *out, size_t size)
{
    int fd = client_connect(port);

    client_send(fd, text);
    size_t len = client_read(fd, out, size, SIZE_MAX, 5000);
    close(fd);
    return len;
}

bool client_is_closed(int fd, int ms)
{
    char byte;
    struct pollfd poller = {.fd = fd, .events = POLLIN};

    if (poll(&poller, 1, ms) <= 0)
        return false;
    ssize_t n = recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK);
    return n == 0 || (n < 0 && errno != EAGAIN);
}
