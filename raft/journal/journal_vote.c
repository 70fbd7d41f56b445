/* SPDX-License-Identifier: Apache-2.0 */
/* The vote: one sector that is written over in place, so that a full disk does not stop an election. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/secret.h"
#include "raft/journal/journal_private.h"
#include "storage/crypto.h"

#define SECTOR 512
#define MAGIC  "coffer vote 1\n"

static void encode(const struct journal_vote *vote, unsigned char ret[SECTOR])
{
    struct buf buf = BUF_INIT;
    buf_puts(&buf, MAGIC);
    buf_put_u64(&buf, vote->id);
    buf_put_u64(&buf, vote->term);
    buf_put_u64(&buf, vote->vote);
    EVP_MAC_CTX *sums = checksum_new();
    struct aead_part part = {buf.data, buf.len};
    buf_put_u64(&buf, checksum_compute(sums, &part, 1));
    EVP_MAC_CTX_free(sums);
    memset(ret, 0, SECTOR);
    memcpy(ret, buf.data, buf.len);
    buf_close(&buf);
}

/* A sector is written whole or not at all; so whatever is not just as it was encoded is damage. */
static int decode(const unsigned char *data, size_t len, const char *path, struct journal_vote *ret, struct err *err)
{
    unsigned char again[SECTOR];
    struct reader reader = reader_of(data, len);
    reader_bytes(&reader, strlen(MAGIC));
    struct journal_vote vote = {.id = reader_u64(&reader)};
    vote.term = reader_u64(&reader);
    vote.vote = reader_u64(&reader);
    if (len == SECTOR) {
        encode(&vote, again);
        if (vote.id != 0 && memcmp(again, data, SECTOR) == 0) {
            *ret = vote;
            return OK;
        }
    }
    return err_set(err, ERR_CORRUPT, "%s is damaged", path);
}

static int make(const char *path, struct journal_vote *ret, struct err *err)
{
    unsigned char sector[SECTOR];
    struct journal_vote vote = {0};
    while (vote.id == 0)
        random_bytes(&vote.id, sizeof vote.id);
    encode(&vote, sector);
    int rc = file_replace(path, sector, sizeof sector, 0600, err);
    if (rc == OK)
        *ret = vote;
    return rc;
}

int journal_open_vote(struct journal *journal, const char *dir, struct err *err)
{
    char path[PATH_MAX + 8];
    struct buf content = BUF_INIT;
    snprintf(path, sizeof path, "%s/vote", dir);
    int rc = file_read(path, SECTOR, &content, err);
    if (rc == OK) {
        rc = decode(content.data, content.len, path, &journal->vote, err);
    } else if (rc == ERR_NOTFOUND) {
        if (journal->head.next > 1)
            rc = err_set(err, ERR_CORRUPT, "%s is missing, but there is a log", path);
        else
            rc = make(path, &journal->vote, err);
    } else if (rc == ERR_TOO_LARGE) {
        rc = err_set(err, ERR_CORRUPT, "%s is damaged", path);
    }
    buf_close(&content);
    if (rc != OK)
        return rc;
    journal->vote_fd = open(path, O_WRONLY | O_CLOEXEC);
    return journal->vote_fd >= 0 ? OK : err_set(err, ERR_IO, "%s cannot be opened: %m", path);
}

void journal_get_vote(const struct journal *journal, struct journal_vote *ret)
{
    *ret = journal->vote;
}

int journal_set_vote(struct journal *journal, uint64_t term, uint64_t vote)
{
    unsigned char sector[SECTOR];
    struct journal_vote next = {.id = journal->vote.id, .term = term, .vote = vote};
    encode(&next, sector);
    if (pwrite(journal->vote_fd, sector, SECTOR, 0) != SECTOR || fdatasync(journal->vote_fd) != 0) {
        log_error("raft", "the vote cannot be written: %m");
        return ERR_IO;
    }
    journal->vote = next;
    return OK;
}
