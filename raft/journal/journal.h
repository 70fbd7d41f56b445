/* SPDX-License-Identifier: Apache-2.0 */
/*
 * journal.h — the log on disk: an LMDB environment of its own, every transaction of which is synced; and beside it the
 * vote.
 *
 *     <dir>/log/data.mdb   index u64 → previous u64 ‖ sum u64 ‖ term u64 ‖ type u8 ‖ data
 *                          0 → transaction u64 ‖ first u64 ‖ next u64 ‖ last sum u64
 *     <dir>/vote           one sector: the node's number, its term, its vote, a checksum
 *
 * Each sum is over the one before and the entry, and the last one is kept apart with the number of the transaction
 * that wrote it: so a flipped bit is found when the log is opened, and also a page of LMDB that fell back to what it
 * held before. The vote needs no room on the disk when it changes.
 *
 * Threads: one writes; journal_read() may be called by one other.
 */
#ifndef COFFER_RAFT_JOURNAL_H
#define COFFER_RAFT_JOURNAL_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "raft/driver/entry.h"

struct journal;

/* What is done in one transaction, in order. */
enum journal_kind {
    JOURNAL_APPEND, /* what lies at or behind the first entry goes; then the entries */
    JOURNAL_TRIM,   /* what lies before `first` goes */
    JOURNAL_RESET,  /* all goes; the next entry will be `first` */
};
struct journal_op {
    enum journal_kind kind;
    struct entry *const *entries;
    size_t n;
    uint64_t first;
};

struct journal_vote {
    uint64_t id; /* drawn when the journal was made, never 0 */
    uint64_t term;
    uint64_t vote;
};

/* Opens or makes it, and reads all of it. Errors: ERR_CORRUPT, naming the file; ERR_NOSPACE; ERR_IO. */
int journal_open(const char *dir, struct journal **ret_journal, struct err *err) MUST_CHECK;
void journal_close(struct journal *journal);
/* Where it begins, and the index behind its last entry. The writer's thread only. */
void journal_bounds(const struct journal *journal, uint64_t *ret_first, uint64_t *ret_next);
/*
 * All is on disk when it returns OK. ERR_NOSPACE: nothing was done, and it may be tried again. ERR_IO: what is on disk
 * is unknown; the process must end.
 */
int journal_write(struct journal *journal, const struct journal_op *ops, size_t n, struct err *err) MUST_CHECK;
/* A new reference; NULL when it is not there, or damaged. */
struct entry *journal_read(struct journal *journal, uint64_t index);

/* Any one thread at a time, apart from the writer's. */
void journal_get_vote(const struct journal *journal, struct journal_vote *ret);
int journal_set_vote(struct journal *journal, uint64_t term, uint64_t vote) MUST_CHECK;

#endif
