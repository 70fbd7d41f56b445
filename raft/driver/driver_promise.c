/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long a leader may answer reads by itself, without asking anybody.
 *
 * With each heartbeat it asks every voter, and a voter that follows it promises: for so many milliseconds from when I
 * was asked I neither vote for another nor stand myself. A majority's promises make it certain that nobody else leads
 * meanwhile. The leader counts them from when it asked, not from when the answer came: an answer may have lain in a
 * buffer for long, on the network or because this process stood still. A tenth is taken off for clocks that run at
 * different speeds.
 *
 * Who hands leadership over gives the promises back first. A node that was started anew may have promised before:
 * that is R4's (driver_receive.c).
 */
#include "raft/driver/driver_private.h"

void driver_promise_ask(struct driver *driver)
{
    const struct raft_configuration *configuration = &driver->raft.configuration;
    struct buf question = BUF_INIT;
    buf_put_u64(&question, driver->raft.current_term);
    buf_put_u64(&question, driver->reads.round);
    buf_put_u64(&question, driver_now(driver));
    buf_put_u64(&question, driver->transfer.running); /* if so: you are free of what I asked for until now */
    for (unsigned i = 0; i < configuration->n; i++)
        if (configuration->servers[i].id != driver->raft.id && configuration->servers[i].role == RAFT_VOTER)
            driver->ops->send(driver->ctx, configuration->servers[i].id, FRAME_READ, question.data, question.len);
    buf_close(&question);
}

/* A follower stands for election at the earliest an election timeout after it heard its leader: it keeps its word. */
static uint64_t promise(struct driver *driver, uint64_t asked_at)
{
    uint64_t until = driver->raft.election_timer_start + driver->options.election_ms, now = driver_now(driver);
    bool is_newer = driver->promised_term != driver->raft.current_term || asked_at > driver->promised_for;
    driver->promised_until = until;
    driver->promised_term = driver->raft.current_term;
    driver->promised_for = is_newer ? asked_at : driver->promised_for;
    return until > now ? until - now : 0;
}

/* A release may have been overtaken by a later question, on another connection. */
static void be_free(struct driver *driver, uint64_t asked_at)
{
    if (driver->promised_term != driver->raft.current_term || asked_at >= driver->promised_for)
        driver->promised_until = 0;
}

static bool follows(const struct driver *driver, uint64_t leader, uint64_t term)
{
    const struct raft *raft = &driver->raft;
    return raft->state == RAFT_FOLLOWER && raft->current_term == term &&
           raft->follower_state.current_leader.id == leader;
}

void driver_promise_asked(struct driver *driver, uint64_t from, const void *payload, size_t len)
{
    struct reader reader = reader_of(payload, len);
    uint64_t term = reader_u64(&reader), round = reader_u64(&reader), asked_at = reader_u64(&reader);
    bool is_release = reader_u64(&reader) != 0, is_mine = follows(driver, from, term);
    if (!reader_done(&reader))
        return;
    if (is_release && is_mine)
        be_free(driver, asked_at);
    struct buf answer = BUF_INIT;
    buf_put_u64(&answer, driver->raft.current_term);
    buf_put_u64(&answer, round);
    buf_put_u64(&answer, asked_at);
    buf_put_u64(&answer, is_mine && !is_release ? promise(driver, asked_at) : 0);
    driver->ops->send(driver->ctx, from, FRAME_READ_ANSWER, answer.data, answer.len);
    buf_close(&answer);
}

static void take_promise(struct driver *driver, struct peer *peer, uint64_t asked_at, uint64_t for_ms)
{
    uint64_t now = driver_now(driver), from = KEEPS_RULE(driver, RULE_PROMISE) ? asked_at : now;
    uint64_t until = from + for_ms - for_ms / 10;
    if (asked_at > driver->released_at && asked_at <= now && until > peer->promised_until)
        peer->promised_until = until;
}

void driver_promise_answered(struct driver *driver, uint64_t from, const void *payload, size_t len)
{
    struct reader reader = reader_of(payload, len);
    uint64_t term = reader_u64(&reader), round = reader_u64(&reader);
    uint64_t asked_at = reader_u64(&reader), for_ms = reader_u64(&reader);
    if (!reader_done(&reader) || driver->raft.state != RAFT_LEADER || term != driver->raft.current_term ||
        for_ms > PROMISE_MS_MAX)
        return;
    struct peer *peer = driver_peer(driver, from);
    take_promise(driver, peer, asked_at, for_ms);
    driver_read_answered(driver, peer, round);
}

static void forget(struct driver *driver)
{
    for (unsigned i = 0; i < driver->n_peers; i++)
        driver->peers[i].promised_until = 0;
    driver->released_at = driver_now(driver);
}

void driver_promise_begin(struct driver *driver)
{
    forget(driver);
    driver->released_at = driver->released_at > 0 ? driver->released_at - 1 : 0;
}

void driver_promise_release(struct driver *driver)
{
    forget(driver);
    driver->ops->changed(driver->ctx); /* this node stops answering before the others may elect */
    driver_promise_ask(driver);
}

bool driver_promise_binds(const struct driver *driver)
{
    return driver_now(driver) < driver->promised_until;
}

static uint64_t promised_until(const struct driver *driver, uint64_t id)
{
    if (id == driver->raft.id)
        return UINT64_MAX; /* a leader votes for nobody */
    for (unsigned i = 0; i < driver->n_peers; i++)
        if (driver->peers[i].id == id)
            return driver->peers[i].promised_until;
    return 0;
}

uint64_t driver_lead_until(const struct driver *driver)
{
    const struct raft_configuration *configuration = &driver->raft.configuration;
    uint64_t times[CLUSTER_MEMBERS_MAX]; /* the latest first */
    unsigned n = 0;
    if (!driver_leads(driver) || driver->transfer.running)
        return 0;
    for (unsigned i = 0; i < configuration->n && n < CLUSTER_MEMBERS_MAX; i++) {
        if (configuration->servers[i].role != RAFT_VOTER)
            continue;
        uint64_t until = promised_until(driver, configuration->servers[i].id);
        unsigned at = n++;
        for (; at > 0 && times[at - 1] < until; at--)
            times[at] = times[at - 1];
        times[at] = until;
    }
    return n == 0 ? 0 : times[n / 2];
}
