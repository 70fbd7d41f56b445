/* SPDX-License-Identifier: Apache-2.0 */
/* entry.c — encrypted writes as bytes of the log; see batch.h for the form. */
#include <assert.h>
#include <endian.h>
#include <stdlib.h>

#include "base/format.h"
#include "storage/batch.h"
#include "storage/batch_private.h"

#define COUNT_OFFSET 9
#define HEADER_SIZE  13

enum { OP_PUT = 1, OP_DELETE = 2 };

void batch_free(struct batch *batch)
{
    if (batch == NULL)
        return;
    buf_close(&batch->ops);
    buf_close(&batch->reads);
    buf_close(&batch->changes);
    free(batch);
}

size_t batch_size(const struct batch *batch)
{
    return batch->ops.len;
}

size_t batch_begin_put(struct batch *batch, const unsigned char key[STORE_KEY_SIZE])
{
    buf_put_u8(&batch->ops, OP_PUT);
    buf_put(&batch->ops, key, STORE_KEY_SIZE);
    buf_put_u32(&batch->ops, 0);
    return batch->ops.len;
}

void batch_end_put(struct batch *batch, size_t start)
{
    uint32_t len = htobe32((uint32_t)(batch->ops.len - start));
    memcpy(batch->ops.data + start - sizeof len, &len, sizeof len);
    batch->count++;
}

void batch_put_delete(struct batch *batch, const unsigned char key[STORE_KEY_SIZE])
{
    buf_put_u8(&batch->ops, OP_DELETE);
    buf_put(&batch->ops, key, STORE_KEY_SIZE);
    batch->count++;
}

void entry_begin(struct buf *entry, uint8_t format, int64_t time_ms)
{
    assert(entry->len == 0);
    buf_put_u8(entry, format);
    buf_put_u64(entry, (uint64_t)time_ms);
    buf_put_u32(entry, 0);
}

void entry_add(struct buf *entry, const struct batch *batch)
{
    assert(entry->len >= HEADER_SIZE);
    uint32_t count;
    memcpy(&count, entry->data + COUNT_OFFSET, sizeof count);
    count = htobe32(be32toh(count) + batch->count);
    memcpy(entry->data + COUNT_OFFSET, &count, sizeof count);
    buf_put(entry, batch->ops.data, batch->ops.len);
}

static bool next_op(struct reader *reader, struct entry_op *ret_op)
{
    uint8_t kind = reader_u8(reader);
    *ret_op = (struct entry_op){.is_delete = kind == OP_DELETE, .key = reader_bytes(reader, STORE_KEY_SIZE)};
    if (kind == OP_PUT)
        ret_op->value = reader_block(reader, STORE_VALUE_MAX, &ret_op->len);
    return !reader->failed && (kind == OP_PUT || kind == OP_DELETE);
}

int entry_walk(const void *data, size_t len, int (*visit)(void *arg, const struct entry_op *op), void *arg)
{
    struct entry_op op;
    if (len < HEADER_SIZE || len > ENTRY_SIZE_MAX)
        return ERR_CORRUPT;
    struct reader reader = reader_of(data, len);
    uint8_t format = reader_u8(&reader);
    reader_u64(&reader);
    uint32_t count = reader_u32(&reader);
    if (format < FORMAT_FIRST || format > format_newest())
        return format < FORMAT_FIRST ? ERR_CORRUPT : ERR_UNSUPPORTED;
    struct reader check = reader;
    for (uint32_t i = 0; i < count; i++)
        if (!next_op(&check, &op))
            return ERR_CORRUPT;
    if (!reader_done(&check))
        return ERR_CORRUPT;
    for (uint32_t i = 0; i < count; i++) {
        next_op(&reader, &op);
        int rc = visit(arg, &op);
        if (rc != OK)
            return rc;
    }
    return OK;
}

uint8_t entry_format(const void *data, size_t len)
{
    return len >= HEADER_SIZE ? *(const uint8_t *)data : 0;
}

int64_t entry_time_ms(const void *data, size_t len)
{
    struct reader reader = reader_of(data, len);
    reader_u8(&reader);
    uint64_t time_ms = reader_u64(&reader);
    return reader.failed || time_ms > INT64_MAX / 1000000 ? 0 : (int64_t)time_ms;
}
