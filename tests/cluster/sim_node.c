/* SPDX-License-Identifier: Apache-2.0 */
/* A node: the driver, and what it stands on. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "raft/driver/driver_private.h"
#include "sim.h"

/* ---- What the driver calls ---- */

static uint64_t op_now(void *ctx)
{
    return ((struct node *)ctx)->world->now;
}

static struct entry *op_log_read(void *ctx, uint64_t index)
{
    struct entry *entry = sim_log_at(&((struct node *)ctx)->cache, index);
    return entry == NULL ? NULL : entry_ref(entry);
}

static struct sim_job *new_job(enum sim_job_kind kind, struct entry *const *entries, size_t n)
{
    struct sim_job *job = calloc(1, sizeof *job);
    if (job == NULL)
        abort();
    job->kind = kind;
    job->n = n;
    if (n > 0) {
        job->entries = calloc(n, sizeof(struct entry *));
        for (size_t i = 0; i < n; i++)
            job->entries[i] = entry_ref(entries[i]);
    }
    return job;
}

static void op_log_append(void *ctx, struct entry *const *entries, size_t n)
{
    struct node *node = ctx;
    sim_log_truncate(&node->cache, entries[0]->index);
    if (node->cache.first + node->cache.count != entries[0]->index)
        sim_fail(node->world, "node %u leaves a hole in its log", node->number);
    for (size_t i = 0; i < n; i++)
        sim_log_push(&node->cache, entries[i]);
    sim_job_add(node, &node->log_jobs, new_job(JOB_APPEND, entries, n));
    if (node->world->bug == BUG_ACK_BEFORE_DURABLE)
        sim_post(node->world, (struct sim_event){.kind = EVENT_WRITTEN,
                                                 .due = node->world->now + 1,
                                                 .from = node->number,
                                                 .to = node->number,
                                                 .from_life = node->life,
                                                 .index = entries[n - 1]->index,
                                                 .term = entries[n - 1]->term});
}

static int op_log_vote(void *ctx, uint64_t term, uint64_t vote)
{
    struct node *node = ctx;
    node->term = term;
    node->vote = node->world->bug == BUG_VOTE_NOT_PERSISTED ? 0 : vote;
    return OK;
}

static void op_log_trim(void *ctx, uint64_t first)
{
    struct node *node = ctx;
    node->world->stats.trims++;
    if (first > node->durable.index)
        sim_fail(node->world, "node %u trims what its state may still lose", node->number);
    sim_log_trim(&node->cache, first);
    struct sim_job *job = new_job(JOB_TRIM, NULL, 0);
    job->first = first;
    sim_job_add(node, &node->log_jobs, job);
}

static int op_log_reset(void *ctx, uint64_t first)
{
    struct node *node = ctx;
    sim_log_reset(&node->log, first);
    sim_log_reset(&node->cache, first);
    return OK;
}

static void op_send(void *ctx, uint64_t to, uint8_t type, const void *payload, size_t len)
{
    sim_send(ctx, to, type, payload, len);
}

static void op_send_snapshot(void *ctx, uint64_t to, uint64_t term)
{
    sim_send_snapshot(ctx, to, term);
}

static void op_apply(void *ctx, struct entry *const *entries, size_t n)
{
    struct node *node = ctx;
    sim_job_add(node, &node->state_jobs, new_job(JOB_APPLY, entries, n));
}

static void op_sync(void *ctx)
{
    struct node *node = ctx;
    sim_job_add(node, &node->state_jobs, new_job(JOB_SYNC, NULL, 0));
}

static void op_install(void *ctx, void *snapshot, uint64_t first)
{
    struct node *node = ctx;
    struct sim_job *job = new_job(JOB_INSTALL, NULL, 0);
    job->state = *(struct sim_state *)snapshot;
    job->first = first;
    free(snapshot);
    sim_log_reset(&node->cache, first);
    sim_job_add(node, &node->state_jobs, job);
}

static void op_discard(void *ctx, void *snapshot)
{
    (void)ctx;
    free(snapshot);
}

static void submission_done(struct node *node, const struct sim_command *command, int rc, uint64_t index)
{
    if (rc == OK)
        sim_check_acked(node, index, command);
    if (command->step == STEP_WRITE)
        node->writing--;
    else
        sim_restore_done(node, command, rc, index);
}

static void op_done(void *ctx, void *token, int rc, uint64_t index, const char *why)
{
    struct node *node = ctx;
    struct sim_request *request = token;
    if (why != NULL)
        sim_trace(node->world, "node %u gives up what waited for %s", node->number, why);
    if (request->kind == REQUEST_SUBMIT) {
        submission_done(node, &request->command, rc, index);
    } else if (request->kind == REQUEST_CHANGE) {
        node->world->changed = node->world->changed || rc == OK;
    } else if (rc == OK) {
        node->world->stats.reads++;
        if (node->state.index < request->acked)
            sim_fail(node->world, "node %u reads at %llu, but %llu was acknowledged", node->number,
                     (unsigned long long)node->state.index, (unsigned long long)request->acked);
    }
    free(request);
}

static void op_changed(void *ctx)
{
    struct node *node = ctx;
    if (node->driver != NULL)
        sim_check_leader(node);
}

static void op_fatal(void *ctx, const char *why)
{
    struct node *node = ctx;
    sim_fail(node->world, "node %u: %s", node->number, why);
}

static const struct driver_ops ops = {
    .now = op_now,
    .log_read = op_log_read,
    .log_append = op_log_append,
    .log_vote = op_log_vote,
    .log_trim = op_log_trim,
    .log_reset = op_log_reset,
    .send = op_send,
    .send_snapshot = op_send_snapshot,
    .apply = op_apply,
    .sync = op_sync,
    .install = op_install,
    .discard = op_discard,
    .done = op_done,
    .changed = op_changed,
    .fatal = op_fatal,
};

/* ---- Its life ---- */

/*
 * R1b makes a change wait for the answers of all who will vote, and by then an entry of the new term is committed,
 * mostly: what the lack of R1a does can be seen only without that.
 */
static unsigned rules_left_out(enum sim_bug bug)
{
    switch (bug) {
    case BUG_NO_R1A:
        return RULE_R1A | RULE_R1B;
    case BUG_NO_R1B:
        return RULE_R1B | RULE_R1B_VOTE;
    case BUG_NO_R2:
        return RULE_R2;
    case BUG_NO_R3:
        return RULE_R3;
    case BUG_NO_PROMISE:
        return RULE_PROMISE;
    default:
        return 0;
    }
}

void sim_node_start(struct node *node)
{
    struct world *world = node->world;
    struct err err = {0};
    struct driver_options options = {.id = node->id,
                                     .election_ms = 300,
                                     .heartbeat_ms = 50,
                                     .seed = sim_random(world, UINT32_MAX),
                                     .keep_entries = world->keep_entries,
                                     .keep_bytes = 1u << 20,
                                     .non_leader = node->non_leader,
                                     .without = rules_left_out(world->bug)};
    node->life++;
    node->full = false;
    node->paused_until = node->writing = 0;
    node->restore = (struct sim_restore){0};
    node->state = node->durable;
    sim_log_reset(&node->cache, node->log.first);
    for (size_t i = 0; i < node->log.count; i++)
        sim_log_push(&node->cache, node->log.entries[i]);
    struct driver_disk disk = {.term = node->term,
                               .vote = node->vote,
                               .log_first = node->log.first,
                               .log_last = node->log.first + node->log.count - 1,
                               .applied = node->state.index,
                               .applied_term = node->state.term,
                               .configuration_index = node->state.configuration_index,
                               .configuration = node->state.configuration,
                               .configuration_len = node->state.configuration_len};
    if (driver_start(&options, &ops, node, &disk, &node->driver, &err) != OK) {
        sim_fail(world, "node %u does not start: %s", node->number, err_text(&err));
        return;
    }
    sim_trace(world, "node %u starts: term %llu, log %llu to %llu, state %llu", node->number,
              (unsigned long long)disk.term, (unsigned long long)disk.log_first, (unsigned long long)disk.log_last,
              (unsigned long long)disk.applied);
    driver_set_sealed(node->driver, node->sealed);
    driver_set_autopilot(node->driver, &world->autopilot);
    sim_check_leader(node);
}

void sim_node_crash(struct node *node)
{
    struct driver *driver = node->driver;
    sim_trace(node->world, "node %u crashes", node->number);
    node->driver = NULL;
    driver_stop(driver);
    sim_disk_crash(node);
    node->life++;
    node->world->stats.crashes++;
}

struct node *sim_node_by_id(struct world *world, uint64_t id)
{
    for (unsigned i = 0; i < world->n; i++)
        if (world->nodes[i].id == id)
            return &world->nodes[i];
    return NULL;
}

bool sim_node_is_paused(const struct node *node)
{
    return node->world->now < node->paused_until;
}

bool sim_node_propose(struct node *node, const struct sim_command *command)
{
    struct driver_standing standing;
    struct sim_request *request = malloc(sizeof *request);
    driver_standing(node->driver, &standing);
    *request = (struct sim_request){.kind = REQUEST_SUBMIT, .command = *command};
    struct entry *entry = entry_new(0, 0, ENTRY_COMMAND, command, sizeof *command);
    if (driver_submit(node->driver, standing.term, entry, request) == OK)
        return true;
    free(request);
    return false;
}

void sim_node_submit(struct node *node)
{
    struct sim_command command = {.step = STEP_WRITE, .value = ++node->world->next_value, .refers = node->state.index};
    node->writing++; /* first, for it may be done before it returns */
    if (!sim_node_propose(node, &command))
        node->writing--;
}

void sim_node_read(struct node *node)
{
    struct driver_standing standing;
    struct sim_request *request = malloc(sizeof *request);
    driver_standing(node->driver, &standing);
    *request = (struct sim_request){.kind = REQUEST_READ, .acked = node->world->acked_max};
    if (driver_read(node->driver, standing.term, request) != OK)
        free(request);
}

void sim_node_change(struct node *node)
{
    struct world *world = node->world;
    const struct raft_configuration *members = driver_configuration(node->driver);
    struct node *other = &world->nodes[sim_random(world, world->n)];
    struct sim_request *request = malloc(sizeof *request);
    *request = (struct sim_request){.kind = REQUEST_CHANGE};
    const struct raft_server *known = configuration_find_node(members, other->name);
    struct member member;
    int rc = member_make(other->name, "node:4", false, &member, NULL);
    if (known != NULL && other != node && sim_random(world, 2) == 0)
        rc = driver_set_voter(node->driver, known->id, known->role != RAFT_VOTER, request, NULL);
    else if (known != NULL && members->n > 2)
        rc = driver_remove_member(node->driver, known->id, request, NULL);
    else if (rc == OK)
        rc = driver_add_member(node->driver, other->id, &member, request, NULL);
    if (rc != OK)
        free(request);
}
