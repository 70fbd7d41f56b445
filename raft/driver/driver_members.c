/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes of the members, one at a time.
 *
 * A new member is first a standby, which gets the log but has no vote; driver_autopilot.c makes it a voter when it has
 * nearly all of the log. A node that comes again with a new disk is a new server (member.h): the old one is taken out
 * first.
 */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "raft/driver/driver_private.h"

#define CHANGE_TIMEOUT_MS 10000
#define WAIT_LOG_MS       5000

static void finish(struct driver *driver, int rc)
{
    struct change change = driver->change;
    driver->change = (struct change){0};
    if (change.asker != 0 && rc == OK)
        driver->ops->send(driver->ctx, change.asker, FRAME_LEFT, NULL, 0);
    if (rc == ERR_TIMEOUT)
        log_warn("raft", "a change of the members was given up: it waited for %s", change.waits_for);
    if (change.token != NULL)
        driver->ops->done(driver->ctx, change.token, rc, change.index, rc == ERR_TIMEOUT ? change.waits_for : NULL);
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

/* Whether a voter-to-be is there and knows the members as last committed. */
static bool is_aware(struct driver *driver, uint64_t id)
{
    return id == driver->raft.id ||
           (driver_is_online(driver, id) && driver_match(driver, id) >= driver->raft.configuration_committed_index);
}

/* R1b; NULL, or the voter that is in the way. */
static const struct raft_server *who_is_missed(struct driver *driver, const struct raft_configuration *next)
{
    const struct raft_server *missed = NULL;
    unsigned aware = 0, voters = configuration_voters(next);
    bool grows = voters > configuration_voters(&driver->raft.configuration);
    for (unsigned i = 0; i < next->n; i++) {
        if (next->servers[i].role != RAFT_VOTER)
            continue;
        if (is_aware(driver, next->servers[i].id))
            aware++;
        else
            missed = &next->servers[i];
    }
    return (grows ? aware == voters : aware > voters / 2) ? NULL : missed;
}

/*
 * R1a: one change at a time is safe only if a leader first commits an entry of its term; else two leaders in turn can
 * each leave behind a change of which the other knows nothing.
 * R1b: a server that does not know yet that it is a voter refuses its vote, which can leave no majority for ever. So
 * before a vote is given all who will vote must be there and know the members as last committed; before one is taken,
 * a majority of those who are left: a cluster of five that has lost two must be able to take them out one by one.
 */
static bool may_change(struct driver *driver, const struct raft_configuration *next, char *ret_why, size_t size)
{
    const struct raft *raft = &driver->raft;
    const struct raft_server *missed = NULL;
    const char *why = NULL;
    if (raft->state != RAFT_LEADER)
        why = "this node to lead";
    else if (raft->configuration_uncommitted_index != 0)
        why = "an earlier change of the members to be on a majority of disks";
    else if (raft_transferee(raft) != 0)
        why = "leadership to be handed over";
    else if (KEEPS_RULE(driver, RULE_R1A) && (driver->term_start == 0 || raft->commit_index < driver->term_start))
        why = "the first entry of this leader's term to be on a majority of disks";
    else if (KEEPS_RULE(driver, RULE_R1B) && !same_voters(&raft->configuration, next))
        missed = who_is_missed(driver, next);
    if (why != NULL)
        snprintf(ret_why, size, "%s", why);
    else if (missed != NULL)
        snprintf(ret_why, size, "%.*s, which %s", (int)strcspn(missed->address, " "), missed->address,
                 driver_is_online(driver, missed->id) ? "lags behind" : "does not answer");
    return why == NULL && missed == NULL;
}

bool driver_propose(struct driver *driver, const struct raft_configuration *next, char *ret_why, size_t size)
{
    if (!may_change(driver, next, ret_why, size))
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
    if (change->role != KEEP_ROLE)
        known->role = change->role;
    return true;
}

/* A vote is only given to who could use it at once. */
static bool lags(struct driver *driver)
{
    const struct change *change = &driver->change;
    const struct raft_server *server = configuration_find(&driver->raft.configuration, change->member);
    return change->stage == CHANGE_LISTING && change->role == RAFT_VOTER && server != NULL &&
           server->role != RAFT_VOTER && !driver_is_ready(driver, server);
}

/* In the log, when there is something new to say; and not too often. */
static void note_wait(struct driver *driver, const char *before)
{
    uint64_t now = driver_now(driver);
    if (driver->change.waits_for[0] == '\0' ||
        (strcmp(before, driver->change.waits_for) == 0 && now < driver->waits_logged + WAIT_LOG_MS))
        return;
    driver->waits_logged = now;
    log_info("raft", "a change of the members waits for %s", driver->change.waits_for);
}

static void propose_change(struct driver *driver)
{
    struct change *change = &driver->change;
    struct raft_configuration next;
    uint64_t index = tail_last(&driver->tail) + 1;
    enum change_stage stage = change->stage;
    char before[sizeof change->waits_for];
    snprintf(before, sizeof before, "%s", change->waits_for);
    bool is_possible = next_members(driver, &next), is_proposed = false;
    if (is_possible && lags(driver))
        snprintf(change->waits_for, sizeof change->waits_for, "the node to catch up with the log");
    else if (is_possible)
        is_proposed = driver_propose(driver, &next, change->waits_for, sizeof change->waits_for);
    raft_configuration_close(&next);
    if (!is_proposed && is_possible)
        note_wait(driver, before);
    if (!is_possible) {
        finish(driver, ERR_INVALID);
    } else if (is_proposed && change->stage == stage && change->index == 0) { /* nobody gave it up amid */
        change->index = index;
        snprintf(change->waits_for, sizeof change->waits_for, "a majority to have it on disk");
    }
}

void driver_members_progress(struct driver *driver)
{
    struct change *change = &driver->change;
    if ((change->stage != CHANGE_REMOVING && change->stage != CHANGE_LISTING) || change->index == 0 ||
        driver->configured < change->index)
        return;
    if (change->stage == CHANGE_REMOVING && change->add_after != 0) {
        change->stage = CHANGE_LISTING;
        change->role = KEEP_ROLE;
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

/* A member that comes again keeps what was decided of its vote. */
static void format_as_known(const struct member *member, const struct raft_server *known,
                            char ret_address[MEMBER_ADDRESS_MAX])
{
    struct member before, next = *member;
    if (known != NULL && member_parse(known->address, &before) == OK)
        next.non_voter = before.non_voter;
    member_format(&next, ret_address);
}

int driver_add_member(struct driver *driver, uint64_t id, const struct member *member, void *token, struct err *err)
{
    struct change change = {.stage = CHANGE_LISTING, .member = id, .role = KEEP_ROLE, .token = token};
    const struct raft_configuration *members = &driver->raft.configuration;
    int rc = leads_at_all(driver, err);
    if (rc != OK)
        return rc;
    const struct raft_server *known = configuration_find_node(members, member->node_id);
    const struct raft_server *same = configuration_find(members, id);
    if (id == driver->raft.id || (same != NULL && same != known))
        return err_set(err, ERR_INVALID, "another member has this number");
    if (known != NULL && known->role == RAFT_VOTER && configuration_voters(members) == 1)
        return err_set(err, ERR_INVALID, "the last voter cannot be replaced");
    if (known == NULL && members->n >= CLUSTER_MEMBERS_MAX)
        return err_set(err, ERR_INVALID, "a cluster has at most %d members", CLUSTER_MEMBERS_MAX);
    format_as_known(member, same, change.address);
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

int driver_set_voter(struct driver *driver, uint64_t id, bool is_voter, void *token, struct err *err)
{
    struct change change = {.stage = CHANGE_LISTING, .member = id, .token = token};
    const struct raft_configuration *members = &driver->raft.configuration;
    const struct raft_server *server = configuration_find(members, id);
    struct member member;
    int rc = leads_at_all(driver, err);
    if (rc != OK)
        return rc;
    if (server == NULL || member_parse(server->address, &member) != OK)
        return err_set(err, ERR_NOTFOUND, "there is no such member");
    if (!is_voter && id == driver->raft.id)
        return err_set(err, ERR_INVALID, "this node leads: let another one lead before its vote is taken from it");
    /*
     * Of two voters the demoted one could be alone in having the entry that demotes it: the other would need its vote,
     * and not get it for having the shorter log, for ever. One that is removed does not get that entry.
     */
    if (!is_voter && server->role == RAFT_VOTER && configuration_voters(members) <= 2)
        return err_set(err, ERR_INVALID,
                       "with two voters or fewer none can be demoted; remove it, and let it join again as a non-voter");
    bool is_so = (server->role == RAFT_VOTER) == is_voter && member.non_voter == !is_voter;
    if (is_so) {
        driver_done(driver, token, OK, 0);
        return OK;
    }
    member.non_voter = !is_voter;
    member_format(&member, change.address);
    change.role = is_voter ? RAFT_VOTER : RAFT_STANDBY;
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
    if (change->stage == CHANGE_REMOVING || change->stage == CHANGE_LISTING)
        finish(driver, change->index == 0 && change->add_after == 0 ? ERR_NOTLEADER : ERR_UNAVAILABLE);
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
    }
}
