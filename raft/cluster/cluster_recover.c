/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is left of a cluster goes on without those that are lost for good: <dir>/raft/peers.json, in the form that Vault
 * and OpenBao have: [{"id": "node1", "address": "host:8201", "non_voter": false}, …].
 *
 * The list takes the place of every list of members that is on this node's disk, in the log and in the state; no entry
 * is added, none is lost. So if several nodes are left, the one with the most of the log still wins their election.
 * The file is removed at the end: a crash before that has it done again, with the same result.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "raft/cluster/cluster_private.h"
#include "raft/driver/member.h"

#define PEERS_FILE     "peers.json"
#define PEERS_FILE_MAX 65536

/* ---- What was known: a member's number, by its node id ---- */

/* The newest list on the disk that names the node. */
static uint64_t number_in(const void *list, size_t len, const char *node_id)
{
    struct raft_configuration members;
    uint64_t number = 0;
    if (configuration_decode(list, len, &members) != OK)
        return 0;
    const struct raft_server *server = configuration_find_node(&members, node_id);
    if (server != NULL)
        number = server->id;
    raft_configuration_close(&members);
    return number;
}

static uint64_t find_number(struct cluster *cluster, const char *node_id)
{
    struct store_position position;
    struct buf members = BUF_INIT;
    uint64_t first, next, number = 0;
    if (strcmp(node_id, cluster->node_id) == 0)
        return cluster->id;
    journal_bounds(cluster->journal, &first, &next);
    while (number == 0 && next-- > first) {
        struct entry *entry = journal_read(cluster->journal, next);
        if (entry != NULL && entry->type == ENTRY_CONFIGURATION)
            number = number_in(entry->data, entry->len, node_id);
        entry_unref(entry);
    }
    store_position(cluster->options.store, &position, &members);
    if (number == 0)
        number = number_in(members.data, members.len, node_id);
    buf_close(&members);
    return number;
}

/* ---- The file ---- */

static int add_peer(struct cluster *cluster, const json_t *peer, struct raft_configuration *members, struct err *err)
{
    struct member member;
    char address[MEMBER_ADDRESS_MAX];
    const char *node_id = json_str(peer, "id", "");
    bool non_voter = json_flag(peer, "non_voter", false);
    int rc = member_make(node_id, json_str(peer, "address", ""), non_voter, &member, err);
    if (rc != OK)
        return rc;
    uint64_t number = find_number(cluster, node_id);
    if (number == 0)
        return err_set(err, ERR_INVALID,
                       "%s was no member as far as this node knows: leave it out, and let it join afterwards", node_id);
    if (members->n >= CLUSTER_MEMBERS_MAX)
        return err_set(err, ERR_INVALID, "more than %d nodes", CLUSTER_MEMBERS_MAX);
    member_format(&member, address);
    if (raft_configuration_add(members, number, address, non_voter ? RAFT_STANDBY : RAFT_VOTER) != 0)
        return err_set(err, ERR_INVALID, "%s, or its address, stands there twice", node_id);
    return OK;
}

static int read_peers(struct cluster *cluster, const char *path, struct raft_configuration *members, struct err *err)
{
    struct buf text = BUF_INIT;
    json_t *peers = NULL, *peer;
    size_t i;
    int rc = file_read(path, PEERS_FILE_MAX, &text, err);
    if (rc == OK)
        rc = json_parse((const char *)text.data, text.len, &peers, err);
    buf_close(&text);
    if (rc == OK && !json_is_array(peers))
        rc = err_set(err, ERR_INVALID, "it must be an array of objects with id, address and non_voter");
    for (i = 0; rc == OK && i < json_array_size(peers); i++) {
        peer = json_array_get(peers, i);
        rc = add_peer(cluster, peer, members, err);
    }
    json_decref(peers);
    if (rc == OK && configuration_find_node(members, cluster->node_id) == NULL)
        rc = err_set(err, ERR_INVALID, "this node, %s, is not in it", cluster->node_id);
    if (rc == OK && configuration_voters(members) == 0)
        rc = err_set(err, ERR_INVALID, "it names no voter");
    return rc;
}

/* ---- The disk ---- */

/* The log from its first list of members on, with every list replaced. */
static int rewrite_log(struct cluster *cluster, const struct entry *list, struct err *err)
{
    uint64_t first, next;
    size_t n = 0;
    int rc = OK;
    journal_bounds(cluster->journal, &first, &next);
    struct entry **entries = calloc(next - first + 1, sizeof *entries);
    if (entries == NULL)
        abort();
    for (uint64_t index = first; index < next && rc == OK; index++) {
        struct entry *entry = journal_read(cluster->journal, index);
        if (entry == NULL) {
            rc = err_set(err, ERR_CORRUPT, "the log cannot be read at %llu", (unsigned long long)index);
        } else if (entry->type == ENTRY_CONFIGURATION) {
            entries[n++] = entry_new(index, entry->term, ENTRY_CONFIGURATION, list->data, list->len);
            entry_unref(entry);
        } else if (n > 0) {
            entries[n++] = entry;
        } else {
            entry_unref(entry);
        }
    }
    struct journal_op op = {.kind = JOURNAL_APPEND, .entries = entries, .n = n};
    if (rc == OK && n > 0)
        rc = journal_write(cluster->journal, &op, 1, err);
    for (size_t i = 0; i < n; i++)
        entry_unref(entries[i]);
    free(entries);
    return rc;
}

static int replace_members(struct cluster *cluster, const struct raft_configuration *members, struct err *err)
{
    struct entry *list = configuration_entry(members);
    int rc = rewrite_log(cluster, list, err);
    if (rc == OK)
        rc = store_replace_configuration(cluster->options.store, list->data, list->len, err);
    entry_unref(list);
    return rc;
}

static void report(struct cluster *cluster, const struct raft_configuration *members)
{
    uint64_t first, next;
    journal_bounds(cluster->journal, &first, &next);
    for (unsigned i = 0; i < members->n; i++)
        log_warn("raft", "recovered by %s: member %s", PEERS_FILE, members->servers[i].address);
    log_warn("raft", "recovered by %s: the log of this node ends at entry %llu", PEERS_FILE,
             (unsigned long long)next - 1);
}

int cluster_recover(struct cluster *cluster, struct err *err)
{
    char path[sizeof cluster->raft_dir + sizeof PEERS_FILE + 1];
    struct raft_configuration members;
    snprintf(path, sizeof path, "%s/%s", cluster->raft_dir, PEERS_FILE);
    if (!file_exists(path))
        return OK;
    raft_configuration_init(&members);
    int rc = read_peers(cluster, path, &members, err);
    if (rc == OK)
        rc = replace_members(cluster, &members, err);
    if (rc == OK) {
        report(cluster, &members);
        cluster->is_recovered = true;
        unlink(path);
    } else {
        err_wrap(err, "%s", path);
    }
    raft_configuration_close(&members);
    return rc;
}
