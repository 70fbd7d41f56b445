/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <endian.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"

void buf_close(struct buf *buf)
{
    if (buf == NULL)
        return;
    if (buf->data != NULL)
        secret_wipe(buf->data, buf->cap);
    free(buf->data);
    *buf = BUF_INIT;
}

void buf_clear(struct buf *buf)
{
    if (buf->data != NULL)
        secret_wipe(buf->data, buf->len);
    buf->len = 0;
}

/* Not realloc: it could leave an unwiped copy behind. */
static void grow(struct buf *buf, size_t cap)
{
    unsigned char *data = malloc(cap);
    if (data == NULL)
        abort();
    if (buf->len > 0)
        memcpy(data, buf->data, buf->len);
    if (buf->data != NULL)
        secret_wipe(buf->data, buf->len);
    free(buf->data);
    buf->data = data;
    buf->cap = cap;
}

void buf_reserve(struct buf *buf, size_t more)
{
    if (more > SIZE_MAX / 4 || buf->len > SIZE_MAX / 4)
        abort();
    if (buf->cap - buf->len >= more)
        return;
    size_t cap = buf->cap > 0 ? buf->cap * 2 : 256;
    while (cap < buf->len + more)
        cap *= 2;
    grow(buf, cap);
}

void buf_put(struct buf *buf, const void *data, size_t len)
{
    if (len == 0)
        return;
    buf_reserve(buf, len);
    memcpy(buf->data + buf->len, data, len);
    buf->len += len;
}

void buf_put_u8(struct buf *buf, uint8_t value)
{
    buf_put(buf, &value, 1);
}

void buf_put_u16(struct buf *buf, uint16_t value)
{
    value = htobe16(value);
    buf_put(buf, &value, sizeof value);
}

void buf_put_u32(struct buf *buf, uint32_t value)
{
    value = htobe32(value);
    buf_put(buf, &value, sizeof value);
}

void buf_put_u64(struct buf *buf, uint64_t value)
{
    value = htobe64(value);
    buf_put(buf, &value, sizeof value);
}

void buf_put_block(struct buf *buf, const void *data, size_t len)
{
    if (len > UINT32_MAX)
        abort();
    buf_put_u32(buf, (uint32_t)len);
    buf_put(buf, data, len);
}

void buf_puts(struct buf *buf, const char *text)
{
    buf_put(buf, text, strlen(text));
}

void buf_printf(struct buf *buf, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (len < 0)
        abort();
    buf_reserve(buf, (size_t)len + 1);
    vsnprintf((char *)buf->data + buf->len, (size_t)len + 1, fmt, again);
    va_end(again);
    buf->len += (size_t)len;
}

char *buf_str(struct buf *buf)
{
    buf_reserve(buf, 1);
    buf->data[buf->len] = '\0';
    return (char *)buf->data;
}

char *buf_detach(struct buf *buf)
{
    char *text = buf_str(buf);
    *buf = BUF_INIT;
    return text;
}

struct reader reader_of(const void *data, size_t len)
{
    static const unsigned char nothing[1];
    const unsigned char *at = data != NULL ? data : nothing; /* NULL + 0 is undefined */
    return (struct reader){.at = at, .end = at + len};
}

const void *reader_bytes(struct reader *reader, size_t len)
{
    if (reader->failed || (size_t)(reader->end - reader->at) < len) {
        reader->failed = true;
        return NULL;
    }
    const void *bytes = reader->at;
    reader->at += len;
    return bytes;
}

uint8_t reader_u8(struct reader *reader)
{
    const unsigned char *bytes = reader_bytes(reader, 1);
    return bytes != NULL ? *bytes : 0;
}

uint16_t reader_u16(struct reader *reader)
{
    uint16_t value = 0;
    const void *bytes = reader_bytes(reader, sizeof value);
    if (bytes != NULL)
        memcpy(&value, bytes, sizeof value);
    return be16toh(value);
}

uint32_t reader_u32(struct reader *reader)
{
    uint32_t value = 0;
    const void *bytes = reader_bytes(reader, sizeof value);
    if (bytes != NULL)
        memcpy(&value, bytes, sizeof value);
    return be32toh(value);
}

uint64_t reader_u64(struct reader *reader)
{
    uint64_t value = 0;
    const void *bytes = reader_bytes(reader, sizeof value);
    if (bytes != NULL)
        memcpy(&value, bytes, sizeof value);
    return be64toh(value);
}

const void *reader_block(struct reader *reader, size_t max, size_t *ret_len)
{
    size_t len = reader_u32(reader);
    if (!reader->failed && len > max)
        reader->failed = true;
    const void *bytes = reader_bytes(reader, len);
    *ret_len = bytes != NULL ? len : 0;
    return bytes;
}

bool reader_done(const struct reader *reader)
{
    return !reader->failed && reader->at == reader->end;
}
