/* SPDX-License-Identifier: Apache-2.0 */
/* snapshot_read.c — a snapshot's chunks, from a peer or a file: checked, put in order, and taken apart. */
#include <stdlib.h>
#include <string.h>

#include "base/format.h"
#include "storage/crypto.h"
#include "storage/restore_private.h"
#include "storage/snapshot.h"

#define RECORD_HEAD (STORE_KEY_SIZE + sizeof(uint32_t))
#define MEMBERS_MAX (1u << 20)

struct snapshot_reader {
    const struct snapshot_visitor *visitor;
    void *arg;
    EVP_MAC_CTX *checksum;
    EVP_MD_CTX *digest; /* NULL once the end has come */
    uint32_t next;      /* the number of the chunk that must come */
    uint64_t index;     /* of the state */
    bool is_in_restore; /* the records are those of a restore */
    struct buf stream;  /* of records, the incomplete end of what came */
    unsigned char last_key[STORE_KEY_SIZE];
    bool has_last_key;
    uint64_t records;
};

struct snapshot_reader *snapshot_reader_new(const struct snapshot_visitor *visitor, void *arg)
{
    struct snapshot_reader *reader = calloc(1, sizeof *reader);
    if (reader == NULL)
        abort();
    reader->visitor = visitor;
    reader->arg = arg;
    reader->checksum = checksum_new();
    reader->digest = snapshot_digest_new();
    return reader;
}

void snapshot_reader_free(struct snapshot_reader *reader)
{
    if (reader == NULL)
        return;
    EVP_MAC_CTX_free(reader->checksum);
    EVP_MD_CTX_free(reader->digest);
    buf_close(&reader->stream);
    free(reader);
}

uint64_t snapshot_reader_records(const struct snapshot_reader *reader)
{
    return reader->records;
}

static int bad(struct err *err, const char *what)
{
    return err_set(err, ERR_CORRUPT, "the snapshot is damaged: %s", what);
}

static int take_head(struct snapshot_reader *reader, const struct snapshot_chunk *chunk, struct err *err)
{
    struct reader bytes = reader_of(chunk->payload, chunk->len);
    struct store_position position = {.index = reader_u64(&bytes)};
    position.term = reader_u64(&bytes);
    position.configuration_index = reader_u64(&bytes);
    position.time_ms = (int64_t)reader_u64(&bytes);
    position.format = reader_u8(&bytes);
    size_t len;
    const void *members = reader_block(&bytes, MEMBERS_MAX, &len);
    if (!reader_done(&bytes))
        return bad(err, "its head");
    if (position.format > format_newest())
        return err_set(err, ERR_UNSUPPORTED, "the snapshot is of a newer program, in form %u; this one reads up to %u",
                       position.format, format_newest());
    reader->index = position.index;
    return reader->visitor->head(reader->arg, &position, members, len, err);
}

/* Keys must ascend: so none comes twice, and a file can be written from front to back. */
static int take_record(struct snapshot_reader *reader, const unsigned char *record, size_t len, struct err *err)
{
    const void *value = record + RECORD_HEAD;
    if (reader->has_last_key && memcmp(record, reader->last_key, STORE_KEY_SIZE) <= 0)
        return bad(err, "its records are out of order");
    memcpy(reader->last_key, record, STORE_KEY_SIZE);
    reader->has_last_key = true;
    snapshot_digest_record(reader->digest, record, value, len);
    reader->records++;
    return reader->visitor->record(reader->arg, record, value, len, err);
}

static int take_records(struct snapshot_reader *reader, const struct snapshot_chunk *chunk, struct err *err)
{
    int rc = OK;
    if (chunk->len == 0)
        return bad(err, "a chunk is empty");
    buf_put(&reader->stream, chunk->payload, chunk->len);
    struct reader bytes = reader_of(reader->stream.data, reader->stream.len);
    while (rc == OK) {
        const unsigned char *record = bytes.at;
        reader_bytes(&bytes, STORE_KEY_SIZE);
        uint32_t len = reader_u32(&bytes);
        if (!bytes.failed && len > STORE_VALUE_MAX)
            return bad(err, "a record is too large");
        reader_bytes(&bytes, len);
        if (bytes.failed) {
            bytes.at = record;
            break;
        }
        rc = take_record(reader, record, len, err);
    }
    size_t rest = (size_t)(bytes.end - bytes.at);
    memmove(reader->stream.data, bytes.at, rest);
    reader->stream.len = rest;
    return rc;
}

static int take_restore(struct snapshot_reader *reader, const struct snapshot_chunk *chunk, struct err *err)
{
    struct reader bytes = reader_of(chunk->payload, chunk->len);
    struct restore_state state = {.begin = reader_u64(&bytes)};
    state.next = reader_u32(&bytes);
    state.count = reader_u64(&bytes);
    if (!reader_done(&bytes) || state.begin == 0 || reader->is_in_restore || reader->stream.len > 0)
        return bad(err, "what is being restored in it");
    if (reader->visitor->restore == NULL)
        return bad(err, "it was taken amid a restore");
    reader->is_in_restore = true;
    reader->has_last_key = false;
    return reader->visitor->restore(reader->arg, &state, err);
}

static int take_end(struct snapshot_reader *reader, const struct snapshot_chunk *chunk, struct err *err)
{
    struct reader bytes = reader_of(chunk->payload, chunk->len);
    uint64_t records = reader_u64(&bytes);
    const void *claimed = reader_bytes(&bytes, SNAPSHOT_DIGEST_SIZE);
    unsigned char digest[SNAPSHOT_DIGEST_SIZE];
    snapshot_digest_end(reader->digest, reader->index, digest);
    reader->digest = NULL;
    if (!reader_done(&bytes) || reader->stream.len > 0 || records != reader->records ||
        memcmp(claimed, digest, sizeof digest) != 0)
        return bad(err, "it is not what was sent");
    return OK;
}

int snapshot_reader_chunk(struct snapshot_reader *reader, const void *data, size_t len, struct err *err)
{
    struct snapshot_chunk chunk;
    int rc = snapshot_decode(reader->checksum, data, len, &chunk);
    if (rc != OK)
        return bad(err, "a chunk does not fit its checksum");
    if (chunk.number != reader->next || (chunk.kind == SNAPSHOT_HEAD) != (chunk.number == 0) || reader->digest == NULL)
        return bad(err, "a chunk is out of order");
    reader->next++;
    switch (chunk.kind) {
    case SNAPSHOT_HEAD:
        return take_head(reader, &chunk, err);
    case SNAPSHOT_RECORDS:
        return take_records(reader, &chunk, err);
    case SNAPSHOT_RESTORE:
        return take_restore(reader, &chunk, err);
    case SNAPSHOT_END:
        break;
    }
    return take_end(reader, &chunk, err);
}

int snapshot_reader_end(struct snapshot_reader *reader, struct err *err)
{
    return reader->digest == NULL ? OK : bad(err, "its end is missing");
}
