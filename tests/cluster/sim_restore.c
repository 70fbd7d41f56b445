/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Restoring a snapshot through the log (docs/decisions/0013): what its entries do to the state, as storage/restore.c
 * has it, and how a leader goes about it, as src/core/snapshot/restore.c has it.
 */
#include <string.h>

#include "raft/driver/driver_private.h"
#include "sim.h"

struct sim_command sim_command_of(const struct entry *entry)
{
    struct sim_command command = {0};
    if (entry->type == ENTRY_COMMAND)
        memcpy(&command, entry->data, sizeof command);
    return command;
}

/* ---- What an entry does ---- */

static void collect(struct sim_contents *contents, const struct sim_command *command)
{
    if (command->number != contents->number)
        return;
    contents->collected += command->value;
    contents->number++;
}

static void swap(struct sim_contents *contents, const struct sim_command *command, uint64_t index)
{
    if (command->number != contents->number)
        return;
    *contents = (struct sim_contents){.live = contents->collected, .restored = index};
}

void sim_contents_apply(struct sim_contents *contents, const struct sim_command *command, uint64_t index)
{
    bool goes_on = contents->begin != 0 && command->refers == contents->begin;
    if (command->step == STEP_WRITE) {
        contents->live += command->value;
    } else if (command->step == STEP_BEGIN) {
        contents->begin = index;
        contents->number = contents->collected = 0;
    } else if (!goes_on) {
        return;
    } else if (command->step == STEP_RECORDS) {
        collect(contents, command);
    } else if (command->step == STEP_END) {
        swap(contents, command, index);
    } else {
        contents->begin = contents->number = contents->collected = 0;
    }
}

/* ---- The leader ---- */

/* The phase comes first, for a step may be answered before this returns. */
static void propose(struct node *node, enum sim_restore_phase phase, struct sim_command command)
{
    enum sim_restore_phase before = node->restore.phase;
    node->restore.phase = phase;
    if (!sim_node_propose(node, &command))
        node->restore.phase = before;
}

/* What was begun under another leader is cleared away; or an old state comes back. */
static void begin(struct node *node)
{
    struct world *world = node->world;
    const struct sim_contents *contents = &node->state.contents;
    if (contents->begin != 0) {
        propose(node, RESTORE_WAITS, (struct sim_command){.step = STEP_ABANDON, .refers = contents->begin});
    } else if ((world->faults & FAULT_RESTORES) && sim_random(world, 300) == 0) {
        uint64_t index = 1 + sim_random(world, (uint32_t)node->state.index);
        node->restore = (struct sim_restore){.epoch = node->driver->raft.current_term,
                                             .snapshot = sim_state_at(world, index).contents.live,
                                             .count = 1 + sim_random(world, 5)};
        sim_trace(world, "node %u restores what was at %llu", node->number, (unsigned long long)index);
        propose(node, RESTORE_WAITS, (struct sim_command){.step = STEP_BEGIN});
    }
}

static void send_records(struct node *node)
{
    struct sim_restore *restore = &node->restore;
    bool is_last = restore->number + 1 == restore->count;
    struct sim_command command = {.step = STEP_RECORDS, .number = restore->number, .refers = restore->begin};
    command.value = is_last ? restore->snapshot - restore->sent : sim_random(node->world, UINT32_MAX);
    propose(node, RESTORE_WAITS, command);
}

static void end(struct node *node)
{
    struct sim_restore *restore = &node->restore;
    if (node->world->bug == BUG_RESTORE_BESIDE_LOG) {
        node->state.contents.live = restore->snapshot;
        restore->phase = RESTORE_NONE;
        return;
    }
    if (node->writing > 0 && node->world->bug != BUG_RESTORE_NO_PAUSE)
        return;
    propose(node, RESTORE_ENDS,
            (struct sim_command){.step = STEP_END, .number = restore->count, .refers = restore->begin});
}

/* Between two steps nobody tells that the epoch ended. */
static void give_up_old(struct node *node)
{
    struct sim_restore *restore = &node->restore;
    bool is_between = restore->phase == RESTORE_COLLECTS || restore->phase == RESTORE_DRAINS;
    if (is_between && restore->epoch != node->driver->raft.current_term && node->world->bug != BUG_RESTORE_ANY_EPOCH)
        restore->phase = RESTORE_NONE;
}

void sim_restore_go(struct node *node)
{
    give_up_old(node);
    switch (node->restore.phase) {
    case RESTORE_NONE:
        begin(node);
        break;
    case RESTORE_COLLECTS:
        send_records(node);
        break;
    case RESTORE_DRAINS:
        end(node);
        break;
    default:
        break;
    }
}

static void check_swapped(struct node *node, uint64_t index)
{
    const struct sim_state state = sim_state_at(node->world, index);
    if (state.contents.restored != index || state.contents.live != node->restore.snapshot)
        sim_fail(node->world, "node %u acknowledged a restore, but its snapshot is not the state at %llu", node->number,
                 (unsigned long long)index);
    node->world->stats.restores++;
}

/* The epoch is over, or the disk is full: the restore is given up, and what was collected is left to whoever leads. */
void sim_restore_done(struct node *node, const struct sim_command *command, int rc, uint64_t index)
{
    struct sim_restore *restore = &node->restore;
    restore->phase = RESTORE_NONE;
    if (rc != OK || command->step == STEP_ABANDON)
        return;
    if (command->step == STEP_END) {
        check_swapped(node, index);
        return;
    }
    if (command->step == STEP_BEGIN) {
        restore->begin = index;
    } else {
        restore->sent += command->value;
        restore->number++;
    }
    restore->phase = restore->number < restore->count ? RESTORE_COLLECTS : RESTORE_DRAINS;
}

bool sim_restore_holds_writes(const struct node *node)
{
    return node->restore.phase >= RESTORE_DRAINS && node->world->bug != BUG_RESTORE_NO_PAUSE;
}
