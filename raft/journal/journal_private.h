/* SPDX-License-Identifier: Apache-2.0 */
/*
 * journal_private.h — the parts of the journal to each other.
 */
#ifndef COFFER_RAFT_JOURNAL_PRIVATE_H
#define COFFER_RAFT_JOURNAL_PRIVATE_H

#include <limits.h>
#include <lmdb.h>
#include <openssl/evp.h>
#include <stdbool.h>

#include "raft/journal/journal.h"

#define JOURNAL_HEAD_SIZE  32
#define JOURNAL_ENTRY_SIZE 25 /* what stands before an entry's data */

struct journal_head {
    uint64_t transaction, first, next, sum;
};

struct journal {
    char data_path[PATH_MAX];
    char log_dir[PATH_MAX];
    MDB_env *env;
    MDB_dbi dbi;
    MDB_txn *reader; /* reset between uses */
    int witness_fd;  /* of the data file, for file_lost_writes() */
    EVP_MAC_CTX *write_sums, *read_sums;
    struct journal_head head;
    int vote_fd;
    struct journal_vote vote;
};

/* The sum of an entry, given that of the one before. */
uint64_t journal_sum(EVP_MAC_CTX *sums, uint64_t previous, uint64_t index, uint64_t term, uint8_t type,
                     const void *data, size_t len);

/* ---- journal_check.c ---- */
/* Reads the file without LMDB. ret_head is all zero when there is no file, or nothing was ever written into it. */
int journal_check(const char *path, struct journal_head *ret_head, struct err *err) MUST_CHECK;

/* ---- journal_vote.c ---- */
int journal_open_vote(struct journal *journal, const char *dir, struct err *err) MUST_CHECK;

#endif
