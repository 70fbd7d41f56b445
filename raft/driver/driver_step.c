/* SPDX-License-Identifier: Apache-2.0 */
/* One step of libraft's core, and doing what it asks for: always in the order vote, entries, snapshot, messages. */
#include <stdlib.h>
#include <string.h>

#include "raft/driver/driver_private.h"

/* These say that the request came at the wrong time, and leave the core as it was. */
static bool is_refusal(int rv)
{
    return rv == RAFT_NOTLEADER || rv == RAFT_CANTCHANGE || rv == RAFT_NOSPACE || rv == RAFT_BADID ||
           rv == RAFT_NOTFOUND;
}

static struct entry *entry_of(const struct raft_entry *from, const struct carried *carried)
{
    if (carried != NULL && from >= carried->array && from < carried->array + carried->n)
        return entry_ref(carried->entries[from - carried->array]);
    /* The core's own: the barrier with which a new leader begins. */
    struct entry *entry = entry_new(0, from->term, (uint8_t)from->type, from->buf.base, from->buf.len);
    raft_free(from->batch);
    return entry;
}

static void take_entries(struct driver *driver, const struct raft_update *update, const struct carried *carried)
{
    struct entry *few[64], **entries = few;
    unsigned n = update->entries.n;
    if (n > sizeof few / sizeof few[0]) {
        entries = calloc(n, sizeof *entries);
        if (entries == NULL)
            abort();
    }
    if (update->entries.index <= tail_last(&driver->tail))
        tail_truncate(&driver->tail, update->entries.index);
    for (unsigned i = 0; i < n; i++) {
        entries[i] = entry_of(&update->entries.batch[i], carried);
        entries[i]->index = update->entries.index + i;
        tail_push(&driver->tail, entries[i]);
    }
    driver->ops->log_append(driver->ctx, entries, n);
    for (unsigned i = 0; i < n; i++)
        entry_unref(entries[i]);
    if (entries != few)
        free(entries);
    if (carried != NULL)
        raft_free(carried->token);
}

static void take_snapshot(struct driver *driver, const struct raft_update *update)
{
    raft_free(update->snapshot.chunk.base);
    driver->installing = true;
    driver->install = update->snapshot.metadata;
    tail_reset(&driver->tail, driver->install.index + 1);
    void *snapshot = driver->incoming;
    driver->incoming = NULL;
    driver->ops->install(driver->ctx, snapshot, driver->install.index + 1);
}

static void note_changes(struct driver *driver)
{
    raft_id leader = 0;
    const char *address;
    raft_leader(&driver->raft, &leader, &address);
    unsigned short state = driver->raft.state;
    bool role_changed = state != driver->state_before || driver->raft.current_term != driver->term_before;
    if (role_changed || leader != driver->leader_before)
        driver_tell_changes(driver, leader);
    if (role_changed)
        driver_lead_changed(driver);
    if (role_changed || leader != driver->leader_before) {
        driver->leader_before = leader;
        driver->ops->changed(driver->ctx);
    }
}

int driver_step(struct driver *driver, struct raft_event *event, const struct carried *carried)
{
    if (driver->broken)
        return RAFT_SHUTDOWN;
    struct raft_update update;
    memset(&update, 0, sizeof update);
    event->time = driver_now(driver);
    event->capacity = 0;
    int rv = raft_step(&driver->raft, event, &update);
    if (rv != 0) {
        if (!is_refusal(rv))
            driver_fatal(driver, "the consensus core failed at event %d: %s", (int)event->type, raft_strerror(rv));
        return rv;
    }
    if (update.flags & (RAFT_UPDATE_CURRENT_TERM | RAFT_UPDATE_VOTED_FOR))
        driver_vote(driver);
    if (update.flags & RAFT_UPDATE_ENTRIES)
        take_entries(driver, &update, carried);
    if (update.flags & RAFT_UPDATE_SNAPSHOT)
        take_snapshot(driver, &update);
    if (update.flags & RAFT_UPDATE_MESSAGES)
        for (unsigned i = 0; i < update.messages.n && !driver->broken; i++)
            driver_send_message(driver, &update.messages.batch[i]);
    /* From here on other steps may come of it, which use the same memory for their messages. */
    note_changes(driver);
    driver_advance(driver);
    return 0;
}
