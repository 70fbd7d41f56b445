/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cluster.h — several nodes, one log: the driver over libraft's core, and what goes with it.
 *
 * One thread of its own drives raft_step() (driver.h); the log is an LMDB environment of its own
 * (journal.h); entries that are committed are applied to the store by a third thread, in order. Peers
 * speak mutual TLS 1.3. Everything in entries is ciphertext, so a sealed node takes full part.
 *
 * An epoch is the Raft term in which this node leads: what is begun in an epoch can be committed in
 * it alone.
 *
 * Threads: any may call, unless said otherwise. Calls that wait say so. Callbacks come from the
 * cluster's own threads and must only queue.
 */
#ifndef COFFER_RAFT_CLUSTER_H
#define COFFER_RAFT_CLUSTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "storage/store.h"

#define CLUSTER_NODE_ID_MAX 64
#define CLUSTER_ADDR_MAX    264
#define CLUSTER_MEMBERS_MAX 31

struct cluster;

enum cluster_role {
    CLUSTER_OUTSIDE, /* has no members' list: neither bootstrapped nor joined */
    CLUSTER_FOLLOWER,
    CLUSTER_CANDIDATE,
    CLUSTER_LEADER, /* and an entry of its own term is applied here: the state is current */
};

struct cluster_status {
    enum cluster_role role;
    uint64_t term;
    uint64_t epoch;                         /* = term while leader, else 0 */
    char leader_id[CLUSTER_NODE_ID_MAX];    /* "" when none is known */
    char leader_api_addr[CLUSTER_ADDR_MAX]; /* "https://host:port" */
    char leader_cluster_addr[CLUSTER_ADDR_MAX];
    uint64_t commit_index;
    uint64_t applied_index;
    uint64_t last_index; /* of the log */
    bool knows_time;     /* see cluster_time_ns() */
};

/* What the leader may do with the members by itself: sys/storage/raft/autopilot/configuration. */
struct cluster_autopilot {
    bool cleanup_dead_servers;  /* takes out who was not heard for dead_after_ms, */
    uint64_t min_quorum;        /* as long as more voters than this are left */
    uint64_t dead_after_ms;     /* 24 h */
    uint64_t last_contact_ms;   /* 10 s: who was not heard for longer is not well, */
    uint64_t max_trailing_logs; /* 1000: nor is who lags by more entries */
    uint64_t stabilization_ms;  /* 10 s: so long a new node must be well before it votes, once there are three voters */
};
void cluster_autopilot_default(struct cluster_autopilot *ret);

struct cluster_options {
    const char *dir;          /* for the log, the identity and the metadata of Raft: <dir>/raft */
    const char *node_id;      /* [A-Za-z0-9._-]{1,63} */
    const char *listen_addr;  /* "host:port", where peers are listened to */
    const char *cluster_addr; /* "host:port", told to peers */
    const char *api_addr;     /* "https://host:port", told to peers for redirects */
    bool non_leader;          /* votes, but leads only when no other voter can */
    int election_ms;          /* 0: 300 */
    int heartbeat_ms;         /* 0: 50 */
    struct store *store;      /* borrowed; the cluster alone applies to it */
    /* Role, epoch or leader changed. */
    void (*on_change)(void *ctx, const struct cluster_status *status);
    /* The state was replaced as a whole: by a restore, or by a peer's. NULL: nobody wants to know. */
    void (*on_replaced)(void *ctx);
    void *ctx;
};

/*
 * Opens the log and, if this node is a member of a cluster already, takes part from now on.
 * Errors: ERR_CORRUPT, naming the file; ERR_IO; ERR_INVALID for options, or a port that is in use.
 */
int cluster_open(const struct cluster_options *options, struct cluster **ret_cluster, struct err *err) MUST_CHECK;
/* Stops taking part and frees everything. Submissions that wait fail with ERR_NOTLEADER. Waits. */
void cluster_close(struct cluster *cluster);

/*
 * Makes this node the first and only member: a new cluster authority, this node's certificate, a log. Waits until
 * it leads. ret_ca: the authority's certificate and key as PEM, to be kept behind the barrier.
 */
int cluster_bootstrap(struct cluster *cluster, struct buf *ret_ca, struct err *err) MUST_CHECK;

/* ---- Joining. The joiner asks for a certificate, the leader signs it and adds the member. ---- */

/* Joiner: appends a certificate request (PEM) for this node's own, kept key. */
int cluster_join_request(struct cluster *cluster, struct buf *ret_csr, struct err *err) MUST_CHECK;
/*
 * Joiner: takes the certificate and the authority's certificate, and trusts these other authorities (NULL: none); all
 * of it PEM. Waits until it can be called by the leader.
 */
int cluster_join_accept(struct cluster *cluster, const char *certificate, const char *ca, const char *trusted,
                        struct err *err) MUST_CHECK;
/* Leader: signs a request for node_id with the authority (as from cluster_bootstrap); appends the certificate. */
int cluster_sign(const char *ca, const char *csr, const char *node_id, struct buf *ret_certificate,
                 struct buf *ret_ca_certificate, struct err *err) MUST_CHECK;
/* Leader: appends the certificates (PEM) of all authorities that this node trusts: what a joiner is to trust. */
int cluster_trusted(struct cluster *cluster, struct buf *ret_authorities, struct err *err) MUST_CHECK;
/*
 * Sees to it that this node trusts an authority (as from cluster_bootstrap): the state's own, which is another one
 * after another cluster's snapshot was restored. The former one stays trusted, for members have certificates of it; but
 * the only member takes the new one alone, and a certificate signed by it. Not from two threads at once. Waits.
 */
int cluster_trust(struct cluster *cluster, const char *ca, bool *ret_is_new, struct err *err) MUST_CHECK;
/*
 * Leader: adds a member, who becomes a voter by itself as soon as it has caught up (unless non_voter).
 * The node must answer at the address, for it says itself which disk it has: the same node id with another disk
 * replaces the member, with the same disk and another address moves it. Other changes are waited for, and then until
 * this one is committed. Errors: ERR_NOTLEADER, ERR_INVALID, ERR_BUSY, ERR_TIMEOUT with what was waited for.
 */
int cluster_add_member(struct cluster *cluster, const char *node_id, const char *cluster_addr, bool non_voter,
                       struct err *err) MUST_CHECK;
/* ERR_NOTFOUND; ERR_INVALID for the last voter; else as above. Removing the leader hands leadership over first. */
int cluster_remove_member(struct cluster *cluster, const char *node_id, struct err *err) MUST_CHECK;
/*
 * Gives a member a vote, as soon as it has caught up, or takes it from it, which it then does not get back by itself.
 * ERR_NOTFOUND; ERR_INVALID for the leader's or the last vote; else as above.
 */
int cluster_set_voter(struct cluster *cluster, const char *node_id, bool is_voter, struct err *err) MUST_CHECK;
/* To be told by whoever leads; not kept. */
void cluster_set_autopilot(struct cluster *cluster, const struct cluster_autopilot *autopilot);

struct cluster_member {
    char node_id[CLUSTER_NODE_ID_MAX];
    char cluster_addr[CLUSTER_ADDR_MAX];
    char api_addr[CLUSTER_ADDR_MAX]; /* "" until it was heard */
    char version[32];                /* of the program; "" until it was heard */
    bool voter;
    bool non_voter; /* and is not to become one */
    bool non_leader;
    bool leader;
    bool self;
    bool sealed;           /* as it last said */
    int64_t sealed_for_ms; /* so long it is sealed, or unsealed; -1 unknown */
    int64_t clock_skew_ms; /* how far its wall clock is ahead of cluster time; 0 while unknown */
    uint64_t match_index;  /* this and what follows: known to the leader only */
    uint64_t match_term;
    int64_t last_contact_ms; /* since the leader heard it; -1 when not the leader or never */
    int64_t stable_for_ms;   /* so long it has been well by struct cluster_autopilot; -1: it is not */
};
/* The members as last committed; returns how many, at most CLUSTER_MEMBERS_MAX. */
int cluster_members(struct cluster *cluster, struct cluster_member ret[CLUSTER_MEMBERS_MAX], uint64_t *ret_index);

/* Whether it is one of them; cheap. */
bool cluster_has_member(struct cluster *cluster, const char *node_id);
/* The same of a node that need not run, out of its state's directory. Errors: as store_peek(); ERR_CORRUPT. */
int cluster_peek_members(const char *state_dir, struct cluster_member ret[CLUSTER_MEMBERS_MAX], int *ret_n,
                         struct err *err) MUST_CHECK;

/* ---- Writing ---- */

typedef void cluster_submit_cb(void *arg, int rc, uint64_t index);

/*
 * Proposes one entry in an epoch. cb is called exactly once, from another thread: OK when the entry is on a
 * quorum of disks and applied to the store here, with its index. Any other code than ERR_NOTLEADER,
 * ERR_NOSPACE and ERR_TOO_LARGE means that it may still take effect (ERR_UNAVAILABLE: leadership was lost meanwhile).
 * The entry is copied.
 */
void cluster_submit(struct cluster *cluster, uint64_t epoch, const void *entry, size_t len, cluster_submit_cb *cb,
                    void *arg);

/* The form in which an entry is to be written: the newest that all members read (base/format.h). */
uint8_t cluster_format(struct cluster *cluster);
/* ERR_INVALID for a node that reads forms up to `format`, if more is written already, or is about to be. */
int cluster_check_reader(struct cluster *cluster, uint8_t format, struct err *err) MUST_CHECK;

/* ---- Room on the disks of log and state ---- */

enum cluster_room {
    CLUSTER_ROOM_ENOUGH,
    CLUSTER_ROOM_LOW,    /* what makes the store grow should be refused: for callers to see to */
    CLUSTER_ROOM_SCARCE, /* and this node hands leadership over to one that has room, if there is one */
};
enum cluster_room cluster_room(struct cluster *cluster);
/* With how many bytes free a file system of this size is low, or scarce. */
struct cluster_marks {
    uint64_t low, scarce;
};
void cluster_disk_marks(uint64_t size, struct cluster_marks *ret);
/* Something else keeps this node from its work (its audit log cannot be written): another leads, if one can. */
void cluster_set_hindered(struct cluster *cluster, bool is_hindered);

/* ---- Time ---- */

/*
 * Nanoseconds since 1970 as the cluster counts them: what decides when something ends. It never goes back, whoever
 * leads, and does not follow a wall clock that is set (cluster_time.c). A node that has just started does not know it
 * before it has heard another or, as the leader, a majority's clocks: until then (status.knows_time) it is too low.
 * Entries carry it in milliseconds (storage/batch.h).
 */
int64_t cluster_time_ns(struct cluster *cluster);
/* How far this node's wall clock is ahead of it; 0 while it is not known. */
int64_t cluster_clock_skew_ms(struct cluster *cluster);

/* ---- Standing ---- */

void cluster_status(struct cluster *cluster, struct cluster_status *ret);
/*
 * Whether it is certain that this node leads in `epoch` now: a majority has promised to elect nobody else meanwhile
 * (driver_promise.c). Cheap. A snapshot of the store that is taken afterwards has all that was acknowledged before.
 * false: not certain, if the node leads at all; cluster_read() finds out.
 */
bool cluster_leads(struct cluster *cluster, uint64_t epoch);
/*
 * Asks a majority. cb is called exactly once, from another thread: OK when no other node led in a later term at the
 * time of the call and all that was committed by then is applied here; ERR_NOTLEADER.
 */
void cluster_read(struct cluster *cluster, uint64_t epoch, cluster_submit_cb *cb, void *arg);
/* The same, waiting. ERR_TIMEOUT. */
int cluster_read_barrier(struct cluster *cluster, uint64_t epoch, struct err *err) MUST_CHECK;
/* Hands leadership to node_id, or (NULL) to the best unsealed voter, and does not stand for 10 s. Waits. */
int cluster_step_down(struct cluster *cluster, const char *node_id, struct err *err) MUST_CHECK;
/* Tells peers whether this node could serve. A sealed leader hands over to an unsealed voter at once. */
void cluster_set_sealed(struct cluster *cluster, bool is_sealed);

#endif
