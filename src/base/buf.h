/* SPDX-License-Identifier: Apache-2.0 */
/*
 * buf.h — a growing byte buffer that is wiped when freed, and a reader that cannot run over.
 *
 * Numbers are big endian. Writing never fails (out of memory ends the process). A reader that
 * meets too little data sets `failed`, returns zeroes from then on, and is asked once at the end.
 */
#ifndef COFFER_BASE_BUF_H
#define COFFER_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct buf {
    unsigned char *data; /* NULL while empty */
    size_t len;
    size_t cap;
};

#define BUF_INIT ((struct buf){0})

/* Wipes and frees; the buffer is empty and can be used again. NULL is fine. */
void buf_close(struct buf *buf);
/* Wipes the contents, keeps the memory. */
void buf_clear(struct buf *buf);
void buf_reserve(struct buf *buf, size_t more);
void buf_put(struct buf *buf, const void *data, size_t len);
void buf_put_u8(struct buf *buf, uint8_t value);
void buf_put_u16(struct buf *buf, uint16_t value);
void buf_put_u32(struct buf *buf, uint32_t value);
void buf_put_u64(struct buf *buf, uint64_t value);
/* A u32 length, then the bytes. */
void buf_put_block(struct buf *buf, const void *data, size_t len);
void buf_puts(struct buf *buf, const char *text);
void buf_printf(struct buf *buf, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* The contents as a C string: terminated, the terminator not counted. Valid until the next change. */
char *buf_str(struct buf *buf);
/* Hands the memory (terminated) to the caller, who frees it; the buffer is empty again. */
char *buf_detach(struct buf *buf);

struct reader {
    const unsigned char *at;
    const unsigned char *end;
    bool failed;
};

struct reader reader_of(const void *data, size_t len);
uint8_t reader_u8(struct reader *reader);
uint16_t reader_u16(struct reader *reader);
uint32_t reader_u32(struct reader *reader);
uint64_t reader_u64(struct reader *reader);
/* The next len bytes where they lie, or NULL (and failed). */
const void *reader_bytes(struct reader *reader, size_t len);
/* What buf_put_block wrote, where it lies; NULL when it is longer than max or than what is left. */
const void *reader_block(struct reader *reader, size_t max, size_t *ret_len);
/* True when all was read and nothing failed. */
bool reader_done(const struct reader *reader);

#endif
