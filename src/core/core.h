/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core.h — the secrets server between the HTTP front and the store: its state, and how it comes and goes.
 *
 *   uninitialized ──init──▶ sealed ──unseal──▶ standby ◀──leadership──▶ active(epoch)
 *                              ▲──────────────────seal─────────────────────┘
 *
 * Threads: any, unless said otherwise.
 */
#ifndef COFFER_CORE_CORE_H
#define COFFER_CORE_CORE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "core/engine.h"
#include "raft/cluster.h"

struct barrier;
struct store;
struct pool;
struct commit;
struct mount_table;
struct expiry;
struct audit;

#ifndef COFFER_VERSION
#error "COFFER_VERSION comes from the build"
#endif

struct core_options {
    const char *data_dir;     /* raft/, state/ and node-id are in it */
    const char *storage_type; /* "raft", "file", "inmem": what seal-status says */
    const char *node_id;
    const char *listen_addr; /* of peers */
    const char *cluster_addr;
    const char *api_addr;
    const char *cluster_name;
    int64_t default_lease_ttl_s; /* 0: 768 h */
    int64_t max_lease_ttl_s;
    int election_ms, heartbeat_ms;
    bool non_leader;                     /* votes, but does not lead: raft/cluster.h */
    const struct engine *const *engines; /* NULL ends it: the table in main.c */
    const struct audit_device *const *audit_devices;
    const char *seal_type; /* NULL: "shamir" */
    const json_t *seal;    /* its stanza's settings; or NULL */
    bool prometheus_disable;
    bool allow_audit_prefix;    /* audit devices may put a text before each entry */
    json_t *retry_join;         /* array of objects with Vault's keys; or NULL */
    const json_t *user_lockout; /* by type of auth method, or "all": settings as of a mount; see lockout.h; or NULL */
    const json_t *sanitized_config; /* what sys/config/state/sanitized shows; or NULL */
    bool dev_mode;
    int drain_ms; /* how long sys/health turns load balancers away before this node stops serving */
};

enum core_standing { CORE_UNINITIALIZED, CORE_SEALED, CORE_STANDBY, CORE_ACTIVE };
/* Why sys/health turns load balancers away although requests are served as before. */
enum core_drain { CORE_KEEPS_ON, CORE_STEPS_DOWN, CORE_STOPS };

struct core; /* its members: core/core_private.h, for src/core alone */

/* Opens the data directory and takes part in its cluster, if any. Errors: as cluster_open() and store_open(). */
int core_open(const struct core_options *options, struct core **ret_core, struct err *err) MUST_CHECK;
/*
 * Tells load balancers to look elsewhere and waits for the configured time, so that they have. A node that steps down
 * calls core_drain_end() afterwards; one that stops never serves again.
 */
void core_drain(struct core *core, enum core_drain why);
void core_drain_end(struct core *core);
enum core_drain core_draining(const struct core *core);
/*
 * Hands the leadership to a node, or (NULL) to whoever is fittest. Requests that come meanwhile are turned away as by a
 * standby, and those under way are answered first, for up to two seconds. Errors: as cluster_step_down().
 */
int core_hand_over(struct core *core, const char *node_id, struct err *err) MUST_CHECK;
/* The same, if this node leads and there is somebody; NULL is fine. */
void core_step_aside(struct core *core);
/* Lets running requests end for up to drain_ms, then closes everything. NULL is fine. */
void core_close(struct core *core, int drain_ms);

enum core_standing core_standing(struct core *core);
/* The epoch while active, else 0. */
uint64_t core_epoch(struct core *core);
/* Cluster time since 1970: what all ends are decided by. See cluster_time_ns(). */
int64_t core_time_ns(struct core *core);
int64_t core_time_ms(struct core *core);
struct cluster *core_cluster(struct core *core);
struct barrier *core_barrier(struct core *core);
const struct core_options *core_options(const struct core *core);
const struct engine *core_engine(const struct core *core, enum engine_kind kind, const char *type);
/* RFC 3339; since when this node is active. */
int64_t core_active_since_ns(struct core *core);
/* Reopens audit files; SIGHUP. */
void core_reload(struct core *core);

#endif
