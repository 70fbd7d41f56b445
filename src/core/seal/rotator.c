/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rotator.c — the active node looks each minute whether the keyring is to be rotated, and puts on record how much its
 * newest term has encrypted. It looks as soon as it is active, too: a term that got too old meanwhile waits no longer.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/cond.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "core/core_private.h"
#include "core/request/request.h"
#include "core/seal/rotate.h"

#define LOOK_MS     60000
#define RECORDS_MIN 16 /* fewer are not worth a record: writing that encrypts, too */

struct rotator {
    struct core *core;
    uint64_t epoch;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    bool is_stopping;
};

static int write_use(struct request *req, void *arg)
{
    return rotate_write_use(req, arg);
}

static void note_use(struct rotator *rotator)
{
    struct barrier *barrier = rotator->core->barrier;
    uint64_t records;
    if (barrier_unnoted_records(barrier) >= RECORDS_MIN &&
        request_run_internal(rotator->core, rotator->epoch, write_use, &records, NULL) == OK)
        barrier_note_records(barrier, records);
}

static int rotate_if_due(struct request *req, void *arg)
{
    struct rotate_config config;
    struct rotate_status status;
    bool *is_due = arg;
    int rc = rotate_config_read(req, &config);
    if (rc == OK)
        rc = rotate_status(req, &status);
    if (rc != OK)
        return rc;
    *is_due = rotate_is_due(&config, &status, request_time_ns(req) / 1000000);
    return *is_due ? rotate_write(req) : OK;
}

static void look(struct rotator *rotator)
{
    struct core *core = rotator->core;
    struct err err = {0};
    bool is_due = false;
    note_use(rotator);
    int rc = request_run_internal(core, rotator->epoch, rotate_if_due, &is_due, &err);
    if (rc == OK && is_due)
        rc = txn_follow_keyring(core->store, core->barrier, &err);
    if (rc != OK && rc != ERR_NOTLEADER && rc != ERR_SEALED)
        log_warn("core", "the keyring could not be rotated: %s; tried again in a minute", err_text(&err));
    else if (rc == OK && is_due)
        log_info("core", "the keyring was rotated, as sys/rotate/config says: term %u encrypts now",
                 barrier_term(core->barrier));
}

static void *work(void *arg)
{
    struct rotator *rotator = arg;
    pthread_setname_np(pthread_self(), "rotator");
    pthread_mutex_lock(&rotator->mutex);
    while (!rotator->is_stopping) {
        pthread_mutex_unlock(&rotator->mutex);
        look(rotator);
        int pause_ms = failpoint("rotator.look_often") ? 100 : LOOK_MS;
        pthread_mutex_lock(&rotator->mutex);
        struct timespec until = cond_deadline(pause_ms);
        while (!rotator->is_stopping && pthread_cond_timedwait(&rotator->wake, &rotator->mutex, &until) != ETIMEDOUT)
            ;
    }
    pthread_mutex_unlock(&rotator->mutex);
    return NULL;
}

struct rotator *rotator_start(struct core *core, uint64_t epoch)
{
    struct rotator *rotator = calloc(1, sizeof *rotator);
    if (rotator == NULL)
        abort();
    rotator->core = core;
    rotator->epoch = epoch;
    pthread_mutex_init(&rotator->mutex, NULL);
    cond_init(&rotator->wake);
    if (pthread_create(&rotator->thread, NULL, work, rotator) != 0)
        abort();
    return rotator;
}

void rotator_stop(struct rotator *rotator)
{
    if (rotator == NULL)
        return;
    pthread_mutex_lock(&rotator->mutex);
    rotator->is_stopping = true;
    pthread_cond_signal(&rotator->wake);
    pthread_mutex_unlock(&rotator->mutex);
    pthread_join(rotator->thread, NULL);
    pthread_mutex_destroy(&rotator->mutex);
    pthread_cond_destroy(&rotator->wake);
    free(rotator);
}
