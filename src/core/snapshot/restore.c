/* SPDX-License-Identifier: Apache-2.0 */
/*
 * restore.c — putting a snapshot in the state's place:
 *
 *     check     all of the file, before anything is changed
 *     collect   its records go through the log and are collected beside the state; requests are served meanwhile
 *     swap      this node stops being active and committing, one entry swaps the states, and it goes on with the new
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cond.h"
#include "base/failpoint.h"
#include "base/json.h"
#include "base/log.h"
#include "base/pool.h"
#include "core/core_private.h"
#include "core/snapshot/quarantine.h"
#include "core/snapshot/snapshot_private.h"
#include "storage/restore.h"

#define ENTRY_BYTES (2u << 20) /* of records, in one entry of the log */
#define LOG_EVERY   (UINT64_C(256) << 20)

/* ---- One entry ---- */

/* Held by who waits and by the cluster, whoever lets go last frees it. */
struct proposal {
    pthread_mutex_t mutex;
    pthread_cond_t done;
    int holders;
    bool is_done;
    int rc;
    uint64_t index;
};

static struct proposal *proposal_new(void)
{
    struct proposal *proposal = calloc(1, sizeof *proposal);
    if (proposal == NULL)
        abort();
    pthread_mutex_init(&proposal->mutex, NULL);
    cond_init(&proposal->done);
    proposal->holders = 2;
    return proposal;
}

/* Under its mutex, which is let go. */
static void let_go(struct proposal *proposal)
{
    bool is_last = --proposal->holders == 0;
    pthread_mutex_unlock(&proposal->mutex);
    if (!is_last)
        return;
    pthread_mutex_destroy(&proposal->mutex);
    pthread_cond_destroy(&proposal->done);
    free(proposal);
}

static void on_submitted(void *arg, int rc, uint64_t index)
{
    struct proposal *proposal = arg;
    pthread_mutex_lock(&proposal->mutex);
    proposal->is_done = true;
    proposal->rc = rc;
    proposal->index = index;
    pthread_cond_signal(&proposal->done);
    let_go(proposal);
}

/* Waits however long it takes, since nothing else can be done until its fate is known; but not when the node stops. */
static int propose(struct core *core, uint64_t epoch, struct buf *entry, uint64_t *ret_index)
{
    struct proposal *proposal = proposal_new();
    restore_stamp(entry, cluster_format(core->cluster), core_time_ms(core));
    cluster_submit(core->cluster, epoch, entry->data, entry->len, on_submitted, proposal);
    pthread_mutex_lock(&proposal->mutex);
    while (!proposal->is_done && !core_is_stopping(core)) {
        struct timespec until = cond_deadline(1000);
        pthread_cond_timedwait(&proposal->done, &proposal->mutex, &until);
    }
    int rc = proposal->is_done ? proposal->rc : ERR_UNAVAILABLE;
    *ret_index = proposal->index;
    let_go(proposal);
    return rc;
}

/* ---- Collecting ---- */

struct collecting {
    struct core *core;
    uint64_t epoch;
    uint64_t begin;
    uint32_t number; /* of the next entry with records */
    uint64_t count, bytes, logged;
    struct buf entry;
};

static int said(struct err *err, int rc)
{
    return rc == OK ? OK
                    : err_set(err, rc, "the snapshot was not restored, nothing was changed: %s", err_default_text(rc));
}

static int send_records(struct collecting *collecting, struct err *err)
{
    uint64_t index;
    (void)failpoint("restore.records");
    if (cluster_room(collecting->core->cluster) != CLUSTER_ROOM_ENOUGH)
        return err_set(err, ERR_NOSPACE,
                       "the snapshot was not restored, nothing was changed: the disk of this node is nearly full, and "
                       "both states need room until the new one is in place");
    int rc = propose(collecting->core, collecting->epoch, &collecting->entry, &index);
    collecting->bytes += collecting->entry.len;
    buf_clear(&collecting->entry);
    collecting->number++;
    if (collecting->bytes >= collecting->logged + LOG_EVERY) {
        collecting->logged = collecting->bytes;
        log_info("snapshot", "restoring: %llu MiB", (unsigned long long)(collecting->bytes >> 20));
    }
    return said(err, rc);
}

static int collect_head(void *arg, const struct store_position *position, const void *members, size_t len,
                        struct err *err)
{
    (void)arg, (void)position, (void)members, (void)len, (void)err;
    return OK; /* index and members are those of this cluster */
}

static int collect_record(void *arg, const unsigned char *key, const void *value, size_t len, struct err *err)
{
    struct collecting *collecting = arg;
    int rc = OK;
    if (collecting->entry.len > 0 && collecting->entry.len + len > ENTRY_BYTES)
        rc = send_records(collecting, err);
    if (rc != OK)
        return rc;
    if (collecting->entry.len == 0)
        restore_put_records(&collecting->entry, collecting->begin, collecting->number);
    restore_put_record(&collecting->entry, key, value, len);
    collecting->count++;
    return OK;
}

static int collect(struct collecting *collecting, const struct file_range *source, struct err *err)
{
    static const struct snapshot_visitor visitor = {.head = collect_head, .record = collect_record};
    struct snapshot_contents contents;
    struct buf begin = BUF_INIT;
    restore_put_begin(&begin);
    int rc = said(err, propose(collecting->core, collecting->epoch, &begin, &collecting->begin));
    buf_close(&begin);
    if (rc == OK)
        rc = snapshot_read(source, &visitor, collecting, &contents, NULL, err);
    if (rc != OK)
        return rc;
    snapshot_contents_close(&contents);
    return collecting->entry.len > 0 ? send_records(collecting, err) : OK;
}

static void abandon(struct core *core, uint64_t epoch, uint64_t begin)
{
    struct buf entry = BUF_INIT;
    uint64_t index;
    restore_put_abandon(&entry, begin);
    if (begin != 0 && propose(core, epoch, &entry, &index) != OK)
        log_info("snapshot", "what was collected of a restore is left to the next leader to clear away");
    buf_close(&entry);
}

/* ---- Swapping ---- */

static int swap(struct collecting *collecting, struct err *err)
{
    struct core *core = collecting->core;
    struct buf entry = BUF_INIT;
    uint64_t index;
    restore_put_end(&entry, collecting->begin, collecting->number, collecting->count);
    quarantine_put_begin(core, &entry);
    core_pause(core);
    (void)failpoint("restore.end");
    int rc = propose(core, collecting->epoch, &entry, &index);
    bool took_effect = rc == OK && store_restored_index(core->store) == index;
    core_resume(core);
    buf_close(&entry);
    if (rc == ERR_UNAVAILABLE)
        return err_set(err, rc, "leadership was lost as the restore ended: nobody knows yet whether it took effect");
    if (rc != OK)
        return said(err, rc);
    if (!took_effect)
        return err_set(err, ERR_UNAVAILABLE, "another restore began meanwhile; nothing was changed by this one");
    log_warn("snapshot", "a snapshot was restored: %llu records", (unsigned long long)collecting->count);
    return OK;
}

static bool claim(struct core *core)
{
    bool expected = false;
    return atomic_compare_exchange_strong(&core->is_restoring, &expected, true);
}

int snapshot_restore(struct core *core, uint64_t epoch, const struct file_range *source, bool force, struct err *err)
{
    struct collecting collecting = {.core = core, .epoch = epoch};
    if (!claim(core))
        return err_set(err, ERR_BUSY, "a snapshot is being restored already");
    int rc = snapshot_verify(core, source, force, NULL, err);
    if (rc == OK) {
        rc = collect(&collecting, source, err);
        if (rc == OK)
            rc = swap(&collecting, err);
        if (rc != OK)
            abandon(core, epoch, collecting.begin);
    }
    buf_close(&collecting.entry);
    atomic_store(&core->is_restoring, false);
    return rc;
}

/* ---- After another leader ---- */

struct leftover {
    struct core *core;
    uint64_t epoch;
};

static void abandon_old(void *arg)
{
    struct leftover *leftover = arg;
    struct core *core = leftover->core;
    struct store_view *view = NULL;
    uint64_t begin = 0;
    if (!atomic_load(&core->is_restoring) && store_view_begin(core->store, &view, NULL) == OK) {
        (void)!store_view_restoring(view, &begin);
        store_view_end(view);
    }
    if (begin != 0) {
        log_info("snapshot", "a restore was cut short by a change of leaders: the state is the one before it");
        abandon(core, leftover->epoch, begin);
    }
    free(leftover);
}

void snapshot_abandon_old(struct core *core, uint64_t epoch)
{
    struct leftover *leftover = calloc(1, sizeof *leftover);
    if (leftover == NULL)
        abort();
    *leftover = (struct leftover){core, epoch};
    pool_run(core->pool, abandon_old, leftover);
}
