/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes of the members, one at a time.
 *
 * A new member is first a standby, which gets the log but has no vote, and becomes a voter as soon as it has nearly
 * all of the log. A node that comes again with a new disk is a new server (member.h): the old one is taken out first.
 */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "raft/driver_private.h"

#define CHANGE_TIMEOUT_MS 10000
#define CAUGHT_UP         16

static void finish(struct driver *driver, int rc)
{
    struct change change = driver->change;
    driver->change = (struct change){0};
    if (change.asker != 0 && rc == OK)
        driver->ops->send(driver->ctx, change.asker, FRAME_LEFT, NULL, 0);
    driver_done(driver, change.token, rc, change.index);
}

/* ---- The rules ---- */

static bool same_voters(const struct raft_configuration *a, const struct raft_configuration *b)
{
    for (unsigned i = 0; i < a->n; i++) {
        const struct raft_server *other = configuration_find(b, a->servers[i].id);
        if (a->servers[i].role == RAFT_VOTER && (other == NULL || other->role != RAFT_VOTER))
            return false;
    }
    return configuration_voters(a) == configuration_voters(b);
}

/*
 * R1a: one change at a time is safe only if a leader first commits an entry of its term; else two leaders in turn can
 * each leave behind a change of which the other knows nothing.
 * R1b: a server that does not know yet that it is a voter refuses its vote, which can leave no majority for ever. So
 * all who will vote must be there and know the members as last committed.
 */
static bool may_change(struct driver *driver, const struct raft_configuration *next)
{
    const struct raft *raft = &driver->raft;
    if (raft->state != RAFT_LEADER || raft->configuration_uncommitted_index != 0 || raft_transferee(raft) != 0)
        return false;
    if (KEEPS_RULE(driver, RULE_R1A) && (driver->term_start == 0 || raft->commit_index < driver->term_start))
        return false;
    if (!KEEPS_RULE(driver, RULE_R1B) || same_voters(&raft->configuration, next))
        return true;
    for (unsigned i = 0; i < next->n; i++) {
        uint64_t id = next->servers[i].id;
        if (next->servers[i].role == RAFT_VOTER && id != raft->id &&
            (!driver_is_online(driver, id) || driver_match(driver, id) < raft->configuration_committed_index))
            return false;
    }
    return true;
}

/* Proposes the members. False when it cannot be now. */
static bool propose(struct driver *driver, const struct raft_configuration *next)
{
    if (!may_change(driver, next))
        return false;
    struct entry *entry = configuration_entry(next);
    int rv = driver_append(driver, entry);
    entry_unref(entry);
    return rv == 0;
}

static void without(const struct raft_configuration *from, uint64_t id, struct raft_configuration *ret)
{
    raft_configuration_init(ret);
    for (unsigned i = 0; i < from->n; i++)
        if (from->servers[i].id != id)
            (void)raft_configuration_add(ret, from->servers[i].id, from->servers[i].address, from->servers[i].role);
}

/* ---- One change ---- */

/* The members as they are to be. False when the change cannot be made at all. */
static bool next_members(struct driver *driver, struct raft_configuration *ret)
{
    const struct change *change = &driver->change;
    const struct raft_configuration *members = &driver->raft.configuration;
    if (change->stage == CHANGE_REMOVING) {
        without(members, change->member, ret);
        return ret->n > 0;
    }
    configuration_copy(members, ret);
    struct raft_server *known = configuration_find(ret, change->member);
    if (known == NULL)
        return raft_configuration_add(ret, change->member, change->address, RAFT_STANDBY) == 0;
    configuration_readdress(known, change->address); /* it has moved */
    if (change->non_voter)
        known->role = RAFT_STANDBY;
    return true;
}

static void propose_change(struct driver *driver)
{
    struct change *change = &driver->change;
    struct raft_configuration next;
    uint64_t index = tail_last(&driver->tail) + 1;
    enum change_stage stage = change->stage;
    bool is_possible = next_members(driver, &next);
    bool is_proposed = is_possible && propose(driver, &next);
    raft_configuration_close(&next);
    if (!is_possible)
        finish(driver, ERR_INVALID);
    else if (is_proposed && change->stage == stage && change->index == 0) /* still the same: nobody gave it up amid */
        change->index = index;
}

void driver_members_progress(struct driver *driver)
{
    struct change *change = &driver->change;
    if ((change->stage != CHANGE_REMOVING && change->stage != CHANGE_ADDING) || change->index == 0 ||
        driver->configured < change->index)
        return;
    if (change->stage == CHANGE_REMOVING && change->add_after != 0) {
        change->stage = CHANGE_ADDING;
        change->member = change->add_after;
        change->add_after = 0;
        change->index = 0;
        change->deadline = driver_now(driver) + CHANGE_TIMEOUT_MS;
        return; /* proposed by the next tick: this may be called amid a step */
    }
    finish(driver, OK);
}

static int begin(struct driver *driver, struct change change, struct err *err)
{
    if (driver->change.stage != CHANGE_NONE)
        return err_set(err, ERR_BUSY, "another change of the members is under way");
    change.deadline = driver_now(driver) + CHANGE_TIMEOUT_MS;
    driver->change = change;
    propose_change(driver); /* or a later tick does, when a new voter is on its way, say */
    return OK;
}

static int leads_at_all(struct driver *driver, struct err *err)
{
    bool leads = KEEPS_RULE(driver, RULE_R1A) ? driver_leads(driver) : driver->raft.state == RAFT_LEADER;
    if (driver->broken || !leads)
        return err_set(err, ERR_NOTLEADER, "this node does not lead");
    return OK;
}

int driver_add_member(struct driver *driver, uint64_t id, const char *node_id, const char *cluster_addr, bool non_voter,
                      void *token, struct err *err)
{
    struct change change = {.stage = CHANGE_ADDING, .member = id, .non_voter = non_voter, .token = token};
    const struct raft_configuration *members = &driver->raft.configuration;
    int rc = leads_at_all(driver, err);
    if (rc == OK)
        rc = member_format(node_id, cluster_addr, non_voter, change.address, err);
    if (rc != OK)
        return rc;
    const struct raft_server *known = configuration_find_node(members, node_id);
    const struct raft_server *same = configuration_find(members, id);
    if (id == driver->raft.id || (same != NULL && same != known))
        return err_set(err, ERR_INVALID, "another member has this number");
    if (known != NULL && known->role == RAFT_VOTER && configuration_voters(members) == 1)
        return err_set(err, ERR_INVALID, "the last voter cannot be replaced");
    if (known == NULL && members->n >= CLUSTER_MEMBERS_MAX)
        return err_set(err, ERR_INVALID, "a cluster has at most %d members", CLUSTER_MEMBERS_MAX);
    if (same != NULL && strcmp(same->address, change.address) == 0) {
        driver_done(driver, token, OK, 0);
        return OK;
    }
    if (known != NULL && same == NULL) {
        change.stage = CHANGE_REMOVING;
        change.member = known->id;
        change.add_after = id;
    }
    return begin(driver, change, err);
}

static int leave(struct driver *driver, void *token, struct err *err)
{
    if (driver->change.stage != CHANGE_NONE)
        return err_set(err, ERR_BUSY, "another change of the members is under way");
    int rc = driver_transfer(driver, 0, CHANGE_TIMEOUT_MS, NULL, err);
    if (rc != OK)
        return rc;
    driver->change = (struct change){.stage = CHANGE_LEAVING,
                                     .member = driver->raft.id,
                                     .deadline = driver_now(driver) + CHANGE_TIMEOUT_MS,
                                     .token = token};
    return OK;
}

int driver_remove_member(struct driver *driver, uint64_t id, void *token, struct err *err)
{
    int rc = leads_at_all(driver, err);
    if (rc != OK)
        return rc;
    const struct raft_server *server = configuration_find(&driver->raft.configuration, id);
    if (server == NULL)
        return err_set(err, ERR_NOTFOUND, "there is no such member");
    if (server->role == RAFT_VOTER && configuration_voters(&driver->raft.configuration) == 1)
        return err_set(err, ERR_INVALID, "the last voter cannot be removed");
    if (id == driver->raft.id)
        return leave(driver, token, err);
    return begin(driver, (struct change){.stage = CHANGE_REMOVING, .member = id, .token = token}, err);
}

/* ---- Leaving: the leader who is to go hands over and asks its successor ---- */

void driver_members_asked(struct driver *driver, uint64_t from)
{
    if (!driver_leads(driver))
        return;
    if (configuration_find(&driver->raft.configuration, from) == NULL) {
        if (driver->raft.configuration_uncommitted_index == 0)
            driver->ops->send(driver->ctx, from, FRAME_LEFT, NULL, 0);
        return;
    }
    const struct raft_server *server = configuration_find(&driver->raft.configuration, from);
    if (server->role == RAFT_VOTER && configuration_voters(&driver->raft.configuration) == 1)
        return;
    (void)begin(driver, (struct change){.stage = CHANGE_REMOVING, .member = from, .asker = from}, NULL);
}

void driver_members_left(struct driver *driver)
{
    if (driver->change.stage == CHANGE_LEAVING)
        finish(driver, OK);
}

void driver_members_lost(struct driver *driver)
{
    const struct change *change = &driver->change;
    if (change->stage == CHANGE_REMOVING || change->stage == CHANGE_ADDING)
        finish(driver, change->index == 0 && change->add_after == 0 ? ERR_NOTLEADER : ERR_UNAVAILABLE);
}

/* ---- Promotion ---- */

static bool is_ready(struct driver *driver, const struct raft_server *server)
{
    struct member member;
    return server->role == RAFT_STANDBY && member_parse(server->address, &member) == OK && !member.non_voter &&
           driver_is_online(driver, server->id) &&
           driver_match(driver, server->id) + CAUGHT_UP >= tail_last(&driver->tail);
}

static void promote(struct driver *driver)
{
    const struct raft_configuration *members = &driver->raft.configuration;
    for (unsigned i = 0; i < members->n; i++) {
        if (!is_ready(driver, &members->servers[i]))
            continue;
        struct raft_configuration next;
        configuration_copy(members, &next);
        next.servers[i].role = RAFT_VOTER;
        if (propose(driver, &next))
            log_info("raft", "member %s becomes a voter", next.servers[i].address);
        raft_configuration_close(&next);
        return; /* one at a time */
    }
}

void driver_members_tick(struct driver *driver)
{
    struct change *change = &driver->change;
    if (change->stage != CHANGE_NONE && driver_now(driver) >= change->deadline) {
        finish(driver, ERR_TIMEOUT);
    } else if (change->stage == CHANGE_LEAVING) {
        if (driver->raft.state == RAFT_LEADER)
            (void)driver_transfer(driver, 0, CHANGE_TIMEOUT_MS, NULL, NULL);
        else if (driver->leader_before != 0)
            driver->ops->send(driver->ctx, driver->leader_before, FRAME_LEAVE, NULL, 0);
    } else if (change->stage != CHANGE_NONE && change->index == 0) {
        propose_change(driver);
    } else if (change->stage == CHANGE_NONE && driver->raft.state == RAFT_LEADER) {
        promote(driver);
    }
}
