/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proxy.h"

#define SIZE 50000000u

struct pair {
    struct node a;
    struct node b;
};

static bool is_sent(void *arg)
{
    const struct pair *pair = arg;
    return pair->a.sent > 0;
}

static bool is_over(void *arg)
{
    struct pair *pair = arg;
    return pair->a.sent > 0 && atomic_load(&pair->b.ended) > 0;
}

static bool is_writing(void *arg)
{
    struct pair *pair = arg;
    return atomic_load(&pair->a.writing) && atomic_load(&pair->b.begun) > 0;
}

static void pair_start(struct fixture *fixture, struct pair *pair)
{
    node_start(fixture, &pair->a, "a", PORT_A);
    node_start(fixture, &pair->b, "b", PORT_B);
    link_nodes(&pair->a, &pair->b);
    pair->a.to_write = SIZE;
}

static void pair_stop(struct pair *pair)
{
    node_stop(&pair->a);
    node_stop(&pair->b);
}

static void send_snapshot(struct pair *pair)
{
    assert_true(net_send_snapshot(pair->a.net, "b", "header", 6, malloc(10)));
}

static void assert_whole(struct pair *pair)
{
    assert_int_equal(pair->a.sent_rc, OK);
    assert_int_equal(atomic_load(&pair->b.end_rc), OK);
    assert_int_equal(atomic_load(&pair->b.snapshot_got), SIZE);
    unsigned char *whole = malloc(SIZE);
    fill(whole, SIZE, 0);
    assert_int_equal(atomic_load(&pair->b.snapshot_sum), sum_of(whole, SIZE, 0));
    free(whole);
}

static void test_whole(void **state)
{
    struct pair pair;
    pair_start(*state, &pair);
    send_snapshot(&pair);
    void *second = malloc(10);
    assert_false(net_send_snapshot(pair.a.net, "b", "header", 6, second));
    assert_false(net_send_snapshot(pair.a.net, "nobody", "header", 6, second));
    assert_true(run_until(*state, is_over, &pair, 60000));
    assert_whole(&pair);
    /* The way is free again. */
    assert_true(net_send_snapshot(pair.a.net, "b", "header", 6, second));
    pair.a.sent = 0;
    assert_true(run_until(*state, is_sent, &pair, 60000));
    assert_whole(&pair);
    pair_stop(&pair);
}

static void test_empty(void **state)
{
    struct pair pair;
    pair_start(*state, &pair);
    pair.a.to_write = 0;
    send_snapshot(&pair);
    assert_true(run_until(*state, is_over, &pair, 10000));
    assert_int_equal(pair.a.sent_rc, OK);
    assert_int_equal(atomic_load(&pair.b.end_rc), OK);
    pair_stop(&pair);
}

static void test_writer_fails(void **state)
{
    struct pair pair;
    pair_start(*state, &pair);
    pair.a.write_fails_at = SIZE / 2;
    send_snapshot(&pair);
    assert_true(run_until(*state, is_over, &pair, 60000));
    assert_int_equal(pair.a.sent_rc, ERR_IO);
    assert_int_not_equal(atomic_load(&pair.b.end_rc), OK);
    pair_stop(&pair);
}

static void test_taker_fails(void **state)
{
    struct pair pair;
    pair_start(*state, &pair);
    pair.b.chunk_fails_at = SIZE / 2;
    send_snapshot(&pair);
    assert_true(run_until(*state, is_over, &pair, 60000));
    assert_int_not_equal(pair.a.sent_rc, OK);
    assert_int_equal(atomic_load(&pair.b.end_rc), ERR_NOSPACE);
    pair_stop(&pair);
}

static void test_refused(void **state)
{
    struct pair pair;
    pair_start(*state, &pair);
    pair.b.begin_rc = ERR_BUSY;
    send_snapshot(&pair);
    assert_true(run_until(*state, is_sent, &pair, 60000));
    assert_int_not_equal(pair.a.sent_rc, OK);
    assert_int_equal(atomic_load(&pair.b.ended), 0);
    pair_stop(&pair);
}

/* The loop of both nodes goes on while a writer stands still. */
static void test_loop_runs(void **state)
{
    struct pair pair;
    pair_start(*state, &pair);
    atomic_store(&pair.a.write_waits, true);
    send_snapshot(&pair);
    assert_true(run_until(*state, is_writing, &pair, 5000));
    for (uint64_t i = 0; i < 100; i++) {
        send_number(&pair.a, "b", i);
        run_for(*state, 1);
    }
    run_for(*state, 50);
    assert_int_equal(pair.b.frames, 100);
    assert_false(pair.b.disordered);
    atomic_store(&pair.a.write_waits, false);
    assert_true(run_until(*state, is_over, &pair, 60000));
    assert_whole(&pair);
    pair_stop(&pair);
}

static bool both_closed(void *arg)
{
    struct pair *pair = arg;
    return pair->a.closed && pair->a.sent > 0;
}

static void on_closed(void *ctx)
{
    struct node *node = ctx;
    node->closed = true;
}

static void test_sender_closes(void **state)
{
    struct pair pair;
    pair_start(*state, &pair);
    atomic_store(&pair.a.write_waits, true);
    send_snapshot(&pair);
    assert_true(run_until(*state, is_writing, &pair, 5000));
    net_close(pair.a.net, on_closed);
    pair.a.net = NULL;
    run_for(*state, 100);
    assert_false(pair.a.closed); /* the writer still uses it */
    atomic_store(&pair.a.write_waits, false);
    assert_true(run_until(*state, both_closed, &pair, 5000));
    assert_int_equal(pair.a.sent_rc, ERR_UNAVAILABLE);
    assert_true(run_until(*state, is_over, &pair, 5000));
    assert_int_not_equal(atomic_load(&pair.b.end_rc), OK);
    pair_stop(&pair);
}

static void test_taker_closes(void **state)
{
    struct pair pair;
    pair_start(*state, &pair);
    atomic_store(&pair.a.write_waits, true);
    send_snapshot(&pair);
    assert_true(run_until(*state, is_writing, &pair, 5000));
    node_stop(&pair.b);
    assert_int_equal(atomic_load(&pair.b.ended), 1);
    assert_int_not_equal(atomic_load(&pair.b.end_rc), OK);
    atomic_store(&pair.a.write_waits, false);
    assert_true(run_until(*state, is_sent, &pair, 5000));
    assert_int_not_equal(pair.a.sent_rc, OK);
    pair_stop(&pair);
}

static void test_peer_removed(void **state)
{
    struct pair pair;
    pair_start(*state, &pair);
    atomic_store(&pair.a.write_waits, true);
    send_snapshot(&pair);
    assert_true(run_until(*state, is_writing, &pair, 5000));
    net_set_peers(pair.a.net, NULL, 0);
    atomic_store(&pair.a.write_waits, false);
    assert_true(run_until(*state, is_over, &pair, 5000));
    assert_int_not_equal(pair.a.sent_rc, OK);
    pair_stop(&pair);
}

static void test_wire(void **state)
{
    struct pair pair;
    char addr[64];
    unsigned char planted[64];
    struct buf seen = BUF_INIT;
    pair_start(*state, &pair);
    struct proxy *proxy = proxy_open(PORT_PROXY, PORT_B);
    snprintf(addr, sizeof addr, "127.0.0.1:%d", PORT_PROXY);
    node_peer(&pair.a, "b", addr);
    run_for(*state, 500);
    assert_true(is_linked(&pair.a));
    send_snapshot(&pair);
    assert_true(run_until(*state, is_over, &pair, 60000));
    assert_whole(&pair);
    pair_stop(&pair);
    proxy_close(proxy, &seen);
    assert_true(seen.len > SIZE);
    fill(planted, sizeof planted, SIZE / 2);
    for (size_t at = 0; at + 16 < sizeof planted; at += 8)
        assert_null(memmem(seen.data, seen.len, planted + at, 16));
    buf_close(&seen);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        {"a snapshot of 50 MB arrives whole, one at a time", test_whole, NULL, NULL, NULL},
        {"an empty snapshot arrives", test_empty, NULL, NULL, NULL},
        {"a snapshot that cannot be read ends in failure on both sides", test_writer_fails, NULL, NULL, NULL},
        {"a snapshot that cannot be kept ends in failure on both sides", test_taker_fails, NULL, NULL, NULL},
        {"a snapshot that is refused at its begin has no end", test_refused, NULL, NULL, NULL},
        {"frames flow while a snapshot stands still", test_loop_runs, NULL, NULL, NULL},
        {"closing the sender waits for its writer, and both sides learn", test_sender_closes, NULL, NULL, NULL},
        {"closing the receiver ends its sink, and the sender learns", test_taker_closes, NULL, NULL, NULL},
        {"a snapshot to a node that is no peer any more ends", test_peer_removed, NULL, NULL, NULL},
        {"nothing of a snapshot can be read on the wire", test_wire, NULL, NULL, NULL},
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
