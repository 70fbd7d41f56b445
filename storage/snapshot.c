/* SPDX-License-Identifier: Apache-2.0 */
/* snapshot.c — the form of a snapshot, and writing one from a view. snapshot_read.c reads it. */
#include "storage/snapshot.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "storage/crypto.h"
#include "storage/restore_private.h"

#define MAGIC     0x43465332u /* "CFS2" */
#define CHUNK_MIN (3 * sizeof(uint32_t) + 1 + sizeof(uint64_t))

void snapshot_encode(EVP_MAC_CTX *checksum, const struct snapshot_chunk *chunk, struct buf *ret)
{
    size_t start = ret->len;
    buf_put_u32(ret, MAGIC);
    buf_put_u8(ret, (uint8_t)chunk->kind);
    buf_put_u32(ret, chunk->number);
    buf_put_block(ret, chunk->payload, chunk->len);
    buf_put_u64(ret, checksum_compute(checksum, &(struct aead_part){ret->data + start, ret->len - start}, 1));
}

int snapshot_decode(EVP_MAC_CTX *checksum, const void *data, size_t len, struct snapshot_chunk *ret_chunk)
{
    if (len < CHUNK_MIN)
        return ERR_CORRUPT;
    struct reader reader = reader_of(data, len);
    uint32_t magic = reader_u32(&reader);
    uint8_t kind = reader_u8(&reader);
    struct snapshot_chunk chunk = {.kind = kind, .number = reader_u32(&reader)};
    chunk.payload = reader_block(&reader, SNAPSHOT_PAYLOAD_MAX, &chunk.len);
    uint64_t sum = reader_u64(&reader);
    if (!reader_done(&reader) || magic != MAGIC || kind < SNAPSHOT_HEAD || kind > SNAPSHOT_RESTORE ||
        sum != checksum_compute(checksum, &(struct aead_part){data, len - sizeof sum}, 1))
        return ERR_CORRUPT;
    *ret_chunk = chunk;
    return OK;
}

size_t snapshot_chunk_size(const unsigned char head[SNAPSHOT_CHUNK_HEAD])
{
    struct reader reader = reader_of(head, SNAPSHOT_CHUNK_HEAD);
    uint32_t magic = reader_u32(&reader);
    reader_u8(&reader);
    reader_u32(&reader);
    uint32_t payload = reader_u32(&reader);
    return magic == MAGIC && payload <= SNAPSHOT_PAYLOAD_MAX ? CHUNK_MIN + payload : 0;
}

EVP_MD_CTX *snapshot_digest_new(void)
{
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    crypto_must(digest != NULL && EVP_DigestInit_ex(digest, EVP_sha256(), NULL) == 1, "SHA-256");
    return digest;
}

void snapshot_digest_record(EVP_MD_CTX *digest, const void *key, const void *value, size_t len)
{
    uint32_t length = htobe32((uint32_t)len);
    crypto_must(EVP_DigestUpdate(digest, key, STORE_KEY_SIZE) == 1 &&
                    EVP_DigestUpdate(digest, &length, sizeof length) == 1 && EVP_DigestUpdate(digest, value, len) == 1,
                "SHA-256");
}

void snapshot_digest_end(EVP_MD_CTX *digest, uint64_t index, unsigned char ret[SNAPSHOT_DIGEST_SIZE])
{
    index = htobe64(index);
    crypto_must(EVP_DigestUpdate(digest, &index, sizeof index) == 1 && EVP_DigestFinal_ex(digest, ret, NULL) == 1,
                "SHA-256");
    EVP_MD_CTX_free(digest);
}

/* The table that a restore under way is collected in. */
static MDB_dbi other_table(const struct store_view *view)
{
    const MDB_dbi *tables = view->env->tables;
    return view->records == tables[0] ? tables[1] : tables[0];
}

static int digest_record(void *arg, const MDB_val *key, const void *value, size_t len)
{
    snapshot_digest_record(arg, key->mv_data, value, len);
    return OK;
}

int store_digest(struct store_view *view, unsigned char ret[32], struct err *err)
{
    EVP_MD_CTX *digest = snapshot_digest_new();
    EVP_MAC_CTX *checksum = checksum_new();
    unsigned char result[SNAPSHOT_DIGEST_SIZE];
    int rc = view_each_record(view, view->records, checksum, digest_record, digest, err);
    if (rc == OK)
        rc = view_each_record(view, other_table(view), checksum, digest_record, digest, err);
    snapshot_digest_end(digest, store_view_index(view), result);
    EVP_MAC_CTX_free(checksum);
    if (rc == OK)
        memcpy(ret, result, sizeof result);
    return rc;
}

struct export
{
    EVP_MAC_CTX *checksum;
    EVP_MD_CTX *digest;
    uint64_t records;
    uint32_t next;      /* chunk */
    struct buf payload; /* what waits to fill one */
    struct buf chunk;
    int (*emit)(void *arg, const void *chunk, size_t len);
    void *arg;
};

static int emit_chunk(struct export *export, enum snapshot_kind kind, const void *payload, size_t len)
{
    struct snapshot_chunk chunk = {kind, export->next++, payload, len};
    buf_clear(&export->chunk);
    snapshot_encode(export->checksum, &chunk, &export->chunk);
    return export->emit(export->arg, export->chunk.data, export->chunk.len);
}

/* Puts bytes on the stream of records, and sends what fills a chunk. */
static int stream(struct export *export, const void *data, size_t len)
{
    const unsigned char *at = data;
    while (len > 0) {
        size_t room = SNAPSHOT_PAYLOAD_SIZE - export->payload.len, part = len < room ? len : room;
        buf_put(&export->payload, at, part);
        at += part;
        len -= part;
        if (part < room)
            break;
        int rc = emit_chunk(export, SNAPSHOT_RECORDS, export->payload.data, export->payload.len);
        if (rc != OK)
            return rc;
        buf_clear(&export->payload);
    }
    return OK;
}

static int export_record(void *arg, const MDB_val *key, const void *value, size_t len)
{
    struct export *export = arg;
    uint32_t length = htobe32((uint32_t)len);
    snapshot_digest_record(export->digest, key->mv_data, value, len);
    export->records++;
    int rc = stream(export, key->mv_data, key->mv_size);
    if (rc == OK)
        rc = stream(export, &length, sizeof length);
    return rc == OK ? stream(export, value, len) : rc;
}

static int export_head(struct export *export, struct store_view *view, uint64_t *ret_index)
{
    struct store_position position;
    struct buf members = BUF_INIT, head = BUF_INIT;
    int rc = position_read(view->txn, view->env, &position, NULL, &members);
    if (rc == OK) {
        buf_put_u64(&head, position.index);
        buf_put_u64(&head, position.term);
        buf_put_u64(&head, position.configuration_index);
        buf_put_u64(&head, (uint64_t)position.time_ms);
        buf_put_u8(&head, position.format);
        buf_put_block(&head, members.data, members.len);
        rc = emit_chunk(export, SNAPSHOT_HEAD, head.data, head.len);
        *ret_index = position.index;
    }
    buf_close(&members);
    buf_close(&head);
    return rc;
}

static int flush(struct export *export)
{
    int rc =
        export->payload.len > 0 ? emit_chunk(export, SNAPSHOT_RECORDS, export->payload.data, export->payload.len) : OK;
    buf_clear(&export->payload);
    return rc;
}

static int export_restore(struct export *export, struct store_view *view, struct err *err)
{
    struct restore_state state;
    struct buf head = BUF_INIT;
    int rc = restore_read(view->txn, view->env, &state);
    if (rc != OK || state.begin == 0)
        return rc;
    buf_put_u64(&head, state.begin);
    buf_put_u32(&head, state.next);
    buf_put_u64(&head, state.count);
    rc = flush(export);
    if (rc == OK)
        rc = emit_chunk(export, SNAPSHOT_RESTORE, head.data, head.len);
    buf_close(&head);
    if (rc == OK)
        rc = view_each_record(view, other_table(view), export->checksum, export_record, export, err);
    return rc;
}

static int export_end(struct export *export, uint64_t index)
{
    struct buf end = BUF_INIT;
    unsigned char digest[SNAPSHOT_DIGEST_SIZE];
    int rc = flush(export);
    snapshot_digest_end(export->digest, index, digest);
    export->digest = NULL;
    buf_put_u64(&end, export->records);
    buf_put(&end, digest, sizeof digest);
    if (rc == OK)
        rc = emit_chunk(export, SNAPSHOT_END, end.data, end.len);
    buf_close(&end);
    return rc;
}

int store_export(struct store_view *view, int (*emit)(void *arg, const void *chunk, size_t len), void *arg,
                 struct err *err)
{
    struct export export = {.checksum = checksum_new(), .digest = snapshot_digest_new(), .emit = emit, .arg = arg};
    uint64_t index = 0;
    int rc = export_head(&export, view, &index);
    if (rc == OK)
        rc = view_each_record(view, view->records, export.checksum, export_record, &export, err);
    if (rc == OK)
        rc = export_restore(&export, view, err);
    if (rc == OK)
        rc = export_end(&export, index);
    EVP_MD_CTX_free(export.digest);
    EVP_MAC_CTX_free(export.checksum);
    buf_close(&export.payload);
    buf_close(&export.chunk);
    return rc;
}
