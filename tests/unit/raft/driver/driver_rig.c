/* SPDX-License-Identifier: Apache-2.0 */
#include "base/format.h"
#include "driver_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ELECTION_MS  300
#define HEARTBEAT_MS 50

/* ---- What the driver calls ---- */

static uint64_t op_now(void *ctx)
{
    return ((struct driver_rig *)ctx)->now;
}

static struct entry *op_log_read(void *ctx, uint64_t index)
{
    struct driver_rig *rig = ctx;
    return index < rig->first || index > rig->last ? NULL : entry_ref(rig->log[index]);
}

static void cut_log(struct driver_rig *rig, uint64_t index)
{
    for (; rig->last >= index && rig->last >= rig->first; rig->last--)
        entry_unref(rig->log[rig->last]);
}

static void op_log_append(void *ctx, struct entry *const *entries, size_t n)
{
    struct driver_rig *rig = ctx;
    cut_log(rig, entries[0]->index);
    assert_true(rig->n_appends < RIG_CALLS_MAX);
    rig->appends[rig->n_appends++] = entries[0]->index;
    for (size_t i = 0; i < n; i++)
        rig->log[++rig->last] = entry_ref(entries[i]);
}

static int op_log_vote(void *ctx, uint64_t term, uint64_t vote)
{
    struct driver_rig *rig = ctx;
    rig->term = term;
    rig->vote = vote;
    rig->votes_written++;
    rig->vote_before_sent = rig->n_sent;
    return OK;
}

static void op_log_trim(void *ctx, uint64_t first)
{
    struct driver_rig *rig = ctx;
    for (; rig->first < first; rig->first++)
        entry_unref(rig->log[rig->first]);
}

static int op_log_reset(void *ctx, uint64_t first)
{
    struct driver_rig *rig = ctx;
    cut_log(rig, rig->first);
    rig->first = first;
    rig->last = first - 1;
    return OK;
}

static void op_send(void *ctx, uint64_t to, uint8_t type, const void *payload, size_t len)
{
    struct driver_rig *rig = ctx;
    assert_true(rig->n_sent < RIG_SENT_MAX);
    struct rig_sent *sent = &rig->sent[rig->n_sent++];
    *sent = (struct rig_sent){.to = to, .type = type, .is_raft = type == FRAME_RAFT};
    if (sent->is_raft) {
        assert_int_equal(message_decode(payload, len, &sent->message), OK);
        return;
    }
    struct reader reader = reader_of(payload, len);
    for (size_t i = 0; i < sizeof sent->numbers / sizeof sent->numbers[0]; i++)
        sent->numbers[i] = reader_u64(&reader);
}

static void op_send_snapshot(void *ctx, uint64_t to, uint64_t term)
{
    (void)to;
    (void)term;
    ((struct driver_rig *)ctx)->snapshots++;
}

static void op_apply(void *ctx, struct entry *const *entries, size_t n)
{
    ((struct driver_rig *)ctx)->applying = entries[n - 1]->index;
}

static void op_sync(void *ctx)
{
    (void)ctx;
}

static void op_install(void *ctx, void *snapshot, uint64_t first)
{
    (void)snapshot;
    op_log_reset(ctx, first);
}

static void op_discard(void *ctx, void *snapshot)
{
    (void)ctx;
    *(bool *)snapshot = true;
}

static void op_done(void *ctx, void *token, int rc, uint64_t index, const char *why)
{
    struct driver_rig *rig = ctx;
    (void)why;
    assert_true(rig->n_done < RIG_DONE_MAX);
    rig->done[rig->n_done].token = token;
    rig->done[rig->n_done].rc = rc;
    rig->done[rig->n_done++].index = index;
}

static void op_changed(void *ctx)
{
    (void)ctx;
}

static void op_fatal(void *ctx, const char *why)
{
    struct driver_rig *rig = ctx;
    snprintf(rig->fatal, sizeof rig->fatal, "%s", why);
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

/* ---- Beginning and end ---- */

struct entry *rig_members(uint64_t index, uint64_t term, unsigned n, unsigned standbys)
{
    struct raft_configuration members;
    raft_configuration_init(&members);
    for (unsigned id = 1; id <= n; id++) {
        char address[32];
        snprintf(address, sizeof address, "n%u host:%u", id, id);
        assert_int_equal(raft_configuration_add(&members, id, address, id < standbys ? RAFT_VOTER : RAFT_STANDBY), 0);
    }
    struct entry *entry = configuration_entry(&members);
    entry->index = index;
    entry->term = term;
    raft_configuration_close(&members);
    return entry;
}

struct entry *rig_command(uint64_t index, uint64_t term)
{
    return entry_new(index, term, ENTRY_COMMAND, &index, sizeof index);
}

void rig_disk(struct driver_rig *rig, struct entry *entry)
{
    if (rig->first == 0) {
        rig->first = entry->index;
        rig->last = entry->index - 1;
        rig->now = 1000;
    }
    rig->log[++rig->last] = entry;
    rig->term = entry->term;
}

int rig_begin_with(struct driver_rig *rig, const struct driver_disk *disk)
{
    const struct driver_options options = {.id = 1,
                                           .election_ms = ELECTION_MS,
                                           .heartbeat_ms = HEARTBEAT_MS,
                                           .seed = 7,
                                           .keep_entries = 10,
                                           .keep_bytes = 1u << 20};
    return driver_start(&options, &ops, rig, disk, &rig->driver, NULL);
}

void rig_begin(struct driver_rig *rig)
{
    const struct driver_disk disk = {
        .term = rig->term, .vote = rig->vote, .log_first = rig->first, .log_last = rig->last};
    assert_int_equal(rig_begin_with(rig, &disk), OK);
}

void rig_end(struct driver_rig *rig)
{
    if (rig->driver != NULL)
        driver_stop(rig->driver);
    if (rig->first > 0)
        cut_log(rig, rig->first);
    rig_forget_sent(rig);
    rig->driver = NULL;
}

void rig_voters(struct driver_rig *rig, unsigned n)
{
    rig_disk(rig, rig_members(1, 1, n, n + 1));
    rig_begin(rig);
}

/* ---- Life ---- */

void rig_pass(struct driver_rig *rig, uint64_t ms)
{
    for (uint64_t end = rig->now + ms; rig->now < end;) {
        rig->now++;
        if (rig->now >= driver_deadline(rig->driver))
            driver_timeout(rig->driver);
    }
}

void rig_write(struct driver_rig *rig)
{
    driver_written(rig->driver, rig->last, rig->log[rig->last]->term);
}

void rig_apply(struct driver_rig *rig)
{
    while (rig->applying != 0) {
        uint64_t index = rig->applying;
        rig->applying = 0;
        driver_applied(rig->driver, index);
    }
}

void rig_deliver(struct driver_rig *rig, uint64_t from, struct raft_message *message, struct entry *const *entries)
{
    struct buf frame = BUF_INIT;
    message_encode(message, entries, FORMAT_FIRST, &frame);
    driver_receive(rig->driver, from, FRAME_RAFT, frame.data, frame.len);
    buf_close(&frame);
}

void rig_append(struct driver_rig *rig, uint64_t from, uint64_t term, uint64_t prev, uint64_t prev_term,
                uint64_t commit, struct entry **entries, unsigned n)
{
    struct raft_message message = {.type = RAFT_APPEND_ENTRIES};
    message.append_entries.term = term;
    message.append_entries.prev_log_index = prev;
    message.append_entries.prev_log_term = prev_term;
    message.append_entries.leader_commit = commit;
    message.append_entries.n_entries = n;
    rig_deliver(rig, from, &message, entries);
    for (unsigned i = 0; i < n; i++)
        entry_unref(entries[i]);
}

void rig_confirm(struct driver_rig *rig, uint64_t from, uint64_t index)
{
    struct raft_message message = {.type = RAFT_APPEND_ENTRIES_RESULT};
    message.append_entries_result.term = rig->term;
    message.append_entries_result.last_log_index = index;
    rig_deliver(rig, from, &message, NULL);
}

static void grant(struct driver_rig *rig, uint64_t from, uint64_t term, bool pre_vote)
{
    struct raft_message message = {.type = RAFT_REQUEST_VOTE_RESULT};
    message.request_vote_result.term = term;
    message.request_vote_result.vote_granted = true;
    message.request_vote_result.pre_vote = pre_vote;
    rig_deliver(rig, from, &message, NULL);
}

void rig_elect(struct driver_rig *rig)
{
    uint64_t term = rig->term + 1;
    while (rig_last(rig, 2, RAFT_REQUEST_VOTE) == NULL)
        rig_pass(rig, 1);
    grant(rig, 2, term, true);
    grant(rig, 3, term, true);
    grant(rig, 2, term, false);
    grant(rig, 3, term, false);
}

void rig_lead(struct driver_rig *rig)
{
    rig_elect(rig);
    rig_write(rig);
    rig_confirm(rig, 2, rig->last);
    rig_confirm(rig, 3, rig->last);
    rig_apply(rig);
    struct driver_standing standing;
    driver_standing(rig->driver, &standing);
    assert_int_equal(standing.role, CLUSTER_LEADER);
    rig_forget_sent(rig);
}

/* ---- What was sent ---- */

void rig_forget_sent(struct driver_rig *rig)
{
    for (unsigned i = 0; i < rig->n_sent; i++)
        if (rig->sent[i].is_raft)
            message_close(&rig->sent[i].message);
    rig->n_sent = 0;
}

const struct raft_message *rig_last(struct driver_rig *rig, uint64_t to, int type)
{
    for (unsigned i = rig->n_sent; i-- > 0;)
        if (rig->sent[i].is_raft && rig->sent[i].to == to && (int)rig->sent[i].message.raft.type == type)
            return &rig->sent[i].message.raft;
    return NULL;
}

unsigned rig_count(struct driver_rig *rig, uint64_t to, int type)
{
    unsigned n = 0;
    for (unsigned i = 0; i < rig->n_sent; i++)
        n += rig->sent[i].is_raft && rig->sent[i].to == to && (int)rig->sent[i].message.raft.type == type;
    return n;
}
