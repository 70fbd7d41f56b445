/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cluster_rig.h — a real cluster in one process: nodes with stores in a temporary directory, on loopback ports.
 */
#ifndef COFFER_TESTS_CLUSTER_RIG_H
#define COFFER_TESTS_CLUSTER_RIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "raft/cluster.h"

#define RIG_NODES 5

struct rig_node {
    char node_id[16], dir[256], addr[64], api_addr[64];
    struct store *store;
    struct cluster *cluster; /* NULL while it is down */
};

struct rig {
    char dir[192];
    struct rig_node nodes[RIG_NODES];
    struct buf ca;
    const char *authority; /* the same as a text, which several threads may read */
    int port;
};

/* Every call fails the test when it does not work. */
void rig_open(struct rig *rig);
void rig_close(struct rig *rig);
void rig_start(struct rig *rig, int i);
void rig_stop(struct rig *rig, int i);
/* Node 0 begins a cluster, the others up to n join it and become voters. */
void rig_form(struct rig *rig, int n);
void rig_bootstrap(struct rig *rig);
void rig_join(struct rig *rig, int i, bool non_voter);
/* Waits for a leader among the nodes that are up; returns which. */
int rig_leader(struct rig *rig);
uint64_t rig_epoch(struct rig *rig, int i);
void rig_wait_voters(struct rig *rig, int voters);
/* Puts a value of len bytes under a key made of number; waits. */
int rig_put(struct rig *rig, int i, uint64_t epoch, uint64_t number, size_t len, uint64_t *ret_index);
bool rig_has(struct rig *rig, int i, uint64_t number);
/* Waits until all that are up have applied as much as the leader, and compares their states. */
void rig_wait_equal(struct rig *rig);

#endif
