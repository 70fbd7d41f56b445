/* SPDX-License-Identifier: Apache-2.0 */
/*
 * driver.h — turns events into steps of libraft's core, and what the core wants done into actions.
 *
 * Everything that decides lies here; everything that does lies behind `struct driver_ops`: clock, log, network, state.
 * The server gives it libuv, LMDB and TLS (cluster.c), the simulation gives it a cluster on virtual time
 * (tests/cluster). It never waits and never calls itself back: an action that takes time is begun by a function of the
 * ops and ended by an event below.
 *
 * libraft's core is right only together with rules that it leaves to its user. They stand where they are kept:
 *   R1a  a change of members waits until an entry of the leader's own term is committed        driver_members.c
 *   R1b  whoever gets a vote is there and knows the last committed set, and so does a          driver_members.c
 *        majority of those who will vote,
 *        and who does not know yet that it is a voter votes all the same                       driver_receive.c
 *   R2   an AppendEntries is handed on in pieces that begin with each change of members        driver_receive.c
 *   R3   a refused pre-vote carries the refuser's own term                                     driver_send.c
 *   R4   a node that has just started lets requests for votes pass for one election timeout    driver_receive.c
 *   R5   a sole voter takes a new term before it elects itself                                 driver_start.c, driver.c
 *   R6   an AppendEntries that reaches back behind the compacted log is cut there              driver_receive.c
 *   R7   a refusal by a peer that has confirmed more since is dropped                          driver_receive.c
 *   N2   never two snapshots at once to one peer                                               driver_send.c
 *   N3   what is written after a pause is sent at once, not with the next heartbeat            driver_lead.c
 *
 * Threads: one, whichever; ops are called on it.
 */
#ifndef COFFER_RAFT_DRIVER_H
#define COFFER_RAFT_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "raft/cluster.h"
#include "raft/driver/entry.h"

struct raft_configuration;
struct member;
struct driver;

/* What a frame between nodes is; net.h carries the byte. Those from FRAME_STATUS on are not the driver's. */
enum frame_type {
    FRAME_RAFT = 1, /* message.h */
    /* leader: term u64 ‖ round u64 ‖ its time u64 ‖ releases u64: are you still in my term, and for how long?
     * releases ≠ 0: you are free of what you promised until that time */
    FRAME_READ,
    FRAME_READ_ANSWER, /* the answerer's term u64 ‖ round u64 ‖ the leader's time u64 ‖ promise in ms u64 */
    FRAME_LEAVE,       /* to the leader: take me out of the cluster */
    FRAME_LEFT,        /* from the leader: done */
    FRAME_ALIVE,       /* to the leader of term u64: a long message of yours is still coming in */
    FRAME_STATUS,      /* cluster_peers.c */
    FRAME_PART,        /* cluster_frame.c */
};

/* A finished request, named by the token that it was begun with. why: a sentence that goes with the code, or NULL. */
typedef void driver_done_fn(void *ctx, void *token, int rc, uint64_t index, const char *why);

struct driver_ops {
    /* ---- clock ---- */
    uint64_t (*now)(void *ctx); /* milliseconds, never backwards */
    /* ---- log ---- */
    /* A new reference to an entry that is on disk, or being written; NULL when it cannot be read. */
    struct entry *(*log_read)(void *ctx, uint64_t index);
    /* Begins to write entries; what lies at or behind the first one's index goes. In order; ends in driver_written().
     */
    void (*log_append)(void *ctx, struct entry *const *entries, size_t n);
    /* On disk when it returns. Other than OK ends the node: a vote that may be forgotten is none. */
    int (*log_vote)(void *ctx, uint64_t term, uint64_t vote);
    /* Entries before `first` are needed no more. Not waited for. */
    void (*log_trim)(void *ctx, uint64_t first);
    /* At the start only: empties the log; the next entry will be `first`. On disk when it returns. */
    int (*log_reset)(void *ctx, uint64_t first);
    /* ---- network ---- */
    void (*send)(void *ctx, uint64_t to, uint8_t type, const void *payload, size_t len);
    /* Begins to send the state as of now; ends in driver_snapshot_sent(). term goes into its header. */
    void (*send_snapshot)(void *ctx, uint64_t to, uint64_t term);
    /* ---- state ---- */
    /* Begins to apply entries; never called again before driver_applied(). The references are lent until then. */
    void (*apply)(void *ctx, struct entry *const *entries, size_t n);
    /* Begins to make what is applied durable; ends in driver_synced(). */
    void (*sync)(void *ctx);
    /*
     * Begins to replace the state by a received snapshot, then to empty the log (the next entry will be `first`); ends
     * in driver_installed(). Comes after what apply and log_append began earlier.
     */
    void (*install)(void *ctx, void *snapshot, uint64_t first);
    /* A received snapshot is not wanted. */
    void (*discard)(void *ctx, void *snapshot);
    /* ---- told ---- */
    driver_done_fn *done;
    void (*changed)(void *ctx); /* role, term, leader or members */
    /* What must never be has happened: the process ends before it does harm. */
    void (*fatal)(void *ctx, const char *why);
};

struct driver_options {
    uint64_t id; /* of this node and its disk: member.h */
    unsigned election_ms;
    unsigned heartbeat_ms;
    uint32_t seed;       /* for election timeouts */
    bool non_leader;     /* it votes, but leads only when no other voter can, and hands over as soon as one can */
    bool affirm_members; /* as a leader it lists the members once more: their lists were replaced on disk */
    /* What of the log is kept for peers that lag, beyond what is needed anyway. */
    uint64_t keep_entries;
    uint64_t keep_bytes;
#ifdef COFFER_PLANTED_BUGS
    unsigned without; /* RULE_ bits of rules left out, to see that the simulation notices */
#endif
};

/* What is on disk when a node starts. All of the state is durable then. */
struct driver_disk {
    uint64_t term, vote;
    uint64_t log_first, log_last;   /* log_last = log_first - 1 when it is empty */
    uint64_t applied, applied_term; /* 0 when the state is empty */
    uint64_t configuration_index;   /* of the members in the state; 0 for none */
    const void *configuration;      /* as in an ENTRY_CONFIGURATION */
    size_t configuration_len;
};

/* ERR_CORRUPT when log and state do not fit together or an entry cannot be read. ops must outlive the driver. */
int driver_start(const struct driver_options *options, const struct driver_ops *ops, void *ctx,
                 const struct driver_disk *disk, struct driver **ret_driver, struct err *err) MUST_CHECK;
/* Ends every request that waits with ERR_NOTLEADER. */
void driver_stop(struct driver *driver);

/* ---- Events ---- */

/* When driver_timeout() is due next, as driver_ops.now counts; may be in the past. */
uint64_t driver_deadline(const struct driver *driver);
void driver_timeout(struct driver *driver);
/* A frame from a peer. Hostile bytes are dropped. */
void driver_receive(struct driver *driver, uint64_t from, uint8_t type, const void *payload, size_t len);
/*
 * A piece of a long message came from the leader of a term. Heartbeats stand behind that message on the link: so this
 * counts as one here, and is answered as one.
 */
void driver_alive(struct driver *driver, uint64_t from, uint64_t term);
/* A new link to the peer: what was under way on the one before is lost. */
void driver_link_up(struct driver *driver, uint64_t peer);
/* All entries up to this one, which log_append was given, are on disk. */
void driver_written(struct driver *driver, uint64_t index, uint64_t term);
/* The log cannot be written for want of room (true); it can again (false). What was begun is not given up. */
void driver_log_stuck(struct driver *driver, bool is_stuck);
void driver_applied(struct driver *driver, uint64_t index);
void driver_synced(struct driver *driver, uint64_t index);
/* A whole snapshot came; header is what message_encode() wrote of it. Ends in ops.install or ops.discard. */
void driver_snapshot_received(struct driver *driver, uint64_t from, const void *header, size_t len, void *snapshot);
void driver_installed(struct driver *driver);
/* The snapshot to this peer ended, well or not. */
void driver_snapshot_sent(struct driver *driver, uint64_t to);
/* What a peer said of itself. */
struct driver_traits {
    bool sealed;
    bool non_leader;
    bool cramped;   /* can hardly write any more */
    uint8_t format; /* the newest that it reads (base/format.h); 0 until it said */
};
void driver_peer_told(struct driver *driver, uint64_t peer, const struct driver_traits *traits);
/* The newest form of entries (base/format.h) that all members read, as far as they said. */
uint8_t driver_format(struct driver *driver);
void driver_set_sealed(struct driver *driver, bool is_sealed);
/* What a leader may do with the members by itself; until told otherwise the defaults of cluster_autopilot_default(). */
void driver_set_autopilot(struct driver *driver, const struct cluster_autopilot *autopilot);
/*
 * Whether this node can hardly write any more (its disk is nearly full, or its audit log's): as leader it hands over to
 * one that is fitter, and it stands for election only when none of the others has.
 */
void driver_set_cramped(struct driver *driver, bool is_cramped);

/* ---- Requests: another code than OK is the answer; OK means that ops.done will tell. ---- */

/* The entry (no index yet) is taken over. */
int driver_submit(struct driver *driver, uint64_t epoch, struct entry *entry, void *token);
int driver_read(struct driver *driver, uint64_t epoch, void *token);
/*
 * Who has the same node id and another number is replaced: removed, then added. A member keeps its vote, or the lack of
 * it, whatever is said here: only its address is new.
 */
int driver_add_member(struct driver *driver, uint64_t id, const struct member *member, void *token, struct err *err);
int driver_remove_member(struct driver *driver, uint64_t id, void *token, struct err *err);
/* Gives a member a vote as soon as it has caught up, or takes it from it for good. */
int driver_set_voter(struct driver *driver, uint64_t id, bool is_voter, void *token, struct err *err);
/* to: a voter, or 0 for the best one. This node then stands back for rest_ms. */
int driver_transfer(struct driver *driver, uint64_t to, unsigned rest_ms, void *token, struct err *err);

/* ---- Standing ---- */

struct driver_standing {
    enum cluster_role role;
    uint64_t term;
    uint64_t leader; /* 0 when none is known */
    uint64_t commit, applied, last;
    uint64_t lead_until;
};
void driver_standing(const struct driver *driver, struct driver_standing *ret);
/* Leader: nobody else can lead, and so nothing can be committed elsewhere, before this time; 0 when that is not sure.
 */
uint64_t driver_lead_until(const struct driver *driver);
/* The members, with changes under way, owned by the driver, until its next event; and as last committed. */
const struct raft_configuration *driver_configuration(const struct driver *driver);
const struct raft_configuration *driver_committed(const struct driver *driver, uint64_t *ret_index);
/* Leader: how far the peer's log is known to equal ours; 0 if unknown. */
uint64_t driver_match(const struct driver *driver, uint64_t peer);
/* When this peer was last heard; 0 for never. */
uint64_t driver_heard(const struct driver *driver, uint64_t peer);
/* Leader: since when a member has been well without a break, as driver_ops.now counts; 0 when it is not. */
uint64_t driver_stable_since(const struct driver *driver, uint64_t id);
/* Leader: the term of the last entry that a member is known to have; 0 when unknown. */
uint64_t driver_match_term(const struct driver *driver, uint64_t id);

#endif
