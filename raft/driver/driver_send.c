/* SPDX-License-Identifier: Apache-2.0 */
/* What the core sends, as bytes; with what it leaves out or says wrong put right. */
#include "base/format.h"
#include "raft/driver/driver_private.h"

#define APPEND_ENTRIES_MAX 64
#define APPEND_BYTES_MAX   (16u << 20) /* one entry goes alone, however big */
#define SLOW_BYTES_PER_MS  (1u << 10)  /* what the slowest link does: 8 Mbit/s */

/* The newest form that a peer reads, as far as it said, and this node writes. */
static uint8_t form_for(struct driver *driver, uint64_t id)
{
    uint8_t format = driver_peer(driver, id)->traits.format, newest = format_newest();
    return format < FORMAT_FIRST ? FORMAT_FIRST : format < newest ? format : newest;
}

uint8_t driver_format(struct driver *driver)
{
    const struct raft_configuration *members = &driver->raft.configuration;
    uint8_t format = format_newest();
    for (unsigned i = 0; i < members->n; i++)
        if (members->servers[i].id != driver->raft.id && form_for(driver, members->servers[i].id) < format)
            format = form_for(driver, members->servers[i].id);
    return format;
}

static void send_encoded(struct driver *driver, const struct raft_message *message, struct entry *const *entries)
{
    buf_clear(&driver->scratch);
    message_encode(message, entries, form_for(driver, message->server_id), &driver->scratch);
    driver->ops->send(driver->ctx, message->server_id, FRAME_RAFT, driver->scratch.data, driver->scratch.len);
    if (driver->scratch.cap > 2 * APPEND_BYTES_MAX)
        buf_close(&driver->scratch);
}

/*
 * What is not confirmed yet the core sends again with every heartbeat, and whenever something is submitted (N3); to a
 * peer that is slow, or gone, or amid 48 MiB, that is far too often. Until it had time to arrive, it counts as sent.
 */
static bool is_under_way(const struct driver *driver, const struct peer *peer, uint64_t prev)
{
    uint64_t patience = driver->options.heartbeat_ms + peer->sent_bytes / SLOW_BYTES_PER_MS;
    return peer->sent_at != 0 && peer->sent_prev == prev && driver_now(driver) < peer->sent_at + patience;
}

static void send_append(struct driver *driver, const struct raft_message *message)
{
    struct raft_message copy = *message;
    struct raft_append_entries *args = &copy.append_entries;
    struct entry *entries[APPEND_ENTRIES_MAX];
    struct peer *peer = driver_peer(driver, message->server_id);
    if (is_under_way(driver, peer, args->prev_log_index))
        args->n_entries = 0; /* what is left is a heartbeat */
    unsigned n = 0;
    size_t bytes = 0;
    /* What is cut off here the peer will miss, say so, and get. */
    while (n < args->n_entries && n < APPEND_ENTRIES_MAX) {
        struct entry *entry = driver_entry(driver, args->prev_log_index + 1 + n);
        if (entry == NULL)
            break;
        bytes += entry->len;
        if (n > 0 && bytes > APPEND_BYTES_MAX) {
            entry_unref(entry);
            break;
        }
        entries[n++] = entry;
    }
    args->n_entries = n;
    if (n > 0) {
        peer->sent_at = driver_now(driver);
        peer->sent_prev = args->prev_log_index;
        peer->sent_bytes = bytes;
    }
    if (!driver->broken)
        send_encoded(driver, &copy, entries);
    for (unsigned i = 0; i < n; i++)
        entry_unref(entries[i]);
}

/* When it refuses for its term, libraft leaves last_log_index as it found it. */
static void send_append_result(struct driver *driver, const struct raft_message *message)
{
    struct raft_message copy = *message;
    struct raft_append_entries_result *result = &copy.append_entries_result;
    if (result->last_log_index > tail_last(&driver->tail))
        result->last_log_index = tail_last(&driver->tail);
    if (result->rejected > 0 && result->last_log_index >= result->rejected)
        result->last_log_index = result->rejected - 1;
    send_encoded(driver, &copy, NULL);
}

/*
 * R3: libraft answers a pre-vote with the asker's term also when it refuses. A node with the best log and a low term
 * and one with a higher term and a short log then refuse each other for ever. With our term in it, the asker catches
 * up.
 */
static void send_vote_result(struct driver *driver, const struct raft_message *message)
{
    struct raft_message copy = *message;
    struct raft_request_vote_result *result = &copy.request_vote_result;
    if (KEEPS_RULE(driver, RULE_R3) && result->pre_vote && !result->vote_granted &&
        result->term < driver->raft.current_term)
        result->term = driver->raft.current_term;
    if (!result->vote_granted)
        driver_tell_refusal(driver, message->server_id, driver_refusal(driver, message->server_id));
    send_encoded(driver, &copy, NULL);
}

/* N2: the core asks for a snapshot again while one is under way. */
static void send_snapshot(struct driver *driver, const struct raft_message *message)
{
    struct peer *peer = driver_peer(driver, message->server_id);
    if (peer->snapshot_running)
        return;
    peer->snapshot_running = true;
    driver->ops->send_snapshot(driver->ctx, peer->id, driver->raft.current_term);
}

void driver_link_up(struct driver *driver, uint64_t peer)
{
    driver_peer(driver, peer)->sent_at = 0; /* what was under way went with the link before */
}

void driver_send_message(struct driver *driver, const struct raft_message *message)
{
    switch (message->type) {
    case RAFT_APPEND_ENTRIES:
        send_append(driver, message);
        break;
    case RAFT_APPEND_ENTRIES_RESULT:
        send_append_result(driver, message);
        break;
    case RAFT_REQUEST_VOTE_RESULT:
        send_vote_result(driver, message);
        break;
    case RAFT_INSTALL_SNAPSHOT:
        send_snapshot(driver, message);
        break;
    default:
        send_encoded(driver, message, NULL);
    }
}
