/* SPDX-License-Identifier: Apache-2.0 */
/* What must always hold. */
#include <stdlib.h>
#include <string.h>

#include "raft/driver/driver_private.h"
#include "sim.h"

static uint64_t mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * 1099511628211u;
    return hash ^ hash >> 29;
}

static uint64_t value_of_command(const void *data)
{
    uint64_t words[sizeof(struct sim_command) / sizeof(uint64_t)], value = 0;
    memcpy(words, data, sizeof words);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        value = mix(value, words[i]);
    return value;
}

static uint64_t value_of(const struct entry *entry)
{
    uint64_t value = 0;
    if (entry->type == ENTRY_COMMAND)
        value = value_of_command(entry->data);
    else if (entry->type == ENTRY_CONFIGURATION)
        for (size_t i = 0; i < entry->len; i++)
            value = mix(value, entry->data[i]);
    return mix(value, entry->type);
}

/* What the entry does to the contents; nothing that rests on a state may come after that state was replaced. */
static void extend_contents(struct world *world, const struct entry *entry, struct canon *next)
{
    if (entry->type != ENTRY_COMMAND)
        return;
    struct sim_command command = sim_command_of(entry);
    sim_contents_apply(&next->contents, &command, entry->index);
    if (command.step != STEP_WRITE)
        return;
    next->written = command.value;
    if (command.refers < next->contents.restored)
        sim_fail(world, "a write that rests on the state at %llu is applied at %llu, after the restore at %llu",
                 (unsigned long long)command.refers, (unsigned long long)entry->index,
                 (unsigned long long)next->contents.restored);
}

static void extend_canon(struct world *world, const struct entry *entry)
{
    if (world->canon_len + 1 >= world->canon_cap) {
        world->canon_cap = world->canon_cap == 0 ? 4096 : world->canon_cap * 2;
        world->canon = realloc(world->canon, world->canon_cap * sizeof *world->canon);
        if (world->canon == NULL)
            abort();
    }
    if (world->canon_len == 0)
        world->canon[0] = (struct canon){.hash = SIM_HASH_START};
    const struct canon *before = &world->canon[world->canon_len];
    struct canon *next = &world->canon[++world->canon_len];
    *next = (struct canon){.value = value_of(entry),
                           .term = entry->term,
                           .hash = mix(before->hash, value_of(entry)),
                           .contents = before->contents,
                           .configuration_index = before->configuration_index};
    extend_contents(world, entry, next);
    if (entry->type == ENTRY_CONFIGURATION) {
        next->configuration_index = entry->index;
        next->configuration = malloc(entry->len);
        memcpy(next->configuration, entry->data, entry->len);
        next->configuration_len = entry->len;
        world->stats.members++;
        sim_trace(world, "the members change at %llu", (unsigned long long)entry->index);
    }
    world->stats.entries++;
}

struct sim_state sim_state_at(struct world *world, uint64_t index)
{
    if (index == 0)
        return (struct sim_state){.hash = SIM_HASH_START};
    const struct canon *canon = &world->canon[index];
    const struct canon *configuration = &world->canon[canon->configuration_index];
    return (struct sim_state){.index = index,
                              .term = canon->term,
                              .hash = canon->hash,
                              .contents = canon->contents,
                              .configuration_index = canon->configuration_index,
                              .configuration = configuration->configuration,
                              .configuration_len = configuration->configuration_len};
}

void sim_check_apply(struct node *node, const struct entry *entry)
{
    struct world *world = node->world;
    unsigned long long index = entry->index;
    if (world->failed || entry->index <= node->state.index)
        return; /* as the store does: what it has it skips */
    if (entry->index != node->state.index + 1) {
        sim_fail(world, "node %u applies %llu after %llu", node->number, index, (unsigned long long)node->state.index);
        return;
    }
    if (entry->index == world->canon_len + 1) {
        extend_canon(world, entry);
    } else if (entry->index > world->canon_len) {
        sim_fail(world, "node %u applies %llu before anybody applied the one before", node->number, index);
        return;
    }
    const struct canon *canon = &world->canon[entry->index];
    if (canon->value != value_of(entry) || canon->term != entry->term) {
        sim_fail(world, "node %u applies another entry %llu (term %llu) than was applied before (term %llu)",
                 node->number, index, (unsigned long long)entry->term, (unsigned long long)canon->term);
        return;
    }
    uint64_t hash = mix(node->state.hash, value_of(entry));
    struct sim_contents contents = node->state.contents;
    struct sim_command command = sim_command_of(entry);
    if (entry->type == ENTRY_COMMAND)
        sim_contents_apply(&contents, &command, entry->index);
    node->state = sim_state_at(world, entry->index);
    if (hash != node->state.hash || memcmp(&contents, &node->state.contents, sizeof contents) != 0)
        sim_fail(world, "node %u has another state at %llu", node->number, index);
}

bool sim_node_leads(const struct node *node)
{
    return node->driver != NULL && node->driver->raft.state == RAFT_LEADER;
}

void sim_check_leader(struct node *node)
{
    struct world *world = node->world;
    if (!sim_node_leads(node))
        return;
    size_t term = (size_t)node->driver->raft.current_term;
    if (term >= world->leaders_len) {
        size_t len = term * 2 + 64;
        world->leaders = realloc(world->leaders, len * sizeof *world->leaders);
        if (world->leaders == NULL)
            abort();
        memset(world->leaders + world->leaders_len, 0, (len - world->leaders_len) * sizeof *world->leaders);
        world->leaders_len = len;
    }
    if (world->leaders[term] == 0) {
        world->stats.elections++;
        sim_trace(world, "node %u leads term %zu", node->number, term);
    } else if (world->leaders[term] != node->id) {
        sim_fail(world, "two leaders in term %zu: node %u is the second", term, node->number);
    }
    world->leaders[term] = node->id;
}

void sim_check_serves(struct node *node)
{
    struct world *world = node->world;
    struct driver_standing standing;
    if (node->driver == NULL || sim_node_is_paused(node))
        return;
    driver_standing(node->driver, &standing);
    if (standing.lead_until <= world->now)
        return;
    world->stats.served++;
    if (node->state.index < world->acked_max)
        sim_fail(world, "node %u would answer out of %llu, but %llu was acknowledged", node->number,
                 (unsigned long long)node->state.index, (unsigned long long)world->acked_max);
}

void sim_check_acked(struct node *node, uint64_t index, const struct sim_command *command)
{
    struct world *world = node->world;
    struct entry *like = entry_new(index, 0, ENTRY_COMMAND, command, sizeof *command);
    world->stats.acked++;
    if (index > world->canon_len || world->canon[index].value != value_of(like))
        sim_fail(world, "node %u acknowledged what is not at %llu", node->number, (unsigned long long)index);
    else if (command->step == STEP_WRITE)
        world->canon[index].acked = command->value;
    if (index > world->acked_max)
        world->acked_max = index;
    entry_unref(like);
}

void sim_check_contents(struct world *world)
{
    const struct canon *last = &world->canon[world->canon_len];
    uint64_t restored = last->contents.restored, live = world->canon[restored].contents.live;
    for (uint64_t i = restored + 1; i <= world->canon_len; i++) {
        const struct canon *canon = &world->canon[i];
        live += canon->written;
        if (canon->acked != 0 && canon->acked != canon->written)
            sim_fail(world, "what was acknowledged at %llu is not in the state", (unsigned long long)i);
    }
    if (live != last->contents.live)
        sim_fail(world, "the state is not what was restored at %llu with what was written since",
                 (unsigned long long)restored);
}

/* Whether somebody leads, and if he is not to, nobody else could. */
static bool leads_who_may(struct world *world, const struct raft_configuration *members)
{
    bool has_leader = false, is_last_resort = false, has_other = false;
    for (unsigned i = 0; i < world->n; i++) {
        const struct node *node = &world->nodes[i];
        const struct raft_server *server = configuration_find(members, node->id);
        if (sim_node_leads(node)) {
            has_leader = true;
            is_last_resort = node->non_leader;
        } else if (server != NULL && server->role == RAFT_VOTER && !node->non_leader) {
            has_other = true;
        }
    }
    return has_leader && !(is_last_resort && has_other);
}

bool sim_converged(struct world *world)
{
    struct raft_configuration members;
    struct sim_state state = sim_state_at(world, world->canon_len);
    if (configuration_decode(state.configuration, state.configuration_len, &members) != OK)
        return false;
    bool converged = leads_who_may(world, &members);
    for (unsigned i = 0; i < members.n; i++) {
        const struct node *node = sim_node_by_id(world, members.servers[i].id);
        if (node == NULL)
            continue; /* it was given a new disk before it was added: only the operator can put that right */
        converged = converged && node->driver != NULL && node->state.index == state.index;
        if (converged && (node->state.hash != state.hash ||
                          memcmp(&node->state.contents, &state.contents, sizeof state.contents) != 0))
            sim_fail(world, "node %u ended with another state", node->number);
    }
    raft_configuration_close(&members);
    if (converged)
        sim_check_contents(world);
    return converged;
}
