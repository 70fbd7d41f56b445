/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core.c — opening and closing, and the one thread that decides whether this node is active.
 *
 * Becoming active loads nothing: the audit devices are opened and the worker that revokes leases is started; everything
 * else is read from the store when a request needs it. So failover takes the same time whatever the store holds.
 */
#include "core/core.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/cond.h"
#include "base/failpoint.h"
#include "base/file.h"
#include "base/log.h"
#include "base/pool.h"
#include "core/autopilot.h"
#include "core/core_private.h"
#include "core/policy.h"
#include "core/request.h"
#include "core/seal.h"
#include "core/seal_private.h"

#define BLOCKING_THREADS 64
#define HAND_OVER_MS     2000
#define DEFAULT_TTL_S    (768 * 3600)
#define STATE_DIR        "state"
#define INIT_MARK        "init-unfinished"

/* ---- Standing ---- */

bool core_check_initialized(struct core *core)
{
    if (atomic_load(&core->is_initialized))
        return true;
    struct txn *txn;
    struct buf seal = BUF_INIT;
    if (txn_begin(core->store, core->barrier, &txn, NULL) != OK)
        return false;
    bool found = txn_get_clear(txn, TXN_CLEAR_KEYRING, &seal) == OK;
    buf_close(&seal);
    txn_free(txn);
    if (found)
        atomic_store(&core->is_initialized, true);
    return found;
}

enum core_standing core_standing(struct core *core)
{
    if (atomic_load(&core->epoch) != 0)
        return CORE_ACTIVE;
    if (!barrier_is_sealed(core->barrier))
        return CORE_STANDBY;
    return core_check_initialized(core) || atomic_load(&core->is_joining) ? CORE_SEALED : CORE_UNINITIALIZED;
}

uint64_t core_epoch(struct core *core)
{
    return atomic_load(&core->epoch);
}

int64_t core_active_since_ns(struct core *core)
{
    return atomic_load(&core->active_since_ns);
}

int64_t core_time_ns(struct core *core)
{
    return cluster_time_ns(core->cluster);
}

int64_t core_time_ms(struct core *core)
{
    return core_time_ns(core) / 1000000;
}

struct cluster *core_cluster(struct core *core)
{
    return core->cluster;
}

struct store *core_store(struct core *core)
{
    return core->store;
}

struct barrier *core_barrier(struct core *core)
{
    return core->barrier;
}

const struct core_options *core_options(const struct core *core)
{
    return &core->options;
}

const struct engine *core_engine(const struct core *core, enum engine_kind kind, const char *type)
{
    for (const struct engine *const *engine = core->options.engines; *engine != NULL; engine++)
        if ((*engine)->kind == kind && strcmp((*engine)->type, type) == 0)
            return *engine;
    return NULL;
}

void core_reload(struct core *core)
{
    audit_reopen(core->audit);
}

/* ---- The lifecycle thread ---- */

void core_wake(struct core *core)
{
    pthread_mutex_lock(&core->mutex);
    pthread_cond_broadcast(&core->changed);
    pthread_mutex_unlock(&core->mutex);
}

void core_wake_expiry(struct core *core)
{
    pthread_mutex_lock(&core->mutex);
    if (core->expiry != NULL)
        expiry_wake(core->expiry);
    pthread_mutex_unlock(&core->mutex);
}

static void on_cluster_change(void *ctx, const struct cluster_status *status)
{
    struct core *core = ctx;
    pthread_mutex_lock(&core->mutex);
    core->status = *status;
    pthread_cond_broadcast(&core->changed);
    pthread_mutex_unlock(&core->mutex);
}

static int open_audit(struct request *req, void *arg)
{
    return audit_sync(arg, req);
}

/* What an active node does once, besides serving. */
static void work_at_activation(void *arg)
{
    struct core *core = arg;
    uint64_t epoch = core_epoch(core);
    seal_auto_renew(core, epoch);
    mount_finish_tainted(core, epoch);
}

/* Under the mutex, which is let go while the devices are opened. */
static void activate(struct core *core, uint64_t epoch)
{
    struct err err = {0};
    core->is_activating = true;
    pthread_mutex_unlock(&core->mutex);
    int rc = request_run_internal(core, epoch, open_audit, core->audit, &err);
    if (rc == OK)
        rc = autopilot_load(core, epoch, &err);
    pthread_mutex_lock(&core->mutex);
    core->is_activating = false;
    if (rc != OK) {
        log_error("core", "this node leads but cannot become active: %s", err_text(&err));
        return;
    }
    atomic_store(&core->active_since_ns, clock_wall_ns());
    atomic_store(&core->epoch, epoch);
    core->expiry = expiry_start(core, epoch);
    log_info("core", "this node is active, epoch %llu", (unsigned long long)epoch);
    pool_run(core->pool, work_at_activation, core);
}

static void deactivate(struct core *core)
{
    struct expiry *expiry = core->expiry;
    core->expiry = NULL;
    (void)failpoint("core.before_deactivate");
    atomic_store(&core->epoch, 0);
    pthread_mutex_unlock(&core->mutex);
    log_info("core", "this node is not active any more");
    expiry_stop(expiry);
    audit_close_all(core->audit);
    pthread_mutex_lock(&core->mutex);
}

/* The epoch in which this node should be active; 0: it should not. */
static uint64_t wanted_epoch(struct core *core)
{
    bool can_serve = !core->is_stopping && !core->wants_seal && !barrier_is_sealed(core->barrier) &&
                     core->status.role == CLUSTER_LEADER && core->status.knows_time && core_check_initialized(core);
    return can_serve ? core->status.epoch : 0;
}

static void wait_for_change(struct core *core, bool retry_soon)
{
    struct timespec until = cond_deadline(retry_soon ? 1000 : 3600000);
    pthread_cond_timedwait(&core->changed, &core->mutex, &until);
}

#define HINDERED_MS 30000 /* so long another node leads rather */

void core_note_audit(struct core *core, bool is_taken)
{
    bool was_taken = atomic_load(&core->hindered_until_ms) == 0;
    if (is_taken && was_taken)
        return;
    atomic_store(&core->hindered_until_ms, is_taken ? 0 : clock_steady_ms() + HINDERED_MS);
    if (is_taken != was_taken)
        core_wake(core);
}

/* Whether the node's devices take entries again shows only when it leads: so after a while it may. */
static bool note_hindrance(struct core *core, bool was_hindered)
{
    int64_t until_ms = atomic_load(&core->hindered_until_ms);
    bool is_hindered = until_ms != 0 && clock_steady_ms() < until_ms;
    if (until_ms != 0 && !is_hindered)
        atomic_store(&core->hindered_until_ms, 0);
    if (is_hindered && !was_hindered)
        log_error("core", "no audit device takes entries, so no request is served: another node leads, if one can");
    if (is_hindered != was_hindered)
        cluster_set_hindered(core->cluster, is_hindered);
    return is_hindered;
}

static void *lifecycle(void *arg)
{
    struct core *core = arg;
    bool is_hindered = false;
    pthread_setname_np(pthread_self(), "lifecycle");
    pthread_mutex_lock(&core->mutex);
    for (;;) {
        uint64_t wanted = wanted_epoch(core), now = atomic_load(&core->epoch);
        if (now != 0 && now != wanted)
            deactivate(core);
        else if (wanted != 0 && now != wanted)
            activate(core, wanted);
        pthread_cond_broadcast(&core->changed);
        if (core->is_stopping && atomic_load(&core->epoch) == 0)
            break;
        bool settled = atomic_load(&core->epoch) == wanted_epoch(core);
        is_hindered = note_hindrance(core, is_hindered);
        wait_for_change(core, !settled || is_hindered);
    }
    pthread_mutex_unlock(&core->mutex);
    return NULL;
}

static void wait_ms(struct core *core, int ms)
{
    struct timespec until = cond_deadline(ms);
    pthread_cond_timedwait(&core->changed, &core->mutex, &until);
}

void core_wait_settled(struct core *core, int ms)
{
    int64_t end = clock_steady_ms() + ms;
    pthread_mutex_lock(&core->mutex);
    while (clock_steady_ms() < end && (atomic_load(&core->epoch) != wanted_epoch(core) ||
                                       (atomic_load(&core->epoch) == 0 && core->status.leader_id[0] == '\0')))
        wait_ms(core, 20);
    pthread_mutex_unlock(&core->mutex);
}

void core_seal_now(struct core *core)
{
    pthread_mutex_lock(&core->mutex);
    core->wants_seal = true;
    pthread_cond_broadcast(&core->changed);
    while (atomic_load(&core->epoch) != 0 || core->is_activating)
        wait_ms(core, 20);
    barrier_seal(core->barrier);
    core->wants_seal = false;
    pthread_mutex_unlock(&core->mutex);
    cluster_set_sealed(core->cluster, true);
    pthread_mutex_lock(&core->cache_mutex);
    mount_table_unref(core->mount_table);
    core->mount_table = NULL;
    pthread_mutex_unlock(&core->cache_mutex);
    policy_cache_clear();
    log_info("core", "sealed");
}

/* ---- Abandoned leases ---- */

struct abandoned {
    struct core *core;
    char id[REQUEST_PATH_MAX + 1];
};

static int expire_abandoned(struct request *req, void *arg)
{
    const struct abandoned *job = arg;
    struct lease *lease;
    int rc = lease_get(req, job->id, &lease);
    return rc == OK ? lease_expire_now(req, lease) : rc;
}

static void abandon(void *arg)
{
    struct abandoned *job = arg;
    struct err err = {0};
    /* If this fails, because the node lost its leadership, the next leader finds the pending lease itself. */
    if (request_run_internal(job->core, 0, expire_abandoned, job, &err) != OK)
        log_info("core", "a lease whose request failed is left to the worker: %s", err_text(&err));
    free(job);
}

void core_abandon_lease(struct core *core, const char *lease_id)
{
    struct abandoned *job = calloc(1, sizeof *job);
    if (job == NULL)
        abort();
    job->core = core;
    snprintf(job->id, sizeof job->id, "%s", lease_id);
    pool_run(core->pool, abandon, job);
}

/* ---- Opening and closing ---- */

/* sys/ as ROUTE_LOCAL needs it, when there is no table to read because the node is sealed or new. */
static const struct mount *bare_system_mount(const struct core *core)
{
    struct mount *mount = calloc(1, sizeof *mount);
    if (mount == NULL)
        abort();
    *mount = (struct mount){.path = "sys/", .type = "system", .uuid = "", .accessor = "", .description = ""};
    mount->engine = core_engine(core, ENGINE_SYSTEM, "system");
    return mount;
}

static struct core *core_new(const struct core_options *options)
{
    struct core *core = calloc(1, sizeof *core);
    if (core == NULL)
        abort();
    core->options = *options;
    if (core->options.default_lease_ttl_s == 0)
        core->options.default_lease_ttl_s = DEFAULT_TTL_S;
    if (core->options.max_lease_ttl_s == 0)
        core->options.max_lease_ttl_s = DEFAULT_TTL_S;
    pthread_mutex_init(&core->mutex, NULL);
    pthread_mutex_init(&core->seal_mutex, NULL);
    pthread_mutex_init(&core->cache_mutex, NULL);
    cond_init(&core->changed);
    core->barrier = barrier_new();
    core->pool = pool_new("blocking", BLOCKING_THREADS);
    core->audit = audit_new(core);
    core->system_mount = bare_system_mount(core);
    return core;
}

static void data_path(const struct core *core, const char *name, char *ret, size_t size)
{
    snprintf(ret, size, "%s/%s", core->options.data_dir, name);
}

/* An init that a crash cut short has told nobody any key: what it left is of no use to anyone. */
static int clear_unfinished_init(struct core *core, struct err *err)
{
    char mark[4096], state[4096], raft[4096];
    data_path(core, INIT_MARK, mark, sizeof mark);
    if (!file_exists(mark))
        return OK;
    log_warn("core", "the last initialization did not finish; starting anew");
    data_path(core, STATE_DIR, state, sizeof state);
    data_path(core, "raft", raft, sizeof raft);
    int rc = file_remove_tree(state, err);
    if (rc == OK)
        rc = file_remove_tree(raft, err);
    if (rc == OK)
        unlink(mark);
    return rc;
}

int core_mark_init(struct core *core, bool is_running, struct err *err)
{
    char mark[4096];
    data_path(core, INIT_MARK, mark, sizeof mark);
    if (is_running)
        return file_replace(mark, "", 0, 0600, err);
    unlink(mark);
    return OK;
}

static int open_cluster(struct core *core, struct err *err)
{
    const struct cluster_options options = {
        .dir = core->options.data_dir,
        .node_id = core->options.node_id,
        .listen_addr = core->options.listen_addr,
        .cluster_addr = core->options.cluster_addr,
        .api_addr = core->options.api_addr,
        .non_leader = core->options.non_leader,
        .election_ms = core->options.election_ms,
        .heartbeat_ms = core->options.heartbeat_ms,
        .store = core->store,
        .on_change = on_cluster_change,
        .ctx = core,
    };
    return cluster_open(&options, &core->cluster, err);
}

static void core_free(struct core *core)
{
    commit_halt(core->commit);
    pool_free(core->pool);
    if (core->cluster != NULL)
        cluster_close(core->cluster);
    commit_stop(core->commit);
    audit_free(core->audit);
    barrier_free(core->barrier);
    if (core->store != NULL)
        store_close(core->store);
    mount_table_unref(core->mount_table);
    unsealing_free(core->unsealing);
    joining_free(core->joining);
    pthread_mutex_destroy(&core->mutex);
    pthread_mutex_destroy(&core->seal_mutex);
    pthread_mutex_destroy(&core->cache_mutex);
    pthread_cond_destroy(&core->changed);
    free((struct mount *)core->system_mount);
    free(core);
}

int core_open(const struct core_options *options, struct core **ret_core, struct err *err)
{
    struct core *core = core_new(options);
    char state[4096];
    int rc = seal_configure(core, err);
    if (rc == OK)
        rc = file_make_dir(options->data_dir, 0700, err);
    if (rc == OK)
        rc = clear_unfinished_init(core, err);
    data_path(core, STATE_DIR, state, sizeof state);
    if (rc == OK)
        rc = file_make_dir(state, 0700, err);
    if (rc == OK)
        rc = store_open(state, true, &core->store, err);
    if (rc == OK)
        rc = seal_check_stored(core, err);
    if (rc == OK)
        rc = open_cluster(core, err);
    if (rc != OK) {
        core_free(core);
        return rc;
    }
    cluster_set_sealed(core->cluster, true);
    core->commit = commit_start(core->cluster, core->store, &core->metrics);
    if (pthread_create(&core->lifecycle, NULL, lifecycle, core) != 0)
        abort();
    join_retry_start(core);
    seal_auto_start(core);
    *ret_core = core;
    return OK;
}

static bool could_be_asked(struct core *core)
{
    enum core_standing standing = core_standing(core);
    return standing == CORE_ACTIVE || standing == CORE_STANDBY;
}

void core_drain(struct core *core, enum core_drain why)
{
    int keeps_on = CORE_KEEPS_ON;
    if (core == NULL)
        return;
    if (why == CORE_STOPS)
        atomic_store(&core->draining, why);
    else
        atomic_compare_exchange_strong(&core->draining, &keeps_on, why);
    int64_t end = clock_steady_ms() + core->options.drain_ms;
    while (could_be_asked(core) && clock_steady_ms() < end)
        usleep(10000);
}

void core_drain_end(struct core *core)
{
    int steps_down = CORE_STEPS_DOWN;
    atomic_compare_exchange_strong(&core->draining, &steps_down, CORE_KEEPS_ON);
}

enum core_drain core_draining(const struct core *core)
{
    return (enum core_drain)atomic_load(&core->draining);
}

static void await_requests(struct core *core, int drain_ms)
{
    int64_t end = clock_steady_ms() + drain_ms;
    while (atomic_load(&core->n_requests) > 0 && clock_steady_ms() < end)
        usleep(10000);
}

int core_hand_over(struct core *core, const char *node_id, struct err *err)
{
    int64_t end = clock_steady_ms() + HAND_OVER_MS;
    atomic_store(&core->hands_over, true);
    while (atomic_load(&core->n_taken_on) > 0 && clock_steady_ms() < end)
        usleep(1000);
    int rc = cluster_step_down(core->cluster, node_id, err);
    atomic_store(&core->hands_over, false);
    return rc;
}

void core_step_aside(struct core *core)
{
    struct err err = {0};
    if (core != NULL && core_epoch(core) != 0 && core_hand_over(core, NULL, &err) != OK)
        log_info("core", "nobody takes over the leadership: %s", err_text(&err));
}

void core_close(struct core *core, int drain_ms)
{
    if (core == NULL)
        return;
    join_retry_stop(core);
    seal_auto_stop(core);
    await_requests(core, drain_ms);
    pthread_mutex_lock(&core->mutex);
    core->is_stopping = true;
    pthread_cond_broadcast(&core->changed);
    pthread_mutex_unlock(&core->mutex);
    pthread_join(core->lifecycle, NULL);
    core_free(core);
}
