/* SPDX-License-Identifier: Apache-2.0 */
/* From the log into the state: what is committed is applied; what is applied for good leaves the log. */
#include <stdlib.h>

#include "raft/driver/driver_private.h"

#define BATCH_ENTRIES    512
#define BATCH_BYTES      (16u << 20)
#define CACHE_BYTES      (4u << 20)
#define SNAPSHOT_REST_MS 30000

static uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* The core is told of every list of members that is committed, in order. */
static void tell_configurations(struct driver *driver)
{
    while (driver->configured < driver->raft.commit_index && !driver->broken) {
        uint64_t index = ++driver->configured;
        const struct tail_slot *slot = tail_at(&driver->tail, index);
        if (slot == NULL || slot->type != ENTRY_CONFIGURATION)
            continue;
        struct raft_event event = {.type = RAFT_CONFIGURATION};
        event.configuration.index = index;
        struct entry *entry = driver_entry(driver, index);
        if (entry == NULL)
            return;
        int rc = configuration_decode(entry->data, entry->len, &event.configuration.conf);
        entry_unref(entry);
        if (rc != OK) {
            driver_fatal(driver, "a bad list of members was committed");
            return;
        }
        driver_step(driver, &event, NULL); /* takes the configuration over */
        driver->ops->changed(driver->ctx);
    }
}

/*
 * Only what is on this node's own disk is applied, though a quorum of others might do: so the state is never ahead of
 * the log, and a leader whose disk is full acknowledges nothing.
 */
static void apply_more(struct driver *driver)
{
    uint64_t end = min_u64(driver->raft.commit_index, driver->raft.last_stored);
    if (driver->apply_running || driver->installing || driver->applying >= end || driver->broken)
        return;
    size_t n = (size_t)min_u64(end - driver->applying, BATCH_ENTRIES), bytes = 0, len = 0;
    struct entry **batch = calloc(n, sizeof *batch);
    if (batch == NULL)
        abort();
    while (len < n && bytes < BATCH_BYTES) {
        struct entry *entry = driver_entry(driver, driver->applying + 1 + len);
        if (entry == NULL)
            break;
        bytes += entry->len;
        batch[len++] = entry;
    }
    driver->batch = batch;
    driver->batch_len = len;
    if (driver->broken)
        return;
    driver->applying += len;
    driver->apply_running = true;
    driver->ops->apply(driver->ctx, batch, len);
}

void driver_advance(struct driver *driver)
{
    tell_configurations(driver);
    apply_more(driver);
    driver_members_progress(driver);
}

void driver_written(struct driver *driver, uint64_t index, uint64_t term)
{
    /* What was written may have been replaced since; then it says nothing. */
    if (driver->installing || index <= driver->raft.last_stored || tail_term(&driver->tail, index) != term)
        return;
    struct raft_event event = {.type = RAFT_PERSISTED_ENTRIES};
    event.persisted_entries.index = index;
    driver_step(driver, &event, NULL);
}

static void answer_submissions(struct driver *driver)
{
    for (struct submission *item; (item = fifo_front(&driver->submissions)) != NULL;) {
        struct submission done = *item;
        if (done.index > driver->applied)
            return;
        fifo_pop(&driver->submissions);
        driver_done(driver, done.token, OK, done.index);
    }
}

void driver_applied(struct driver *driver, uint64_t index)
{
    bool led = driver_leads(driver);
    for (size_t i = 0; i < driver->batch_len; i++)
        entry_unref(driver->batch[i]);
    free(driver->batch);
    driver->batch = NULL;
    driver->batch_len = 0;
    driver->apply_running = false;
    driver->applied = index;
    answer_submissions(driver);
    driver_read_progress(driver);
    tail_evict(&driver->tail, min_u64(index, driver->raft.last_stored), CACHE_BYTES);
    if (!led && driver_leads(driver))
        driver->ops->changed(driver->ctx);
    driver_advance(driver);
    driver_compact(driver);
}

/* ---- Compaction. The state is the snapshot, so it costs nothing but a sync and the removal of old entries. ---- */

/* A snapshot on its way is of use only if the entries after it are still there when it has arrived. */
static bool is_held(const struct driver *driver)
{
    const struct driver_options *options = &driver->options;
    uint64_t now = driver_now(driver);
    if (driver->tail.count > 64 * options->keep_entries || driver->tail.bytes > 8 * options->keep_bytes)
        return false;
    for (unsigned i = 0; i < driver->n_peers; i++) {
        const struct peer *peer = &driver->peers[i];
        if (peer->snapshot_running || (peer->snapshot_end != 0 && now < peer->snapshot_end + SNAPSHOT_REST_MS &&
                                       driver_match(driver, peer->id) < driver->tail.first))
            return true;
    }
    return false;
}

static void trim(struct driver *driver, uint64_t keep_from)
{
    struct raft *raft = &driver->raft;
    uint64_t index = driver->durable;
    if (keep_from > index)
        keep_from = index; /* the last entry that the state holds stays, and with it its term */
    if (index <= driver->compacted || keep_from <= driver->tail.first || raft->configuration_committed_index > index)
        return;
    struct raft_event event = {.type = RAFT_SNAPSHOT};
    event.snapshot.metadata.index = index;
    event.snapshot.metadata.term = tail_term(&driver->tail, index);
    event.snapshot.metadata.configuration_index = raft->configuration_committed_index;
    configuration_copy(&raft->configuration_committed, &event.snapshot.metadata.configuration);
    event.snapshot.trailing = (unsigned)(index - keep_from + 1);
    driver->compacted = index;
    if (driver_step(driver, &event, NULL) != 0)
        return;
    tail_trim(&driver->tail, keep_from);
    driver->ops->log_trim(driver->ctx, keep_from);
}

void driver_compact(struct driver *driver)
{
    const struct driver_options *options = &driver->options;
    bool is_long = driver->tail.count > options->keep_entries + options->keep_entries / 4 + 8;
    bool is_big = driver->tail.bytes > options->keep_bytes + options->keep_bytes / 4;
    if ((!is_long && !is_big) || driver->sync_running || driver->installing || driver->broken || is_held(driver))
        return;
    uint64_t keep_from =
        tail_keep_from(&driver->tail, tail_last(&driver->tail), options->keep_entries, options->keep_bytes);
    if (keep_from <= driver->tail.first)
        return;
    if (driver->durable < keep_from && driver->durable < driver->applied) {
        driver->sync_running = true;
        driver->ops->sync(driver->ctx);
        return;
    }
    trim(driver, keep_from);
}

void driver_synced(struct driver *driver, uint64_t index)
{
    driver->sync_running = false;
    if (index > driver->durable)
        driver->durable = index;
    driver_compact(driver);
}

/* ---- A snapshot from a peer ---- */

void driver_snapshot_received(struct driver *driver, uint64_t from, const void *header, size_t len, void *snapshot)
{
    struct message message;
    bool is_wanted = !driver->broken && !driver->installing && driver->raft.state != RAFT_LEADER &&
                     message_decode(header, len, &message) == OK;
    if (is_wanted && message.raft.type != RAFT_INSTALL_SNAPSHOT) {
        message_close(&message);
        is_wanted = false;
    }
    driver->incoming = snapshot;
    if (is_wanted) {
        driver_peer(driver, from)->heard = driver_now(driver);
        message.raft.server_id = from;
        message.raft.server_address = "peer";
        message.raft.install_snapshot.data.base = raft_malloc(1); /* libraft frees it; the data lies elsewhere */
        message.raft.install_snapshot.data.len = 1;
        struct raft_event event = {.type = RAFT_RECEIVE};
        event.receive.message = &message.raft; /* and takes its configuration over */
        driver_step(driver, &event, NULL);
    }
    if (driver->incoming != NULL)
        driver->ops->discard(driver->ctx, driver->incoming);
    driver->incoming = NULL;
}

void driver_installed(struct driver *driver)
{
    uint64_t index = driver->install.index;
    struct raft_event event = {.type = RAFT_PERSISTED_SNAPSHOT};
    event.persisted_snapshot.metadata = driver->install;
    event.persisted_snapshot.last = true;
    driver->installing = false;
    driver->applied = driver->applying = driver->configured = index;
    driver->durable = driver->compacted = index;
    driver_step(driver, &event, NULL);
    driver->ops->changed(driver->ctx);
}

void driver_snapshot_sent(struct driver *driver, uint64_t to)
{
    struct peer *peer = driver_peer(driver, to);
    peer->snapshot_running = false;
    peer->snapshot_end = driver_now(driver);
}
