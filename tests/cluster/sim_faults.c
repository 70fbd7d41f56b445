/* SPDX-License-Identifier: Apache-2.0 */
/* What goes wrong, and what the operator does. Called every 5 ms of virtual time. */
#include <string.h>

#include "raft/driver/driver_private.h"
#include "sim.h"

static bool chance(struct world *world, uint32_t one_in)
{
    return sim_random(world, one_in) == 0;
}

static struct node *any_node(struct world *world)
{
    return &world->nodes[sim_random(world, world->n)];
}

/* The leader of the highest term, or NULL. */
static struct node *leader_of(struct world *world)
{
    struct node *leader = NULL;
    for (unsigned i = 0; i < world->n; i++) {
        struct node *node = &world->nodes[i];
        if (sim_node_leads(node) && !sim_node_is_paused(node) &&
            (leader == NULL || node->driver->raft.current_term > leader->driver->raft.current_term))
            leader = node;
    }
    return leader;
}

static void heal(struct world *world, uint32_t one_in)
{
    for (unsigned a = 0; a < world->n; a++)
        for (unsigned b = 0; b < world->n; b++)
            if (chance(world, one_in))
                world->cut[a][b] = false;
}

/* Cuts off a new leader soon after its election: most of what can go wrong begins like that. */
static void isolate_leader(struct world *world, const struct node *leader)
{
    int now_leads = leader == NULL ? -1 : (int)leader->number;
    if (now_leads != world->known_leader) {
        world->known_leader = now_leads;
        if (leader != NULL) {
            if (!chance(world, 3))
                heal(world, 1);
            world->isolate = now_leads;
            world->isolate_at = world->now + (chance(world, 3) ? 150 + sim_random(world, 1500) : sim_random(world, 60));
            world->heal_at = world->isolate_at + 150 + sim_random(world, 2000);
        }
    }
    if (world->isolate >= 0 && world->now >= world->isolate_at) {
        int kept = chance(world, 3) ? (int)sim_random(world, world->n) : -1;
        bool both_ways = chance(world, 2);
        for (int i = 0; i < (int)world->n; i++) {
            if (i == world->isolate || i == kept)
                continue;
            world->cut[world->isolate][i] = true;
            if (both_ways)
                world->cut[i][world->isolate] = true;
        }
        world->isolate = -1;
    }
    if (world->heal_at != 0 && world->now >= world->heal_at) {
        world->heal_at = 0;
        heal(world, 4 - sim_random(world, 4));
    }
}

/* Two groups that do not hear each other. */
static void split(struct world *world)
{
    uint32_t group = sim_random(world, 1u << world->n);
    for (unsigned a = 0; a < world->n; a++)
        for (unsigned b = 0; b < world->n; b++)
            world->cut[a][b] = (group >> a & 1) != (group >> b & 1);
    world->heal_at = world->now + 200 + sim_random(world, 2500);
}

/* A candidate whose votes are lost leaves its term behind. */
static void silence_candidates(struct world *world)
{
    for (unsigned a = 0; a < world->n; a++) {
        const struct node *node = &world->nodes[a];
        if (node->driver == NULL || node->driver->raft.state != RAFT_CANDIDATE ||
            node->driver->raft.candidate_state.in_pre_vote || !chance(world, 4))
            continue;
        for (unsigned b = 0; b < world->n; b++)
            world->cut[a][b] = a != b;
        world->heal_at = world->now + 100 + sim_random(world, 1500);
    }
}

static void cut_links(struct world *world, const struct node *leader)
{
    if (chance(world, 300)) {
        unsigned a = sim_random(world, world->n), b = sim_random(world, world->n);
        world->cut[a][b] = a != b;
    }
    if (chance(world, 500)) {
        unsigned a = sim_random(world, world->n);
        for (unsigned b = 0; b < world->n; b++) {
            if (a == b)
                continue;
            world->cut[a][b] = true;
            if (!chance(world, 3))
                world->cut[b][a] = true;
        }
    }
    if (chance(world, 300))
        heal(world, 2);
    silence_candidates(world);
    isolate_leader(world, leader);
}

static void crash_nodes(struct world *world, struct node *leader)
{
    struct node *node = any_node(world);
    if (chance(world, 400) && node->driver != NULL)
        sim_node_crash(node);
    if (chance(world, 800) && leader != NULL && leader->driver != NULL)
        sim_node_crash(leader);
    if (chance(world, 5000))
        for (unsigned i = 0; i < world->n; i++)
            if (world->nodes[i].driver != NULL)
                sim_node_crash(&world->nodes[i]);
    for (unsigned i = 0; i < world->n; i++)
        if (world->nodes[i].driver == NULL && chance(world, 100))
            sim_node_start(&world->nodes[i]);
}

/* Whether it is a member by what was applied last, or by anything that another node has in its log or its state. */
static bool may_be_member(struct world *world, const struct node *node)
{
    struct sim_state state = sim_state_at(world, world->canon_len);
    struct raft_configuration members;
    if (state.index == 0 || configuration_decode(state.configuration, state.configuration_len, &members) != OK)
        return true;
    bool is_member = configuration_find(&members, node->id) != NULL;
    raft_configuration_close(&members);
    for (unsigned i = 0; i < world->n; i++) {
        const struct node *other = &world->nodes[i];
        if (other != node &&
            (other->driver == NULL || configuration_find(driver_configuration(other->driver), node->id) != NULL))
            is_member = true;
    }
    return is_member;
}

/* Who is no member for sure may come back with a new disk. */
static void renew_disk(struct world *world, struct node *node)
{
    if (may_be_member(world, node))
        return;
    if (node->driver != NULL)
        sim_node_crash(node);
    sim_disk_wipe(node);
    sim_node_start(node);
}

/* Adds it, moves it, removes it, or gives it a vote or takes it from it. */
static void change_member(struct world *world, struct node *leader, const struct node *node)
{
    char addr[32] = "node:1";
    struct member member;
    addr[5] = (char)('1' + (char)sim_random(world, 3));
    const struct raft_configuration *members = driver_configuration(leader->driver);
    bool is_member = configuration_find(members, node->id) != NULL;
    if ((is_member && (members->n <= 2 || chance(world, 3)) && !chance(world, 3)) ||
        member_make(node->name, addr, chance(world, 5), &member, NULL) != OK)
        return;
    sim_trace(world, "node %u is to change member %u", leader->number, node->number);
    if (!is_member || chance(world, 4))
        (void)driver_add_member(leader->driver, node->id, &member, NULL, NULL);
    else if (chance(world, 3))
        (void)driver_set_voter(leader->driver, node->id, !chance(world, 3), NULL, NULL);
    else
        (void)driver_remove_member(leader->driver, node->id, NULL, NULL);
}

static void change_members(struct world *world, struct node *leader)
{
    struct node *node = any_node(world);
    if (chance(world, 200))
        renew_disk(world, node);
    /* Right after an election is the time at which a change does most harm. */
    bool is_new = leader != NULL && leader->term_changed_at != leader->driver->raft.current_term;
    if (leader == NULL || !chance(world, is_new ? 2 : 40))
        return;
    leader->term_changed_at = leader->driver->raft.current_term;
    change_member(world, leader, node);
    if ((world->faults & FAULT_CUTS) && is_new && chance(world, 2))
        split(world);
}

static void transfer(struct world *world, struct node *leader)
{
    if (leader == NULL)
        return;
    if (chance(world, 600)) {
        world->stats.transfers++;
        (void)driver_transfer(leader->driver, chance(world, 2) ? 0 : any_node(world)->id,
                              chance(world, 2) ? 0 : sim_random(world, 3000), NULL, NULL);
    }
    struct node *node = any_node(world);
    if (chance(world, 600) && node->driver != NULL) {
        node->sealed = !node->sealed;
        driver_set_sealed(node->driver, node->sealed);
    }
    if (chance(world, 50))
        sim_tell_traits(world);
}

/* A leader above all: while it stands still another is elected, and it does not know when it goes on. */
static void pause_nodes(struct world *world, struct node *leader)
{
    struct node *node = chance(world, 2) && leader != NULL ? leader : any_node(world);
    if (!chance(world, 400) || node->driver == NULL || sim_node_is_paused(node))
        return;
    uint64_t for_ms = chance(world, 2) ? sim_random(world, 400) : sim_random(world, 5000);
    node->paused_until = world->now + for_ms;
    world->stats.pauses++;
    sim_trace(world, "node %u stands still for %llu ms", node->number, (unsigned long long)for_ms);
}

static void disturb_disks(struct world *world)
{
    struct node *node = any_node(world);
    if ((world->faults & FAULT_SLOW_DISKS) && chance(world, 600))
        node->disk_delay = chance(world, 3) ? sim_random(world, 500) : sim_random(world, 20);
    if ((world->faults & FAULT_FULL_DISKS) && node->driver != NULL && chance(world, node->full ? 60 : 1500)) {
        node->full = !node->full;
        driver_log_stuck(node->driver, node->full);
    }
}

void sim_faults(struct world *world)
{
    struct node *leader = leader_of(world);
    if (world->faults & FAULT_CUTS)
        cut_links(world, leader);
    if (world->faults & FAULT_MEMBERS)
        change_members(world, leader);
    if (world->faults & FAULT_TRANSFERS)
        transfer(world, leader_of(world));
    if (world->faults & FAULT_PAUSES)
        pause_nodes(world, leader_of(world));
    if (world->faults & FAULT_CRASHES)
        crash_nodes(world, leader_of(world));
    disturb_disks(world);
}

void sim_calm(struct world *world)
{
    world->faults &= FAULT_MEMBERS;
    memset(world->cut, 0, sizeof world->cut);
    for (unsigned i = 0; i < world->n; i++) {
        struct node *node = &world->nodes[i];
        node->net_delay = 1;
        node->disk_delay = 2;
        node->paused_until = 0;
        if (node->full && node->driver != NULL)
            driver_log_stuck(node->driver, false);
        node->full = node->sealed = false;
        if (node->driver != NULL)
            driver_set_sealed(node->driver, false);
        if (node->driver == NULL)
            sim_node_start(node);
    }
}
