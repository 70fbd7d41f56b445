/* SPDX-License-Identifier: Apache-2.0 */
/* Chance and time. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "sim.h"

uint32_t sim_random(struct world *world, uint32_t below)
{
    world->rng ^= world->rng << 13;
    world->rng ^= world->rng >> 7;
    world->rng ^= world->rng << 17;
    return below == 0 ? 0 : (uint32_t)(world->rng >> 11) % below;
}

void sim_fail(struct world *world, const char *fmt, ...)
{
    if (world->failed)
        return; /* the first one counts */
    world->failed = true;
    va_list args;
    va_start(args, fmt);
    vsnprintf(world->why, sizeof world->why, fmt, args);
    va_end(args);
}

void sim_trace(struct world *world, const char *fmt, ...)
{
    if (!world->verbose)
        return;
    va_list args;
    va_start(args, fmt);
    printf("%8llu ", (unsigned long long)world->now);
    vprintf(fmt, args);
    printf("\n");
    va_end(args);
}

static bool is_before(const struct sim_event *a, const struct sim_event *b)
{
    return a->due < b->due || (a->due == b->due && a->serial < b->serial);
}

void sim_post(struct world *world, struct sim_event event)
{
    if (world->heap_len == world->heap_cap) {
        world->heap_cap = world->heap_cap == 0 ? 1024 : world->heap_cap * 2;
        world->heap = realloc(world->heap, world->heap_cap * sizeof *world->heap);
        if (world->heap == NULL)
            abort();
    }
    event.serial = world->heap_serial++;
    size_t at = world->heap_len++;
    for (; at > 0 && is_before(&event, &world->heap[(at - 1) / 2]); at = (at - 1) / 2)
        world->heap[at] = world->heap[(at - 1) / 2];
    world->heap[at] = event;
}

static struct sim_event take_first(struct world *world)
{
    struct sim_event first = world->heap[0], last = world->heap[--world->heap_len];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= world->heap_len)
            break;
        if (child + 1 < world->heap_len && is_before(&world->heap[child + 1], &world->heap[child]))
            child++;
        if (!is_before(&world->heap[child], &last))
            break;
        world->heap[at] = world->heap[child];
        at = child;
    }
    if (world->heap_len > 0)
        world->heap[at] = last;
    return first;
}

/* What comes next: an event of the heap, a job of a disk, or a timeout. */
struct due {
    uint64_t time;
    struct node *node;
    struct sim_queue *queue;
    bool is_timeout, is_event;
};

static void consider(struct due *due, uint64_t time, struct due candidate)
{
    if (time < due->time) {
        candidate.time = time;
        *due = candidate;
    }
}

static struct due next_due(struct world *world, uint64_t until)
{
    struct due due = {.time = until};
    for (unsigned i = 0; i < world->n; i++) {
        struct node *node = &world->nodes[i];
        if (node->driver == NULL)
            continue;
        if (node->log_jobs.front != NULL && !node->full)
            consider(&due, node->log_jobs.front->due, (struct due){.node = node, .queue = &node->log_jobs});
        if (node->state_jobs.front != NULL)
            consider(&due, node->state_jobs.front->due, (struct due){.node = node, .queue = &node->state_jobs});
        uint64_t deadline = driver_deadline(node->driver);
        if (deadline < node->paused_until)
            deadline = node->paused_until;
        consider(&due, deadline, (struct due){.node = node, .is_timeout = true});
    }
    if (world->heap_len > 0)
        consider(&due, world->heap[0].due, (struct due){.is_event = true});
    return due;
}

void sim_run_until(struct world *world, uint64_t until)
{
    while (!world->failed) {
        struct due due = next_due(world, until);
        if (!due.is_event && due.node == NULL)
            break;
        if (due.time > world->now)
            world->now = due.time;
        if (due.is_event) {
            struct sim_event event = take_first(world);
            sim_deliver(world, &event);
            free(event.payload);
        } else if (due.is_timeout) {
            driver_timeout(due.node->driver);
            sim_check_serves(due.node);
        } else {
            sim_job_done(due.node, due.queue);
        }
    }
    world->now = until;
}
