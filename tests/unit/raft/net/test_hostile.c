/* SPDX-License-Identifier: Apache-2.0 */
/* What must not harm a node: strangers, liars, and peers that do not keep to the protocol. */
#include "fixture.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "raft/net/net_protocol.h"

#define FLOOD 300

static struct sockaddr_in local(int port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return addr;
}

static int connect_to(int port)
{
    struct sockaddr_in addr = local(port);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof addr), 0);
    return fd;
}

static bool is_hung_up(void *arg)
{
    char byte;
    ssize_t n = recv(*(int *)arg, &byte, 1, MSG_DONTWAIT);
    return n == 0 || (n < 0 && errno != EAGAIN);
}

/* Reads away what comes, and says whether the connection has ended. */
static void assert_hung_up(struct fixture *fixture, int fd, int timeout_ms)
{
    int64_t until = ms_now() + timeout_ms;
    while (!is_hung_up(&fd)) {
        run_for(fixture, 2);
        assert_true(ms_now() < until);
    }
    close(fd);
}

static size_t open_descriptors(void)
{
    size_t n = 0;
    DIR *dir = opendir("/proc/self/fd");
    while (readdir(dir) != NULL)
        n++;
    closedir(dir);
    return n;
}

static bool has_one(void *arg)
{
    const struct node *node = arg;
    return node->frames >= 1;
}

static void assert_unharmed(struct node *a, struct node *b)
{
    b->frames = 0;
    assert_int_equal(a->links_up, 1);
    assert_int_equal(a->links_down, 0);
    assert_true(net_send(a->net, b->id, 2, "x", 1));
    assert_true(run_until(a->fixture, has_one, b, 5000));
}

static void pair_start(struct fixture *fixture, struct node *a, struct node *b)
{
    node_start(fixture, a, "a", PORT_A);
    node_start(fixture, b, "b", PORT_B);
    link_nodes(a, b);
}

static void pair_stop(struct node *a, struct node *b)
{
    assert_unharmed(a, b);
    node_stop(a);
    node_stop(b);
}

static void test_other_authority(void **state)
{
    struct fixture *fixture = *state;
    struct node a, b;
    char dir[128], listen[64];
    node_start(fixture, &a, "a", PORT_A);
    identity_give(fixture, &fixture->other, "b", "b", dir, sizeof dir);
    snprintf(listen, sizeof listen, "127.0.0.1:%d", PORT_B);
    node_start_as(fixture, &b, "b", PORT_B, dir, listen);
    node_peers(&a, &b, NULL);
    node_peers(&b, &a, NULL);
    run_for(fixture, 1500);
    assert_int_equal(a.links_up, 0);
    assert_int_equal(b.links_up, 0);
    node_stop(&a);
    node_stop(&b);
}

static void test_other_name(void **state)
{
    struct node a, c;
    char addr[64];
    node_start(*state, &a, "a", PORT_A);
    node_start(*state, &c, "c", PORT_C);
    snprintf(addr, sizeof addr, "127.0.0.1:%d", PORT_C);
    node_peer(&a, "b", addr);
    run_for(*state, 1000);
    assert_int_equal(a.links_up, 0);
    node_peer(&a, "c", addr);
    assert_true(run_until(*state, is_linked, &a, 1000));
    node_stop(&a);
    node_stop(&c);
}

static void test_garbage(void **state)
{
    struct node a, b;
    pair_start(*state, &a, &b);
    static const char *const texts[] = {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "\x16\x03\x01\xff\xff", "SSH-2.0-x\r\n"};
    for (int round = 0; round < 50; round++) {
        unsigned char noise[3000];
        int fd = connect_to(PORT_B);
        const char *text = texts[round % 3];
        fill(noise, sizeof noise, (size_t)round * 7919);
        assert_true(send(fd, text, strlen(text), MSG_NOSIGNAL) > 0);
        send(fd, noise, sizeof noise, MSG_NOSIGNAL);
        if (round % 3 == 1) {
            for (int i = 0; i < 20; i++)
                send(fd, noise, sizeof noise, MSG_NOSIGNAL);
        }
        assert_hung_up(*state, fd, 5000);
    }
    pair_stop(&a, &b);
}

/* The first flight of a real handshake. */
static size_t client_hello(struct fixture *fixture, unsigned char *ret, size_t size)
{
    char dir[128];
    SSL_CTX *context;
    struct err err = {0};
    identity_give(fixture, &fixture->ours, "c", "c", dir, sizeof dir);
    assert_int_equal(identity_context(dir, false, &context, &err), OK);
    SSL *ssl = SSL_new(context);
    BIO *out = BIO_new(BIO_s_mem());
    SSL_set_bio(ssl, BIO_new(BIO_s_mem()), out);
    SSL_set_alpn_protos(ssl, (const unsigned char *)NET_ALPN_LINK, sizeof NET_ALPN_LINK - 1);
    SSL_connect(ssl);
    ERR_clear_error();
    int len = BIO_read(out, ret, (int)size);
    assert_true(len > 100);
    SSL_free(ssl);
    SSL_CTX_free(context);
    return (size_t)len;
}

static void test_broken_handshake(void **state)
{
    struct node a, b;
    unsigned char hello[4096];
    pair_start(*state, &a, &b);
    size_t len = client_hello(*state, hello, sizeof hello);
    for (size_t at = 0; at < len; at += 3) {
        int fd = connect_to(PORT_B);
        hello[at] ^= 0x21;
        send(fd, hello, at % 2 == 0 ? len : at, MSG_NOSIGNAL);
        hello[at] ^= 0x21;
        run_for(*state, 2);
        close(fd);
    }
    run_for(*state, 50);
    pair_stop(&a, &b);
}

static void test_flood(void **state)
{
    struct node a, b, c;
    static int fds[FLOOD];
    pair_start(*state, &a, &b);
    size_t before = open_descriptors();
    for (int i = 0; i < FLOOD; i++) {
        fds[i] = connect_to(PORT_B);
        if (i % 50 == 0)
            run_for(*state, 20);
    }
    run_for(*state, 50);
    assert_true(open_descriptors() <= before + FLOOD + 64 + 2);
    /* A newcomer still gets through. */
    node_start(*state, &c, "c", PORT_C);
    node_peers(&c, &b, NULL);
    assert_true(run_until(*state, is_linked, &c, 20000));
    assert_unharmed(&a, &b);
    for (int i = 0; i < FLOOD - 1; i++)
        close(fds[i]);
    /* The last of the silent ones is cut when its time is over. */
    assert_hung_up(*state, fds[FLOOD - 1], 15000);
    run_for(*state, 50);
    node_stop(&c);
    run_for(*state, 50);
    assert_true(open_descriptors() <= before);
    pair_stop(&a, &b);
}

struct flood {
    unsigned char hello[4096];
    size_t len;
    atomic_bool done;
    atomic_int made;
};

/* As many handshakes as go, each begun and left alone. */
static void *run_flood(void *arg)
{
    struct flood *flood = arg;
    struct sockaddr_in addr = local(PORT_B);
    int fds[32] = {0};
    while (!atomic_load(&flood->done)) {
        int *fd = &fds[atomic_fetch_add(&flood->made, 1) % 32];
        if (*fd > 0)
            close(*fd);
        *fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        struct pollfd wait = {.fd = *fd, .events = POLLOUT};
        if (connect(*fd, (struct sockaddr *)&addr, sizeof addr) == 0 || poll(&wait, 1, 20) > 0)
            send(*fd, flood->hello, flood->len, MSG_NOSIGNAL);
    }
    for (int i = 0; i < 32; i++)
        if (fds[i] > 0)
            close(fds[i]);
    return NULL;
}

static void test_handshake_flood(void **state)
{
    static struct flood flood;
    struct node a, b, c;
    pthread_t thread;
    pair_start(*state, &a, &b);
    flood.len = client_hello(*state, flood.hello, sizeof flood.hello);
    assert_int_equal(pthread_create(&thread, NULL, run_flood, &flood), 0);
    int64_t until = ms_now() + 2000, longest = 0;
    bool gets_through = true;
    for (uint64_t i = 0; gets_through && ms_now() < until; i++) {
        int64_t began = ms_now();
        send_number(&a, "b", i);
        b.frames = 0;
        gets_through = run_until(*state, has_one, &b, 20000);
        longest = ms_now() - began > longest ? ms_now() - began : longest;
    }
    node_start(*state, &c, "c", PORT_C);
    node_peers(&c, &b, NULL);
    bool links = run_until(*state, is_linked, &c, 60000);
    atomic_store(&flood.done, true); /* before anything is asserted: the flood does not end by itself */
    pthread_join(thread, NULL);
    assert_true(gets_through);
    assert_true(links);
    print_message("%d connections in 2 s; a frame took %d ms at most\n", atomic_load(&flood.made), (int)longest);
    assert_false(b.disordered);
    node_stop(&c);
    pair_stop(&a, &b);
}

/* ---- A member of the cluster that lies: c, by hand ---- */

static SSL *dial_as(struct fixture *fixture, const char *id, const char *alpn, int port)
{
    char dir[128];
    SSL_CTX *context;
    struct err err = {0};
    identity_give(fixture, &fixture->ours, id, id, dir, sizeof dir);
    assert_int_equal(identity_context(dir, false, &context, &err), OK);
    SSL *ssl = SSL_new(context);
    SSL_CTX_free(context);
    SSL_set_fd(ssl, connect_to(port));
    fcntl(SSL_get_fd(ssl), F_SETFL, O_NONBLOCK);
    if (alpn != NULL)
        SSL_set_alpn_protos(ssl, (const unsigned char *)alpn, (unsigned)strlen(alpn));
    for (int i = 0; i < 500 && SSL_connect(ssl) != 1; i++)
        run_for(fixture, 2);
    ERR_clear_error();
    return ssl;
}

static void put(SSL *ssl, const void *data, size_t len)
{
    size_t written;
    ERR_clear_error();
    assert_int_equal(SSL_write_ex(ssl, data, len, &written), 1);
}

static void assert_cut(struct fixture *fixture, SSL *ssl)
{
    int fd = SSL_get_fd(ssl);
    SSL_free(ssl);
    assert_hung_up(fixture, fd, 5000);
}

static void put_hello(SSL *ssl)
{
    struct buf frame = BUF_INIT, hello = BUF_INIT;
    unsigned char head[FRAME_HEAD];
    hello_encode(&hello, "https://c:8200");
    frame_put_head(head, FRAME_HELLO, (uint32_t)hello.len);
    buf_put(&frame, head, sizeof head);
    buf_put(&frame, hello.data, hello.len);
    put(ssl, frame.data, frame.len);
    buf_close(&frame);
    buf_close(&hello);
}

static void test_liars(void **state)
{
    struct fixture *fixture = *state;
    struct node a, b;
    pair_start(fixture, &a, &b);
    assert_cut(fixture, dial_as(fixture, "c", NULL, PORT_B));
    assert_cut(fixture, dial_as(fixture, "c", "\010whatever", PORT_B));
    assert_cut(fixture, dial_as(fixture, "b", NET_ALPN_LINK, PORT_B));

    static const struct {
        const char *alpn;
        bool after_hello;
        const char *bytes;
        size_t len;
    } lies[] = {
        {NET_ALPN_LINK, false, "\377\377\377\377\0", 5},               /* a hello of 4 GiB */
        {NET_ALPN_LINK, false, "\0\0\4\1\0", 5},                       /* one byte more than allowed */
        {NET_ALPN_LINK, false, "\0\0\0\6\0\0\2\0\0\0\0", 11},          /* version 2 */
        {NET_ALPN_LINK, false, "\0\0\0\6\0\0\1\0\0\1\0", 11},          /* an address longer than the frame */
        {NET_ALPN_LINK, false, "\0\0\0\0\0", 5},                       /* empty */
        {NET_ALPN_LINK, false, "\0\0\0\0\1", 5},                       /* no hello */
        {NET_ALPN_LINK, true, "\377\377\377\377\1", 5},                /* a frame of 4 GiB */
        {NET_ALPN_LINK, true, "\4\0\0\1\1", 5},                        /* 64 MiB and 1 */
        {NET_ALPN_SNAPSHOT, false, "\0\20\0\1\1", 5},                  /* a header of 1 MiB and 1 */
        {NET_ALPN_SNAPSHOT, false, "\0\0\0\1\2x", 6},                  /* a chunk before the begin */
        {NET_ALPN_SNAPSHOT, false, "\0\0\0\6\1header\0\0\0\1\3x", 17}, /* a malformed end */
        {NET_ALPN_SNAPSHOT, false, "\0\0\0\6\1header\0\0\0\1\1x", 17}, /* two begins */
    };
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        SSL *ssl = dial_as(fixture, "c", lies[i].alpn, PORT_B);
        if (lies[i].after_hello)
            put_hello(ssl);
        put(ssl, lies[i].bytes, lies[i].len);
        assert_cut(fixture, ssl);
    }
    assert_int_equal(atomic_load(&b.begun), 2);
    assert_int_equal(atomic_load(&b.ended), 2);
    assert_int_not_equal(atomic_load(&b.end_rc), OK);
    pair_stop(&a, &b);
}

static void test_truncated(void **state)
{
    struct node a, b;
    pair_start(*state, &a, &b);
    for (int i = 0; i < 10; i++) {
        SSL *ssl = dial_as(*state, "c", NET_ALPN_LINK, PORT_B);
        put_hello(ssl);
        put(ssl, "\3\0\0\0\1half of it", 15); /* 48 MiB are announced */
        run_for(*state, 20);
        close(SSL_get_fd(ssl));
        SSL_free(ssl);
        run_for(*state, 20);
    }
    assert_int_equal(b.frames, 0);
    pair_stop(&a, &b);
}

static void test_second_link(void **state)
{
    struct node a, b;
    pair_start(*state, &a, &b);
    SSL *first = dial_as(*state, "c", NET_ALPN_LINK, PORT_B);
    put_hello(first);
    run_for(*state, 20);
    SSL *second = dial_as(*state, "c", NET_ALPN_LINK, PORT_B);
    put_hello(second);
    assert_cut(*state, first);
    put(second, "\0\0\0\1\2x", 6);
    assert_true(run_until(*state, has_one, &b, 5000));
    close(SSL_get_fd(second));
    SSL_free(second);
    pair_stop(&a, &b);
}

/* ---- A peer that accepts and then does not read ---- */

struct sink {
    SSL_CTX *context;
    int listener;
    atomic_bool done;
    pthread_t thread;
};

static void *run_sink(void *arg)
{
    struct sink *sink = arg;
    int fd = accept(sink->listener, NULL, NULL);
    SSL *ssl = SSL_new(sink->context);
    SSL_set_fd(ssl, fd);
    if (SSL_accept(ssl) == 1)
        put_hello(ssl);
    while (!atomic_load(&sink->done))
        usleep(10000);
    SSL_free(ssl);
    close(fd);
    return NULL;
}

static void sink_open(struct fixture *fixture, struct sink *sink)
{
    struct sockaddr_in addr = local(PORT_FAKE);
    struct err err = {0};
    char dir[128];
    int on = 1;
    *sink = (struct sink){.listener = socket(AF_INET, SOCK_STREAM, 0)};
    identity_give(fixture, &fixture->ours, "s", "s", dir, sizeof dir);
    assert_int_equal(identity_context(dir, true, &sink->context, &err), OK);
    setsockopt(sink->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    assert_int_equal(bind(sink->listener, (struct sockaddr *)&addr, sizeof addr), 0);
    assert_int_equal(listen(sink->listener, 8), 0);
    assert_int_equal(pthread_create(&sink->thread, NULL, run_sink, sink), 0);
}

static void sink_close(struct sink *sink)
{
    atomic_store(&sink->done, true);
    pthread_join(sink->thread, NULL);
    close(sink->listener);
    SSL_CTX_free(sink->context);
}

static bool is_down(void *arg)
{
    const struct node *node = arg;
    return node->links_down > 0;
}

static void test_not_reading(void **state)
{
    struct node a;
    struct sink sink;
    char addr[64];
    size_t len = 1u << 20, sent = 0;
    void *payload = calloc(1, len);
    sink_open(*state, &sink);
    node_start(*state, &a, "a", PORT_A);
    snprintf(addr, sizeof addr, "127.0.0.1:%d", PORT_FAKE);
    node_peer(&a, "s", addr);
    assert_true(run_until(*state, is_linked, &a, 3000));
    while (net_send(a.net, "s", 2, payload, len)) {
        sent += len;
        assert_true(sent < NET_BACKLOG_MAX + (32u << 20));
        if (sent % (16u << 20) == 0)
            run_for(*state, 5);
    }
    assert_true(sent >= NET_BACKLOG_MAX - len);
    assert_int_equal(a.links_down, 0); /* not from inside net_send */
    assert_false(net_link_up(a.net, "s"));
    assert_true(run_until(*state, is_down, &a, 5000));
    node_stop(&a);
    sink_close(&sink);
    free(payload);
}

/* It has nothing to say, so only reading tells. */
static void test_listener_leaves(void **state)
{
    struct node a;
    struct sink sink;
    char addr[64];
    sink_open(*state, &sink);
    node_start(*state, &a, "a", PORT_A);
    snprintf(addr, sizeof addr, "127.0.0.1:%d", PORT_FAKE);
    node_peer(&a, "s", addr);
    assert_true(run_until(*state, is_linked, &a, 3000));
    atomic_store(&sink.done, true);
    assert_true(run_until(*state, is_down, &a, 5000));
    node_stop(&a);
    sink_close(&sink);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        {"a node of another authority is refused", test_other_authority, NULL, NULL, NULL},
        {"a node that is not the one dialled is refused", test_other_name, NULL, NULL, NULL},
        {"garbage is hung up on and harms no link", test_garbage, NULL, NULL, NULL},
        {"broken handshakes harm no link", test_broken_handshake, NULL, NULL, NULL},
        {"a flood of silent connections takes no more than its share", test_flood, NULL, NULL, NULL},
        {"a flood of handshakes stops neither links nor newcomers", test_handshake_flood, NULL, NULL, NULL},
        {"a member that breaks the protocol is cut", test_liars, NULL, NULL, NULL},
        {"frames that stop in the middle leave nothing behind", test_truncated, NULL, NULL, NULL},
        {"a newer link of a node ends its older one", test_second_link, NULL, NULL, NULL},
        {"a peer that does not read is cut at the bound, and not before", test_not_reading, NULL, NULL, NULL},
        {"a dialler notices that the link is closed", test_listener_leaves, NULL, NULL, NULL},
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
