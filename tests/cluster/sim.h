/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim.h — a whole cluster in one thread, on virtual time.
 *
 * The nodes run the very driver of the server (raft/driver/driver.h). Around it all is simulated and decided by one
 * seed: the clock, disks that write in order and lose at a crash what was not written, a network that delays, loses,
 * doubles, reorders and cuts, snapshots that arrive late, nodes that stand still for a while, and an operator who adds,
 * removes and replaces members, gives and takes votes, hands leadership on, seals, fills disks, pulls plugs and
 * restores snapshots. What must always hold is checked at every step (sim_check.c). A run is the same each time it is
 * given the same seed.
 */
#ifndef COFFER_TESTS_SIM_H
#define COFFER_TESTS_SIM_H

#include <raft.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "raft/driver/driver.h"

#define SIM_NODES_MAX  7
#define SIM_HASH_START 1469598103934665603u

enum sim_bug {
    BUG_NONE,
    BUG_ACK_BEFORE_DURABLE,
    BUG_VOTE_NOT_PERSISTED,
    BUG_NO_R1A,
    BUG_NO_R1B,
    BUG_NO_R2,
    BUG_NO_R3,
    BUG_NO_PROMISE,
    BUG_RESTORE_BESIDE_LOG,
    BUG_RESTORE_NO_PAUSE,
    BUG_RESTORE_ANY_EPOCH,
};

/* Faults; a run has a random choice of them. */
enum sim_fault {
    FAULT_CUTS = 1,
    FAULT_CRASHES = 2,
    FAULT_MEMBERS = 4,
    FAULT_TRANSFERS = 8,
    FAULT_REORDER = 16,
    FAULT_SLOW_DISKS = 32,
    FAULT_LOSS = 64,
    FAULT_FULL_DISKS = 128,
    FAULT_PAUSES = 256,
    FAULT_AUTOPILOT = 512,    /* the leader takes out who is gone for long, and lets newcomers wait */
    FAULT_NON_LEADERS = 1024, /* some are not to lead */
    FAULT_LAST = FAULT_NON_LEADERS,
    FAULT_RESTORES = 2048, /* a snapshot that was taken earlier is put in the state's place */
};

struct world;

/* What is in an entry: a write, or a step of a restore as in storage/restore.h. */
enum sim_step { STEP_WRITE, STEP_BEGIN, STEP_RECORDS, STEP_END, STEP_ABANDON };
struct sim_command {
    uint32_t step, number; /* of an entry with records; of the end: how many there were */
    uint64_t value;        /* that is written; of records: what they add up to */
    uint64_t refers;       /* of a write: the index of the state that it rests on; else that of the begin */
};

/* What the entries have made of the state: a sum over what is in it takes its place. */
struct sim_contents {
    uint64_t live;
    uint64_t restored;                 /* the index of the last entry that swapped in a snapshot */
    uint64_t begin, number, collected; /* of the restore under way; begin 0: none */
};

/* The state as of an index, and the snapshot of it. */
struct sim_state {
    uint64_t index, term, hash;
    struct sim_contents contents;
    uint64_t configuration_index;
    const void *configuration; /* the canon's memory */
    size_t configuration_len;
};

struct sim_log {
    struct entry **entries;
    uint64_t first; /* index of entries[0] */
    size_t count, cap;
};

/* A write under way; done in order within its queue. */
enum sim_job_kind { JOB_APPEND, JOB_TRIM, JOB_RESET, JOB_APPLY, JOB_SYNC, JOB_INSTALL };
struct sim_job {
    struct sim_job *next;
    enum sim_job_kind kind;
    uint64_t due;
    uint64_t first; /* of JOB_TRIM and JOB_RESET */
    struct entry **entries;
    size_t n;
    struct sim_state state; /* of JOB_INSTALL */
};
struct sim_queue {
    struct sim_job *front, *back;
};

/* What the leader does for the operator who restores; ends with its epoch. */
enum sim_restore_phase { RESTORE_NONE, RESTORE_WAITS, RESTORE_COLLECTS, RESTORE_DRAINS, RESTORE_ENDS };
struct sim_restore {
    enum sim_restore_phase phase;
    uint64_t epoch, begin, snapshot, sent; /* snapshot: what is to be restored; sent: how much of it is in the log */
    uint32_t number, count;                /* entries with records: done, and in all */
};

struct node {
    struct world *world;
    unsigned number;
    char name[8];
    /* on disk */
    uint64_t id; /* drawn when it gets the disk */
    uint64_t term, vote;
    struct sim_log log;
    struct sim_state durable;
    /* alive */
    struct driver *driver; /* NULL while it is down */
    unsigned life;         /* counts starts, so that nothing of an earlier life reaches a later one */
    struct sim_log cache;  /* the log as it will be when all jobs are done: what the operating system would show */
    struct sim_state state;
    struct sim_queue log_jobs, state_jobs;
    bool sealed, full, non_leader;
    uint64_t paused_until;    /* stopped by a signal: what comes meanwhile waits, and its clock goes on */
    uint64_t term_changed_at; /* the last term in which the operator had it change the members */
    uint64_t disk_delay;
    uint64_t net_delay;
    uint64_t writing; /* submitted, and not answered yet */
    struct sim_restore restore;
};

struct sim_event;

struct canon {
    uint64_t value, term, hash, configuration_index;
    struct sim_contents contents;
    uint64_t written, acked; /* what a write has added; what was acknowledged of it */
    void *configuration;
    size_t configuration_len;
};

struct sim_stats {
    uint64_t entries, acked, reads, served, elections, crashes, pauses, members, snapshots, transfers, messages, trims;
    uint64_t restores;
};

struct world {
    uint64_t seed, rng;
    uint64_t now;
    enum sim_bug bug;
    unsigned faults;
    bool verbose;
    struct node nodes[SIM_NODES_MAX];
    unsigned n;
    uint64_t keep_entries;
    struct cluster_autopilot autopilot;
    bool cut[SIM_NODES_MAX][SIM_NODES_MAX];
    uint64_t last_due[SIM_NODES_MAX][SIM_NODES_MAX]; /* links are first in, first out, unless reordered */
    struct sim_event *heap;
    size_t heap_len, heap_cap;
    uint64_t heap_serial;
    /* What was applied first at each index: everybody else must apply the same. */
    struct canon *canon;
    uint64_t canon_len;
    size_t canon_cap;
    uint64_t *leaders; /* by term: the id */
    size_t leaders_len;
    uint64_t acked_max;
    uint64_t next_value;
    /* the faults' own memory */
    int isolate, known_leader;
    uint64_t isolate_at, heal_at;
    bool changed; /* a change of the members that was asked for in the end is done */
    struct sim_stats stats;
    bool failed;
    char why[256];
};

/* ---- sim_world.c ---- */
uint32_t sim_random(struct world *world, uint32_t below);
enum sim_event_kind { EVENT_FRAME, EVENT_SNAPSHOT, EVENT_SNAPSHOT_SENT, EVENT_WRITTEN };
struct sim_event {
    uint64_t due, serial;
    enum sim_event_kind kind;
    unsigned from, to;
    unsigned from_life, to_life;
    uint8_t type;
    void *payload;
    size_t len;
    struct sim_state state;
    uint64_t index, term, id;
};
void sim_post(struct world *world, struct sim_event event);
/* Lets virtual time pass. */
void sim_run_until(struct world *world, uint64_t until);
void sim_fail(struct world *world, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* With --verbose: what happened, with the virtual time. */
void sim_trace(struct world *world, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* ---- sim_disk.c ---- */
void sim_log_push(struct sim_log *log, struct entry *entry);
void sim_log_truncate(struct sim_log *log, uint64_t index);
void sim_log_trim(struct sim_log *log, uint64_t first);
void sim_log_reset(struct sim_log *log, uint64_t first);
struct entry *sim_log_at(const struct sim_log *log, uint64_t index);
void sim_job_add(struct node *node, struct sim_queue *queue, struct sim_job *job);
void sim_job_done(struct node *node, struct sim_queue *queue);
/* The plug is pulled: a prefix of what was under way is on disk, the rest is gone. */
void sim_disk_crash(struct node *node);
void sim_disk_wipe(struct node *node);

/* ---- sim_node.c ---- */
void sim_node_start(struct node *node);
void sim_node_crash(struct node *node);
struct node *sim_node_by_id(struct world *world, uint64_t id);
bool sim_node_leads(const struct node *node); /* by the core's own word */
bool sim_node_is_paused(const struct node *node);
void sim_node_submit(struct node *node);
void sim_node_read(struct node *node);
/* A request: what was submitted, how much was acknowledged when a read began, or a change of the members. */
struct sim_request {
    enum { REQUEST_SUBMIT, REQUEST_READ, REQUEST_CHANGE } kind;
    uint64_t acked;
    struct sim_command command;
};
/* Proposes it in the node's epoch; false: it does not lead, or cannot now. */
bool sim_node_propose(struct node *node, const struct sim_command *command);
/* A change of the members that must work; world->changed tells. */
void sim_node_change(struct node *node);

/* ---- sim_net.c ---- */
void sim_send(struct node *from, uint64_t to, uint8_t type, const void *payload, size_t len);
void sim_send_snapshot(struct node *from, uint64_t to, uint64_t term);
void sim_deliver(struct world *world, struct sim_event *event);
/* Each node tells the others what it is like. */
void sim_tell_traits(struct world *world);

/* ---- sim_faults.c ---- */
void sim_faults(struct world *world);
void sim_calm(struct world *world);

/* ---- sim_restore.c ---- */
struct sim_command sim_command_of(const struct entry *entry);
void sim_contents_apply(struct sim_contents *contents, const struct sim_command *command, uint64_t index);
/* The leader begins a restore now and then, and goes on with the one that it has begun. */
void sim_restore_go(struct node *node);
/* A step was answered. */
void sim_restore_done(struct node *node, const struct sim_command *command, int rc, uint64_t index);
/* No write may begin: it would rest on the state that is about to be replaced. */
bool sim_restore_holds_writes(const struct node *node);

/* ---- sim_check.c ---- */
void sim_check_apply(struct node *node, const struct entry *entry);
void sim_check_leader(struct node *node);
void sim_check_acked(struct node *node, uint64_t index, const struct sim_command *command);
/* In the end: what was restored last is in the state, with all that was written since, and acknowledged of it. */
void sim_check_contents(struct world *world);
/* Whoever would answer a read now, without asking anybody, has all that was acknowledged. */
void sim_check_serves(struct node *node);
/* The state that was at an index. */
struct sim_state sim_state_at(struct world *world, uint64_t index);
/* All members have all entries, and the same state; and one leads who may, if there is one. */
bool sim_converged(struct world *world);

/* ---- sim_run.c ---- */
enum sim_outcome { SIM_GOOD, SIM_VIOLATION, SIM_STUCK };
enum sim_outcome sim_run(uint64_t seed, unsigned seconds, enum sim_bug bug, bool verbose, struct sim_stats *ret_stats,
                         char ret_why[256]);

#endif
