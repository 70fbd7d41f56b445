/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Linearizable reads without a write (ReadIndex). The leader asks all voters whether they are still in its term; once
 * a majority has said so to a question that was asked after the read came, no later leader had been elected when the
 * read came, and what was committed then is at most the leader's commit index. One question serves all reads that wait,
 * and it is the question for promises too (driver_promise.c), which is repeated with each heartbeat.
 *
 * A leader knows all that is committed only after an entry of its own term is (driver_leads).
 */
#include "raft/driver/driver_private.h"

static bool is_confirmed(struct driver *driver)
{
    const struct raft_configuration *configuration = &driver->raft.configuration;
    unsigned votes = 0;
    for (unsigned i = 0; i < configuration->n; i++) {
        const struct raft_server *server = &configuration->servers[i];
        if (server->role == RAFT_VOTER)
            votes +=
                server->id == driver->raft.id || driver_peer(driver, server->id)->read_round >= driver->reads.round;
    }
    return votes > configuration_voters(configuration) / 2;
}

static void move(struct fifo *from, struct fifo *to, uint64_t index)
{
    for (struct submission *item; (item = fifo_front(from)) != NULL; fifo_pop(from))
        fifo_push(to, index, item->token);
}

static void begin_rounds(struct driver *driver)
{
    struct reads *reads = &driver->reads;
    while (reads->asking.count == 0 && reads->next.count > 0) {
        reads->round++;
        reads->round_commit = driver->raft.commit_index;
        move(&reads->next, &reads->asking, 0);
        if (is_confirmed(driver)) /* by this node alone */
            move(&reads->asking, &reads->settled, reads->round_commit);
        else
            driver_promise_ask(driver);
    }
    driver_read_progress(driver);
}

int driver_read(struct driver *driver, uint64_t epoch, void *token)
{
    if (driver->broken || !driver_leads(driver) || driver->raft.current_term != epoch)
        return ERR_NOTLEADER;
    fifo_push(&driver->reads.next, 0, token);
    begin_rounds(driver);
    return OK;
}

void driver_read_progress(struct driver *driver)
{
    for (struct submission *item; (item = fifo_front(&driver->reads.settled)) != NULL;) {
        struct submission read = *item;
        if (read.index > driver->applied)
            return;
        fifo_pop(&driver->reads.settled);
        driver_done(driver, read.token, OK, driver->applied);
    }
}

static void fail_all(struct driver *driver, struct fifo *fifo, int rc)
{
    for (struct submission *item; (item = fifo_front(fifo)) != NULL;) {
        void *token = item->token;
        fifo_pop(fifo);
        driver_done(driver, token, rc, 0);
    }
}

void driver_read_lost(struct driver *driver, int rc)
{
    fail_all(driver, &driver->reads.next, rc);
    fail_all(driver, &driver->reads.asking, rc);
    fail_all(driver, &driver->reads.settled, rc);
}

void driver_read_answered(struct driver *driver, struct peer *peer, uint64_t round)
{
    if (round <= driver->reads.round && round > peer->read_round)
        peer->read_round = round;
    if (driver->reads.asking.count > 0 && is_confirmed(driver)) {
        move(&driver->reads.asking, &driver->reads.settled, driver->reads.round_commit);
        begin_rounds(driver);
    }
}
