/* SPDX-License-Identifier: Apache-2.0 */
/*
 * driver_rig.h — one driver by itself: the test is its clock, its disk and its peers.
 *
 * The members are 1, 2, 3, …; the driver under test is 1. Nothing ends by itself: writes and applies are done when the
 * test says so.
 */
#ifndef COFFER_TESTS_DRIVER_RIG_H
#define COFFER_TESTS_DRIVER_RIG_H

#include <raft.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "raft/driver/driver.h"
#include "raft/driver/member.h"
#include "raft/driver/message.h"

#define RIG_LOG_MAX   256
#define RIG_SENT_MAX  512
#define RIG_DONE_MAX  16
#define RIG_CALLS_MAX 64

struct rig_sent {
    uint64_t to;
    uint8_t type;
    bool is_raft;
    struct message message; /* when it is one of raft's */
    uint64_t numbers[4];    /* else the first numbers of it */
};

struct driver_rig {
    struct driver *driver;
    uint64_t now;
    uint64_t term, vote;
    struct entry *log[RIG_LOG_MAX]; /* by index */
    uint64_t first, last;
    uint64_t appends[RIG_CALLS_MAX]; /* the first index of each call of log_append */
    unsigned n_appends;
    unsigned votes_written;
    struct rig_sent sent[RIG_SENT_MAX];
    unsigned n_sent;
    unsigned vote_before_sent; /* n_sent when the vote was last written */
    uint64_t applying;         /* up to here; 0 when nothing is */
    unsigned snapshots;
    struct {
        void *token;
        int rc;
        uint64_t index;
    } done[RIG_DONE_MAX];
    unsigned n_done;
    char fatal[256];
};

/* Members 1 to n; those from `standbys` on have no vote. */
struct entry *rig_members(uint64_t index, uint64_t term, unsigned n, unsigned standbys);
/* Puts an entry on the disk before the start; its reference is taken over. */
void rig_disk(struct driver_rig *rig, struct entry *entry);
struct entry *rig_command(uint64_t index, uint64_t term);
/* Starts with what rig_disk put there and an empty state. */
void rig_begin(struct driver_rig *rig);
int rig_begin_with(struct driver_rig *rig, const struct driver_disk *disk);
void rig_end(struct driver_rig *rig);
/* A fresh driver of n voters with one entry, past R4's silence. */
void rig_voters(struct driver_rig *rig, unsigned n);
/* Makes it leader of the next term, with the vote of 2 (and 3); its first entry is not committed yet. */
void rig_elect(struct driver_rig *rig);
/* The same, and all it has is written, confirmed by all and applied. */
void rig_lead(struct driver_rig *rig);

void rig_pass(struct driver_rig *rig, uint64_t ms); /* time, and a timeout if one is due */
void rig_write(struct driver_rig *rig);             /* what was appended is on disk */
void rig_apply(struct driver_rig *rig);             /* what was begun to be applied is */
void rig_deliver(struct driver_rig *rig, uint64_t from, struct raft_message *message, struct entry *const *entries);
/* AppendEntries of a leader; the entries' references are taken over. */
void rig_append(struct driver_rig *rig, uint64_t from, uint64_t term, uint64_t prev, uint64_t prev_term,
                uint64_t commit, struct entry **entries, unsigned n);
/* A peer confirms all up to index. */
void rig_confirm(struct driver_rig *rig, uint64_t from, uint64_t index);
void rig_forget_sent(struct driver_rig *rig);
/* The last message of a type to a peer since rig_forget_sent(), or NULL. */
const struct raft_message *rig_last(struct driver_rig *rig, uint64_t to, int type);
unsigned rig_count(struct driver_rig *rig, uint64_t to, int type);

#endif
