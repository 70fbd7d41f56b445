/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"

#ifdef COFFER_SANITIZED
#define PATIENCE 10
#else
#define PATIENCE 1
#endif
#define CLOSING_MS     10000
#define SNAPSHOT_PIECE (3u << 20) /* more than one frame */

static void on_beat(uv_timer_t *timer)
{
    (void)timer;
}

int fixture_open(void **state)
{
    signal(SIGPIPE, SIG_IGN);
    json_setup();
    struct fixture *fixture = calloc(1, sizeof *fixture);
    struct err err = {0};
    assert_non_null(fixture);
    strcpy(fixture->dir, "/tmp/coffer-net-XXXXXX");
    assert_non_null(mkdtemp(fixture->dir));
    assert_int_equal(identity_new_authority(&fixture->ours.pem, &err), OK);
    assert_int_equal(identity_new_authority(&fixture->other.pem, &err), OK);
    assert_int_equal(uv_loop_init(&fixture->loop), 0);
    uv_timer_init(&fixture->loop, &fixture->beat);
    uv_timer_start(&fixture->beat, on_beat, 2, 2);
    *state = fixture;
    return 0;
}

static void count_handle(uv_handle_t *handle, void *arg)
{
    (void)handle;
    ++*(int *)arg;
}

/* But for the beat. */
static bool is_all_closed(void *arg)
{
    struct fixture *fixture = arg;
    int count = 0;
    uv_walk(&fixture->loop, count_handle, &count);
    return count == 1;
}

int fixture_close(void **state)
{
    struct fixture *fixture = *state;
    if (!run_until(fixture, is_all_closed, fixture, CLOSING_MS))
        fail_msg("something is open still: what a test that failed did not close");
    uv_close((uv_handle_t *)&fixture->beat, NULL);
    uv_run(&fixture->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&fixture->loop), 0);
    file_remove_tree(fixture->dir, NULL);
    buf_close(&fixture->ours.pem);
    buf_close(&fixture->other.pem);
    free(fixture);
    return 0;
}

void identity_give(struct fixture *fixture, struct authority *authority, const char *node_id, const char *named,
                   char *ret_dir, size_t size)
{
    static int count;
    struct buf csr = BUF_INIT, certificate = BUF_INIT, ca = BUF_INIT;
    struct err err = {0};
    snprintf(ret_dir, size, "%s/%s-%d", fixture->dir, node_id, count++);
    assert_int_equal(identity_request(ret_dir, node_id, &csr, &err), OK);
    assert_int_equal(identity_sign(buf_str(&authority->pem), buf_str(&csr), named, &certificate, &ca, &err), OK);
    assert_int_equal(identity_accept(ret_dir, named, buf_str(&certificate), buf_str(&ca), NULL, &err), OK);
    buf_close(&csr);
    buf_close(&certificate);
    buf_close(&ca);
}

uint32_t sum_of(const void *data, size_t len, uint32_t sum)
{
    const unsigned char *bytes = data;
    for (size_t i = 0; i < len; i++)
        sum = sum * 31 + bytes[i];
    return sum;
}

void fill(unsigned char *data, size_t len, size_t offset)
{
    for (size_t i = 0; i < len; i++)
        data[i] = (unsigned char)((offset + i) * 2654435761u >> 13);
}

int64_t ms_now(void)
{
    return clock_steady_ms();
}

/* ---- What a driver would do ---- */

static void on_closed(void *ctx)
{
    struct node *node = ctx;
    node->closed = true;
}

static void on_frame(void *ctx, const char *node_id, uint8_t type, const void *payload, size_t len)
{
    struct node *node = ctx;
    (void)node_id;
    node->frames++;
    node->bytes += len;
    node->last_sum = sum_of(payload, len, 0);
    if (type == 1) {
        struct reader reader = reader_of(payload, len);
        if (reader_u64(&reader) != node->next_number++)
            node->disordered = true;
    }
    if (node->close_on_frame && node->net != NULL) {
        net_close(node->net, on_closed);
        node->net = NULL;
    }
}

static void on_link(void *ctx, const char *node_id, bool is_up, const char *api_addr)
{
    struct node *node = ctx;
    (void)node_id;
    if (is_up)
        snprintf(node->heard_api_addr, sizeof node->heard_api_addr, "%s", api_addr);
    *(is_up ? &node->links_up : &node->links_down) += 1;
}

static int snapshot_write(void *ctx, void *snapshot, int (*emit)(void *arg, const void *chunk, size_t len), void *arg,
                          struct err *err)
{
    struct node *node = ctx;
    unsigned char *piece = malloc(SNAPSHOT_PIECE);
    int rc = OK;
    (void)snapshot;
    atomic_store(&node->writing, true);
    for (size_t at = 0; rc == OK && at < node->to_write; at += SNAPSHOT_PIECE) {
        size_t left = node->to_write - at, n = left < SNAPSHOT_PIECE ? left : SNAPSHOT_PIECE;
        while (atomic_load(&node->write_waits))
            usleep(1000);
        if (node->write_fails_at > 0 && at >= node->write_fails_at)
            rc = err_set(err, ERR_IO, "the disk is broken");
        fill(piece, n, at);
        if (rc == OK)
            rc = emit(arg, piece, n);
    }
    atomic_store(&node->writing, false);
    free(piece);
    return rc;
}

static void snapshot_sent(void *ctx, const char *node_id, void *snapshot, int rc)
{
    struct node *node = ctx;
    (void)node_id;
    free(snapshot);
    node->sent++;
    node->sent_rc = rc;
}

static int snapshot_begin(void *ctx, const char *node_id, const void *header, size_t len, void **ret_sink)
{
    struct node *node = ctx;
    (void)node_id;
    atomic_fetch_add(&node->begun, 1);
    if (len != 6 || memcmp(header, "header", 6) != 0)
        return ERR_INVALID;
    atomic_store(&node->snapshot_got, 0);
    atomic_store(&node->snapshot_sum, 0);
    *ret_sink = node;
    return node->begin_rc;
}

static int snapshot_chunk(void *ctx, void *sink, const void *chunk, size_t len)
{
    struct node *node = ctx;
    if (sink != ctx)
        return ERR_INTERNAL;
    if (node->chunk_fails_at > 0 && atomic_load(&node->snapshot_got) >= node->chunk_fails_at)
        return ERR_NOSPACE;
    atomic_store(&node->snapshot_sum, sum_of(chunk, len, atomic_load(&node->snapshot_sum)));
    atomic_fetch_add(&node->snapshot_got, len);
    return OK;
}

static void snapshot_end(void *ctx, void *sink, int rc)
{
    struct node *node = ctx;
    (void)sink;
    atomic_store(&node->end_rc, rc);
    atomic_fetch_add(&node->ended, 1);
}

/* ---- Nodes ---- */

void node_start_as(struct fixture *fixture, struct node *node, const char *id, int port, const char *dir,
                   const char *listen)
{
    struct err err = {0};
    char api_addr[64];
    snprintf(api_addr, sizeof api_addr, "https://%s.example:8200", id);
    *node = (struct node){.fixture = fixture, .port = port};
    snprintf(node->id, sizeof node->id, "%s", id);
    struct net_options options = {
        .loop = &fixture->loop,
        .identity_dir = dir,
        .node_id = id,
        .listen_addr = listen,
        .api_addr = api_addr,
        .ctx = node,
        .on_frame = on_frame,
        .on_link = on_link,
        .snapshot_write = snapshot_write,
        .snapshot_sent = snapshot_sent,
        .snapshot_begin = snapshot_begin,
        .snapshot_chunk = snapshot_chunk,
        .snapshot_end = snapshot_end,
    };
    int rc = net_open(&options, &node->net, &err);
    if (rc != OK)
        fail_msg("%s", err_text(&err));
}

void node_start(struct fixture *fixture, struct node *node, const char *id, int port)
{
    char dir[128], listen[64];
    identity_give(fixture, &fixture->ours, id, id, dir, sizeof dir);
    snprintf(listen, sizeof listen, "127.0.0.1:%d", port);
    node_start_as(fixture, node, id, port, dir, listen);
}

static bool is_closed(void *arg)
{
    const struct node *node = arg;
    return node->closed;
}

void node_stop(struct node *node)
{
    if (node->net == NULL)
        return;
    net_close(node->net, on_closed);
    node->net = NULL;
    assert_true(run_until(node->fixture, is_closed, node, 5000));
}

void node_peer(struct node *node, const char *id, const char *addr)
{
    struct net_peer peer = {.node_id = id, .addr = addr};
    net_set_peers(node->net, &peer, 1);
}

void node_peers(struct node *node, const struct node *one, const struct node *two)
{
    char addr_one[64], addr_two[64];
    snprintf(addr_one, sizeof addr_one, "127.0.0.1:%d", one->port);
    snprintf(addr_two, sizeof addr_two, "127.0.0.1:%d", two != NULL ? two->port : 0);
    struct net_peer peers[] = {{one->id, addr_one}, {two != NULL ? two->id : "", addr_two}};
    net_set_peers(node->net, peers, two != NULL ? 2 : 1);
}

bool is_linked(void *arg)
{
    const struct node *node = arg;
    return node->links_up > node->links_down;
}

void link_nodes(struct node *a, struct node *b)
{
    node_peers(a, b, NULL);
    node_peers(b, a, NULL);
    assert_true(run_until(a->fixture, is_linked, a, 3000));
    assert_true(run_until(a->fixture, is_linked, b, 3000));
}

void send_number(struct node *node, const char *to, uint64_t number)
{
    struct buf payload = BUF_INIT;
    buf_put_u64(&payload, number);
    assert_true(net_send(node->net, to, 1, payload.data, payload.len));
    buf_close(&payload);
}

bool run_until(struct fixture *fixture, bool (*holds)(void *arg), void *arg, int timeout_ms)
{
    int64_t until = ms_now() + (int64_t)timeout_ms * PATIENCE;
    while (!holds(arg)) {
        if (ms_now() > until)
            return false;
        uv_run(&fixture->loop, UV_RUN_ONCE);
    }
    return true;
}

static bool never(void *arg)
{
    (void)arg;
    return false;
}

void run_for(struct fixture *fixture, int ms)
{
    run_until(fixture, never, NULL, ms);
}
