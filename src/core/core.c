/* SPDX-License-Identifier: Apache-2.0 */
/* core.c — opening and closing, and what others may ask about the core. Who is active is decided in lifecycle.c. */
#include "core/core.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/cond.h"
#include "base/file.h"
#include "base/log.h"
#include "base/pool.h"
#include "core/core_private.h"
#include "core/request/quota.h"
#include "core/seal/seal.h"
#include "core/seal/seal_private.h"
#include "core/seal/shares.h"

#define BLOCKING_THREADS 64
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
    core->lock_fd = -1;
    if (core->options.default_lease_ttl_s == 0)
        core->options.default_lease_ttl_s = DEFAULT_TTL_S;
    if (core->options.max_lease_ttl_s == 0)
        core->options.max_lease_ttl_s = DEFAULT_TTL_S;
    pthread_mutex_init(&core->mutex, NULL);
    pthread_mutex_init(&core->seal_mutex, NULL);
    pthread_mutex_init(&core->cache_mutex, NULL);
    pthread_mutex_init(&core->ceremony_mutex, NULL);
    cond_init(&core->changed);
    core->barrier = barrier_new();
    core->pool = pool_new("blocking", BLOCKING_THREADS);
    core->audit = audit_new(core);
    core->quotas = quotas_new();
    in_flight_init(&core->in_flight);
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
        .on_change = lifecycle_on_cluster_change,
        .on_replaced = lifecycle_on_state_replaced,
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
    quotas_free(core->quotas);
    in_flight_close(&core->in_flight);
    barrier_free(core->barrier);
    if (core->store != NULL)
        store_close(core->store);
    mount_table_unref(core->mount_table);
    shares_free(core->unsealing);
    ceremony_forget_all(core);
    joining_free(core->joining);
    if (core->lock_fd >= 0)
        close(core->lock_fd);
    pthread_mutex_destroy(&core->mutex);
    pthread_mutex_destroy(&core->seal_mutex);
    pthread_mutex_destroy(&core->cache_mutex);
    pthread_mutex_destroy(&core->ceremony_mutex);
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
        rc = file_lock_dir(options->data_dir, &core->lock_fd, err);
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
    lifecycle_start(core);
    join_retry_start(core);
    seal_auto_start(core);
    *ret_core = core;
    return OK;
}

void core_close(struct core *core, int drain_ms)
{
    if (core == NULL)
        return;
    join_retry_stop(core);
    seal_auto_stop(core);
    core_await_requests(core, drain_ms);
    lifecycle_stop(core);
    core_free(core);
}
