/* SPDX-License-Identifier: Apache-2.0 */
/* What the driver stands on in a server: the journal, the store, the net. */
#include "base/failpoint.h"
#include "raft/cluster/cluster_private.h"

static uint64_t op_now(void *ctx)
{
    (void)ctx;
    return cluster_now();
}

static struct entry *op_log_read(void *ctx, uint64_t index)
{
    struct cluster *cluster = ctx;
    return journal_read(cluster->journal, index);
}

static void op_log_append(void *ctx, struct entry *const *entries, size_t n)
{
    cluster_write_append(ctx, entries, n);
}

static int op_log_vote(void *ctx, uint64_t term, uint64_t vote)
{
    struct cluster *cluster = ctx;
    (void)failpoint("raft.before_vote");
    return journal_set_vote(cluster->journal, term, vote);
}

static void op_log_trim(void *ctx, uint64_t first)
{
    cluster_write_trim(ctx, first);
}

/* At the start, when the writer has nothing to do yet. */
static int op_log_reset(void *ctx, uint64_t first)
{
    struct cluster *cluster = ctx;
    struct journal_op op = {.kind = JOURNAL_RESET, .first = first};
    return journal_write(cluster->journal, &op, 1, NULL);
}

static void op_send(void *ctx, uint64_t to, uint8_t type, const void *payload, size_t len)
{
    cluster_frame_send(ctx, to, type, payload, len);
}

static void op_send_snapshot(void *ctx, uint64_t to, uint64_t term)
{
    cluster_apply_capture(ctx, to, term);
}

static void op_apply(void *ctx, struct entry *const *entries, size_t n)
{
    cluster_apply_entries(ctx, entries, n);
}

static void op_sync(void *ctx)
{
    cluster_apply_sync(ctx);
}

static void op_install(void *ctx, void *snapshot, uint64_t first)
{
    cluster_apply_install(ctx, snapshot, first);
}

static void op_discard(void *ctx, void *snapshot)
{
    store_import_abort(snapshot);
    cluster_import_over(ctx);
}

static void op_done(void *ctx, void *token, int rc, uint64_t index, const char *why)
{
    struct call *call = token;
    (void)ctx;
    if (why != NULL)
        err_set(&call->err, rc, "this waited for %s, and was given up", why);
    call_settle(call, rc, index);
}

static void op_changed(void *ctx)
{
    struct cluster *cluster = ctx;
    cluster->standing_changed = true;
    cluster_publish_lead(cluster);
}

static void op_fatal(void *ctx, const char *why)
{
    (void)ctx;
    cluster_die("%s", why);
}

const struct driver_ops cluster_ops = {
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
