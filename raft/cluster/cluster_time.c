/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cluster_time.c — what time it is for the cluster (docs/decisions/0010-cluster-time.md).
 *
 * Time passes by each node's own steady clock, and is handed on: in the entries of the log, below which nobody's time
 * may be, and in the status that nodes tell each other. A node that has just started takes it from another. If none
 * knows it, because all were down, the next leader asks the members' wall clocks, and believes what a majority of the
 * voters say that it is at least: one clock that is wrong changes nothing.
 *
 * While a node leads, its time is brought nearer to those clocks, but by no more than one second in a thousand. So a
 * clock that is set moves no end noticeably, and what a machine lost while it stood still is made good.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "raft/cluster/cluster_private.h"
#include "raft/driver/member.h"

#define SLEW         1000 /* one in so many */
#define SKEW_TOLD_MS 5000 /* a wall clock that is off by more is spoken of */

/* ---- Reading it ---- */

int64_t cluster_time_ns(struct cluster *cluster)
{
    struct cluster_time *time = &cluster->time;
    if (failpoint("bug.time_of_the_wall_clock"))
        return clock_wall_ns();
    long long now = clock_boot_ns() + atomic_load(&time->offset_ns), last = atomic_load(&time->last_ns);
    while (now > last)
        if (atomic_compare_exchange_weak(&time->last_ns, &last, now))
            return now;
    return last;
}

int64_t cluster_clock_skew_ms(struct cluster *cluster)
{
    return atomic_load(&cluster->time.is_known) ? (clock_wall_ns() - cluster_time_ns(cluster)) / 1000000 : 0;
}

/* ---- Hearing it ---- */

static void raise_to(struct cluster *cluster, int64_t time_ns)
{
    long long wanted = time_ns - clock_boot_ns(), offset = atomic_load(&cluster->time.offset_ns);
    while (wanted > offset && !atomic_compare_exchange_weak(&cluster->time.offset_ns, &offset, wanted))
        ;
}

void cluster_time_applied(struct cluster *cluster, int64_t time_ms)
{
    if (time_ms > 0 && time_ms <= INT64_MAX / 2000000)
        raise_to(cluster, time_ms * 1000000);
}

static bool is_leader(const struct cluster *cluster, uint64_t id)
{
    struct driver_standing standing;
    driver_standing(cluster->driver, &standing);
    return standing.leader == id;
}

static void take_from(struct cluster *cluster, const struct cluster_peer *peer)
{
    raise_to(cluster, clock_boot_ns() + peer->time_ns);
    atomic_store(&cluster->time.is_known, true);
}

/* A leader is told nothing: its own time is the cluster's. */
void cluster_time_heard(struct cluster *cluster, const struct cluster_peer *peer)
{
    bool is_known = atomic_load(&cluster->time.is_known);
    if (peer->knows_time && peer->is_member && (!is_known || is_leader(cluster, peer->id)))
        take_from(cluster, peer);
}

/* ---- Finding it out ---- */

static int later_first(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return left < right ? 1 : left > right ? -1 : 0;
}

/* The voters' wall clocks as far as they are known; returns how many. */
static unsigned read_clocks(struct cluster *cluster, int64_t ret[CLUSTER_MEMBERS_MAX])
{
    const struct raft_configuration *members = driver_configuration(cluster->driver);
    unsigned n = 0;
    for (unsigned i = 0; i < members->n && n < CLUSTER_MEMBERS_MAX; i++) {
        struct member member;
        const struct raft_server *server = &members->servers[i];
        if (server->role != RAFT_VOTER || member_parse(server->address, &member) != OK)
            continue;
        const struct cluster_peer *peer = cluster_peer_by_node(cluster, member.node_id);
        if (server->id == cluster->id)
            ret[n++] = clock_wall_ns();
        else if (peer != NULL && peer->id == server->id && peer->has_clock)
            ret[n++] = clock_boot_ns() + peer->clock_ns;
    }
    return n;
}

/* What a majority of the voters say that it is at least. */
static bool majority_says(struct cluster *cluster, int64_t *ret_time_ns)
{
    int64_t clocks[CLUSTER_MEMBERS_MAX];
    unsigned majority = configuration_voters(driver_configuration(cluster->driver)) / 2 + 1;
    unsigned n = read_clocks(cluster, clocks);
    if (n < majority)
        return false;
    qsort(clocks, n, sizeof clocks[0], later_first);
    *ret_time_ns = clocks[majority - 1];
    return true;
}

static bool leads(const struct cluster *cluster)
{
    struct driver_standing standing;
    driver_standing(cluster->driver, &standing);
    return standing.role == CLUSTER_LEADER;
}

/* A node that has just joined may have heard the others before it knew that they are members. */
static void ask_members(struct cluster *cluster)
{
    for (unsigned i = 0; i < cluster->n_peers; i++)
        if (!atomic_load(&cluster->time.is_known))
            cluster_time_heard(cluster, &cluster->peers[i]);
}

void cluster_time_settle(struct cluster *cluster)
{
    int64_t time_ns;
    ask_members(cluster);
    if (atomic_load(&cluster->time.is_known) || !leads(cluster) || !majority_says(cluster, &time_ns))
        return;
    int64_t before_ns = cluster_time_ns(cluster);
    raise_to(cluster, time_ns);
    atomic_store(&cluster->time.is_known, true);
    if (before_ns > time_ns)
        log_warn("raft", "the log is %" PRId64 " s ahead of the members' clocks; time goes on from there",
                 (before_ns - time_ns) / 1000000000);
    else
        log_info("raft", "nobody knew the time; the members' clocks say that %" PRId64 " s have passed",
                 (time_ns - before_ns) / 1000000000);
}

/* ---- As time goes by ---- */

static void come_nearer(struct cluster *cluster)
{
    struct cluster_time *time = &cluster->time;
    int64_t now_ns = clock_boot_ns(), limit_ns = (now_ns - time->adjusted_ns) / SLEW, clocks_ns;
    bool was_leading = time->adjusted_ns != 0, is_leading = leads(cluster) && atomic_load(&time->is_known);
    time->adjusted_ns = is_leading ? now_ns : 0;
    if (!was_leading || !is_leading || !majority_says(cluster, &clocks_ns))
        return;
    int64_t step_ns = clocks_ns - (now_ns + atomic_load(&time->offset_ns));
    if (step_ns > limit_ns)
        step_ns = limit_ns;
    if (step_ns < -limit_ns)
        step_ns = -limit_ns;
    atomic_fetch_add(&time->offset_ns, step_ns);
}

static void tell_skew(struct cluster *cluster)
{
    int64_t skew_ms = cluster_clock_skew_ms(cluster);
    bool is_skewed = llabs(skew_ms) > SKEW_TOLD_MS;
    if (!atomic_load(&cluster->time.is_known) || is_skewed == cluster->time.is_skewed)
        return;
    cluster->time.is_skewed = is_skewed;
    if (is_skewed)
        log_warn("raft",
                 "the wall clock of this node is %lld s %s the cluster's time. Leases and tokens end by the latter; "
                 "check the time service of this machine and of the others",
                 llabs(skew_ms) / 1000, skew_ms > 0 ? "ahead of" : "behind");
    else
        log_info("raft", "the wall clock of this node agrees with the cluster's time again");
}

void cluster_time_tick(struct cluster *cluster)
{
    if (cluster->driver == NULL)
        return;
    cluster_time_settle(cluster);
    come_nearer(cluster);
    tell_skew(cluster);
}
