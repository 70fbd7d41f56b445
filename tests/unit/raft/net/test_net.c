/* SPDX-License-Identifier: Apache-2.0 */
/* Links between honest nodes. */
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proxy.h"

#define MARKER "planted-string-that-must-not-be-seen"

static bool has_1000(void *arg)
{
    const struct node *node = arg;
    return node->frames >= 1000;
}

static bool has_one(void *arg)
{
    const struct node *node = arg;
    return node->frames >= 1;
}

static bool has_two(void *arg)
{
    const struct node *node = arg;
    return node->frames >= 2;
}

static bool is_unlinked(void *arg)
{
    return !is_linked(arg);
}

static void test_order(void **state)
{
    struct node a, b;
    node_start(*state, &a, "a", PORT_A);
    node_start(*state, &b, "b", PORT_B);
    link_nodes(&a, &b);
    for (uint64_t i = 0; i < 1000; i++) {
        send_number(&a, "b", i);
        send_number(&b, "a", i);
        if (i % 100 == 99)
            run_for(*state, 1);
    }
    assert_true(run_until(*state, has_1000, &a, 5000));
    assert_true(run_until(*state, has_1000, &b, 5000));
    assert_false(a.disordered);
    assert_false(b.disordered);
    assert_string_equal(a.heard_api_addr, "https://b.example:8200");
    node_stop(&a);
    node_stop(&b);
}

static void test_large(void **state)
{
    struct node a, b;
    size_t len = 40u << 20;
    unsigned char *payload = malloc(len);
    assert_non_null(payload);
    fill(payload, len, 7);
    node_start(*state, &a, "a", PORT_A);
    node_start(*state, &b, "b", PORT_B);
    link_nodes(&a, &b);
    assert_true(net_send(a.net, "b", 2, payload, len));
    assert_true(net_send(a.net, "b", 2, payload, len));
    send_number(&b, "a", 0);
    assert_true(run_until(*state, has_two, &b, 30000));
    assert_true(run_until(*state, has_one, &a, 1000));
    assert_int_equal(b.bytes, 2 * len);
    assert_int_equal(b.last_sum, sum_of(payload, len, 0));
    assert_false(net_send(a.net, "b", 2, payload, NET_FRAME_MAX + 1u));
    node_stop(&a);
    node_stop(&b);
    free(payload);
}

static void test_three(void **state)
{
    struct node nodes[3];
    node_start(*state, &nodes[0], "a", PORT_A);
    node_start(*state, &nodes[1], "b", PORT_B);
    node_start(*state, &nodes[2], "c", PORT_C);
    for (int i = 0; i < 3; i++)
        node_peers(&nodes[i], &nodes[(i + 1) % 3], &nodes[(i + 2) % 3]);
    for (int i = 0; i < 3; i++)
        while (nodes[i].links_up < 2)
            assert_true(run_until(*state, is_linked, &nodes[i], 3000)), run_for(*state, 5);
    for (int i = 0; i < 3; i++)
        for (uint64_t n = 0; n < 2; n++)
            assert_true(net_send(nodes[i].net, nodes[(i + 1 + n) % 3].id, 2, "x", 1));
    for (int i = 0; i < 3; i++)
        assert_true(run_until(*state, has_two, &nodes[i], 3000));
    for (int i = 0; i < 3; i++)
        node_stop(&nodes[i]);
}

static void test_restart(void **state)
{
    struct node a, b;
    char dir[128], listen[64];
    struct fixture *fixture = *state;
    identity_give(fixture, &fixture->ours, "b", "b", dir, sizeof dir);
    snprintf(listen, sizeof listen, "127.0.0.1:%d", PORT_B);
    node_start(fixture, &a, "a", PORT_A);
    node_start_as(fixture, &b, "b", PORT_B, dir, listen);
    link_nodes(&a, &b);
    node_stop(&b);
    assert_true(run_until(fixture, is_unlinked, &a, 1000));
    assert_false(net_send(a.net, "b", 1, "x", 1));
    assert_false(net_link_up(a.net, "b"));
    run_for(fixture, 3000); /* long enough for the longest back-off */
    int64_t began = ms_now();
    node_start_as(fixture, &b, "b", PORT_B, dir, listen);
    assert_true(run_until(fixture, is_linked, &a, 1000));
    assert_true(ms_now() - began < 1000);
    assert_true(net_send(a.net, "b", 2, "", 0));
    assert_true(run_until(fixture, has_one, &b, 1000));
    node_stop(&a);
    node_stop(&b);
}

static void test_names(void **state)
{
    struct fixture *fixture = *state;
    struct node a, b;
    char dir[128], addr[64];
    identity_give(fixture, &fixture->ours, "b", "b", dir, sizeof dir);
    snprintf(addr, sizeof addr, "[::1]:%d", PORT_B);
    node_start(fixture, &a, "a", PORT_A);
    node_start_as(fixture, &b, "b", PORT_B, dir, addr);
    node_peer(&a, "b", addr);
    assert_true(run_until(fixture, is_linked, &a, 3000));
    snprintf(addr, sizeof addr, "localhost:%d", PORT_A);
    node_peer(&b, "a", addr);
    assert_true(run_until(fixture, is_linked, &b, 3000));
    node_stop(&a);
    node_stop(&b);
}

static void test_peers(void **state)
{
    struct node a, b, c;
    char addr[64];
    node_start(*state, &a, "a", PORT_A);
    node_start(*state, &b, "b", PORT_B);
    node_start(*state, &c, "c", PORT_C);
    link_nodes(&a, &b);
    snprintf(addr, sizeof addr, "127.0.0.1:%d", PORT_FAKE);
    node_peer(&a, "b", addr);
    assert_false(net_link_up(a.net, "b"));
    assert_true(run_until(*state, is_unlinked, &a, 1000));
    node_peers(&a, &b, &c);
    run_for(*state, 1000);
    assert_int_equal(a.links_up, 3);
    assert_int_equal(a.links_down, 1);
    net_set_peers(a.net, NULL, 0);
    assert_false(net_send(a.net, "b", 2, "x", 1));
    assert_false(net_send(a.net, "nobody", 2, "x", 1));
    assert_int_equal(a.links_down, 1);
    assert_true(net_link_up(b.net, "a"));
    node_stop(&a);
    node_stop(&b);
    node_stop(&c);
}

static bool is_closed(void *arg)
{
    const struct node *node = arg;
    return node->closed;
}

static void test_close_inside(void **state)
{
    struct node a, b;
    node_start(*state, &a, "a", PORT_A);
    node_start(*state, &b, "b", PORT_B);
    link_nodes(&a, &b);
    b.close_on_frame = true;
    for (int i = 0; i < 10; i++)
        assert_true(net_send(a.net, "b", 2, "x", 1));
    assert_true(run_until(*state, is_closed, &b, 1000));
    assert_int_equal(b.frames, 1);
    node_stop(&a);
}

static void test_port_in_use(void **state)
{
    struct fixture *fixture = *state;
    struct node a;
    struct net *net;
    struct err err = {0};
    char dir[128], listen[64];
    node_start(fixture, &a, "a", PORT_A);
    identity_give(fixture, &fixture->ours, "b", "b", dir, sizeof dir);
    snprintf(listen, sizeof listen, "127.0.0.1:%d", PORT_A);
    struct net_options options = {
        .loop = &fixture->loop, .identity_dir = dir, .node_id = "b", .listen_addr = listen, .api_addr = ""};
    assert_int_equal(net_open(&options, &net, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, listen));
    options.node_id = "c";
    assert_int_equal(net_open(&options, &net, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "node b"));
    static const char *const bad[] = {"", "host", "host:", ":x", "::1:80", "[::1]", "host:0", "host:65536", "host:1x"};
    options.node_id = "b";
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        options.listen_addr = bad[i];
        assert_int_equal(net_open(&options, &net, &err), ERR_INVALID);
    }
    node_stop(&a);
}

static void test_wire(void **state)
{
    struct node a, b;
    char addr[64];
    struct buf seen = BUF_INIT;
    node_start(*state, &a, "a", PORT_A);
    node_start(*state, &b, "b", PORT_B);
    struct proxy *proxy = proxy_open(PORT_PROXY, PORT_B);
    snprintf(addr, sizeof addr, "127.0.0.1:%d", PORT_PROXY);
    node_peer(&a, "b", addr);
    assert_true(run_until(*state, is_linked, &a, 3000));
    for (int i = 0; i < 1000; i++)
        assert_true(net_send(a.net, "b", 2, MARKER, sizeof MARKER));
    assert_true(run_until(*state, has_1000, &b, 3000));
    node_stop(&a);
    node_stop(&b);
    proxy_close(proxy, &seen);
    assert_true(seen.len > 1000 * sizeof MARKER);
    assert_null(memmem(seen.data, seen.len, "planted", 7));
    assert_null(memmem(seen.data, seen.len, "b.example", 9));
    /* Frames of one turn share their TLS records: less than a tenth on top. */
    assert_true(seen.len < 1100 * (sizeof MARKER + 5) + 8192);
    buf_close(&seen);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        {"frames arrive in the order in which they were sent", test_order, NULL, NULL, NULL},
        {"frames of 40 MiB arrive whole", test_large, NULL, NULL, NULL},
        {"three nodes reach each other", test_three, NULL, NULL, NULL},
        {"a restarted peer is reached again within a second", test_restart, NULL, NULL, NULL},
        {"peers are reached over IPv6 and by name", test_names, NULL, NULL, NULL},
        {"links follow the set of peers", test_peers, NULL, NULL, NULL},
        {"a network can be closed by the frame it delivers", test_close_inside, NULL, NULL, NULL},
        {"an address that cannot be listened on is named", test_port_in_use, NULL, NULL, NULL},
        {"nothing that is sent can be read on the wire", test_wire, NULL, NULL, NULL},
    };
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
