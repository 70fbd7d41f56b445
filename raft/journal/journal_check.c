/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the log before LMDB is let at it, and checks that it is one chain, from its first entry to its last. */
#include <string.h>

#include "base/buf.h"
#include "raft/journal/journal_private.h"
#include "storage/crypto.h"
#include "storage/lmdb_check.h"

struct check {
    const char *path;
    struct err *err;
    EVP_MAC_CTX *sums;
    struct journal_head head;
    bool has_head;
    uint64_t next;  /* the index of the entry that must come now */
    uint64_t sum;   /* of the entry before it */
    bool is_turned; /* the newest state was made to look old */
};

static int damaged(struct check *check, uint64_t index)
{
    return err_set(check->err, ERR_CORRUPT, "%s is damaged at entry %llu", check->path, (unsigned long long)index);
}

static int visit_head(struct check *check, const struct lmdb_record *record)
{
    struct reader reader = reader_of(record->data, record->data_len);
    check->head.transaction = reader_u64(&reader);
    check->head.first = reader_u64(&reader);
    check->head.next = reader_u64(&reader);
    check->head.sum = reader_u64(&reader);
    if (!reader_done(&reader) || check->head.first == 0 || check->head.next < check->head.first)
        return damaged(check, 0);
    check->has_head = true;
    check->next = check->head.first;
    return OK;
}

static int visit_entry(struct check *check, uint64_t index, const struct lmdb_record *record)
{
    struct reader reader = reader_of(record->data, record->data_len);
    uint64_t previous = reader_u64(&reader), sum = reader_u64(&reader), term = reader_u64(&reader);
    uint8_t type = reader_u8(&reader);
    if (reader.failed || !check->has_head || index != check->next)
        return damaged(check, index);
    if (index > check->head.first && previous != check->sum)
        return damaged(check, index);
    if (sum != journal_sum(check->sums, previous, index, term, type, reader.at, (size_t)(reader.end - reader.at)))
        return damaged(check, index);
    check->next++;
    check->sum = sum;
    return OK;
}

/* Of the state before the newest only one thing matters: that it is not the newest in truth (lmdb_check.h). */
static void visit_previous(struct check *check, uint64_t index, const struct lmdb_record *record)
{
    struct reader reader = reader_of(record->data, record->data_len);
    if (index == 0 && reader_u64(&reader) == record->txnid + 2)
        check->is_turned = true;
}

static int visit(void *arg, const struct lmdb_record *record)
{
    struct check *check = arg;
    struct reader key = reader_of(record->key, record->key_len);
    uint64_t index = reader_u64(&key);
    if (record->is_previous) {
        visit_previous(check, index, record);
        return OK;
    }
    if (!reader_done(&key))
        return damaged(check, check->next);
    return index == 0 ? visit_head(check, record) : visit_entry(check, index, record);
}

int journal_check(const char *path, struct journal_head *ret_head, struct err *err)
{
    struct check check = {.path = path, .err = err, .sums = checksum_new()};
    uint64_t transaction = 0;
    int rc = lmdb_check(path, visit, &check, &transaction, err);
    EVP_MAC_CTX_free(check.sums);
    if (rc == ERR_NOTFOUND) {
        *ret_head = (struct journal_head){0};
        return OK;
    }
    if (rc != OK)
        return rc;
    if (!check.has_head && transaction > 1)
        return err_set(err, ERR_CORRUPT, "%s has lost its head", path);
    if (check.is_turned || (check.has_head && check.head.transaction != transaction))
        return err_set(err, ERR_CORRUPT, "%s has fallen back behind its last transaction", path);
    if (check.has_head) {
        bool is_empty = check.head.next == check.head.first;
        if (check.next != check.head.next || (!is_empty && check.sum != check.head.sum))
            return err_set(err, ERR_CORRUPT, "%s is damaged: it ends at entry %llu instead of %llu", path,
                           (unsigned long long)check.next - 1, (unsigned long long)check.head.next - 1);
    }
    *ret_head = check.head;
    return OK;
}
