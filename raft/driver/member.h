/* SPDX-License-Identifier: Apache-2.0 */
/*
 * member.h — members of the cluster, and libraft's configurations, which list them.
 *
 * libraft knows a server by a number and an opaque address. The number is drawn by lot when a node gets its disk: a
 * node that lost its disk is another server, though it bears the same node id. (If it were the same, it would get from
 * the others a log that begins with the days in which it voted, and could elect itself by those.) The address carries
 * what we need to know of a member: "<node id> <cluster address>", and " nonvoter" behind it for one that is never to
 * vote. A configuration's bytes come from peers and from the disk: libraft's own decoder trusts them, so every one is
 * checked here first.
 */
#ifndef COFFER_RAFT_MEMBER_H
#define COFFER_RAFT_MEMBER_H

#include <raft.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "raft/cluster.h"
#include "raft/driver/entry.h"

#define MEMBER_ADDRESS_MAX (CLUSTER_NODE_ID_MAX + CLUSTER_ADDR_MAX + 16)

struct member {
    char node_id[CLUSTER_NODE_ID_MAX];
    char cluster_addr[CLUSTER_ADDR_MAX];
    bool non_voter;
};

/* ERR_INVALID when the node id or the address has another form than it must. */
int member_make(const char *node_id, const char *cluster_addr, bool non_voter, struct member *ret,
                struct err *err) MUST_CHECK;
void member_format(const struct member *member, char ret[MEMBER_ADDRESS_MAX]);
int member_parse(const char *address, struct member *ret) MUST_CHECK;

/* Decodes hostile bytes; at most CLUSTER_MEMBERS_MAX members, each once. ERR_CORRUPT. The caller closes it. */
int configuration_decode(const void *data, size_t len, struct raft_configuration *ret) MUST_CHECK;
/* A new entry (no index yet) that holds the configuration. */
struct entry *configuration_entry(const struct raft_configuration *configuration);
void configuration_copy(const struct raft_configuration *from, struct raft_configuration *ret);
/* Closes it and leaves it empty. */
void configuration_clear(struct raft_configuration *configuration);
/* The server with this id, or NULL. */
struct raft_server *configuration_find(const struct raft_configuration *configuration, uint64_t id);
/* The server of a node, or NULL. */
struct raft_server *configuration_find_node(const struct raft_configuration *configuration, const char *node_id);
/* Gives a server another address. */
void configuration_readdress(struct raft_server *server, const char *address);
unsigned configuration_voters(const struct raft_configuration *configuration);

#endif
