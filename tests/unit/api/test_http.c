/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "api/http_private.h"
#include "base/buf.h"
#include "http_client.h"
#include "test_http.h"

#define GET_NOW "GET /now HTTP/1.1\r\nHost: a\r\n\r\n"
#define CLOSE   "Host: a\r\nConnection: close\r\n"

static char out[1 << 20];

static void assert_answer(const char *request, const char *status, const char *body)
{
    client_ask(PORT, request, out, sizeof out);
    if (strncmp(out + 9, status, strlen(status)) != 0)
        fail_msg("not %s but: %s", status, out);
    const char *start = strstr(out, "\r\n\r\n");
    assert_non_null(start);
    if (body != NULL)
        assert_string_equal(start + 4, body);
}

static void simple(void **state)
{
    (void)state;
    assert_answer("GET /now HTTP/1.1\r\n" CLOSE "\r\n", "200 OK", "hello");
    assert_non_null(strstr(out, "\r\nContent-Type: application/json\r\n"));
    assert_non_null(strstr(out, "\r\nCache-Control: no-store\r\n"));
    assert_non_null(strstr(out, "\r\nStrict-Transport-Security: max-age=31536000; includeSubDomains\r\n"));
    assert_null(strstr(out, "Server:"));
    assert_answer("PUT /now HTTP/1.1\r\n" CLOSE "Content-Length: 3\r\n\r\nabc", "200", "abc");
    assert_answer("LIST /now HTTP/1.1\r\n" CLOSE "\r\n", "200", "hello");
    assert_answer("GET /later HTTP/1.1\r\n" CLOSE "\r\n", "200", "later");
    assert_answer("GET /posted HTTP/1.1\r\n" CLOSE "\r\n", "200", "posted");
    assert_answer("GET /header?x-a HTTP/1.1\r\n" CLOSE "X-A: some  value \r\n\r\n", "200", "some  value");
    assert_answer("GET /now HTTP/1.0\r\n\r\n", "200", "hello");
}

static void chunked(void **state)
{
    (void)state;
    assert_answer("PUT /now HTTP/1.1\r\n" CLOSE "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
                  "200", "abcde");
    assert_answer("PUT /now HTTP/1.1\r\n" CLOSE "Transfer-Encoding: chunked\r\n\r\nzz\r\n", "400",
                  "{\"errors\":[\"malformed request\"]}\n");
}

static void head(void **state)
{
    (void)state;
    assert_answer("HEAD /now HTTP/1.1\r\n" CLOSE "\r\n", "200", "");
    assert_non_null(strstr(out, "Content-Length: 5\r\n"));
    assert_answer("HEAD /now HTTP/1.1\r\n" CLOSE "Content-Length: 2\r\n\r\nab", "200", "");
}

static void no_content(void **state)
{
    int fd = client_connect(PORT);

    (void)state;
    client_send(fd, "GET /status?204 HTTP/1.1\r\nHost: a\r\n\r\n" GET_NOW);
    client_read(fd, out, sizeof out, SIZE_MAX, 300);
    assert_null(strstr(out, "Content-Length: 0"));
    assert_non_null(strstr(out, "hello"));
    close(fd);
    assert_answer("GET /status?404 HTTP/1.1\r\n" CLOSE "\r\n", "404 Not Found", "");
}

static size_t count(const char *text, const char *word)
{
    size_t n = 0;

    for (const char *p = strstr(text, word); p != NULL; p = strstr(p + 1, word))
        n++;
    return n;
}

static void keep_alive(void **state)
{
    int fd = client_connect(PORT);

    (void)state;
    for (int i = 0; i < 5; i++) {
        client_send(fd, GET_NOW);
        assert_int_not_equal(client_read(fd, out, sizeof out, 1, 1000), 0);
        assert_int_equal(count(out, "hello"), 1);
    }
    close(fd);
}

static void pipelining(void **state)
{
    int fd = client_connect(PORT);

    (void)state;
    client_send(fd, GET_NOW "GET /later HTTP/1.1\r\nHost: a\r\n\r\n"
                            "PUT /now HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc" GET_NOW);
    client_read(fd, out, sizeof out, SIZE_MAX, 400);
    assert_int_equal(count(out, "200 OK"), 4);
    assert_int_equal(count(out, "hello"), 2);
    assert_true(strstr(out, "later") < strstr(out, "abc"));
    close(fd);
}

/* A head with n headers besides Host. */
static void ask_with_headers(size_t n, size_t value_len)
{
    struct buf text = BUF_INIT;

    buf_puts(&text, "GET /now HTTP/1.1\r\n" CLOSE);
    for (size_t i = 0; i < n; i++)
        buf_printf(&text, "X-%zu: %0*d\r\n", i, (int)value_len, 0);
    buf_puts(&text, "\r\n");
    client_ask(PORT, buf_str(&text), out, sizeof out);
    buf_close(&text);
}

static void header_limits(void **state)
{
    (void)state;
    ask_with_headers(98, 1);
    assert_non_null(strstr(out, "200 OK"));
    ask_with_headers(99, 1);
    assert_non_null(strstr(out, "400 Bad Request"));
    ask_with_headers(50, 1000);
    assert_non_null(strstr(out, "200 OK"));
}

static void garbage(void **state)
{
    (void)state;
    assert_answer("\x01\x02\x03\x04\x05\r\n\r\n", "400", NULL);
    assert_answer("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "400", NULL);
    assert_answer("GET /now HTTP/1.1\r\nHost : a\r\n\r\n", "400", NULL);
    assert_answer("PUT /now HTTP/1.1\r\n" CLOSE "Content-Length: +5\r\n\r\n", "400", NULL);
    assert_answer("GET * HTTP/1.1\r\n" CLOSE "\r\n", "200", NULL);
    assert_answer("GET http://x/now HTTP/1.1\r\n" CLOSE "\r\n", "200", NULL);
}

static void smuggling(void **state)
{
    (void)state;
    assert_answer("PUT /now HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 40\r\n\r\na" GET_NOW, "400",
                  "{\"errors\":[\"the length of the body is given more than once\"]}\n");
    assert_int_equal(count(out, "HTTP/1.1"), 1);
    assert_answer(
        "PUT /now HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" GET_NOW,
        "400", NULL);
    assert_int_equal(count(out, "HTTP/1.1"), 1);
    assert_answer("GET /now HTTP/1.1\nHost: a\n\n", "400", NULL);
}

/* A body of n bytes is announced; `sent` of them are sent. */
static void put_body(size_t n, size_t sent, const char *headers)
{
    static char block[65537];
    int fd = client_connect(PORT);
    char start[256];

    memset(block, 'b', sizeof block - 1);
    snprintf(start, sizeof start, "PUT /header?none HTTP/1.1\r\n%s%sContent-Length: %zu\r\n\r\n", CLOSE, headers, n);
    client_send(fd, start);
    for (size_t i = 0; i < sent; i += sizeof block - 1)
        client_send(fd, block);
    client_read(fd, out, sizeof out, SIZE_MAX, 2000);
    close(fd);
}

static void large_bodies(void **state)
{
    static const char too_large[] = "{\"errors\":[\"http: request body too large\"]}\n";

    (void)state;
    put_body(33 << 20, 0, "X-Vault-Token: t\r\n");
    assert_non_null(strstr(out, "413 Request Entity Too Large"));
    assert_non_null(strstr(out, too_large));
    assert_non_null(strstr(out, "Content-Type: application/json\r\n"));
    put_body(40 << 20, 40 << 20, "X-Vault-Token: t\r\n"); /* who sends all before reading gets the answer too */
    assert_non_null(strstr(out, too_large));
    put_body((32 << 20) + 65536, (32 << 20) + 65536, "X-Vault-Token: t\r\n");
    assert_non_null(strstr(out, too_large));
    put_body(32 << 20, 32 << 20, "X-Vault-Token: t\r\n");
    assert_non_null(strstr(out, "404 Not Found"));
    put_body(1 << 20, 1 << 20, "");
    assert_non_null(strstr(out, "404 Not Found"));
    put_body((1 << 20) + 65536, (1 << 20) + 65536, "");
    assert_non_null(strstr(out, too_large));
}

/* Says the text one byte at a time, every 50 ms; returns after how long the server has ended it. */
static long long trickle(const char *before, const char *text)
{
    int fd = client_connect(21202);
    long long start = now_ms();

    client_send(fd, before);
    for (const char *p = text; *p != '\0' && !client_is_closed(fd, 50); p++) {
        char byte[2] = {*p, '\0'};
        client_send(fd, byte);
    }
    bool is_closed = client_is_closed(fd, 2000);
    close(fd);
    return is_closed ? now_ms() - start : -1;
}

static void assert_ended(long long ms)
{
    if (ms < 150 || ms > 2500)
        fail_msg("ended after %lld ms", ms);
}

static void slow_writers(void **state)
{
    static const char dots[] = "......................................................................";
    char long_head[256], long_body[256];

    (void)state;
    http_limits.first_ms = http_limits.head_ms = http_limits.body_ms = 400;
    struct http_server *server = server_start("127.0.0.1:21202");
    http_limits.first_ms = http_limits.head_ms = http_limits.body_ms = 10000;
    snprintf(long_head, sizeof long_head, "GET /now HTTP/1.1\r\nHost: a\r\nX: %s%s\r\n\r\n", dots, dots);
    snprintf(long_body, sizeof long_body, "%s%s%s", dots, dots, dots);
    assert_ended(trickle("", ""));
    assert_ended(trickle("", long_head));
    assert_ended(trickle("PUT /now HTTP/1.1\r\nHost: a\r\nContent-Length: 500\r\n\r\n", long_body));
    (void)http_server_stop(server, 0, 1000);
}

static void slow_readers(void **state)
{
    char bytes[4097];

    (void)state;
    http_limits.send_ms = 400;
    http_limits.send_rate = SIZE_MAX;
    struct http_server *server = server_start("127.0.0.1:21202");
    int fd = client_connect(21202);
    client_send(fd, "GET /large?16000000 HTTP/1.1\r\nHost: a\r\n\r\n");
    long long start = now_ms();
    while (now_ms() - start < 1500)
        (void)client_read(fd, bytes, sizeof bytes, sizeof bytes, 10);
    size_t n, got = 0;
    while ((n = client_read(fd, out, sizeof out, SIZE_MAX, 1000)) > 0)
        got += n;
    assert_true(got < 15000000);
    close(fd);
    (void)http_server_stop(server, 0, 1000);
    http_limits.send_ms = 30000;
    http_limits.send_rate = 64u << 10;
    assert_answer("GET /large?4000000 HTTP/1.1\r\n" CLOSE "\r\n", "200", NULL);
}

static void silent_handler(void **state)
{
    (void)state;
    assert_answer("GET /never HTTP/1.1\r\n" CLOSE "\r\n", "503", "{\"errors\":[\"the request took too long\"]}\n");
    assert_int_equal(later_release(), 1);
}

static void large_head(void **state)
{
    int fd = client_connect(PORT);
    char block[4097];

    (void)state;
    memset(block, 'a', sizeof block - 1);
    block[sizeof block - 1] = '\0';
    client_send(fd, "GET /now HTTP/1.1\r\nHost: a\r\nX: ");
    for (int i = 0; i < 40 && !client_is_closed(fd, 5); i++)
        client_send(fd, block);
    assert_true(client_is_closed(fd, 1000));
    close(fd);
}

static void taken_address(void **state)
{
    struct http_listener listener = {.address = ADDRESS, .tls_disable = true};
    struct http_server *server = NULL;
    struct err err = {0};

    (void)state;
    assert_int_equal(http_server_start(&listener, 1, 1, test_handler, NULL, &server, &err), ERR_IO);
    assert_string_equal(err_text(&err), "cannot listen on 127.0.0.1:21201: Address already in use");
    listener.address = "127.0.0.1";
    assert_int_equal(http_server_start(&listener, 1, 1, test_handler, NULL, &server, &err), ERR_INVALID);
    listener.address = "nowhere.invalid:80";
    assert_int_equal(http_server_start(&listener, 1, 1, test_handler, NULL, &server, &err), ERR_INVALID);
    assert_null(server);
}

static void stopping(void **state)
{
    struct http_server *server = server_start("127.0.0.1:21202");
    int idle = client_connect(21202), busy = client_connect(21202);

    (void)state;
    client_send(idle, GET_NOW);
    client_read(idle, out, sizeof out, 1, 1000);
    client_send(busy, "GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
    usleep(10000);
    long long start = now_ms();
    (void)http_server_stop(server, 0, 5000);
    assert_true(now_ms() - start < 2000);
    client_read(busy, out, sizeof out, SIZE_MAX, 1000);
    assert_non_null(strstr(out, "later"));
    assert_true(client_is_closed(idle, 100));
    close(idle);
    close(busy);
}

static int start_server(void **state)
{
    *state = server_start(ADDRESS);
    return 0;
}

static int stop_server(void **state)
{
    (void)http_server_stop(*state, 0, 2000);
    later_join();
    return 0;
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        {"answers come from the handler, from other threads and from posted functions", simple, NULL, NULL, NULL},
        {"a chunked body arrives whole, a broken one is refused", chunked, NULL, NULL, NULL},
        {"an answer to HEAD has no body", head, NULL, NULL, NULL},
        {"204 and errors keep the connection in step", no_content, NULL, NULL, NULL},
        {"a connection serves many requests", keep_alive, NULL, NULL, NULL},
        {"pipelined requests are answered in order", pipelining, NULL, NULL, NULL},
        {"more than 100 headers are refused", header_limits, NULL, NULL, NULL},
        {"garbage is refused", garbage, NULL, NULL, NULL},
        {"a head with two readings is refused, and nothing after it is read", smuggling, NULL, NULL, NULL},
        {"bodies beyond the limits are refused", large_bodies, NULL, NULL, NULL},
        {"who writes nothing, or slowly, is disconnected", slow_writers, NULL, NULL, NULL},
        {"who reads slowly is disconnected", slow_readers, NULL, NULL, NULL},
        {"a handler that does not answer in time is answered for", silent_handler, NULL, NULL, NULL},
        {"a head without end is cut off", large_head, NULL, NULL, NULL},
        {"clients may vanish before the answer", vanishing_clients, NULL, NULL, NULL},
        {"200 clients at once are served", many_clients, NULL, NULL, NULL},
        {"unread bodies are held only up to a sum", memory_budget, NULL, NULL, NULL},
        {"an address that is taken, or none, is refused with a clear sentence", taken_address, NULL, NULL, NULL},
        {"stopping lets requests end and closes idle connections", stopping, NULL, NULL, NULL},
    };

    return cmocka_run_group_tests(tests, start_server, stop_server);
}

#ifdef COFFER_SANITIZED
/* h2o keeps some recycled chunks in variables of its threads, which end with them, and never frees a queue. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:h2o_mem_alloc_pool\nleak:h2o_buffer_reserve\nleak:h2o_mem_alloc_recycle\n"
           "leak:h2o_multithread_create_queue\n";
}
#endif
