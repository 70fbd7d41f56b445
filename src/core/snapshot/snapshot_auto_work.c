/* SPDX-License-Identifier: Apache-2.0 */
/* snapshot_auto_work.c — the worker that takes snapshots by schedule, one after the other. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cond.h"
#include "base/json.h"
#include "base/log.h"
#include "core/core_private.h"
#include "core/request/request.h"
#include "core/snapshot/snapshot_auto_private.h"
#include "storage/txn.h"

#define LOOK_MS  1000  /* so often it looks whether anything is due: configurations come and go */
#define RETRY_MS 60000 /* after a failure, if the interval is not shorter */

struct snapshot_auto {
    struct core *core;
    uint64_t epoch;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    atomic_bool is_stopping;
};

/* One configuration, and how it went. */
struct turn {
    const char *name;
    json_t *config, *status;
    bool is_gone; /* deleted or changed meanwhile */
};

static const char *turn_path(struct request *req, const char *dir, const struct turn *turn)
{
    return arena_printf(&req->arena, "%s%s", dir, turn->name);
}

static int load(struct request *req, void *arg)
{
    struct turn *turn = arg;
    json_decref(turn->config);
    json_decref(turn->status);
    turn->config = turn->status = NULL;
    int rc = txn_get(req->txn, turn_path(req, AUTO_CONFIG_DIR, turn), &turn->config);
    if (rc == OK)
        rc = txn_get(req->txn, turn_path(req, AUTO_STATUS_DIR, turn), &turn->status);
    return rc == ERR_NOTFOUND ? OK : rc;
}

/* Of a configuration that was deleted nothing is kept; one that was changed is due again. */
static int store_status(struct request *req, void *arg)
{
    struct turn *turn = arg;
    json_t *config = NULL;
    int rc = txn_get(req->txn, turn_path(req, AUTO_CONFIG_DIR, turn), &config);
    turn->is_gone = rc == ERR_NOTFOUND;
    if (rc != OK)
        return turn->is_gone ? OK : rc;
    if (!json_equal(config, turn->config))
        json_object_del(turn->status, "next_ms");
    json_decref(config);
    return txn_put(req->txn, turn_path(req, AUTO_STATUS_DIR, turn), turn->status);
}

static void set_ms(json_t *status, const char *key, int64_t ms)
{
    json_object_set_new(status, key, json_integer(ms));
}

/* ---- Taking one ---- */

/* That older ones could not be removed is told in err, but the snapshot is there. */
static int save(struct auto_job *job, const struct auto_place *place, struct err *err)
{
    int rc = snapshot_save(job->core, job->is_off, &job->file, err);
    if (rc != OK)
        return rc;
    rc = place->put(job, err);
    close(job->file.fd);
    if (rc == OK)
        (void)!place->trim(job, err);
    return rc;
}

/* is_saved: err tells at most that something else went wrong. */
static void note_end(struct snapshot_auto *worker, struct turn *turn, bool is_saved, const struct err *err)
{
    bool is_well = err->code == OK;
    json_t *status = turn->status;
    int64_t now_ms = core_time_ms(worker->core), interval_ms = json_int(turn->config, "interval", 0) * 1000;
    int64_t start_ms = json_int(status, "start_ms", now_ms);
    json_object_set_new(status, "error", json_string(is_well ? "" : err_text(err)));
    json_object_set_new(status, "errors", json_integer(is_well ? 0 : json_int(status, "errors", 0) + 1));
    if (is_saved) {
        json_object_set(status, "last_url", json_object_get(status, "url"));
        set_ms(status, "last_end_ms", now_ms);
        set_ms(status, "last_start_ms", start_ms);
        set_ms(status, "next_ms", start_ms + interval_ms);
        log_info("snapshot", "%s: saved %s", turn->name, json_str(status, "url", ""));
    } else {
        set_ms(status, "next_ms", now_ms + (interval_ms < RETRY_MS ? interval_ms : RETRY_MS));
        log_warn("snapshot", "%s: no snapshot was saved", turn->name);
    }
    if (!is_well)
        log_warn("snapshot", "%s: %s", turn->name, err_text(err));
    json_object_del(status, "start_ms");
    json_object_del(status, "url");
}

static void take(struct snapshot_auto *worker, struct turn *turn, const struct auto_place *place)
{
    char file_name[256], url[AUTO_URL_MAX];
    struct err err = {0};
    int64_t now_ns = core_time_ns(worker->core);
    snprintf(file_name, sizeof file_name, "%s-%lld" AUTO_SUFFIX, json_str(turn->config, "file_prefix", ""),
             (long long)now_ns);
    place->url(turn->config, file_name, url);
    set_ms(turn->status, "start_ms", now_ns / 1000000);
    json_object_set_new(turn->status, "url", json_string(url));
    if (request_run_internal(worker->core, worker->epoch, store_status, turn, NULL) != OK || turn->is_gone)
        return;
    struct auto_job job = {.core = worker->core,
                           .config = turn->config,
                           .status = turn->status,
                           .file_name = file_name,
                           .is_off = &worker->is_stopping};
    int rc = save(&job, place, &err);
    if (rc != OK && worker->is_stopping)
        return; /* whoever is active next tries it again */
    note_end(worker, turn, rc == OK, &err);
    if (request_run_internal(worker->core, worker->epoch, store_status, turn, &err) != OK)
        log_info("snapshot", "%s: how it went cannot be put on record: %s", turn->name, err_text(&err));
}

static void take_if_due(struct snapshot_auto *worker, const char *name)
{
    struct turn turn = {.name = name};
    if (request_run_internal(worker->core, worker->epoch, load, &turn, NULL) == OK && turn.config != NULL) {
        const struct auto_place *place = auto_place_find(json_str(turn.config, "storage_type", ""));
        if (turn.status == NULL)
            turn.status = json_object();
        if (place != NULL && json_int(turn.status, "next_ms", 0) <= core_time_ms(worker->core))
            take(worker, &turn, place);
    }
    json_decref(turn.config);
    json_decref(turn.status);
}

/* ---- The thread ---- */

static int list(struct request *req, void *arg)
{
    json_t **names = arg;
    json_decref(*names);
    *names = NULL;
    return snapshot_auto_list(req, names);
}

static void look(struct snapshot_auto *worker)
{
    json_t *names = NULL, *name;
    size_t i;
    if (request_run_internal(worker->core, worker->epoch, list, &names, NULL) != OK)
        return;
    json_array_foreach(names, i, name)
    {
        if (!worker->is_stopping)
            take_if_due(worker, json_string_value(name));
    }
    json_decref(names);
}

static void *work(void *arg)
{
    struct snapshot_auto *worker = arg;
    pthread_setname_np(pthread_self(), "snapshots");
    pthread_mutex_lock(&worker->mutex);
    while (!worker->is_stopping) {
        pthread_mutex_unlock(&worker->mutex);
        look(worker);
        pthread_mutex_lock(&worker->mutex);
        struct timespec until = cond_deadline(LOOK_MS);
        while (!worker->is_stopping && pthread_cond_timedwait(&worker->wake, &worker->mutex, &until) != ETIMEDOUT)
            ;
    }
    pthread_mutex_unlock(&worker->mutex);
    return NULL;
}

struct snapshot_auto *snapshot_auto_start(struct core *core, uint64_t epoch)
{
    struct snapshot_auto *worker = calloc(1, sizeof *worker);
    if (worker == NULL)
        abort();
    worker->core = core;
    worker->epoch = epoch;
    pthread_mutex_init(&worker->mutex, NULL);
    cond_init(&worker->wake);
    if (pthread_create(&worker->thread, NULL, work, worker) != 0)
        abort();
    return worker;
}

void snapshot_auto_stop(struct snapshot_auto *worker)
{
    if (worker == NULL)
        return;
    pthread_mutex_lock(&worker->mutex);
    worker->is_stopping = true;
    pthread_cond_signal(&worker->wake);
    pthread_mutex_unlock(&worker->mutex);
    pthread_join(worker->thread, NULL);
    pthread_mutex_destroy(&worker->mutex);
    pthread_cond_destroy(&worker->wake);
    free(worker);
}
