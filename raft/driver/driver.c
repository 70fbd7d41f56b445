/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/driver/driver.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "raft/driver/driver_private.h"

/* So many election timeouts a node that is not to lead leaves the election to the others, */
#define LAST_RESORT_TIMEOUTS 10
/* and so many one that can hardly write. */
#define CRAMPED_TIMEOUTS 4

/* ---- Little helpers ---- */

uint64_t driver_now(const struct driver *driver)
{
    return driver->ops->now(driver->ctx);
}

void driver_fatal(struct driver *driver, const char *fmt, ...)
{
    char why[256];
    va_list args;
    va_start(args, fmt);
    vsnprintf(why, sizeof why, fmt, args);
    va_end(args);
    driver->broken = true;
    driver->ops->fatal(driver->ctx, why);
}

void driver_vote(struct driver *driver)
{
    if (driver->ops->log_vote(driver->ctx, driver->raft.current_term, driver->raft.voted_for) != OK)
        driver_fatal(driver, "the vote cannot be written");
}

void driver_done(struct driver *driver, void *token, int rc, uint64_t index)
{
    if (token != NULL)
        driver->ops->done(driver->ctx, token, rc, index, NULL);
}

struct peer *driver_peer(struct driver *driver, uint64_t id)
{
    struct peer *free_one = NULL;
    for (unsigned i = 0; i < driver->n_peers; i++) {
        if (driver->peers[i].id == id)
            return &driver->peers[i];
        if (configuration_find(&driver->raft.configuration, driver->peers[i].id) == NULL)
            free_one = &driver->peers[i];
    }
    if (driver->n_peers < DRIVER_PEERS_MAX)
        free_one = &driver->peers[driver->n_peers++];
    assert(free_one != NULL); /* there are never more members than half of them */
    /* Until it says otherwise, a peer counts as sealed: leadership is not handed to the unknown. */
    *free_one = (struct peer){.id = id, .traits.sealed = true};
    return free_one;
}

struct entry *driver_entry(struct driver *driver, uint64_t index)
{
    const struct tail_slot *slot = tail_at(&driver->tail, index);
    if (slot != NULL && slot->entry != NULL)
        return entry_ref(slot->entry);
    struct entry *entry = slot == NULL ? NULL : driver->ops->log_read(driver->ctx, index);
    if (entry == NULL || entry->term != slot->term) {
        entry_unref(entry);
        driver_fatal(driver, "entry %llu of the log cannot be read", (unsigned long long)index);
        return NULL;
    }
    return entry;
}

bool driver_is_sole_voter(const struct driver *driver)
{
    const struct raft_server *self = configuration_find(&driver->raft.configuration, driver->raft.id);
    return self != NULL && self->role == RAFT_VOTER && configuration_voters(&driver->raft.configuration) == 1;
}

bool driver_leads(const struct driver *driver)
{
    return driver->raft.state == RAFT_LEADER && driver->term_start != 0 && driver->applied >= driver->term_start;
}

/* ---- Stopping ---- */

static void drain(struct driver *driver, struct fifo *fifo)
{
    for (struct submission *item; (item = fifo_front(fifo)) != NULL;) {
        void *token = item->token;
        fifo_pop(fifo);
        driver_done(driver, token, ERR_NOTLEADER, 0);
    }
    fifo_close(fifo);
}

void driver_stop(struct driver *driver)
{
    drain(driver, &driver->submissions);
    drain(driver, &driver->reads.next);
    drain(driver, &driver->reads.asking);
    drain(driver, &driver->reads.settled);
    driver_done(driver, driver->change.token, ERR_NOTLEADER, 0);
    driver_done(driver, driver->transfer.token, ERR_NOTLEADER, 0);
    if (driver->installing)
        raft_configuration_close(&driver->install.configuration);
    for (size_t i = 0; i < driver->batch_len; i++)
        entry_unref(driver->batch[i]);
    free(driver->batch);
    raft_close(&driver->raft, NULL);
    tail_close(&driver->tail);
    buf_close(&driver->scratch);
    free(driver);
}

/* ---- Time ---- */

/* How many of its timeouts this node leaves the election to others. */
static unsigned patience(const struct driver *driver)
{
    if (driver_is_sole_voter(driver))
        return 0;
    if (driver->options.non_leader)
        return LAST_RESORT_TIMEOUTS;
    return driver->cramped && driver->raft.state == RAFT_FOLLOWER ? CRAMPED_TIMEOUTS : 0;
}

/*
 * When this node may stand for election at the earliest. Who is not to lead waits until the others have had time to
 * elect one of them; then it stands all the same, for it may be the only one that has all of the log. Who cannot write
 * its log asks again later.
 */
static uint64_t stands_from(const struct driver *driver)
{
    uint64_t start = driver->raft.election_timer_start;
    uint64_t timeout = raft_timeout(&driver->raft) - start; /* drawn by lot, so that two do not stand in step */
    uint64_t late = patience(driver) > 0 ? start + patience(driver) * timeout : 0;
    if (driver->log_stuck && driver->raft.state == RAFT_FOLLOWER)
        late = driver_now(driver) + driver->options.heartbeat_ms;
    return late > driver->rests_until ? late : driver->rests_until;
}

bool driver_rests(const struct driver *driver)
{
    return driver->raft.state != RAFT_LEADER && driver_now(driver) < stands_from(driver);
}

uint64_t driver_deadline(const struct driver *driver)
{
    if (driver->raft.state == RAFT_LEADER)
        return driver->ticked + driver->options.heartbeat_ms;
    uint64_t due = raft_timeout(&driver->raft);
    if (due < stands_from(driver))
        due = stands_from(driver);
    if (driver->change.stage == CHANGE_LEAVING && due > driver->ticked + driver->options.heartbeat_ms)
        due = driver->ticked + driver->options.heartbeat_ms;
    /* A timer that lies in the past must not keep the loop from all else. */
    return due > driver->ticked ? due : driver->ticked + 1;
}

/* R5 at run time: the other voters were removed while this node followed one of them. */
static void take_own_term(struct driver *driver)
{
    struct raft *raft = &driver->raft;
    if (raft->state != RAFT_FOLLOWER || raft->snapshot.installing || raft->last_stored < tail_last(&driver->tail) ||
        driver_now(driver) < raft_timeout(raft))
        return;
    raft->current_term++;
    raft->voted_for = raft->id;
    driver_vote(driver);
}

void driver_timeout(struct driver *driver)
{
    driver->ticked = driver_now(driver);
    if (!driver_rests(driver)) {
        struct raft_event event = {.type = RAFT_TIMEOUT};
        if (driver_is_sole_voter(driver))
            take_own_term(driver);
        driver_step(driver, &event, NULL);
    }
    if (driver->raft.state == RAFT_LEADER) {
        driver_lead_tick(driver);
        driver_promise_ask(driver);
    }
    driver_members_tick(driver);
    driver_autopilot_tick(driver);
}

/* ---- Standing ---- */

static enum cluster_role role_of(const struct driver *driver)
{
    if (driver->raft.configuration.n == 0)
        return CLUSTER_OUTSIDE;
    if (driver_leads(driver))
        return CLUSTER_LEADER;
    return driver->raft.state == RAFT_FOLLOWER ? CLUSTER_FOLLOWER : CLUSTER_CANDIDATE;
}

void driver_standing(const struct driver *driver, struct driver_standing *ret)
{
    enum cluster_role role = role_of(driver);
    *ret = (struct driver_standing){
        .role = role,
        .term = driver->raft.current_term,
        .leader = driver->leader_before,
        .commit = driver->raft.commit_index,
        .applied = driver->applied,
        .last = tail_last(&driver->tail),
        .lead_until = driver_lead_until(driver),
    };
}

const struct raft_configuration *driver_configuration(const struct driver *driver)
{
    return &driver->raft.configuration;
}

const struct raft_configuration *driver_committed(const struct driver *driver, uint64_t *ret_index)
{
    *ret_index = driver->raft.configuration_committed_index;
    return &driver->raft.configuration_committed;
}

uint64_t driver_match(const struct driver *driver, uint64_t peer)
{
    raft_index match = 0;
    return raft_match_index(&driver->raft, peer, &match) == 0 ? match : 0;
}

uint64_t driver_heard(const struct driver *driver, uint64_t peer)
{
    for (unsigned i = 0; i < driver->n_peers; i++)
        if (driver->peers[i].id == peer)
            return driver->peers[i].heard;
    return 0;
}
