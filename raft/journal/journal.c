/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/journal/journal.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "raft/journal/journal_private.h"
#include "storage/crypto.h"

/* Address space, not memory. A power of two, as lmdb_check.c wants it. */
#ifdef COFFER_SANITIZED
#define MAP_SIZE (UINT64_C(1) << 33)
#else
#define MAP_SIZE (UINT64_C(1) << 38)
#endif
#define READERS        8
#define LOCK_FILE_SIZE (READERS * 64 + 8192)
#define PROBE_SIZE     (1u << 20)

uint64_t journal_sum(EVP_MAC_CTX *sums, uint64_t previous, uint64_t index, uint64_t term, uint8_t type,
                     const void *data, size_t len)
{
    uint64_t numbers[] = {htobe64(previous), htobe64(index), htobe64(term), htobe64(type)};
    const struct aead_part parts[] = {{numbers, sizeof numbers}, {data, len}};
    return checksum_compute(sums, parts, 2);
}

/* ---- LMDB's errors ---- */

/* LMDB calls a write that found room for a part only an I/O error, too. */
static bool disk_is_full(const struct journal *journal)
{
    char path[PATH_MAX + 16];
    snprintf(path, sizeof path, "%s/probe", journal->log_dir);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int code = fd < 0 ? errno : posix_fallocate(fd, 0, PROBE_SIZE);
    if (fd >= 0) {
        close(fd);
        unlink(path);
    }
    return code == ENOSPC || code == EDQUOT;
}

static int translate(const struct journal *journal, int code, struct err *err)
{
    switch (code) {
    case MDB_SUCCESS:
        return OK;
    case ENOSPC:
    case EDQUOT:
    case MDB_MAP_FULL:
        return err_set(err, ERR_NOSPACE, "%s: no space left on the disk", journal->data_path);
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_INVALID:
    case MDB_VERSION_MISMATCH:
        return err_set(err, ERR_CORRUPT, "%s is damaged: %s", journal->data_path, mdb_strerror(code));
    case EIO:
        if (disk_is_full(journal))
            return err_set(err, ERR_NOSPACE, "%s: no space left on the disk", journal->data_path);
        break;
    default:
        break;
    }
    return err_set(err, ERR_IO, "%s: %s", journal->data_path, mdb_strerror(code));
}

/* ---- Opening ---- */

/* LMDB maps its table of readers: made in its full size, a full disk cannot take a page of it away. */
static int make_lock_file(const struct journal *journal)
{
    char path[PATH_MAX + 16];
    snprintf(path, sizeof path, "%s/lock.mdb", journal->log_dir);
    unlink(path);
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno;
    int code = posix_fallocate(fd, 0, LOCK_FILE_SIZE);
    close(fd);
    return code;
}

static int open_env(struct journal *journal)
{
    MDB_txn *txn = NULL;
    int code = make_lock_file(journal);
    if (code == 0)
        code = mdb_env_create(&journal->env);
    if (code == 0)
        code = mdb_env_set_mapsize(journal->env, MAP_SIZE);
    if (code == 0)
        code = mdb_env_set_maxreaders(journal->env, READERS);
    if (code == 0)
        code = mdb_env_open(journal->env, journal->log_dir, MDB_NOTLS | MDB_NORDAHEAD, 0600);
    if (code == 0)
        code = mdb_txn_begin(journal->env, NULL, 0, &txn);
    if (code != 0)
        return code;
    code = mdb_dbi_open(txn, NULL, 0, &journal->dbi);
    if (code == 0)
        code = mdb_txn_commit(txn);
    else
        mdb_txn_abort(txn);
    if (code == 0)
        code = mdb_txn_begin(journal->env, NULL, MDB_RDONLY, &journal->reader);
    if (code != 0)
        return code;
    mdb_txn_reset(journal->reader);
    journal->witness_fd = open(journal->data_path, O_RDONLY | O_CLOEXEC);
    return journal->witness_fd >= 0 ? 0 : errno;
}

static int open_all(struct journal *journal, const char *dir, struct err *err)
{
    snprintf(journal->log_dir, sizeof journal->log_dir, "%.*s/log", PATH_MAX - 32, dir);
    snprintf(journal->data_path, sizeof journal->data_path, "%.*s/log/data.mdb", PATH_MAX - 32, dir);
    int rc = file_make_dir(journal->log_dir, 0700, err);
    if (rc == OK)
        rc = journal_check(journal->data_path, &journal->head, err);
    if (rc == OK && journal->head.first == 0)
        journal->head.first = journal->head.next = 1;
    if (rc == OK)
        rc = journal_open_vote(journal, dir, err);
    if (rc == OK)
        rc = translate(journal, open_env(journal), err);
    return rc;
}

int journal_open(const char *dir, struct journal **ret_journal, struct err *err)
{
    struct journal *journal = calloc(1, sizeof *journal);
    if (journal == NULL)
        abort();
    journal->vote_fd = journal->witness_fd = -1;
    journal->write_sums = checksum_new();
    journal->read_sums = checksum_new();
    int rc = open_all(journal, dir, err);
    if (rc != OK) {
        journal_close(journal);
        return rc;
    }
    *ret_journal = journal;
    return OK;
}

void journal_close(struct journal *journal)
{
    if (journal->reader != NULL)
        mdb_txn_abort(journal->reader);
    if (journal->env != NULL)
        mdb_env_close(journal->env);
    if (journal->vote_fd >= 0)
        close(journal->vote_fd);
    if (journal->witness_fd >= 0)
        close(journal->witness_fd);
    EVP_MAC_CTX_free(journal->write_sums);
    EVP_MAC_CTX_free(journal->read_sums);
    free(journal);
}

void journal_bounds(const struct journal *journal, uint64_t *ret_first, uint64_t *ret_next)
{
    *ret_first = journal->head.first;
    *ret_next = journal->head.next;
}

/* ---- Writing ---- */

static MDB_val key_of(uint64_t *big_endian)
{
    return (MDB_val){.mv_size = sizeof *big_endian, .mv_data = big_endian};
}

static void put_u64(unsigned char *at, uint64_t value)
{
    value = htobe64(value);
    memcpy(at, &value, sizeof value);
}

static uint64_t get_u64(const unsigned char *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return be64toh(value);
}

static int put_entry(struct journal *journal, MDB_txn *txn, struct journal_head *head, const struct entry *entry)
{
    uint64_t number = htobe64(entry->index);
    MDB_val key = key_of(&number), value = {.mv_size = JOURNAL_ENTRY_SIZE + entry->len};
    int code = mdb_put(txn, journal->dbi, &key, &value, MDB_RESERVE | MDB_APPEND);
    if (code != 0)
        return code;
    unsigned char *at = value.mv_data;
    uint64_t sum =
        journal_sum(journal->write_sums, head->sum, entry->index, entry->term, entry->type, entry->data, entry->len);
    put_u64(at, head->sum);
    put_u64(at + 8, sum);
    put_u64(at + 16, entry->term);
    at[24] = entry->type;
    if (entry->len > 0)
        memcpy(at + JOURNAL_ENTRY_SIZE, entry->data, entry->len);
    head->sum = sum;
    head->next = entry->index + 1;
    return 0;
}

static int delete_range(struct journal *journal, MDB_txn *txn, uint64_t first, uint64_t next)
{
    int code = 0;
    for (uint64_t index = first; index < next && code == 0; index++) {
        uint64_t number = htobe64(index);
        MDB_val key = key_of(&number);
        code = mdb_del(txn, journal->dbi, &key, NULL);
    }
    return code;
}

static int truncate_from(struct journal *journal, MDB_txn *txn, struct journal_head *head, uint64_t index)
{
    uint64_t number = htobe64(index);
    MDB_val key = key_of(&number), value;
    int code = mdb_get(txn, journal->dbi, &key, &value);
    if (code != 0)
        return code;
    uint64_t previous = get_u64(value.mv_data);
    code = delete_range(journal, txn, index, head->next);
    head->next = index;
    head->sum = previous;
    return code;
}

static int do_append(struct journal *journal, MDB_txn *txn, struct journal_head *head, const struct journal_op *op)
{
    uint64_t index = op->entries[0]->index;
    int code = 0;
    if (index < head->first || index > head->next)
        return EINVAL; /* our own mistake: it would leave a hole */
    if (index < head->next)
        code = truncate_from(journal, txn, head, index);
    for (size_t i = 0; i < op->n && code == 0; i++)
        code = put_entry(journal, txn, head, op->entries[i]);
    return code;
}

static int do_op(struct journal *journal, MDB_txn *txn, struct journal_head *head, const struct journal_op *op)
{
    int code = 0;
    switch (op->kind) {
    case JOURNAL_APPEND:
        return do_append(journal, txn, head, op);
    case JOURNAL_TRIM:
        if (op->first > head->first && op->first <= head->next) {
            code = delete_range(journal, txn, head->first, op->first);
            head->first = op->first;
        }
        return code;
    case JOURNAL_RESET:
        code = delete_range(journal, txn, head->first, head->next);
        *head = (struct journal_head){.first = op->first, .next = op->first};
        return code;
    }
    return EINVAL;
}

static int put_head(struct journal *journal, MDB_txn *txn, struct journal_head *head)
{
    unsigned char bytes[JOURNAL_HEAD_SIZE];
    uint64_t number = 0;
    MDB_val key = key_of(&number), value = {.mv_size = sizeof bytes, .mv_data = bytes};
    head->transaction = mdb_txn_id(txn);
    put_u64(bytes, head->transaction);
    put_u64(bytes + 8, head->first);
    put_u64(bytes + 16, head->next);
    put_u64(bytes + 24, head->sum);
    return mdb_put(txn, journal->dbi, &key, &value, 0);
}

int journal_write(struct journal *journal, const struct journal_op *ops, size_t n, struct err *err)
{
    MDB_txn *txn = NULL;
    struct journal_head head = journal->head;
    int code = mdb_txn_begin(journal->env, NULL, 0, &txn);
    if (code != 0)
        return translate(journal, code, err);
    for (size_t i = 0; i < n && code == 0; i++)
        code = do_op(journal, txn, &head, &ops[i]);
    if (code == 0)
        code = put_head(journal, txn, &head);
    if (code != 0) {
        mdb_txn_abort(txn);
        return translate(journal, code, err);
    }
    code = mdb_txn_commit(txn);
    if (code == 0)
        journal->head = head;
    else if (file_lost_writes(journal->witness_fd))
        return err_set(err, ERR_IO, "%s could not be flushed", journal->data_path);
    return translate(journal, code, err);
}

/* ---- Reading ---- */

static struct entry *read_entry(struct journal *journal, uint64_t index)
{
    uint64_t number = htobe64(index);
    MDB_val key = key_of(&number), value;
    if (mdb_get(journal->reader, journal->dbi, &key, &value) != 0 || value.mv_size < JOURNAL_ENTRY_SIZE)
        return NULL;
    const unsigned char *at = value.mv_data;
    uint64_t previous = get_u64(at), sum = get_u64(at + 8), term = get_u64(at + 16);
    const unsigned char *data = at + JOURNAL_ENTRY_SIZE;
    size_t len = value.mv_size - JOURNAL_ENTRY_SIZE;
    if (sum != journal_sum(journal->read_sums, previous, index, term, at[24], data, len))
        return NULL;
    return entry_new(index, term, at[24], data, len);
}

struct entry *journal_read(struct journal *journal, uint64_t index)
{
    if (mdb_txn_renew(journal->reader) != 0)
        return NULL;
    struct entry *entry = read_entry(journal, index);
    mdb_txn_reset(journal->reader);
    return entry;
}
