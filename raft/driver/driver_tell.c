/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the log says of elections: who stands and why, who votes for whom not, who leads. Each once: a node that is cut
 * off and stands again and again says so when it begins.
 */
#include <stdio.h>

#include "base/log.h"
#include "raft/driver/driver_private.h"

#define REFUSAL_MS 10000 /* at most one refusal is told in so many */

const char *driver_name(struct driver *driver, uint64_t id, struct member *ret)
{
    const struct raft_server *server = configuration_find(&driver->raft.configuration, id);
    return server != NULL && member_parse(server->address, ret) == OK ? ret->node_id
                                                                      : "a node whose name is not known yet";
}

static void tell_candidate(struct driver *driver)
{
    struct member member;
    uint64_t leader = driver->leader_before, heard = driver_heard(driver, leader);
    unsigned long long term = driver->raft.current_term;
    if (driver->handed_by != 0)
        log_info("raft", "stands for election, in term %llu: %s hands over", term,
                 driver_name(driver, driver->handed_by, &member));
    else if (leader == 0 || heard == 0)
        log_info("raft", "stands for election, in term %llu: there is no leader", term);
    else
        log_info("raft", "stands for election, in term %llu: the leader, %s, was not heard for %llu ms", term,
                 driver_name(driver, leader, &member), (unsigned long long)(driver_now(driver) - heard));
}

static void tell_lost(const struct driver *driver)
{
    if (driver->raft.current_term != driver->term_before)
        log_info("raft", "leads no more: term %llu has begun", (unsigned long long)driver->raft.current_term);
    else
        log_warn("raft", "leads no more: a majority of the voters was not heard for %u ms",
                 driver->options.election_ms);
}

void driver_tell_changes(struct driver *driver, uint64_t leader)
{
    struct member member;
    unsigned short state = driver->raft.state, before = driver->state_before;
    if (state == RAFT_CANDIDATE && before != RAFT_CANDIDATE)
        tell_candidate(driver);
    if (state != RAFT_LEADER && before == RAFT_LEADER)
        tell_lost(driver);
    if (state == RAFT_LEADER && before != RAFT_LEADER)
        log_info("raft", "was elected the leader of term %llu", (unsigned long long)driver->raft.current_term);
    if (leader != 0 && leader != driver->leader_before && leader != driver->raft.id)
        log_info("raft", "follows %s in term %llu", driver_name(driver, leader, &member),
                 (unsigned long long)driver->raft.current_term);
}

void driver_tell_refusal(struct driver *driver, uint64_t candidate, const char *reason)
{
    struct member member;
    uint64_t now = driver_now(driver);
    if (driver->refused != 0 && now < driver->refused + REFUSAL_MS)
        return;
    driver->refused = now;
    log_info("raft", "does not vote for %s: %s", driver_name(driver, candidate, &member), reason);
}

/* Why libraft refused. It does not say; it looks at these in this order. */
const char *driver_refusal(const struct driver *driver, uint64_t candidate)
{
    const struct raft *raft = &driver->raft;
    if (raft->state == RAFT_LEADER)
        return "this node leads";
    if (raft->state == RAFT_FOLLOWER && raft->follower_state.current_leader.id != 0)
        return "there is a leader";
    if (raft->voted_for != 0 && raft->voted_for != candidate)
        return "this node has voted for another in this term";
    return "its term or its log is behind this node's";
}
