/* SPDX-License-Identifier: Apache-2.0 */
/* Starting: what is on disk is fitted together, checked, and handed to the core. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "raft/driver/driver_private.h"

/* Un-acknowledged entries to one peer. A leader has few at a time: one entry carries many requests. */
#define INFLIGHT_MAX 64
/* A snapshot that was lost is sent again after so long; one that runs is never doubled (N2). */
#define SNAPSHOT_RETRY_MS 5000

/*
 * A crash between taking over a snapshot and emptying the log leaves a log that is behind the state, or that a later
 * leader wrote over: the state is what was committed.
 */
static int fit_log(struct driver *driver, const struct driver_disk *disk, struct err *err)
{
    uint64_t first = disk->log_first, last = disk->log_last;
    bool is_stale = last < disk->applied;
    if (!is_stale && disk->applied >= first && disk->applied > 0) {
        struct entry *entry = driver->ops->log_read(driver->ctx, disk->applied);
        if (entry == NULL)
            return err_set(err, ERR_CORRUPT, "the log cannot be read at %llu", (unsigned long long)disk->applied);
        is_stale = entry->term != disk->applied_term;
        entry_unref(entry);
    }
    if (!is_stale && first > disk->applied + 1)
        return err_set(err, ERR_CORRUPT, "the log begins at %llu, but the state ends at %llu",
                       (unsigned long long)first, (unsigned long long)disk->applied);
    if (is_stale) {
        first = disk->applied + 1;
        int rc = driver->ops->log_reset(driver->ctx, first);
        if (rc != OK)
            return err_set(err, rc, "the log cannot be emptied");
        last = disk->applied;
    }
    tail_reset(&driver->tail, first);
    for (uint64_t index = first; index <= last; index++) {
        struct entry *entry = driver->ops->log_read(driver->ctx, index);
        if (entry == NULL || entry->term > disk->term || entry->term == 0) {
            entry_unref(entry);
            return err_set(err, ERR_CORRUPT, "the log cannot be read at %llu", (unsigned long long)index);
        }
        tail_push(&driver->tail, entry);
        entry_unref(entry);
        tail_evict(&driver->tail, disk->applied, 0);
    }
    return OK;
}

/* libraft wants the terms of all entries, and the content of configurations. */
static int start_entries(struct driver *driver, struct raft_entry **ret, struct err *err)
{
    struct raft_configuration configuration;
    struct raft_entry *array = calloc(driver->tail.count + 1, sizeof *array);
    if (array == NULL)
        abort();
    for (size_t i = 0; i < driver->tail.count; i++) {
        const struct tail_slot *slot = tail_at(&driver->tail, driver->tail.first + i);
        array[i].term = slot->term;
        array[i].type = (enum raft_entry_type)slot->type;
        if (slot->type != ENTRY_CONFIGURATION)
            continue;
        struct entry *entry = driver_entry(driver, driver->tail.first + i);
        bool is_good = entry != NULL && configuration_decode(entry->data, entry->len, &configuration) == OK;
        if (is_good) {
            raft_configuration_close(&configuration);
            array[i].buf = (struct raft_buffer){.base = malloc(entry->len), .len = entry->len};
            memcpy(array[i].buf.base, entry->data, entry->len);
        }
        entry_unref(entry);
        if (!is_good) {
            *ret = array;
            return err_set(err, ERR_CORRUPT, "the log holds a bad list of members");
        }
    }
    *ret = array;
    return OK;
}

static void free_entries(struct raft_entry *array, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(array[i].buf.base);
    free(array);
}

/* Whether this node alone votes, by the newest list of members on disk. */
static bool starts_alone(const struct driver *driver, const struct raft_entry *array,
                         const struct raft_configuration *state)
{
    struct raft_configuration newest;
    configuration_copy(state, &newest);
    for (size_t i = driver->tail.count; i-- > 0;) {
        if (array[i].type == RAFT_CHANGE) {
            configuration_clear(&newest);
            if (configuration_decode(array[i].buf.base, array[i].buf.len, &newest) != OK)
                raft_configuration_init(&newest);
            break;
        }
    }
    const struct raft_server *self = configuration_find(&newest, driver->options.id);
    bool alone = self != NULL && self->role == RAFT_VOTER && configuration_voters(&newest) == 1;
    raft_configuration_close(&newest);
    return alone;
}

static int step_start(struct driver *driver, const struct driver_disk *disk, struct raft_configuration *state,
                      struct raft_entry *array, struct err *err)
{
    uint64_t term = disk->term, vote = disk->vote;
    if (term == 0 && (disk->applied > 0 || driver->tail.count > 0))
        return err_set(err, ERR_CORRUPT, "there is a log, but no term");
    if (disk->applied == 0 && driver->tail.count > 0 && (driver->tail.first != 1 || array[0].type != RAFT_CHANGE))
        return err_set(err, ERR_CORRUPT, "the log does not begin with the members");
    if (starts_alone(driver, array, state)) {
        /* R5: libraft lets a sole voter lead in its old term, in which it may have sent entries that it has lost. */
        term++;
        vote = driver->options.id;
        if (driver->ops->log_vote(driver->ctx, term, vote) != OK)
            return err_set(err, ERR_IO, "the vote cannot be written");
    }
    struct raft_snapshot_metadata metadata = {.index = disk->applied,
                                              .term = disk->applied_term,
                                              .configuration = *state,
                                              .configuration_index = disk->configuration_index};
    struct raft_event event = {.type = RAFT_START};
    event.start.term = term;
    event.start.voted_for = vote;
    event.start.start_index = driver->tail.first;
    event.start.entries = driver->tail.count > 0 ? array : NULL;
    event.start.n_entries = (unsigned)driver->tail.count;
    if (disk->applied > 0) {
        event.start.metadata = &metadata;
        raft_configuration_init(state); /* it is libraft's now */
    }
    int rv = driver_step(driver, &event, NULL);
    if (rv != 0)
        return err_set(err, ERR_CORRUPT, "the log cannot be taken up: %s", raft_strerror(rv));
    return OK;
}

static int set_up(struct driver *driver, const struct driver_options *options, const struct driver_disk *disk)
{
    char address[24];
    snprintf(address, sizeof address, "%016llx", (unsigned long long)options->id);
    if (raft_init(&driver->raft, NULL, NULL, options->id, address) != 0)
        return ERR_INTERNAL;
    driver->raft.tracer = NULL; /* it formats every step, into memory that all instances share */
    raft_seed(&driver->raft, options->seed);
    raft_set_pre_vote(&driver->raft, true);
    raft_set_election_timeout(&driver->raft, options->election_ms);
    /* Below the interval of our ticks, so that each of them sends a heartbeat however it jitters. */
    raft_set_heartbeat_timeout(&driver->raft, options->heartbeat_ms / 2);
    raft_set_install_snapshot_timeout(&driver->raft, SNAPSHOT_RETRY_MS);
    raft_set_max_inflight_entries(&driver->raft, INFLIGHT_MAX);
    driver->started = driver->ticked = driver_now(driver);
    driver->state_before = driver->raft.state;
    driver->term_before = disk->term;
    driver->applied = driver->applying = driver->configured = disk->applied;
    driver->durable = driver->compacted = disk->applied;
    return OK;
}

static int load(struct driver *driver, const struct driver_disk *disk, struct err *err)
{
    struct raft_configuration state;
    raft_configuration_init(&state);
    if (disk->applied > 0 &&
        (disk->applied_term == 0 || disk->applied_term > disk->term || disk->configuration_index == 0 ||
         configuration_decode(disk->configuration, disk->configuration_len, &state) != OK))
        return err_set(err, ERR_CORRUPT, "the state names no sane list of members");
    struct raft_entry *array = NULL;
    int rc = fit_log(driver, disk, err);
    if (rc == OK)
        rc = start_entries(driver, &array, err);
    if (rc == OK)
        rc = step_start(driver, disk, &state, array, err);
    free_entries(array, array == NULL ? 0 : driver->tail.count);
    raft_configuration_close(&state);
    return rc;
}

int driver_start(const struct driver_options *options, const struct driver_ops *ops, void *ctx,
                 const struct driver_disk *disk, struct driver **ret_driver, struct err *err)
{
    struct driver *driver = calloc(1, sizeof *driver);
    if (driver == NULL)
        abort();
    driver->options = *options;
    cluster_autopilot_default(&driver->autopilot);
    driver->ops = ops;
    driver->ctx = ctx;
    int rc = set_up(driver, options, disk);
    if (rc == OK)
        rc = load(driver, disk, err);
    if (rc != OK) {
        driver_stop(driver);
        return rc;
    }
    *ret_driver = driver;
    return OK;
}
