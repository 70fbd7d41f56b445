/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lmdb_check.h — reads an LMDB data file page by page, and says whether LMDB may be let at it.
 *
 * LMDB trusts its file: a flipped bit in a page can make it crash, loop, return the wrong record or
 * overwrite a page in use. So before a file is opened everything in it that LMDB will rely on is
 * checked here, with plain reads and bounds: both meta pages; each tree's depth, page kinds, counts,
 * key order and bounds; that nodes fill their page without gap or overlap; that no page is used twice
 * or is both used and free. What then is still undetected is the contents of keys and values, which the
 * caller checks as it is shown each record, and bytes that nobody reads (free pages, gaps).
 *
 * The format is that of LMDB 0.9 (MDB_DATA_VERSION 1) in the byte order and word size of this machine.
 */
#ifndef COFFER_STORAGE_LMDB_CHECK_H
#define COFFER_STORAGE_LMDB_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct lmdb_record {
    const char *database; /* "" for the unnamed one */
    const void *key;
    size_t key_len;
    const void *data;
    size_t data_len;
    uint64_t txnid;   /* of the state that it is in */
    bool is_previous; /* not in the newest state, but in the one before; of its unnamed database only */
};

/*
 * Shows each record, but for those that LMDB itself keeps, to visit, which returns OK or an error to stop with. At the
 * end comes what can be read of the state before the newest one. Nothing there is an error: a crash may have hit it.
 * But if a record there is of the transaction that is record->txnid + 2, then a flipped bit has made the newest state
 * pass for an old one. The memory is valid during the call. ret_txnid: the last committed transaction's id. Errors:
 * ERR_CORRUPT, naming the file, the page and what is wrong; ERR_IO; ERR_NOTFOUND when there is no file.
 */
int lmdb_check(const char *path, int (*visit)(void *arg, const struct lmdb_record *record), void *arg,
               uint64_t *ret_txnid, struct err *err) MUST_CHECK;

#endif
