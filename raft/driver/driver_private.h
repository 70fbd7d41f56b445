/* SPDX-License-Identifier: Apache-2.0 */
/*
 * driver_private.h — the driver's parts to each other.
 */
#ifndef COFFER_RAFT_DRIVER_PRIVATE_H
#define COFFER_RAFT_DRIVER_PRIVATE_H

#include <raft.h>

#include "base/buf.h"
#include "raft/driver/driver.h"
#include "raft/driver/member.h"
#include "raft/driver/message.h"
#include "raft/driver/tail.h"

#if RAFT_VERSION_NUMBER != 2201
#error "libraft 0.22.1 is needed: who frees the memory of an event changes from version to version"
#endif

#define DRIVER_PEERS_MAX (2 * CLUSTER_MEMBERS_MAX)

#ifdef COFFER_PLANTED_BUGS
#define KEEPS_RULE(driver, bit) (((driver)->options.without & (bit)) == 0)
#else
#define KEEPS_RULE(driver, bit) true
#endif
#define RULE_R1A      1u
#define RULE_R1B      2u
#define RULE_R2       4u
#define RULE_R3       8u
#define RULE_PROMISE  32u
#define RULE_R1B_VOTE 16u /* the part of R1b that lets a standby vote */

struct peer {
    uint64_t id;
    uint64_t heard;          /* when a frame of it last came; 0 for never */
    uint64_t promised_until; /* leader: this peer neither votes for another nor stands before */
    uint64_t sent_at;        /* when entries last went to it, from behind which index on, and how much */
    uint64_t sent_prev, sent_bytes;
    uint64_t read_round;   /* the last round of reads that it confirmed */
    uint64_t snapshot_end; /* when the last snapshot to it ended */
    bool snapshot_running;
    struct driver_traits traits;
    uint64_t stable_since; /* leader: it has been well since then; 0 when it is not */
};

struct submission {
    uint64_t index;
    void *token;
};

struct fifo {
    struct submission *items; /* a ring */
    size_t cap, head, count;
};

enum change_stage {
    CHANGE_NONE,
    CHANGE_REMOVING, /* the entry that leaves the member out is on its way */
    CHANGE_LISTING,  /* the entry that lists it, as it is to be, is */
    CHANGE_LEAVING,  /* we lead no more and ask the next leader to leave us out */
};

#define KEEP_ROLE (-1) /* a standby for who was not listed before */

struct change {
    enum change_stage stage;
    uint64_t member;
    uint64_t index; /* of the entry */
    uint64_t deadline;
    uint64_t asker;     /* who asked by FRAME_LEAVE, or 0 */
    uint64_t add_after; /* what this removal makes room for; 0 for nothing */
    int role;           /* in the list: RAFT_VOTER, RAFT_STANDBY, or KEEP_ROLE */
    char address[MEMBER_ADDRESS_MAX];
    char waits_for[128]; /* why it could not be proposed when that was last tried */
    void *token;
};

struct transfer {
    bool running;
    uint64_t rest_ms;
    uint64_t deadline;
    void *token;
};

struct reads {
    uint64_t round; /* the last one that was sent */
    uint64_t round_commit;
    struct fifo next;    /* wait for the next round */
    struct fifo asking;  /* in the round under way */
    struct fifo settled; /* confirmed; wait until this index is applied */
};

struct driver {
    struct driver_options options;
    const struct driver_ops *ops;
    void *ctx;
    struct raft raft;
    struct tail tail;
    struct buf scratch;
    uint64_t started;
    uint64_t ticked;      /* leader: the last heartbeat */
    uint64_t complained;  /* when a peer's nonsense was last logged */
    uint64_t rests_until; /* does not stand for election before */
    uint64_t term_start;  /* leader: index of the first entry of its term; 0 before it is known */
    unsigned short state_before;
    uint64_t term_before, leader_before;
    uint64_t configured; /* committed entries up to here were looked at for configurations */
    uint64_t applying, applied;
    bool apply_running;
    struct entry **batch; /* lent to ops.apply */
    size_t batch_len;
    uint64_t durable, compacted;
    bool sync_running;
    void *incoming; /* the snapshot whose message is being stepped */
    bool installing;
    struct raft_snapshot_metadata install;
    bool log_stuck;
    uint64_t stuck_since;
    bool sealed, cramped;
    bool broken; /* fatal was called: nothing is done any more */
    struct fifo submissions;
    struct reads reads;
    uint64_t promised_until; /* follower: our own promise to our leader */
    uint64_t promised_term;  /* and the term and its leader's time that it was asked for in */
    uint64_t promised_for;
    uint64_t released_at; /* leader: promises asked for until then are void */
    struct change change;
    struct transfer transfer;
    uint64_t refused;     /* when the log last said that a vote was refused */
    uint64_t handed_by;   /* leader: who handed over to it, or 0 */
    uint64_t handed_over; /* when a leader that should not lead last tried to hand over */
    struct cluster_autopilot autopilot;
    uint64_t led_since;    /* leader: when its term began */
    uint64_t waits_logged; /* when it was last logged what a change of the members waits for */
    struct peer peers[DRIVER_PEERS_MAX];
    unsigned n_peers;
};

/* ---- driver_step.c ---- */
/* entries and array: what the event carries, so that the core's answer can be traced back to it. */
struct carried {
    struct entry **entries;
    struct raft_entry *array;
    size_t n;
    void *token; /* the `batch` of array's entries, freed by whoever ends up with them */
};
/* Steps and does what comes of it. Returns libraft's code; unexpected ones are fatal. */
int driver_step(struct driver *driver, struct raft_event *event, const struct carried *carried);

/* ---- driver.c ---- */
void driver_fatal(struct driver *driver, const char *fmt, ...) PRINTF_LIKE(2, 3);
void driver_vote(struct driver *driver);
struct peer *driver_peer(struct driver *driver, uint64_t id);
uint64_t driver_now(const struct driver *driver);
/* The entry at an index of the log: a new reference. Fatal, and NULL, when it cannot be read. */
struct entry *driver_entry(struct driver *driver, uint64_t index);
bool driver_is_sole_voter(const struct driver *driver);
bool driver_leads(const struct driver *driver);
/* Whether it stands back from elections at this time. */
bool driver_rests(const struct driver *driver);
void driver_done(struct driver *driver, void *token, int rc, uint64_t index);

/* ---- driver_state.c ---- */
void driver_advance(struct driver *driver);
void driver_compact(struct driver *driver);

/* ---- driver_send.c ---- */
void driver_send_message(struct driver *driver, const struct raft_message *message);

/* ---- driver_tell.c ---- */
/* A member's node id; ret keeps it. */
const char *driver_name(struct driver *driver, uint64_t id, struct member *ret);
/* Before the changes of state and leader that a step made are acted on. */
void driver_tell_changes(struct driver *driver, uint64_t leader);
void driver_tell_refusal(struct driver *driver, uint64_t candidate, const char *reason);
const char *driver_refusal(const struct driver *driver, uint64_t candidate);

/* ---- driver_lead.c ---- */
void driver_lead_changed(struct driver *driver);
void driver_lead_offered(struct driver *driver, uint64_t leader);
void driver_lead_tick(struct driver *driver);
int driver_append(struct driver *driver, struct entry *entry);
bool driver_is_online(const struct driver *driver, uint64_t id);

/* ---- driver_members.c ---- */
void driver_members_progress(struct driver *driver);
void driver_members_lost(struct driver *driver);
void driver_members_tick(struct driver *driver);
void driver_members_left(struct driver *driver);
void driver_members_asked(struct driver *driver, uint64_t from);
/* Whether a standby has caught up with the log. */
bool driver_is_ready(struct driver *driver, const struct raft_server *server);
/* Proposes the members. False when it cannot be now; ret_why then says what it waits for. */
bool driver_propose(struct driver *driver, const struct raft_configuration *next, char *ret_why, size_t size);

/* ---- driver_autopilot.c ---- */
void driver_autopilot_tick(struct driver *driver);

/* ---- driver_read.c ---- */
void driver_read_progress(struct driver *driver);
void driver_read_lost(struct driver *driver, int rc);
void driver_read_answered(struct driver *driver, struct peer *peer, uint64_t round);

/* ---- driver_promise.c ---- */
#define PROMISE_MS_MAX 600000
/* Leader: asks all voters for their promise, and whether they stand by it in the round of reads under way. */
void driver_promise_ask(struct driver *driver);
void driver_promise_asked(struct driver *driver, uint64_t from, const void *payload, size_t len);
void driver_promise_answered(struct driver *driver, uint64_t from, const void *payload, size_t len);
/* A leader begins with none; before it hands over it gives all back. */
void driver_promise_begin(struct driver *driver);
void driver_promise_release(struct driver *driver);
/* Whether this node has promised not to vote. */
bool driver_promise_binds(const struct driver *driver);

/* ---- fifo.c ---- */
void fifo_push(struct fifo *fifo, uint64_t index, void *token);
struct submission *fifo_front(struct fifo *fifo);
void fifo_pop(struct fifo *fifo);
struct submission *fifo_at(const struct fifo *fifo, size_t i);
void fifo_remove(struct fifo *fifo, size_t i);
void fifo_close(struct fifo *fifo);

#endif
