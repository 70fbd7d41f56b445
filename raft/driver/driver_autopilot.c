/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a leader does with the members by itself: it gives a vote to who has caught up, and takes out who is gone for
 * good. When it may do so says struct cluster_autopilot, with Vault's words.
 */
#include "base/log.h"
#include "raft/driver/driver_private.h"

#define CAUGHT_UP 16
/* Fewer voters than this bear no loss at all: they get another one as soon as there is one. */
#define SAFE_VOTERS 3

#define DAY_MS 86400000u

void cluster_autopilot_default(struct cluster_autopilot *ret)
{
    *ret = (struct cluster_autopilot){
        .last_contact_ms = 10000, .dead_after_ms = DAY_MS, .max_trailing_logs = 1000, .stabilization_ms = 10000};
}

void driver_set_autopilot(struct driver *driver, const struct cluster_autopilot *autopilot)
{
    driver->autopilot = *autopilot;
}

/* ---- Who is well ---- */

uint64_t driver_match_term(const struct driver *driver, uint64_t id)
{
    return tail_term(&driver->tail, id == driver->raft.id ? tail_last(&driver->tail) : driver_match(driver, id));
}

static bool is_well(const struct driver *driver, uint64_t id)
{
    uint64_t heard = driver_heard(driver, id), last = tail_last(&driver->tail);
    if (id == driver->raft.id)
        return true;
    return heard != 0 && driver_now(driver) - heard <= driver->autopilot.last_contact_ms &&
           driver_match_term(driver, id) == driver->raft.current_term &&
           driver_match(driver, id) + driver->autopilot.max_trailing_logs >= last;
}

static void watch(struct driver *driver)
{
    const struct raft_configuration *members = &driver->raft.configuration;
    for (unsigned i = 0; i < members->n; i++) {
        struct peer *peer = driver_peer(driver, members->servers[i].id);
        if (!is_well(driver, peer->id))
            peer->stable_since = 0;
        else if (peer->stable_since == 0)
            peer->stable_since = driver_now(driver);
    }
}

uint64_t driver_stable_since(const struct driver *driver, uint64_t id)
{
    for (unsigned i = 0; i < driver->n_peers; i++)
        if (driver->peers[i].id == id)
            return driver->peers[i].stable_since;
    return 0;
}

/* ---- Promotion ---- */

bool driver_is_ready(struct driver *driver, const struct raft_server *server)
{
    return driver_is_online(driver, server->id) &&
           driver_match(driver, server->id) + CAUGHT_UP >= tail_last(&driver->tail);
}

/* Long enough well that it will not cost the cluster its majority by leaving again soon. */
static bool is_stable(const struct driver *driver, uint64_t id)
{
    uint64_t since = driver_stable_since(driver, id);
    if (configuration_voters(&driver->raft.configuration) < SAFE_VOTERS)
        return true;
    return since != 0 && driver_now(driver) - since >= driver->autopilot.stabilization_ms;
}

static bool is_due(struct driver *driver, const struct raft_server *server)
{
    struct member member;
    return server->role == RAFT_STANDBY && member_parse(server->address, &member) == OK && !member.non_voter &&
           driver_is_ready(driver, server) && is_stable(driver, server->id);
}

static void promote(struct driver *driver)
{
    const struct raft_configuration *members = &driver->raft.configuration;
    char why[128] = "";
    for (unsigned i = 0; i < members->n; i++) {
        if (!is_due(driver, &members->servers[i]))
            continue;
        struct raft_configuration next;
        configuration_copy(members, &next);
        next.servers[i].role = RAFT_VOTER;
        if (driver_propose(driver, &next, why, sizeof why))
            log_info("raft", "member %s becomes a voter", next.servers[i].address);
        raft_configuration_close(&next);
        return; /* one at a time */
    }
}

/* ---- After a recovery ---- */

/* Who was not told of it, or has an older number of a member, learns it so. */
static void affirm(struct driver *driver)
{
    char why[128] = "";
    struct raft_configuration same;
    configuration_copy(&driver->raft.configuration, &same);
    driver->options.affirm_members = !driver_propose(driver, &same, why, sizeof why);
    raft_configuration_close(&same);
}

/* ---- Dead servers ---- */

/* Counted from when this node began to lead: before, it heard of most members by the leader only. */
static bool is_dead(const struct driver *driver, uint64_t id)
{
    uint64_t heard = driver_heard(driver, id);
    if (heard < driver->led_since)
        heard = driver->led_since;
    return id != driver->raft.id && driver_now(driver) - heard > driver->autopilot.dead_after_ms;
}

static void remove_dead(struct driver *driver)
{
    const struct raft_configuration *members = &driver->raft.configuration;
    bool may_lose_voter = configuration_voters(members) > driver->autopilot.min_quorum;
    for (unsigned i = 0; i < members->n; i++) {
        const struct raft_server *server = &members->servers[i];
        if (!is_dead(driver, server->id) || (server->role == RAFT_VOTER && !may_lose_voter))
            continue;
        log_warn("raft", "member %s was not heard for %llu s: it is taken out", server->address,
                 (unsigned long long)(driver->autopilot.dead_after_ms / 1000));
        (void)driver_remove_member(driver, server->id, NULL, NULL);
        return; /* one at a time */
    }
}

void driver_autopilot_tick(struct driver *driver)
{
    if (!driver_leads(driver))
        return;
    watch(driver);
    if (driver->change.stage != CHANGE_NONE)
        return;
    if (driver->options.affirm_members)
        affirm(driver);
    promote(driver);
    if (driver->autopilot.cleanup_dead_servers)
        remove_dead(driver);
}
