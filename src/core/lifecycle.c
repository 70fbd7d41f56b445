/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lifecycle.c — the one thread that decides whether this node is active.
 *
 * Becoming active loads nothing: the audit devices are opened and the worker that revokes leases is started; everything
 * else is read from the store when a request needs it. So failover takes the same time whatever the store holds.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/cond.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/pool.h"
#include "core/cluster/autopilot.h"
#include "core/core_private.h"
#include "core/policy/policy.h"
#include "core/request/quota.h"
#include "core/request/request.h"
#include "core/seal/rotate.h"
#include "core/seal/seal.h"
#include "core/seal/seal_private.h"
#include "core/snapshot/snapshot.h"
#include "core/snapshot/snapshot_auto.h"

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

void lifecycle_on_cluster_change(void *ctx, const struct cluster_status *status)
{
    struct core *core = ctx;
    pthread_mutex_lock(&core->mutex);
    core->status = *status;
    pthread_cond_broadcast(&core->changed);
    pthread_mutex_unlock(&core->mutex);
}

void lifecycle_on_state_replaced(void *ctx)
{
    struct core *core = ctx;
    pthread_mutex_lock(&core->mutex);
    core->state_replaced = true;
    pthread_cond_broadcast(&core->changed);
    pthread_mutex_unlock(&core->mutex);
}

static int open_audit(struct request *req, void *arg)
{
    return audit_sync(arg, req);
}

static int load_quotas(struct request *req, void *arg)
{
    return quotas_sync(arg, req->txn);
}

static int add_mounts(struct request *req, void *arg)
{
    (void)arg;
    return mount_init(req);
}

/* What an active node does once, besides serving. */
static void work_at_activation(void *arg)
{
    struct core *core = arg;
    uint64_t epoch = core_epoch(core);
    snapshot_abandon_old(core, epoch);
    seal_auto_renew(core, epoch);
    mount_finish_tainted(core, epoch);
    mount_finish_upgrades(core, epoch);
}

/* Under the mutex, which is let go while the devices are opened. */
static void activate(struct core *core, uint64_t epoch)
{
    struct err err = {0};
    core->is_activating = true;
    pthread_mutex_unlock(&core->mutex);
    int rc = txn_follow_keyring(core->store, core->barrier, &err); /* the last leader may have rotated it */
    if (rc == OK)
        rc = request_run_internal(core, epoch, open_audit, core->audit, &err);
    if (rc == OK)
        rc = request_run_internal(core, epoch, load_quotas, core->quotas, &err);
    if (rc == OK)
        rc = request_run_internal(core, epoch, add_mounts, NULL, &err);
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
    core->snapshots = snapshot_auto_start(core, epoch);
    core->rotator = rotator_start(core, epoch);
    log_info("core", "this node is active, epoch %llu", (unsigned long long)epoch);
    pool_run(core->pool, work_at_activation, core);
}

static void deactivate(struct core *core)
{
    struct expiry *expiry = core->expiry;
    struct snapshot_auto *snapshots = core->snapshots;
    struct rotator *rotator = core->rotator;
    core->expiry = NULL;
    core->snapshots = NULL;
    core->rotator = NULL;
    (void)failpoint("core.before_deactivate");
    atomic_store(&core->epoch, 0);
    core->is_activating = true; /* who waits for it to be inactive waits for its workers too: they commit */
    pthread_mutex_unlock(&core->mutex);
    log_info("core", "this node is not active any more");
    expiry_stop(expiry);
    snapshot_auto_stop(snapshots);
    rotator_stop(rotator);
    ceremony_forget_all(core);
    audit_close_all(core->audit);
    pthread_mutex_lock(&core->mutex);
    core->is_activating = false;
    pthread_cond_broadcast(&core->changed);
}

/* The epoch in which this node should be active; 0: it should not. */
static uint64_t wanted_epoch(struct core *core)
{
    bool can_serve = !core->is_stopping && !core->wants_seal && !core->is_paused && !core->state_replaced &&
                     !barrier_is_sealed(core->barrier) && core->status.role == CLUSTER_LEADER &&
                     core->status.knows_time && core_check_initialized(core);
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

/* ---- When the state is replaced as a whole ---- */

static void drop_caches(struct core *core)
{
    pthread_mutex_lock(&core->cache_mutex);
    mount_table_unref(core->mount_table);
    core->mount_table = NULL;
    pthread_mutex_unlock(&core->cache_mutex);
    policy_cache_clear();
}

/*
 * The state was replaced. If the keyring in it does not open with this node's root key, it is another cluster's: the
 * node must be unsealed anew, with the keys of that state. Under the mutex, which is let go meanwhile.
 */
static void check_keyring(struct core *core)
{
    core->state_replaced = false;
    core->is_activating = true;
    pthread_mutex_unlock(&core->mutex);
    int rc = txn_follow_keyring(core->store, core->barrier, NULL);
    if (rc != OK && rc != ERR_SEALED) {
        barrier_seal(core->barrier);
        cluster_set_sealed(core->cluster, true);
        log_warn("core", "sealed: the state was replaced by one under other keys, which it must be unsealed with");
        seal_auto_again(core);
    }
    drop_caches(core);
    pthread_mutex_lock(&core->mutex);
    core->is_activating = false;
    pthread_cond_broadcast(&core->changed);
}

/* ---- The thread ---- */

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
        if (core->state_replaced && atomic_load(&core->epoch) == 0)
            check_keyring(core);
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
    drop_caches(core);
    log_info("core", "sealed");
}

bool core_is_stopping(struct core *core)
{
    pthread_mutex_lock(&core->mutex);
    bool is_stopping = core->is_stopping;
    pthread_mutex_unlock(&core->mutex);
    return is_stopping;
}

void core_pause(struct core *core)
{
    pthread_mutex_lock(&core->mutex);
    core->is_paused = true;
    pthread_cond_broadcast(&core->changed);
    while (atomic_load(&core->epoch) != 0 || core->is_activating)
        wait_ms(core, 20);
    pthread_mutex_unlock(&core->mutex);
    commit_pause(core->commit);
}

void core_resume(struct core *core)
{
    pthread_mutex_lock(&core->mutex);
    while ((core->state_replaced || core->is_activating) && !core->is_stopping)
        wait_ms(core, 20);
    commit_resume(core->commit);
    core->is_paused = false;
    pthread_cond_broadcast(&core->changed);
    pthread_mutex_unlock(&core->mutex);
    core_wait_settled(core, SETTLE_MS);
}

void lifecycle_start(struct core *core)
{
    if (pthread_create(&core->lifecycle, NULL, lifecycle, core) != 0)
        abort();
}

void lifecycle_stop(struct core *core)
{
    pthread_mutex_lock(&core->mutex);
    core->is_stopping = true;
    pthread_cond_broadcast(&core->changed);
    pthread_mutex_unlock(&core->mutex);
    pthread_join(core->lifecycle, NULL);
}
