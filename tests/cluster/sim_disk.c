/* SPDX-License-Identifier: Apache-2.0 */
/* Disks: writes take time, end in order, and are lost by a crash before. */
#include <stdlib.h>
#include <string.h>

#include "sim.h"

void sim_log_truncate(struct sim_log *log, uint64_t index)
{
    while (log->count > 0 && log->first + log->count > index)
        entry_unref(log->entries[--log->count]);
}

void sim_log_push(struct sim_log *log, struct entry *entry)
{
    if (log->count == log->cap) {
        log->cap = log->cap == 0 ? 64 : log->cap * 2;
        log->entries = realloc(log->entries, log->cap * sizeof(struct entry *));
        if (log->entries == NULL)
            abort();
    }
    log->entries[log->count++] = entry_ref(entry);
}

void sim_log_trim(struct sim_log *log, uint64_t first)
{
    size_t n = 0;
    while (n < log->count && log->first + n < first)
        entry_unref(log->entries[n++]);
    memmove(log->entries, log->entries + n, (log->count - n) * sizeof(struct entry *));
    log->count -= n;
    log->first += n;
}

void sim_log_reset(struct sim_log *log, uint64_t first)
{
    sim_log_truncate(log, 0);
    log->first = first;
}

struct entry *sim_log_at(const struct sim_log *log, uint64_t index)
{
    return index >= log->first && index < log->first + log->count ? log->entries[index - log->first] : NULL;
}

static void append(struct sim_log *log, struct entry *const *entries, size_t n)
{
    sim_log_truncate(log, entries[0]->index);
    if (log->first + log->count != entries[0]->index)
        return; /* the log was emptied for a snapshot meanwhile */
    for (size_t i = 0; i < n; i++)
        sim_log_push(log, entries[i]);
}

static void free_job(struct sim_job *job)
{
    for (size_t i = 0; i < job->n; i++)
        entry_unref(job->entries[i]);
    free(job->entries);
    free(job);
}

void sim_job_add(struct node *node, struct sim_queue *queue, struct sim_job *job)
{
    uint64_t delay = node->disk_delay;
    if (job->kind == JOB_INSTALL || job->kind == JOB_SYNC)
        delay += sim_random(node->world, sim_random(node->world, 3) > 0 ? 60 : 900);
    if (job->kind == JOB_APPLY)
        delay = delay / 4 + 1;
    job->due = node->world->now + 1 + sim_random(node->world, (uint32_t)delay + 1);
    if (queue->back != NULL && job->due < queue->back->due)
        job->due = queue->back->due;
    if (queue->back != NULL)
        queue->back->next = job;
    else
        queue->front = job;
    queue->back = job;
}

/* Puts what a log job says on disk; of an append only the first `most` entries. */
static void write_log(struct node *node, const struct sim_job *job, size_t most)
{
    if (job->kind == JOB_APPEND && most > 0)
        append(&node->log, job->entries, job->n < most ? job->n : most);
    else if (job->kind == JOB_TRIM)
        sim_log_trim(&node->log, job->first);
    else if (job->kind == JOB_RESET)
        sim_log_reset(&node->log, job->first);
}

static void log_job_done(struct node *node, const struct sim_job *job)
{
    write_log(node, job, SIZE_MAX);
    const struct entry *last = job->n > 0 ? job->entries[job->n - 1] : NULL;
    if (job->kind == JOB_APPEND && node->world->bug != BUG_ACK_BEFORE_DURABLE)
        driver_written(node->driver, last->index, last->term);
    else if (job->kind == JOB_RESET)
        driver_installed(node->driver);
}

static void state_job_done(struct node *node, const struct sim_job *job)
{
    if (job->kind == JOB_APPLY) {
        for (size_t i = 0; i < job->n; i++)
            sim_check_apply(node, job->entries[i]);
        if (sim_random(node->world, 50) == 0)
            node->durable = node->state; /* the disk got round to it by itself */
        driver_applied(node->driver, job->entries[job->n - 1]->index);
    } else if (job->kind == JOB_SYNC) {
        node->durable = node->state;
        driver_synced(node->driver, node->durable.index);
    } else {
        node->state = node->durable = job->state;
        node->world->stats.snapshots++;
        struct sim_job *reset = calloc(1, sizeof *reset);
        reset->kind = JOB_RESET;
        reset->first = job->first;
        sim_job_add(node, &node->log_jobs, reset);
    }
}

void sim_job_done(struct node *node, struct sim_queue *queue)
{
    struct sim_job *job = queue->front;
    queue->front = job->next;
    if (queue->front == NULL)
        queue->back = NULL;
    if (queue == &node->log_jobs)
        log_job_done(node, job);
    else
        state_job_done(node, job);
    free_job(job);
}

static void drop_jobs(struct sim_queue *queue)
{
    for (struct sim_job *job = queue->front, *next; job != NULL; job = next) {
        next = job->next;
        free_job(job);
    }
    *queue = (struct sim_queue){0};
}

void sim_disk_crash(struct node *node)
{
    struct world *world = node->world;
    uint32_t jobs = 0, i = 0;
    for (struct sim_job *job = node->log_jobs.front; job != NULL; job = job->next)
        jobs++;
    uint32_t written = sim_random(world, jobs + 1);
    for (struct sim_job *job = node->log_jobs.front; job != NULL && i <= written; job = job->next, i++) {
        if (i < written)
            write_log(node, job, SIZE_MAX);
        else if (job->kind == JOB_APPEND && sim_random(world, 2) == 0)
            write_log(node, job, sim_random(world, (uint32_t)job->n + 1));
    }
    /* Half of the time only the process died: then what it wrote into the state is there. */
    if (sim_random(world, 2) == 0)
        node->durable = node->state;
    else if (node->state.index > node->durable.index)
        node->durable = sim_state_at(
            world, node->durable.index + sim_random(world, (uint32_t)(node->state.index - node->durable.index) + 1));
    drop_jobs(&node->log_jobs);
    drop_jobs(&node->state_jobs);
    sim_log_reset(&node->cache, 1);
}

void sim_disk_wipe(struct node *node)
{
    sim_trace(node->world, "node %u has a new disk", node->number);
    node->id = (uint64_t)sim_random(node->world, UINT32_MAX) << 32 | (sim_random(node->world, UINT32_MAX) + 1u);
    node->term = node->vote = 0;
    sim_log_reset(&node->log, 1);
    node->durable = (struct sim_state){.hash = SIM_HASH_START};
}
