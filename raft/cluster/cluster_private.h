/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cluster_private.h — the parts of the cluster to each other.
 *
 * Four kinds of threads: callers; the loop, which alone touches driver, net and peers; the writer, which alone writes
 * the journal; the applier, which alone applies to the store. They hand each other tasks.
 */
#ifndef COFFER_RAFT_CLUSTER_PRIVATE_H
#define COFFER_RAFT_CLUSTER_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <uv.h>

#include "base/buf.h"
#include "raft/cluster.h"
#include "raft/driver/driver.h"
#include "raft/journal/journal.h"
#include "raft/net/net.h"

#define CLUSTER_PEERS_MAX  (2 * CLUSTER_MEMBERS_MAX)
#define CLUSTER_STATUS_MS  1000  /* each node tells its peers how it is so often at least */
#define CLUSTER_STRANGE_MS 30000 /* so long a peer that is no member is remembered */
#define CLUSTER_WAIT_MS    15000 /* the longest that a call waits */

/* ---- Work for a thread ---- */

struct task {
    struct task *next;
    void (*run)(struct cluster *cluster, struct task *task); /* frees it */
};

struct task_queue {
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct task *front, *back;
    bool closed;
};

/* A thread that does tasks in order, taking all that wait at once. */
struct worker {
    struct task_queue queue;
    pthread_t thread;
    bool started;
    struct cluster *cluster;
    void (*run)(struct cluster *cluster, struct task *tasks);
};

void task_queue_init(struct task_queue *queue);
/* False when it is closed already: the task stays the caller's. ret_was_empty may be NULL. */
bool task_queue_put(struct task_queue *queue, struct task *task, bool *ret_was_empty);
/* All that wait, in order; NULL when there are none. */
struct task *task_queue_take(struct task_queue *queue);
void task_queue_close(struct task_queue *queue);
int worker_start(struct worker *worker, struct cluster *cluster, void (*run)(struct cluster *, struct task *));
/* Does what waits, then ends the thread. */
void worker_stop(struct worker *worker);
/* Sleeps until ms have passed or the worker is to stop; false in the latter case. */
bool worker_rest(struct worker *worker, int ms);
bool worker_is_open(struct worker *worker);

/* ---- What a caller asked for ---- */

struct call {
    struct task task;
    struct cluster *cluster;
    uint64_t epoch;
    struct entry *entry;
    cluster_submit_cb *cb; /* NULL: somebody waits */
    void *arg;
    /* For who waits. The call is freed when both sides have let go. */
    atomic_int holders;
    pthread_mutex_t lock;
    pthread_cond_t done;
    bool is_done;
    int rc;
    uint64_t index;
    struct err err;
    /* What else the call says. */
    char node_id[CLUSTER_NODE_ID_MAX];
    char addr[CLUSTER_ADDR_MAX];
    bool flag;
    uint64_t deadline;
};

struct call *call_new(struct cluster *cluster, void (*run)(struct cluster *, struct task *));
/* Notes the answer; it is given before the loop waits, when the standing that goes with it can be seen. */
void call_settle(struct call *call, int rc, uint64_t index);
void call_finish_settled(struct cluster *cluster);
/* Answers it; the loop must not touch it any more. The sentence in call->err may have been set before. */
void call_finish(struct call *call, int rc, uint64_t index);
/* Posts it, waits, frees it. */
int call_wait(struct call *call, int timeout_ms, struct err *err);

/* ---- Peers, as the loop knows them ---- */

struct cluster_peer {
    char node_id[CLUSTER_NODE_ID_MAX];
    uint64_t id;                 /* 0 until it said */
    char addr[CLUSTER_ADDR_MAX]; /* where to dial: as it says itself, else as the members' list says */
    char api_addr[CLUSTER_ADDR_MAX];
    char version[32]; /* of its program */
    struct driver_traits traits;
    uint64_t sealed_since; /* or unsealed; 0 until it said */
    bool is_member;
    uint64_t heard; /* when it was last heard, as driver_ops.now counts */
    bool has_clock;
    int64_t clock_ns;    /* its wall clock is ahead of our clock_boot_ns() by so much */
    bool knows_time;     /* the cluster's, and that it */
    int64_t time_ns;     /* is ahead of our clock_boot_ns() by so much */
    struct call *adding; /* waits to learn its number */
    bool answered;       /* since then */
};

/* A long frame that is coming in. */
struct cluster_assembly {
    uint64_t from;
    uint32_t total;
    struct buf data;
};

/* cluster_compact.c; the watcher's alone */
struct cluster_compacting {
    uint64_t next, looked; /* ms: when to see whether it is due; when the disk was looked at last meanwhile */
    double mean;           /* bytes of a record, when it was measured last */
};

/* cluster_time.c */
struct cluster_time {
    atomic_llong offset_ns; /* cluster time is ahead of clock_boot_ns() by so much */
    atomic_llong last_ns;   /* the latest that anybody was told */
    atomic_bool is_known;
    /* the loop's */
    int64_t adjusted_ns; /* when it was last brought nearer to the clocks, as clock_boot_ns() counts */
    bool is_skewed;      /* and the log says so */
};

struct cluster {
    struct cluster_options options;
    char raft_dir[4096], log_dir[4096];
    char node_id[CLUSTER_NODE_ID_MAX], listen_addr[CLUSTER_ADDR_MAX], cluster_addr[CLUSTER_ADDR_MAX],
        api_addr[CLUSTER_ADDR_MAX];
    uint64_t id;
    struct journal *journal;
    /* loop */
    uv_loop_t loop;
    uv_async_t wake;
    uv_timer_t timer, tick;
    uv_prepare_t settle;
    pthread_t thread;
    bool thread_started;
    struct task_queue tasks;
    struct driver *driver; /* NULL before it is started and after it is stopped */
    struct net *net;       /* NULL while the node has no identity */
    bool net_closing;
    struct call *reopen; /* waits for the net to be opened anew */
    bool closing;
    bool is_recovered; /* by peers.json, at this start */
    bool standing_changed;
    bool log_full, state_full;
    bool sealed, cramped;
    uint64_t sealed_since; /* or unsealed */
    struct cluster_autopilot autopilot;
    struct cluster_peer peers[CLUSTER_PEERS_MAX];
    unsigned n_peers;
    struct buf frame;
    struct cluster_assembly assembly;
    struct call *bootstrapping;
    struct task *finished, **finished_end; /* requests that are answered once the standing is published */
    uint64_t members_seen;                 /* a digest of those whom the net was told of */
    /* workers */
    struct worker writer, applier, watcher;
    struct task watch;
    struct cluster_compacting compacting;
    atomic_int room; /* enum cluster_room */
    atomic_bool is_hindered;
    /* snapshots */
    pthread_mutex_t import_lock;
    bool importing;
    /* channels */
    pthread_mutex_t channel_lock;
    void (*take_channel)(void *ctx, struct channel *channel);
    void *take_channel_ctx;
    /* for callers */
    pthread_mutex_t lock;
    struct cluster_status status;
    struct cluster_member members[CLUSTER_MEMBERS_MAX];
    int n_members;
    uint64_t members_index;
    atomic_uchar format; /* cluster_format() */
    atomic_ullong lead_epoch, lead_until;
    struct cluster_time time;
};

/* ---- cluster.c ---- */
/* Hands the loop a task; runs it on the caller's thread, with no driver, once the loop has ended. */
void cluster_post(struct cluster *cluster, struct task *task);
uint64_t cluster_now(void);
/* The process cannot go on without doing harm. */
void cluster_die(const char *fmt, ...) __attribute__((noreturn)) PRINTF_LIKE(1, 2);
/* When the last of the net is gone. */
void cluster_end_loop(struct cluster *cluster);
int cluster_start_driver(struct cluster *cluster, struct err *err);

/* ---- cluster_ops.c ---- */
extern const struct driver_ops cluster_ops;

/* ---- cluster_write.c, cluster_apply.c ---- */
void cluster_write_tasks(struct cluster *cluster, struct task *tasks);
void cluster_write_append(struct cluster *cluster, struct entry *const *entries, size_t n);
void cluster_write_trim(struct cluster *cluster, uint64_t first);
void cluster_write_reset(struct cluster *cluster, uint64_t first);
void cluster_apply_tasks(struct cluster *cluster, struct task *tasks);
void cluster_apply_entries(struct cluster *cluster, struct entry *const *entries, size_t n);
void cluster_apply_sync(struct cluster *cluster);
void cluster_apply_install(struct cluster *cluster, struct store_import *import, uint64_t first);
/* Takes a view of the state, with its position, for a peer. */
void cluster_apply_capture(struct cluster *cluster, uint64_t to, uint64_t term);
/* Tells the driver whether a disk is full. */
void cluster_post_stuck(struct cluster *cluster, bool is_log, bool is_stuck);

/* ---- cluster_peers.c ---- */
void cluster_peers_refresh(struct cluster *cluster);
/* Lets the net know the peers' addresses. */
void cluster_peers_dial(struct cluster *cluster);
void cluster_peers_tick(struct cluster *cluster);
void cluster_peers_tell(struct cluster *cluster);
struct cluster_peer *cluster_peer_by_node(struct cluster *cluster, const char *node_id);
struct cluster_peer *cluster_peer_make(struct cluster *cluster, const char *node_id);
/* The node that bears a number, or NULL. */
const char *cluster_node_of(struct cluster *cluster, uint64_t id);
int cluster_open_net(struct cluster *cluster, struct err *err);
/* Closes what is open and opens it with the identity as it is now, then finishes the call. */
void cluster_reopen_net(struct cluster *cluster, struct call *call);

/* ---- cluster_channel.c ---- */
void cluster_channel_opened(void *ctx, struct channel *channel);

/* ---- cluster_disk.c ---- */
#define CLUSTER_DISK_MS 1000 /* between two looks */
void cluster_disk_watch(struct cluster *cluster, struct task *tasks);
/* One look; on the watcher's thread. */
void cluster_disk_check(struct cluster *cluster);
/* Whether so much more can be written to the state's disk, for a while. */
bool cluster_disk_has(struct cluster *cluster, uint64_t bytes);
/* A write found no room: gives up what is kept for that case. Any thread. */
void cluster_disk_give_up(struct cluster *cluster);

/* ---- cluster_time.c ---- */
/* An entry that was made at this time is applied here: it is not earlier now. Any thread. */
void cluster_time_applied(struct cluster *cluster, int64_t time_ms);
/* A peer told it. */
void cluster_time_heard(struct cluster *cluster, const struct cluster_peer *peer);
/* A leader who does not know it finds it out, if that can be done by now. */
void cluster_time_settle(struct cluster *cluster);
void cluster_time_tick(struct cluster *cluster);

/* ---- cluster_compact.c ---- */
/* Has the state's file written anew when that is due; may take as long as that takes. */
void cluster_compact_watch(struct cluster *cluster);

/* ---- cluster_frame.c ---- */
void cluster_frame_send(struct cluster *cluster, uint64_t to, uint8_t type, const void *payload, size_t len);
void cluster_frame_take(struct cluster *cluster, const char *node_id, uint8_t type, const void *payload, size_t len);

/* ---- cluster_status.c ---- */
/* After each turn of the loop: what callers see, and on_change. */
void cluster_publish(struct cluster *cluster);
/* Until when this node leads for certain, at once: before anything is sent that could end it. */
void cluster_publish_lead(struct cluster *cluster);

/* ---- cluster_snapshot.c ---- */
struct cluster_capture {
    struct task task;
    uint64_t to, term;
    struct store_view *view;
    struct buf header;
};
void cluster_snapshot_captured(struct cluster *cluster, struct task *task);
int cluster_snapshot_write(void *ctx, void *snapshot, int (*emit)(void *arg, const void *chunk, size_t len), void *arg,
                           struct err *err);
void cluster_snapshot_sent(void *ctx, const char *node_id, void *snapshot, int rc);
int cluster_snapshot_begin(void *ctx, const char *node_id, const void *header, size_t len, void **ret_sink);
int cluster_snapshot_chunk(void *ctx, void *sink, const void *chunk, size_t len);
void cluster_snapshot_end(void *ctx, void *sink, int rc);
/* The import is over: another may begin. */
void cluster_import_over(struct cluster *cluster);

/* ---- cluster_recover.c ---- */
/* At the start, before any thread: takes the members from raft/peers.json, if there is one. */
int cluster_recover(struct cluster *cluster, struct err *err) MUST_CHECK;

/* ---- cluster_join.c ---- */
void cluster_bootstrap_progress(struct cluster *cluster);
void cluster_add_heard(struct cluster *cluster, struct cluster_peer *peer);
/* Those who answered, but had to wait for another change. */
void cluster_add_progress(struct cluster *cluster);
void cluster_add_tick(struct cluster *cluster);

#endif
