/* SPDX-License-Identifier: Apache-2.0 */
/* One run: a cluster is made, lives through its faults, and must be whole again when they end. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "raft/driver/driver_private.h"
#include "sim.h"

#define CALM_MS    60000
#define CALM_ACKED 100

static void list_voter(struct raft_configuration *members, const struct node *node)
{
    struct member member;
    char address[MEMBER_ADDRESS_MAX];
    if (member_make(node->name, "node:1", false, &member, NULL) != OK)
        abort();
    member_format(&member, address);
    if (raft_configuration_add(members, node->id, address, RAFT_VOTER) != 0)
        abort();
}

static void set_autopilot(struct world *world)
{
    cluster_autopilot_default(&world->autopilot);
    if (!(world->faults & FAULT_AUTOPILOT))
        return;
    world->autopilot = (struct cluster_autopilot){.cleanup_dead_servers = true,
                                                  .min_quorum = 2 + sim_random(world, 3),
                                                  .dead_after_ms = 600 + sim_random(world, 8000),
                                                  .last_contact_ms = 500,
                                                  .max_trailing_logs = 20,
                                                  .stabilization_ms = sim_random(world, 3000)};
}

/*
 * Not by sim_random(), so that a seed without restores runs as if there were none in the simulation. Where one of the
 * rules of elections and members is left out, its harm is looked for without them.
 */
static bool has_restores(const struct world *world)
{
    return (world->bug == BUG_NONE || world->bug >= BUG_RESTORE_BESIDE_LOG) && world->seed % 4 != 0;
}

static void make_cluster(struct world *world)
{
    unsigned voters = sim_random(world, 2) == 0 ? 3 : 5;
    world->n = (world->faults & FAULT_MEMBERS) ? voters + 2 : voters;
    struct raft_configuration members;
    raft_configuration_init(&members);
    for (unsigned i = 0; i < world->n; i++) {
        struct node *node = &world->nodes[i];
        node->world = world;
        node->number = i;
        snprintf(node->name, sizeof node->name, "n%u", i);
        node->disk_delay = sim_random(world, 20);
        node->net_delay = 1 + sim_random(world, 25);
        sim_disk_wipe(node);
        node->non_leader = (world->faults & FAULT_NON_LEADERS) && sim_random(world, 3) == 0;
        if (i < voters)
            list_voter(&members, node);
    }
    struct entry *first = configuration_entry(&members);
    first->index = first->term = 1;
    for (unsigned i = 0; i < voters; i++) {
        sim_log_push(&world->nodes[i].log, first);
        world->nodes[i].term = 1;
    }
    entry_unref(first);
    raft_configuration_close(&members);
}

static void use_cluster(struct world *world)
{
    for (unsigned i = 0; i < world->n && !world->failed; i++) {
        struct node *node = &world->nodes[i];
        if (!sim_node_leads(node) || sim_node_is_paused(node))
            continue;
        sim_restore_go(node);
        if (sim_random(world, 5) == 0 && !sim_restore_holds_writes(node))
            for (uint32_t k = 1 + sim_random(world, sim_random(world, 3) > 0 ? 2 : 8); k > 0; k--)
                sim_node_submit(node);
        if (sim_random(world, 12) == 0)
            sim_node_read(node);
    }
}

static void change_cluster(struct world *world)
{
    for (unsigned i = 0; i < world->n; i++)
        if (sim_node_leads(&world->nodes[i]) && !sim_node_is_paused(&world->nodes[i]))
            sim_node_change(&world->nodes[i]);
}

static void report(const struct world *world)
{
    for (unsigned i = 0; i < world->n; i++) {
        const struct node *node = &world->nodes[i];
        if (node->driver == NULL) {
            printf("  node %u is down\n", i);
            continue;
        }
        const struct raft *raft = &node->driver->raft;
        printf(
            "  node %u state %u term %llu vote %llx last %llu stored %llu commit %llu applied %llu, members %llu+%llu:",
            i, raft->state, raft->current_term, raft->voted_for, (unsigned long long)tail_last(&node->driver->tail),
            raft->last_stored, raft->commit_index, (unsigned long long)node->state.index,
            raft->configuration_committed_index, raft->configuration_uncommitted_index);
        for (unsigned k = 0; k < raft->configuration.n; k++)
            printf(" %.2s%c", raft->configuration.servers[k].address, "sVp"[raft->configuration.servers[k].role]);
        printf("\n");
    }
}

static void free_world(struct world *world)
{
    for (unsigned i = 0; i < world->n; i++) {
        struct node *node = &world->nodes[i];
        if (node->driver != NULL)
            sim_node_crash(node);
        sim_log_reset(&node->log, 1);
        sim_log_reset(&node->cache, 1);
        free(node->log.entries);
        free(node->cache.entries);
    }
    for (size_t i = 0; i < world->heap_len; i++)
        free(world->heap[i].payload);
    for (uint64_t i = 1; i <= world->canon_len; i++)
        free(world->canon[i].configuration);
    free(world->heap);
    free(world->canon);
    free(world->leaders);
    free(world);
}

/* Whether all is well again some time after the faults ended. */
static bool recovers(struct world *world)
{
    uint64_t acked = world->stats.acked, end = world->now + CALM_MS;
    sim_calm(world);
    while (world->now < end && !world->failed) {
        sim_run_until(world, world->now + 20);
        if (sim_random(world, 20) == 0)
            sim_tell_traits(world);
        if (world->stats.acked < acked + CALM_ACKED)
            use_cluster(world);
        else if ((world->faults & FAULT_MEMBERS) && !world->changed)
            change_cluster(world);
        else if (sim_converged(world))
            return true;
    }
    return false;
}

enum sim_outcome sim_run(uint64_t seed, unsigned seconds, enum sim_bug bug, bool verbose, struct sim_stats *ret_stats,
                         char ret_why[256])
{
    struct world *world = calloc(1, sizeof *world);
    if (world == NULL)
        abort();
    world->seed = seed;
    world->rng = seed * 0x9e3779b97f4a7c15u + 1;
    for (int i = 0; i < 8; i++)
        sim_random(world, 1);
    world->bug = bug;
    world->verbose = verbose;
    world->now = 1000;
    world->isolate = world->known_leader = -1;
    world->keep_entries = 10 + sim_random(world, 120);
    /* Three of four faults in a run, so that each can also do its harm alone; reordering, which TCP does not do,
     * rarely. */
    for (unsigned fault = 1; fault <= FAULT_LAST; fault *= 2)
        if (fault == FAULT_REORDER ? sim_random(world, 5) == 0 : sim_random(world, 4) > 0)
            world->faults |= fault;
    if (has_restores(world))
        world->faults |= FAULT_RESTORES;
    set_autopilot(world);
    make_cluster(world);
    for (unsigned i = 0; i < world->n; i++)
        sim_node_start(&world->nodes[i]);
    for (uint64_t end = world->now + seconds * 1000u; world->now < end && !world->failed;) {
        sim_run_until(world, world->now + 5);
        use_cluster(world);
        sim_faults(world);
    }
    bool recovered = !world->failed && recovers(world);
    enum sim_outcome outcome = world->failed ? SIM_VIOLATION : recovered ? SIM_GOOD : SIM_STUCK;
    if (verbose && outcome != SIM_GOOD)
        report(world);
    *ret_stats = world->stats;
    snprintf(ret_why, 256, "%s", world->failed ? world->why : recovered ? "" : "does not recover");
    free_world(world);
    return outcome;
}
