/* SPDX-License-Identifier: Apache-2.0 */
/* Leading: the first entry of a term, submissions, and handing leadership on. */
#include <limits.h>

#include "base/log.h"
#include "raft/driver/driver_private.h"

/* Entries that may wait for a quorum. A follower that has others in their place gives them up one round trip each. */
#define UNCOMMITTED_MAX   2048
#define UNCOMMITTED_BYTES (256u << 20)
/* So long submissions wait for room on the disk. */
#define STUCK_PATIENCE_MS 1000

int driver_append(struct driver *driver, struct entry *entry)
{
    struct raft *raft = &driver->raft;
    entry->term = raft->current_term;
    struct raft_entry array = {.term = entry->term,
                               .type = (enum raft_entry_type)entry->type,
                               .buf = {.base = entry->data, .len = entry->len},
                               .batch = entry->data};
    struct carried carried = {.entries = &entry, .array = &array, .n = 1};
    struct raft_event event = {.type = RAFT_SUBMIT};
    event.submit.entries = &array;
    event.submit.n = 1;
    /*
     * N3: after a pause the core holds peers for slow and would leave the entry to the next heartbeat. As if one were
     * due, it goes out now.
     */
    unsigned heartbeat = raft->heartbeat_timeout;
    raft->heartbeat_timeout = 0;
    int rv = driver_step(driver, &event, &carried);
    raft->heartbeat_timeout = heartbeat;
    return rv;
}

/* An entry of the own term proves what was committed before it (R1a); until it is applied, nobody is served. */
static void begin_term(struct driver *driver)
{
    driver->handed_over = 0;
    driver_promise_begin(driver);
    driver->led_since = driver_now(driver);
    for (unsigned i = 0; i < driver->n_peers; i++) {
        driver->peers[i].sent_at = 0;
        driver->peers[i].stable_since = 0;
    }
    /* The core writes one itself, but only if its log has entries that it does not know to be committed. */
    if (tail_term(&driver->tail, tail_last(&driver->tail)) != driver->raft.current_term) {
        struct entry *barrier = entry_new(0, 0, ENTRY_BARRIER, "\0\0\0\0\0\0\0\0", 8);
        int rv = driver_append(driver, barrier);
        entry_unref(barrier);
        if (rv != 0) {
            driver_fatal(driver, "a new leader cannot write its first entry: %s", raft_strerror(rv));
            return;
        }
    }
    driver->term_start = tail_last(&driver->tail);
}

/* Answers the submissions behind an index: of them nobody knows what becomes. */
static void give_up_behind(struct driver *driver, uint64_t index)
{
    size_t keep = 0;
    while (keep < driver->submissions.count && fifo_at(&driver->submissions, keep)->index <= index)
        keep++;
    while (driver->submissions.count > keep) {
        void *token = fifo_at(&driver->submissions, keep)->token;
        fifo_remove(&driver->submissions, keep);
        driver_done(driver, token, ERR_UNAVAILABLE, 0);
    }
}

static void end_term(struct driver *driver)
{
    driver->term_start = 0;
    /* What is committed will be applied, and is answered then; unless there is no room to apply it in. */
    give_up_behind(driver, driver->log_stuck ? driver->applied : driver->raft.commit_index);
    driver_read_lost(driver, ERR_NOTLEADER);
    driver_members_lost(driver);
    if (driver->transfer.running) {
        void *token = driver->transfer.token;
        driver->rests_until = driver_now(driver) + driver->transfer.rest_ms;
        driver->transfer = (struct transfer){0};
        driver_done(driver, token, OK, 0);
    }
}

void driver_lead_changed(struct driver *driver)
{
    bool led = driver->state_before == RAFT_LEADER;
    driver->state_before = driver->raft.state;
    driver->term_before = driver->raft.current_term;
    if (driver->raft.state == RAFT_FOLLOWER)
        driver->handed_by = 0;
    if (led)
        end_term(driver);
    if (driver->raft.state == RAFT_LEADER)
        begin_term(driver);
}

int driver_submit(struct driver *driver, uint64_t epoch, struct entry *entry, void *token)
{
    int rc = OK;
    if (driver->broken || !driver_leads(driver) || driver->raft.current_term != epoch)
        rc = ERR_NOTLEADER;
    else if (driver->log_stuck)
        rc = ERR_NOSPACE;
    else if (tail_last(&driver->tail) > driver->raft.commit_index + UNCOMMITTED_MAX ||
             driver->tail.kept_bytes > UNCOMMITTED_BYTES)
        rc = ERR_UNAVAILABLE;
    if (rc == OK) {
        /* Filed first: a sole voter may be done with it before the step returns. */
        fifo_push(&driver->submissions, tail_last(&driver->tail) + 1, token);
        if (driver_append(driver, entry) != 0) {
            fifo_remove(&driver->submissions, driver->submissions.count - 1);
            rc = ERR_NOTLEADER;
        }
    }
    entry_unref(entry);
    return rc;
}

/* ---- Who is there ---- */

bool driver_is_online(const struct driver *driver, uint64_t id)
{
    if (id == driver->raft.id)
        return true;
    uint64_t heard = driver_heard(driver, id);
    return heard != 0 && driver_now(driver) - heard < driver->options.election_ms;
}

/* ---- Handing over ---- */

/*
 * How ill a node is fit to lead. A sealed one serves nobody, one that is not to lead is there for other reasons, one
 * whose disk is nearly full serves reads.
 */
static unsigned unfitness(const struct driver_traits *traits)
{
    return 4u * traits->sealed + 2u * traits->non_leader + traits->cramped;
}

#define UNFIT_MOST 7

/* A leader asks this node to take over, which ends its rest: the leader found nobody better. */
void driver_lead_offered(struct driver *driver, uint64_t leader)
{
    driver->rests_until = 0;
    driver->handed_by = leader;
}

/*
 * The voter that may lead, is there and fittest, no less than told; of equals, rather not the one that has just handed
 * over, and the one with most of the log. 0 for none.
 */
static uint64_t best_successor(struct driver *driver, unsigned unfit_most)
{
    const struct raft_configuration *configuration = &driver->raft.configuration;
    uint64_t best = 0, best_match = 0;
    unsigned best_unfit = UINT_MAX;
    for (unsigned i = 0; i < configuration->n; i++) {
        uint64_t id = configuration->servers[i].id;
        if (id == driver->raft.id || configuration->servers[i].role != RAFT_VOTER || !driver_is_online(driver, id))
            continue;
        const struct driver_traits *traits = &driver_peer(driver, id)->traits;
        unsigned unfit = unfitness(traits);
        uint64_t match = driver_match(driver, id);
        if (traits->non_leader || unfit > unfit_most)
            continue;
        unfit = 2 * unfit + (id == driver->handed_by);
        if (best == 0 || unfit < best_unfit || (unfit == best_unfit && match > best_match)) {
            best = id;
            best_match = match;
            best_unfit = unfit;
        }
    }
    return best;
}

/* Whether the one whom the operator named can take over: better refused at once than tried in vain. */
static int check_successor(struct driver *driver, uint64_t to, struct err *err)
{
    const struct raft_server *server = configuration_find(&driver->raft.configuration, to);
    if (server == NULL)
        return err_set(err, ERR_NOTFOUND, "there is no such member");
    if (to == driver->raft.id)
        return err_set(err, ERR_INVALID, "this node leads already");
    if (server->role != RAFT_VOTER)
        return err_set(err, ERR_INVALID, "that node has no vote, so it cannot lead");
    const struct driver_traits *traits = &driver_peer(driver, to)->traits;
    if (!driver_is_online(driver, to))
        return err_set(err, ERR_UNAVAILABLE, "that node does not answer");
    if (traits->non_leader)
        return err_set(err, ERR_INVALID, "that node is configured not to lead (non_leader)");
    if (traits->sealed && !driver->sealed)
        return err_set(err, ERR_INVALID, "that node is sealed: it could not serve");
    return OK;
}

static int begin_transfer(struct driver *driver, uint64_t to, unsigned rest_ms, void *token, struct err *err)
{
    if (driver->transfer.running || raft_transferee(&driver->raft) != 0)
        return err_set(err, ERR_BUSY, "leadership is being handed over already");
    struct raft_event event = {.type = RAFT_TRANSFER};
    event.transfer.server_id = to;
    driver->transfer = (struct transfer){.running = true, .rest_ms = rest_ms};
    driver_promise_release(driver);
    int rv = driver_step(driver, &event, NULL);
    if (rv == 0) {
        driver->transfer.token = token;
        return OK;
    }
    driver->transfer = (struct transfer){0};
    if (rv == RAFT_BADID || rv == RAFT_NOTFOUND)
        return err_set(err, ERR_NOTFOUND, "there is no such voter");
    return err_set(err, ERR_NOTLEADER, "this node does not lead");
}

int driver_transfer(struct driver *driver, uint64_t to, unsigned rest_ms, void *token, struct err *err)
{
    if (driver->broken || driver->raft.state != RAFT_LEADER)
        return err_set(err, ERR_NOTLEADER, "this node does not lead");
    int rc = to == 0 ? OK : check_successor(driver, to, err);
    if (rc != OK)
        return rc;
    if (to == 0)
        to = best_successor(driver, UNFIT_MOST);
    if (to == 0)
        return err_set(err, ERR_UNAVAILABLE, "there is no other voter that could lead");
    return begin_transfer(driver, to, rest_ms, token, err);
}

static struct driver_traits own_traits(const struct driver *driver)
{
    return (struct driver_traits){
        .sealed = driver->sealed, .non_leader = driver->options.non_leader, .cramped = driver->cramped};
}

/* Why this node should not lead; NULL when it may. A sealed one cannot serve, one without room cannot acknowledge. */
static const char *reason_against(const struct driver *driver)
{
    if (driver->log_stuck)
        return "the log has no room";
    if (driver->options.non_leader)
        return "this node is configured not to lead";
    if (driver->sealed)
        return "this node is sealed";
    return driver->cramped ? "this node can hardly write any more" : NULL;
}

/* Another leads, if one can that is fitter. */
static void hand_over(struct driver *driver)
{
    uint64_t now = driver_now(driver);
    const char *reason = reason_against(driver);
    if (reason == NULL || driver->transfer.running || now < driver->handed_over + 2 * driver->options.election_ms)
        return;
    const struct driver_traits traits = own_traits(driver);
    uint64_t to = best_successor(driver, driver->log_stuck ? UNFIT_MOST : unfitness(&traits) - 1);
    if (to == 0)
        return;
    driver->handed_over = now;
    log_info("raft", "handing leadership over: %s", reason);
    (void)begin_transfer(driver, to, driver->log_stuck ? 5000 : 0, NULL, NULL);
}

void driver_lead_tick(struct driver *driver)
{
    if (driver->transfer.running && raft_transferee(&driver->raft) == 0) {
        void *token = driver->transfer.token;
        driver->transfer = (struct transfer){0};
        driver_done(driver, token, ERR_TIMEOUT, 0);
    }
    hand_over(driver);
    if (driver->log_stuck && driver_now(driver) >= driver->stuck_since + STUCK_PATIENCE_MS)
        give_up_behind(driver, driver->applied); /* nobody took over, and nobody knows when there will be room */
    driver->ops->changed(driver->ctx);           /* how long it leads for certain */
}

void driver_peer_told(struct driver *driver, uint64_t peer, const struct driver_traits *traits)
{
    driver_peer(driver, peer)->traits = *traits;
    if (driver->raft.state == RAFT_LEADER)
        hand_over(driver);
}

void driver_set_cramped(struct driver *driver, bool is_cramped)
{
    driver->cramped = is_cramped;
    if (driver->raft.state == RAFT_LEADER)
        hand_over(driver);
}

void driver_set_sealed(struct driver *driver, bool is_sealed)
{
    driver->sealed = is_sealed;
    if (driver->raft.state == RAFT_LEADER)
        hand_over(driver);
}

void driver_log_stuck(struct driver *driver, bool is_stuck)
{
    if (is_stuck && !driver->log_stuck)
        driver->stuck_since = driver_now(driver);
    driver->log_stuck = is_stuck;
    if (driver->raft.state == RAFT_LEADER)
        hand_over(driver);
    else if (is_stuck)
        give_up_behind(driver, driver->applied);
}
