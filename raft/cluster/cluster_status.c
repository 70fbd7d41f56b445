/* SPDX-License-Identifier: Apache-2.0 */
/* What callers see of the loop's knowledge, and on_change. */
#include <string.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/format.h"
#include "raft/cluster/cluster_private.h"
#include "raft/driver/member.h"

static void copy_text(char *to, size_t size, const char *from)
{
    size_t len = strnlen(from, size - 1);
    memset(to, 0, size); /* all of it, so that two can be compared as memory */
    memcpy(to, from, len);
}

/* So many milliseconds ago; -1 for never. */
static int64_t age_of(uint64_t time)
{
    return time == 0 ? -1 : (int64_t)(cluster_now() - time);
}

static void find_leader(struct cluster *cluster, uint64_t leader, struct cluster_status *ret)
{
    const char *node_id = leader == 0 ? NULL : cluster_node_of(cluster, leader);
    if (node_id == NULL)
        return;
    copy_text(ret->leader_id, sizeof ret->leader_id, node_id);
    const struct cluster_peer *peer = cluster_peer_by_node(cluster, node_id);
    if (leader == cluster->id) {
        copy_text(ret->leader_api_addr, sizeof ret->leader_api_addr, cluster->api_addr);
        copy_text(ret->leader_cluster_addr, sizeof ret->leader_cluster_addr, cluster->cluster_addr);
    } else if (peer != NULL) {
        copy_text(ret->leader_api_addr, sizeof ret->leader_api_addr, peer->api_addr);
        copy_text(ret->leader_cluster_addr, sizeof ret->leader_cluster_addr, peer->addr);
    }
}

/* What it said of itself. */
static void describe_node(struct cluster *cluster, const struct raft_server *server, struct cluster_member *ret)
{
    const struct cluster_peer *peer = cluster_peer_by_node(cluster, ret->node_id);
    if (ret->self) {
        copy_text(ret->api_addr, sizeof ret->api_addr, cluster->api_addr);
        copy_text(ret->version, sizeof ret->version, COFFER_VERSION);
        ret->sealed = cluster->sealed;
        ret->sealed_for_ms = age_of(cluster->sealed_since);
        ret->non_leader = cluster->options.non_leader;
        ret->clock_skew_ms = cluster_clock_skew_ms(cluster);
    } else if (peer != NULL && peer->id == server->id) {
        copy_text(ret->api_addr, sizeof ret->api_addr, peer->api_addr);
        copy_text(ret->version, sizeof ret->version, peer->version);
        ret->sealed = peer->traits.sealed;
        ret->sealed_for_ms = age_of(peer->sealed_since);
        ret->non_leader = peer->traits.non_leader;
        if (peer->has_clock)
            ret->clock_skew_ms = (clock_boot_ns() + peer->clock_ns - cluster_time_ns(cluster)) / 1000000;
    }
}

/* What its leader knows of it. */
static void describe_progress(struct cluster *cluster, const struct raft_server *server, struct cluster_member *ret)
{
    ret->match_index = ret->self ? cluster->status.last_index : driver_match(cluster->driver, server->id);
    ret->match_term = driver_match_term(cluster->driver, server->id);
    ret->last_contact_ms = ret->self ? 0 : age_of(driver_heard(cluster->driver, server->id));
    ret->stable_for_ms = age_of(driver_stable_since(cluster->driver, server->id));
}

static void describe_member(struct cluster *cluster, const struct raft_server *server, bool leads, uint64_t leader,
                            struct cluster_member *ret)
{
    struct member member;
    *ret = (struct cluster_member){.voter = server->role == RAFT_VOTER,
                                   .leader = server->id == leader,
                                   .self = server->id == cluster->id,
                                   .sealed = true,
                                   .sealed_for_ms = -1,
                                   .last_contact_ms = -1,
                                   .stable_for_ms = -1};
    if (member_parse(server->address, &member) != OK)
        return;
    copy_text(ret->node_id, sizeof ret->node_id, member.node_id);
    copy_text(ret->cluster_addr, sizeof ret->cluster_addr, member.cluster_addr);
    ret->non_voter = member.non_voter;
    describe_node(cluster, server, ret);
    if (leads)
        describe_progress(cluster, server, ret);
}

static void publish_members(struct cluster *cluster, const struct driver_standing *standing)
{
    uint64_t index;
    const struct raft_configuration *members = driver_committed(cluster->driver, &index);
    for (unsigned i = 0; i < members->n; i++)
        describe_member(cluster, &members->servers[i], standing->role == CLUSTER_LEADER, standing->leader,
                        &cluster->members[i]);
    cluster->n_members = (int)members->n;
    cluster->members_index = index;
}

static bool same_standing(const struct cluster_status *a, const struct cluster_status *b)
{
    return a->role == b->role && a->epoch == b->epoch && a->knows_time == b->knows_time &&
           strcmp(a->leader_id, b->leader_id) == 0 && strcmp(a->leader_api_addr, b->leader_api_addr) == 0;
}

void cluster_publish_lead(struct cluster *cluster)
{
    if (cluster->driver != NULL)
        atomic_store(&cluster->lead_until, driver_lead_until(cluster->driver));
}

void cluster_publish(struct cluster *cluster)
{
    struct driver_standing standing;
    struct cluster_status next = {0};
    if (cluster->driver == NULL)
        return;
    driver_standing(cluster->driver, &standing);
    atomic_store(&cluster->format, driver_format(cluster->driver));
    next.role = standing.role;
    next.term = standing.term;
    next.epoch = standing.role == CLUSTER_LEADER ? standing.term : 0;
    next.commit_index = standing.commit;
    next.applied_index = standing.applied;
    next.last_index = standing.last;
    bool has_changed = cluster->standing_changed;
    cluster->standing_changed = false;
    if (has_changed) {
        cluster_time_settle(cluster);
        cluster_add_progress(cluster);
        cluster_peers_refresh(cluster);
        find_leader(cluster, standing.leader, &next);
    }
    next.knows_time = atomic_load(&cluster->time.is_known);
    pthread_mutex_lock(&cluster->lock);
    if (!has_changed) { /* the rest of it is as it was */
        memcpy(next.leader_id, cluster->status.leader_id, sizeof next.leader_id);
        memcpy(next.leader_api_addr, cluster->status.leader_api_addr, sizeof next.leader_api_addr);
        memcpy(next.leader_cluster_addr, cluster->status.leader_cluster_addr, sizeof next.leader_cluster_addr);
    }
    bool is_news = !same_standing(&next, &cluster->status);
    cluster->status = next;
    if (has_changed)
        publish_members(cluster, &standing);
    pthread_mutex_unlock(&cluster->lock);
    atomic_store(&cluster->lead_until, standing.lead_until);
    atomic_store(&cluster->lead_epoch, next.epoch);
    if (cluster->bootstrapping != NULL)
        cluster_bootstrap_progress(cluster);
    if (is_news && cluster->options.on_change != NULL)
        cluster->options.on_change(cluster->options.ctx, &next);
}

/* ---- For callers ---- */

void cluster_status(struct cluster *cluster, struct cluster_status *ret)
{
    pthread_mutex_lock(&cluster->lock);
    *ret = cluster->status;
    pthread_mutex_unlock(&cluster->lock);
}

int cluster_members(struct cluster *cluster, struct cluster_member ret[CLUSTER_MEMBERS_MAX], uint64_t *ret_index)
{
    pthread_mutex_lock(&cluster->lock);
    int n = cluster->n_members;
    memcpy(ret, cluster->members, (size_t)n * sizeof ret[0]);
    *ret_index = cluster->members_index;
    pthread_mutex_unlock(&cluster->lock);
    return n;
}

bool cluster_has_member(struct cluster *cluster, const char *node_id)
{
    bool is_found = false;
    pthread_mutex_lock(&cluster->lock);
    for (int i = 0; i < cluster->n_members && !is_found; i++)
        is_found = strcmp(cluster->members[i].node_id, node_id) == 0;
    pthread_mutex_unlock(&cluster->lock);
    return is_found;
}

bool cluster_leads(struct cluster *cluster, uint64_t epoch)
{
    if (failpoint("bug.read_without_leadership"))
        return epoch != 0;
    return epoch != 0 && atomic_load(&cluster->lead_epoch) == epoch &&
           cluster_now() < atomic_load(&cluster->lead_until);
}

int cluster_peek_members(const char *state_dir, struct cluster_member ret[CLUSTER_MEMBERS_MAX], int *ret_n,
                         struct err *err)
{
    struct store_position position;
    struct raft_configuration members;
    struct buf bytes = BUF_INIT;
    raft_configuration_init(&members);
    *ret_n = 0;
    int rc = store_peek(state_dir, &position, &bytes, err);
    if (rc == OK && bytes.len > 0 && configuration_decode(bytes.data, bytes.len, &members) != OK)
        rc = err_set(err, ERR_CORRUPT, "%s: the list of members is damaged", state_dir);
    for (unsigned i = 0; rc == OK && i < members.n; i++) {
        struct member member;
        if (member_parse(members.servers[i].address, &member) != OK)
            continue;
        struct cluster_member *out = &ret[(*ret_n)++];
        *out = (struct cluster_member){.voter = members.servers[i].role == RAFT_VOTER, .last_contact_ms = -1};
        copy_text(out->node_id, sizeof out->node_id, member.node_id);
        copy_text(out->cluster_addr, sizeof out->cluster_addr, member.cluster_addr);
    }
    raft_configuration_close(&members);
    buf_close(&bytes);
    return rc;
}

uint8_t cluster_format(struct cluster *cluster)
{
    uint8_t format = atomic_load(&cluster->format);
    return format != 0 ? format : FORMAT_FIRST;
}
