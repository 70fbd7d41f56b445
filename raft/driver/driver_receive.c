/* SPDX-License-Identifier: Apache-2.0 */
/* What peers send, checked and brought into the form in which the core gets it right. */
#include <stdlib.h>

#include "base/log.h"
#include "raft/driver/driver_private.h"

#define UNWRITTEN_MAX 4096
#define COMPLAIN_MS   10000
#define MEMORY_MAX    (192u << 20)

/* A leader writes faster than this disk: it hears of it by our not confirming, and sends again. */
static bool is_overloaded(const struct driver *driver)
{
    return tail_last(&driver->tail) > driver->raft.last_stored + UNWRITTEN_MAX || driver->tail.kept_bytes > MEMORY_MAX;
}

/* Seldom enough that nobody can fill the server's log with it. */
static bool may_complain(struct driver *driver)
{
    uint64_t now = driver_now(driver);
    if (driver->complained != 0 && now < driver->complained + COMPLAIN_MS)
        return false;
    driver->complained = now;
    return true;
}

static void step_append(struct driver *driver, struct message *message, unsigned from, unsigned n)
{
    struct raft_message part = message->raft;
    struct raft_append_entries *args = &part.append_entries;
    struct carried carried = {.entries = message->entries + from, .n = n};
    if (from > 0) {
        args->prev_log_index += from;
        args->prev_log_term = message->entries[from - 1]->term;
    }
    args->n_entries = n;
    if (n > 0) {
        /* libraft frees the memory of entries that it does not want: it gets a crumb, the entries are ours. */
        carried.token = raft_malloc(1);
        carried.array = calloc(n, sizeof *carried.array);
        if (carried.array == NULL || carried.token == NULL)
            abort();
        for (unsigned i = 0; i < n; i++) {
            struct entry *entry = carried.entries[i];
            carried.array[i] = (struct raft_entry){.term = entry->term,
                                                   .type = (enum raft_entry_type)entry->type,
                                                   .buf = {.base = entry->data, .len = entry->len},
                                                   .batch = carried.token};
        }
    }
    args->entries = carried.array;
    struct raft_event event = {.type = RAFT_RECEIVE};
    event.receive.message = &part;
    driver_step(driver, &event, n > 0 ? &carried : NULL);
    free(carried.array);
}

/*
 * R6: an entry that was removed from the front of the log looks to libraft like one that is missing at its end, and it
 * would append it there. What the state holds is committed, so the leader has the same: the message is taken to begin
 * behind it.
 */
static void skip_compacted(const struct driver *driver, struct message *message)
{
    struct raft_append_entries *args = &message->raft.append_entries;
    const struct raft_trail *trail = &driver->raft.trail;
    if (args->prev_log_index >= trail->snapshot.index)
        return;
    uint64_t skip = trail->snapshot.index - args->prev_log_index;
    unsigned n = args->n_entries, dropped = skip < n ? (unsigned)skip : n;
    for (unsigned i = 0; i < dropped; i++)
        entry_unref(message->entries[i]);
    for (unsigned i = dropped; i < n; i++)
        message->entries[i - dropped] = message->entries[i];
    args->n_entries = n - dropped;
    args->prev_log_index = trail->snapshot.index;
    args->prev_log_term = trail->snapshot.term;
}

/*
 * R2: libraft notes the wrong index for a change of members that is not the first new entry of a message; the change
 * would never count as committed here, and a roll-back would go to the wrong members. So each begins a message.
 */
static void receive_append(struct driver *driver, struct message *message)
{
    skip_compacted(driver, message);
    unsigned n = message->raft.append_entries.n_entries, from = 0;
    if (n > 0 && is_overloaded(driver))
        n = 0; /* what is left is a heartbeat */
    for (unsigned i = 1; i < n && KEEPS_RULE(driver, RULE_R2); i++) {
        if (message->entries[i]->type == ENTRY_CONFIGURATION) {
            step_append(driver, message, from, i - from);
            from = i;
        }
    }
    step_append(driver, message, from, n - from);
}

/*
 * R1b: when a cluster of one becomes one of two, its leader may be alone in knowing that the other now votes. So a
 * standby votes too: whether the vote counts is for the candidate to say, by the members that it knows.
 */
static void receive_request_vote(struct driver *driver, struct raft_message *message)
{
    struct raft_server *self = configuration_find(&driver->raft.configuration, driver->raft.id);
    bool is_lent = KEEPS_RULE(driver, RULE_R1B_VOTE) && self != NULL && self->role == RAFT_STANDBY;
    struct raft_event event = {.type = RAFT_RECEIVE};
    event.receive.message = message;
    /* Only who stands for election forgets by itself a leader that is gone. */
    if ((is_lent || driver_rests(driver)) && driver->raft.state == RAFT_FOLLOWER &&
        driver_now(driver) >= driver->raft.election_timer_start + driver->options.election_ms)
        driver->raft.follower_state.current_leader.id = 0;
    if (is_lent)
        self->role = RAFT_VOTER;
    driver_step(driver, &event, NULL);
    if (is_lent)
        self->role = RAFT_STANDBY; /* a vote changes no members: it is still there */
}

/*
 * R7: a refusal that was overtaken, and says less of the peer's log than the peer has confirmed since. libraft would go
 * back behind what matches, and never send that peer an entry again.
 */
static bool is_outdated(const struct driver *driver, uint64_t from, const struct raft_append_entries_result *result)
{
    return driver->raft.state == RAFT_LEADER && result->term == driver->raft.current_term && result->rejected > 0 &&
           result->last_log_index < driver_match(driver, from);
}

static bool may_vote(struct driver *driver, uint64_t candidate)
{
    bool is_bound = driver_promise_binds(driver);
    /* R4: before it was started anew, this node may have promised a leader not to vote within an election timeout. */
    bool may_be = driver_now(driver) < driver->started + driver->options.election_ms;
    if (is_bound)
        driver_tell_refusal(driver, candidate, "this node has promised its leader not to vote for another yet");
    else if (may_be)
        driver_tell_refusal(driver, candidate, "this node has just started, and may have promised a leader its vote");
    return !is_bound && !may_be;
}

/* Whether the core may see it. What it takes for impossible it does not check in a release build. */
static bool is_acceptable(struct driver *driver, uint64_t from, const struct raft_message *message)
{
    const struct raft *raft = &driver->raft;
    switch (message->type) {
    case RAFT_APPEND_ENTRIES:
        if (raft->state != RAFT_LEADER || message->append_entries.term != raft->current_term)
            return true;
        if (may_complain(driver))
            log_error("raft", "a second leader in term %llu: its message is dropped",
                      (unsigned long long)raft->current_term);
        return false;
    case RAFT_APPEND_ENTRIES_RESULT:
        return !is_outdated(driver, from, &message->append_entries_result);
    case RAFT_REQUEST_VOTE:
        return message->request_vote.candidate_id == from && may_vote(driver, from);
    case RAFT_REQUEST_VOTE_RESULT:
        return raft->state == RAFT_CANDIDATE; /* libraft reads a candidate's fields in any state */
    case RAFT_INSTALL_SNAPSHOT:
        return false; /* comes by driver_snapshot_received() */
    case RAFT_TIMEOUT_NOW:
        /* A sole voter would lead at once and in the old term (R5); its own timeout does it right. */
        return !driver_is_sole_voter(driver) && !driver_promise_binds(driver) && !driver->log_stuck &&
               !driver->options.non_leader && driver->change.stage != CHANGE_LEAVING;
    default:
        return true;
    }
}

static void receive_message(struct driver *driver, uint64_t from, const void *payload, size_t len)
{
    struct message message;
    if (message_decode(payload, len, &message) != OK) {
        if (may_complain(driver))
            log_warn("raft", "a malformed message from a peer is dropped");
        return;
    }
    message.raft.server_id = from;
    message.raft.server_address = "peer"; /* libraft only keeps it; peers are told apart by number */
    if (is_acceptable(driver, from, &message.raft)) {
        if (message.raft.type == RAFT_APPEND_ENTRIES) {
            receive_append(driver, &message);
        } else if (message.raft.type == RAFT_REQUEST_VOTE) {
            receive_request_vote(driver, &message.raft);
        } else {
            struct raft_event event = {.type = RAFT_RECEIVE};
            event.receive.message = &message.raft;
            if (message.raft.type == RAFT_TIMEOUT_NOW)
                driver_lead_offered(driver, from);
            driver_step(driver, &event, NULL);
        }
    }
    message_close(&message);
}

void driver_alive(struct driver *driver, uint64_t from, uint64_t term)
{
    struct raft *raft = &driver->raft;
    if (driver->broken || raft->state != RAFT_FOLLOWER || raft->current_term != term ||
        raft->follower_state.current_leader.id != from)
        return;
    driver_peer(driver, from)->heard = driver_now(driver);
    raft->election_timer_start = driver_now(driver);
    struct buf answer = BUF_INIT;
    buf_put_u64(&answer, term);
    driver->ops->send(driver->ctx, from, FRAME_ALIVE, answer.data, answer.len);
    buf_close(&answer);
}

/* For the core it is the answer to a heartbeat, which confirms no more than is known. */
static void receive_alive(struct driver *driver, uint64_t from, const void *payload, size_t len)
{
    struct reader reader = reader_of(payload, len);
    uint64_t term = reader_u64(&reader);
    if (!reader_done(&reader) || driver->raft.state != RAFT_LEADER || term != driver->raft.current_term)
        return;
    struct raft_message message = {.type = RAFT_APPEND_ENTRIES_RESULT, .server_id = from, .server_address = "peer"};
    message.append_entries_result.version = MESSAGE_APPEND_RESULT_VERSION;
    message.append_entries_result.term = term;
    message.append_entries_result.last_log_index = driver_match(driver, from);
    struct raft_event event = {.type = RAFT_RECEIVE};
    event.receive.message = &message;
    driver_step(driver, &event, NULL);
}

void driver_receive(struct driver *driver, uint64_t from, uint8_t type, const void *payload, size_t len)
{
    if (driver->broken || from == 0 || from == driver->raft.id)
        return;
    driver_peer(driver, from)->heard = driver_now(driver);
    switch (type) {
    case FRAME_RAFT:
        receive_message(driver, from, payload, len);
        break;
    case FRAME_READ:
        driver_promise_asked(driver, from, payload, len);
        break;
    case FRAME_READ_ANSWER:
        driver_promise_answered(driver, from, payload, len);
        break;
    case FRAME_ALIVE:
        receive_alive(driver, from, payload, len);
        break;
    case FRAME_LEAVE:
        driver_members_asked(driver, from);
        break;
    case FRAME_LEFT:
        if (from == driver->leader_before)
            driver_members_left(driver);
        break;
    default:
        break;
    }
}
