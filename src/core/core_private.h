/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core_private.h — the members of struct core, for src/core alone.
 */
#ifndef COFFER_CORE_CORE_PRIVATE_H
#define COFFER_CORE_CORE_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "core/audit/audit.h"
#include "core/commit.h"
#include "core/core.h"
#include "core/lease/lease.h"
#include "core/metrics.h"
#include "core/mount/mount.h"
#include "core/request/in_flight.h"
#include "core/request/router.h"
#include "core/seal/ceremony.h"
#include "core/seal/seal_type.h"
#include "storage/barrier.h"
#include "storage/store.h"
#include "storage/txn.h"

struct shares;  /* shares.h */
struct joining; /* join.c: whom to ask */

struct core {
    struct core_options options;
    int lock_fd;                  /* of the data directory */
    const struct seal_type *seal; /* the configured one */
    struct store *store;
    struct barrier *barrier;
    struct cluster *cluster;
    struct commit *commit;
    struct audit *audit;
    struct quotas *quotas;
    struct in_flight in_flight;
    struct pool *pool;

    atomic_uint_least64_t epoch; /* in which this node is active; 0: it is not */
    atomic_int_least64_t active_since_ns;
    atomic_bool hands_over; /* its leadership: requests that come now are turned away */
    atomic_int n_taken_on;  /* requests that began in the epoch and are not answered yet */
    atomic_int draining;    /* enum core_drain */
    atomic_bool is_initialized;
    atomic_bool is_joining;                 /* joining != NULL */
    atomic_int_least64_t hindered_until_ms; /* steady clock; no audit device took an entry: 0: all is well */
    atomic_int n_requests;                  /* in the pipeline */
    struct metrics metrics;
    atomic_bool is_restoring; /* restore.c */

    /* The lifecycle thread (lifecycle.c) alone makes this node active and stops it being so. */
    pthread_t lifecycle;
    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t changed;
    struct cluster_status status;
    bool is_stopping;
    bool wants_seal;
    bool is_activating;
    bool is_paused;                  /* core_pause() */
    bool state_replaced;             /* the keyring must be compared with the one in use */
    struct expiry *expiry;           /* while active */
    struct snapshot_auto *snapshots; /* while active */
    struct rotator *rotator;         /* while active */
    long (*count_connections)(void *ctx);
    void *count_connections_ctx;

    pthread_mutex_t seal_mutex; /* one init, unseal, seal or join at a time; guards the two below */
    struct shares *unsealing;   /* what was given so far */
    struct joining *joining;
    pthread_t retry_thread; /* join.c: asks the configured nodes */
    bool retry_running;
    atomic_bool retry_stopping;
    pthread_t auto_thread; /* seal_auto.c: unseals */
    bool auto_running;
    atomic_bool auto_stopping;
    bool was_opened; /* since the start, by whomever; under seal_mutex */

    pthread_mutex_t ceremony_mutex; /* guards what people do with their keys while this node is active */
    struct ceremony *ceremonies[CEREMONIES];

    pthread_mutex_t cache_mutex; /* guards the parsed mount table */
    unsigned char mount_tag[BARRIER_TAG_SIZE];
    struct mount_table *mount_table;
    const struct mount *system_mount; /* sys/ as routed without a table: for ROUTE_LOCAL */
};

/* Whether the last entry found a device that took it; if not, another node should lead for a while. */
void core_note_audit(struct core *core, bool is_taken);
/* Something that decides the standing has changed. */
void core_wake(struct core *core);
/* Something ends sooner than the worker knew; nothing happens while not active. */
void core_wake_expiry(struct core *core);
/* A lease's secret will not reach anybody: has it revoked soon. */
void core_abandon_lease(struct core *core, const char *lease_id);
/* Gives up being active, waits for the worker to stop, then wipes the barrier's keys. */
void core_seal_now(struct core *core);
/*
 * While the state is replaced as a whole: stops being active and waits until nothing is being committed; and goes on,
 * with the new state, once it is known that the barrier's keys are those of it.
 */
void core_pause(struct core *core);
void core_resume(struct core *core);
bool core_is_stopping(struct core *core);
/* Waits until this node is active, has become a standby, or ms have passed. */
void core_wait_settled(struct core *core, int ms);
/* Whether the store says that the cluster is initialized; remembered once true. */
bool core_check_initialized(struct core *core);

/* lifecycle.c */
void lifecycle_start(struct core *core);
/* Waits until this node is not active. */
void lifecycle_stop(struct core *core);
/* cluster_options.on_change; ctx is the core. */
void lifecycle_on_cluster_change(void *ctx, const struct cluster_status *status);
/* cluster_options.on_replaced. */
void lifecycle_on_state_replaced(void *ctx);

/* drain.c: waits until no request is in the pipeline, or ms have passed. */
void core_await_requests(struct core *core, int ms);

/* Leaves a mark while an init runs; a mark that is found at the next start means that it was cut short. */
int core_mark_init(struct core *core, bool is_running, struct err *err) MUST_CHECK;

/* seal.c, join.c */
/* Under seal_mutex; takes over joining, frees the one before it. */
void core_set_joining(struct core *core, struct joining *joining);
void joining_free(struct joining *joining);
/* The body of a stored or fetched seal's configuration: {"type","shares","threshold"}; NULL when there is none. */
json_t *joining_seal_config(const struct joining *joining);
/* Asks the leader anew for what it stores of its seal. */
int joining_fetch_seal(struct core *core, struct joining *joining, struct err *err) MUST_CHECK;
/* The unseal key is there: gets a certificate, becomes a member, waits for the state to arrive. */
int joining_finish(struct core *core, struct joining *joining, const unsigned char unseal_key[32],
                   struct err *err) MUST_CHECK;
/* This node was unsealed: trusts whom the state's authority signs. Under seal_mutex; what fails is logged. Waits. */
void join_trust_stored(struct core *core);
/* Starts asking the configured nodes, in the background. */
void join_retry_start(struct core *core);
void join_retry_stop(struct core *core);
/* What proves that somebody knows the unseal key without telling it. */
void join_secret(const unsigned char unseal_key[32], unsigned char ret_secret[32]);

#endif
