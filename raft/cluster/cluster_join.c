/* SPDX-License-Identifier: Apache-2.0 */
/* Beginning a cluster, joining one, and its members coming and going. */
#include <stdlib.h>
#include <string.h>

#include "raft/cluster/cluster_private.h"
#include "raft/identity/identity.h"
#include "raft/driver/member.h"

#define ADD_TIMEOUT_MS 10000

static struct call *call_of(struct task *task)
{
    return (struct call *)task;
}

static void copy_text(char *to, size_t size, const char *from)
{
    memcpy(to, from, strnlen(from, size - 1));
}

/* ---- Beginning ---- */

/* The log's first entry: the members, of which there is one. */
static int write_first_entry(struct cluster *cluster, struct err *err)
{
    struct raft_configuration members;
    struct member member;
    char address[MEMBER_ADDRESS_MAX];
    int rc = member_make(cluster->node_id, cluster->cluster_addr, false, &member, err);
    if (rc != OK)
        return rc;
    member_format(&member, address);
    raft_configuration_init(&members);
    if (raft_configuration_add(&members, cluster->id, address, RAFT_VOTER) != 0)
        abort();
    struct entry *entry = configuration_entry(&members);
    raft_configuration_close(&members);
    entry->index = entry->term = 1;
    struct journal_op op = {.kind = JOURNAL_APPEND, .entries = &entry, .n = 1};
    rc = journal_set_vote(cluster->journal, 1, 0);
    if (rc == OK)
        rc = journal_write(cluster->journal, &op, 1, err);
    entry_unref(entry);
    return rc;
}

static bool is_alone(struct cluster *cluster)
{
    const struct raft_configuration *members = driver_configuration(cluster->driver);
    return members->n == 1 && members->servers[0].id == cluster->id;
}

static int begin_log(struct cluster *cluster, struct err *err)
{
    uint64_t first, next;
    journal_bounds(cluster->journal, &first, &next);
    /* One that ended before it was of use may be begun again: nobody else has a part in it. */
    if (is_alone(cluster))
        return OK;
    if (driver_configuration(cluster->driver)->n > 0 || next > 1)
        return err_set(err, ERR_EXISTS, "this node is a member of a cluster already");
    int rc = write_first_entry(cluster, err);
    if (rc != OK)
        return rc;
    driver_stop(cluster->driver);
    cluster->driver = NULL;
    return cluster_start_driver(cluster, err);
}

static void run_bootstrap(struct cluster *cluster, struct task *task)
{
    struct call *call = call_of(task);
    int rc = cluster->driver == NULL || cluster->bootstrapping != NULL ? ERR_BUSY : begin_log(cluster, &call->err);
    if (rc != OK) {
        if (cluster->driver == NULL && !cluster->closing)
            cluster_die("the new log cannot be taken up: %s", err_text(&call->err));
        call_finish(call, rc, 0);
        return;
    }
    cluster->standing_changed = true;
    cluster->bootstrapping = call;
}

void cluster_bootstrap_progress(struct cluster *cluster)
{
    struct call *call = cluster->bootstrapping;
    if (cluster->status.role != CLUSTER_LEADER)
        return;
    cluster->bootstrapping = NULL;
    call_finish(call, OK, 0);
}

static void run_reopen(struct cluster *cluster, struct task *task)
{
    if (cluster->closing || cluster->reopen != NULL)
        call_finish(call_of(task), ERR_BUSY, 0);
    else
        cluster_reopen_net(cluster, call_of(task));
}

static int reopen(struct cluster *cluster, struct err *err)
{
    return call_wait(call_new(cluster, run_reopen), CLUSTER_WAIT_MS, err);
}

static int make_identity(struct cluster *cluster, const char *ca, struct err *err)
{
    struct buf csr = BUF_INIT, certificate = BUF_INIT, ca_certificate = BUF_INIT;
    int rc = identity_request(cluster->raft_dir, cluster->node_id, &csr, err);
    if (rc == OK)
        rc = identity_sign(ca, buf_str(&csr), cluster->node_id, &certificate, &ca_certificate, err);
    if (rc == OK)
        rc = identity_accept(cluster->raft_dir, cluster->node_id, buf_str(&certificate), buf_str(&ca_certificate), NULL,
                             err);
    buf_close(&csr);
    buf_close(&certificate);
    buf_close(&ca_certificate);
    return rc;
}

int cluster_bootstrap(struct cluster *cluster, struct buf *ret_ca, struct err *err)
{
    struct buf ca = BUF_INIT;
    int rc = call_wait(call_new(cluster, run_bootstrap), CLUSTER_WAIT_MS, err);
    if (rc == OK)
        rc = identity_new_authority(&ca, err);
    if (rc == OK)
        rc = make_identity(cluster, buf_str(&ca), err);
    if (rc == OK)
        rc = reopen(cluster, err);
    if (rc == OK)
        buf_put(ret_ca, ca.data, ca.len);
    buf_close(&ca);
    return rc;
}

/* ---- Joining ---- */

int cluster_join_request(struct cluster *cluster, struct buf *ret_csr, struct err *err)
{
    struct cluster_status status;
    cluster_status(cluster, &status);
    if (status.role != CLUSTER_OUTSIDE)
        return err_set(err, ERR_EXISTS, "this node is a member of a cluster already");
    return identity_request(cluster->raft_dir, cluster->node_id, ret_csr, err);
}

int cluster_join_accept(struct cluster *cluster, const char *certificate, const char *ca, const char *trusted,
                        struct err *err)
{
    int rc = identity_accept(cluster->raft_dir, cluster->node_id, certificate, ca, trusted, err);
    return rc == OK ? reopen(cluster, err) : rc;
}

int cluster_sign(const char *ca, const char *csr, const char *node_id, struct buf *ret_certificate,
                 struct buf *ret_ca_certificate, struct err *err)
{
    return identity_sign(ca, csr, node_id, ret_certificate, ret_ca_certificate, err);
}

int cluster_trusted(struct cluster *cluster, struct buf *ret_authorities, struct err *err)
{
    return identity_authorities(cluster->raft_dir, ret_authorities, err);
}

/* The loop's contexts learn of what is in the files. */
static void run_trust(struct cluster *cluster, struct task *task)
{
    struct call *call = call_of(task);
    int rc = cluster->net == NULL ? OK : net_trust(cluster->net, cluster->raft_dir, &call->err);
    call_finish(call, rc, 0);
}

static int trust_besides(struct cluster *cluster, const char *ca, bool *ret_is_new, struct err *err)
{
    int rc = identity_trust(cluster->raft_dir, ca, ret_is_new, err);
    return rc == OK ? call_wait(call_new(cluster, run_trust), CLUSTER_WAIT_MS, err) : rc;
}

static int take_authority(struct cluster *cluster, const char *ca, struct err *err)
{
    int rc = make_identity(cluster, ca, err);
    return rc == OK ? reopen(cluster, err) : rc;
}

int cluster_trust(struct cluster *cluster, const char *ca, bool *ret_is_new, struct err *err)
{
    struct cluster_member members[CLUSTER_MEMBERS_MAX];
    uint64_t index;
    bool is_alone = cluster_members(cluster, members, &index) == 1;
    *ret_is_new = is_alone ? !identity_is_of(cluster->raft_dir, ca) : !identity_trusts(cluster->raft_dir, ca);
    if (!*ret_is_new)
        return OK;
    return is_alone ? take_authority(cluster, ca, err) : trust_besides(cluster, ca, ret_is_new, err);
}

/* ---- Members: who is to be added must answer first, and so says which number it bears ---- */

int cluster_check_reader(struct cluster *cluster, uint8_t format, struct err *err)
{
    struct store_position position;
    store_position(cluster->options.store, &position, NULL);
    if (format >= position.format && format >= cluster_format(cluster))
        return OK;
    return err_set(err, ERR_INVALID,
                   "the version of Coffer on that node cannot read what this cluster writes: start a newer one there");
}

static void add_now(struct cluster *cluster, struct cluster_peer *peer)
{
    struct call *call = peer->adding;
    struct member member;
    peer->adding = NULL;
    int rc = member_make(peer->node_id, call->addr, call->flag, &member, &call->err);
    if (rc == OK)
        rc = cluster_check_reader(cluster, peer->traits.format, &call->err);
    if (rc == OK)
        rc = driver_add_member(cluster->driver, peer->id, &member, call, &call->err);
    if (rc == ERR_BUSY)
        peer->adding = call; /* its turn comes */
    else if (rc != OK)
        call_finish(call, rc, 0);
}

void cluster_add_heard(struct cluster *cluster, struct cluster_peer *peer)
{
    peer->answered = true;
    if (peer->adding != NULL)
        add_now(cluster, peer);
}

void cluster_add_progress(struct cluster *cluster)
{
    for (unsigned i = 0; i < cluster->n_peers; i++)
        if (cluster->peers[i].adding != NULL && cluster->peers[i].answered)
            add_now(cluster, &cluster->peers[i]);
}

void cluster_add_tick(struct cluster *cluster)
{
    for (unsigned i = 0; i < cluster->n_peers; i++) {
        struct call *call = cluster->peers[i].adding;
        if (call == NULL || cluster_now() < call->deadline)
            continue;
        cluster->peers[i].adding = NULL;
        if (call->err.code == OK)
            err_set(&call->err, ERR_TIMEOUT, "the node does not answer at %s", call->addr);
        call_finish(call, ERR_TIMEOUT, 0);
    }
}

static int begin_add(struct cluster *cluster, struct call *call)
{
    struct driver_standing standing;
    struct member member;
    if (cluster->driver == NULL)
        return ERR_NOTLEADER;
    driver_standing(cluster->driver, &standing);
    if (standing.role != CLUSTER_LEADER)
        return err_set(&call->err, ERR_NOTLEADER, "this node does not lead");
    int rc = member_make(call->node_id, call->addr, call->flag, &member, &call->err);
    if (rc != OK)
        return rc;
    if (strcmp(call->node_id, cluster->node_id) == 0)
        return err_set(&call->err, ERR_INVALID, "this node leads: it cannot be added");
    struct cluster_peer *peer = cluster_peer_make(cluster, call->node_id);
    if (peer == NULL || peer->adding != NULL)
        return err_set(&call->err, ERR_BUSY, "this member is being added already");
    memcpy(peer->addr, call->addr, sizeof peer->addr);
    peer->heard = cluster_now();
    peer->answered = false;
    call->deadline = cluster_now() + ADD_TIMEOUT_MS;
    peer->adding = call; /* answered when its next status comes */
    cluster_peers_dial(cluster);
    return OK;
}

static void run_add(struct cluster *cluster, struct task *task)
{
    struct call *call = call_of(task);
    int rc = begin_add(cluster, call);
    if (rc != OK)
        call_finish(call, rc, 0);
}

int cluster_add_member(struct cluster *cluster, const char *node_id, const char *cluster_addr, bool non_voter,
                       struct err *err)
{
    struct call *call = call_new(cluster, run_add);
    copy_text(call->node_id, sizeof call->node_id, node_id);
    copy_text(call->addr, sizeof call->addr, cluster_addr);
    call->flag = non_voter;
    return call_wait(call, 2 * CLUSTER_WAIT_MS, err);
}

/* The number of the member that a call names; 0 when there is none. */
static uint64_t number_of(struct cluster *cluster, const struct call *call)
{
    const struct raft_server *server =
        cluster->driver == NULL ? NULL : configuration_find_node(driver_configuration(cluster->driver), call->node_id);
    return server == NULL ? 0 : server->id;
}

static void run_remove(struct cluster *cluster, struct task *task)
{
    struct call *call = call_of(task);
    int rc = cluster->driver == NULL
                 ? ERR_NOTLEADER
                 : driver_remove_member(cluster->driver, number_of(cluster, call), call, &call->err);
    if (rc != OK)
        call_finish(call, rc, 0);
}

int cluster_remove_member(struct cluster *cluster, const char *node_id, struct err *err)
{
    struct call *call = call_new(cluster, run_remove);
    copy_text(call->node_id, sizeof call->node_id, node_id);
    return call_wait(call, CLUSTER_WAIT_MS, err);
}

static void run_set_voter(struct cluster *cluster, struct task *task)
{
    struct call *call = call_of(task);
    int rc = cluster->driver == NULL
                 ? ERR_NOTLEADER
                 : driver_set_voter(cluster->driver, number_of(cluster, call), call->flag, call, &call->err);
    if (rc != OK)
        call_finish(call, rc, 0);
}

int cluster_set_voter(struct cluster *cluster, const char *node_id, bool is_voter, struct err *err)
{
    struct call *call = call_new(cluster, run_set_voter);
    copy_text(call->node_id, sizeof call->node_id, node_id);
    call->flag = is_voter;
    return call_wait(call, CLUSTER_WAIT_MS, err);
}
