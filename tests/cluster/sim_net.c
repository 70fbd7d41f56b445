/* SPDX-License-Identifier: Apache-2.0 */
/* The network between the nodes, and snapshots over it. */
#include <stdlib.h>
#include <string.h>

#include "base/format.h"
#include "raft/driver/driver_private.h"
#include "sim.h"

static void *copy_of(const void *data, size_t len)
{
    void *copy = malloc(len + 1);
    if (copy == NULL)
        abort();
    if (len > 0)
        memcpy(copy, data, len);
    return copy;
}

static uint64_t arrival(struct node *from, unsigned to)
{
    struct world *world = from->world;
    uint64_t due = world->now + 1 + sim_random(world, (uint32_t)from->net_delay);
    if (world->faults & FAULT_REORDER) {
        if (sim_random(world, 12) == 0)
            due += sim_random(world, 250);
        return due;
    }
    uint64_t *last = &world->last_due[from->number][to];
    if (due < *last)
        due = *last;
    *last = due;
    return due;
}

void sim_send(struct node *from, uint64_t to, uint8_t type, const void *payload, size_t len)
{
    struct world *world = from->world;
    struct node *node = sim_node_by_id(world, to);
    if (node == NULL || world->cut[from->number][node->number])
        return;
    world->stats.messages++;
    if ((world->faults & FAULT_LOSS) && sim_random(world, 60) == 0)
        return;
    bool is_doubled = (world->faults & FAULT_REORDER) && sim_random(world, 25) == 0;
    for (int i = 0; i <= is_doubled; i++)
        sim_post(world, (struct sim_event){.kind = EVENT_FRAME,
                                           .due = arrival(from, node->number),
                                           .from = from->number,
                                           .to = node->number,
                                           .from_life = from->life,
                                           .to_life = node->life,
                                           .type = type,
                                           .payload = copy_of(payload, len),
                                           .len = len});
}

/* The header that the server writes (cluster_snapshot.c): libraft's message with what the state says of itself. */
static void encode_header(const struct sim_state *state, uint64_t term, struct buf *ret)
{
    struct raft_message message = {.type = RAFT_INSTALL_SNAPSHOT};
    message.install_snapshot.term = term;
    message.install_snapshot.last_index = state->index;
    message.install_snapshot.last_term = state->term;
    message.install_snapshot.conf_index = state->configuration_index;
    if (configuration_decode(state->configuration, state->configuration_len, &message.install_snapshot.conf) != OK)
        abort();
    message_encode(&message, NULL, FORMAT_FIRST, ret);
    raft_configuration_close(&message.install_snapshot.conf);
}

void sim_send_snapshot(struct node *from, uint64_t to, uint64_t term)
{
    struct world *world = from->world;
    struct node *node = sim_node_by_id(world, to);
    struct sim_event sent = {
        .kind = EVENT_SNAPSHOT_SENT, .due = world->now + 50, .from = from->number, .from_life = from->life, .id = to};
    if (node == NULL) { /* it has another disk, and so another number, by now */
        sim_post(world, sent);
        return;
    }
    struct buf header = BUF_INIT;
    encode_header(&from->state, term, &header);
    struct sim_event event = {.kind = EVENT_SNAPSHOT,
                              .due = world->now + 20 + sim_random(world, sim_random(world, 3) > 0 ? 300 : 3000),
                              .from = from->number,
                              .to = node->number,
                              .from_life = from->life,
                              .to_life = node->life,
                              .payload = copy_of(header.data, header.len),
                              .len = header.len,
                              .state = from->state};
    buf_close(&header);
    sim_post(world, event);
    sent.due = event.due + 1 + sim_random(world, 50);
    sim_post(world, sent);
}

/* What comes to a node that stands still waits for it, in order. */
static bool wait_for(struct node *node, struct sim_event *event)
{
    if (!sim_node_is_paused(node))
        return false;
    struct sim_event later = *event;
    later.due = node->paused_until;
    event->payload = NULL;
    sim_post(node->world, later);
    return true;
}

void sim_deliver(struct world *world, struct sim_event *event)
{
    struct node *from = &world->nodes[event->from], *to = &world->nodes[event->to];
    bool is_own = event->kind == EVENT_SNAPSHOT_SENT || event->kind == EVENT_WRITTEN;
    if (wait_for(is_own ? from : to, event))
        return;
    if (is_own) {
        if (from->driver == NULL || from->life != event->from_life)
            return;
        if (event->kind == EVENT_WRITTEN)
            driver_written(from->driver, event->index, event->term);
        else
            driver_snapshot_sent(from->driver, event->id);
        return;
    }
    /* Links break with a node: what was under way is gone. */
    if (to->driver == NULL || to->life != event->to_life || from->life != event->from_life ||
        world->cut[event->from][event->to])
        return;
    if (event->kind == EVENT_SNAPSHOT) {
        struct sim_state *state = copy_of(&event->state, sizeof event->state);
        driver_snapshot_received(to->driver, from->id, event->payload, event->len, state);
    } else if (event->type == FRAME_STATUS) {
        driver_peer_told(to->driver, from->id, event->payload);
    } else {
        if (from->driver != NULL && sim_random(world, 30) == 0)
            driver_alive(to->driver, from->id, from->driver->raft.current_term); /* as if it came in parts */
        driver_receive(to->driver, from->id, event->type, event->payload, event->len);
    }
    sim_check_serves(to);
}

void sim_tell_traits(struct world *world)
{
    for (unsigned a = 0; a < world->n; a++) {
        struct node *node = &world->nodes[a];
        struct driver_traits traits = {.sealed = node->sealed, .non_leader = node->non_leader};
        for (unsigned b = 0; b < world->n && node->driver != NULL; b++)
            if (a != b)
                sim_send(node, world->nodes[b].id, FRAME_STATUS, &traits, sizeof traits);
    }
}
