/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fixture.h — nodes with real sockets on loopback, all on one loop, for the tests of the network.
 */
#ifndef COFFER_TESTS_RAFT_NET_FIXTURE_H
#define COFFER_TESTS_RAFT_NET_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdatomic.h>
#include <uv.h>

#include "raft/identity/identity.h"
#include "raft/net/net.h"

#define PORT_A     21101
#define PORT_B     21102
#define PORT_C     21103
#define PORT_PROXY 21104
#define PORT_FAKE  21105

struct authority {
    struct buf pem;
};

struct fixture {
    uv_loop_t loop;
    uv_timer_t beat; /* so that the loop wakes and the waiting test looks */
    char dir[64];
    struct authority ours;
    struct authority other;
};

/* What a node has seen. */
struct node {
    struct fixture *fixture;
    struct net *net; /* NULL when it does not run */
    char id[64];
    int port;
    int links_up;
    int links_down;
    char heard_api_addr[264];
    /* Frames. Those of type 1 carry a number, which must be the next one. */
    uint64_t frames;
    uint64_t bytes;
    uint64_t next_number;
    bool disordered;
    uint32_t last_sum; /* of the last frame's payload */
    bool close_on_frame;
    /* Snapshots, from several threads. */
    size_t to_write; /* bytes that snapshot_write emits */
    size_t write_fails_at;
    size_t chunk_fails_at;
    int begin_rc;
    atomic_bool write_waits; /* snapshot_write stands still while it is set */
    atomic_bool writing;
    atomic_size_t snapshot_got; /* bytes */
    atomic_uint snapshot_sum;
    atomic_int begun, ended, end_rc;
    int sent, sent_rc; /* on the loop */
    bool closed;
};

/* cmocka's group set-up and tear-down: *state is a struct fixture with two authorities. */
int fixture_open(void **state);
int fixture_close(void **state);

/* Gives node_id an identity in ret_dir, signed by an authority for the name `named`. */
void identity_give(struct fixture *fixture, struct authority *authority, const char *node_id, const char *named,
                   char *ret_dir, size_t size);
/* An identity of our authority, and a network on 127.0.0.1:port. */
void node_start(struct fixture *fixture, struct node *node, const char *id, int port);
/* The same with an identity that is there, on an address of choice. */
void node_start_as(struct fixture *fixture, struct node *node, const char *id, int port, const char *dir,
                   const char *listen);
void node_stop(struct node *node);
/* The one peer, or two. */
void node_peer(struct node *node, const char *id, const char *addr);
void node_peers(struct node *node, const struct node *one, const struct node *two);
void link_nodes(struct node *a, struct node *b);
void send_number(struct node *node, const char *to, uint64_t number);

/* Runs the loop until the condition holds; false when it does not within the time, ten times as long under a sanitizer.
 */
bool run_until(struct fixture *fixture, bool (*holds)(void *arg), void *arg, int timeout_ms);
void run_for(struct fixture *fixture, int ms);
bool is_linked(void *node);

uint32_t sum_of(const void *data, size_t len, uint32_t sum);
/* Reproducible filler: the byte at an offset of what snapshot_write emits. */
void fill(unsigned char *data, size_t len, size_t offset);
int64_t ms_now(void);

#endif
