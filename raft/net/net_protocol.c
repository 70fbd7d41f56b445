/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/net/net_protocol.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Memory up to this size is kept from frame to frame. */
#define PAYLOAD_KEPT (64u << 10)

size_t frame_room(struct frame_reader *reader, void **ret_room)
{
    if (reader->have < FRAME_HEAD) {
        *ret_room = reader->head + reader->have;
        return FRAME_HEAD - reader->have;
    }
    size_t have = reader->have - FRAME_HEAD;
    *ret_room = reader->payload + have;
    return reader->len - have;
}

static void drop_payload(struct frame_reader *reader)
{
    free(reader->payload);
    reader->payload = NULL;
    reader->cap = 0;
}

static bool make_room(struct frame_reader *reader)
{
    if (reader->payload != NULL && reader->len <= reader->cap)
        return true;
    drop_payload(reader);
    size_t cap = reader->len < PAYLOAD_KEPT ? PAYLOAD_KEPT : reader->len;
    reader->payload = malloc(cap);
    if (reader->payload == NULL)
        return false;
    reader->cap = cap;
    return true;
}

static bool take_head(struct frame_reader *reader)
{
    struct reader head = reader_of(reader->head, FRAME_HEAD);
    reader->len = reader_u32(&head);
    reader->type = reader_u8(&head);
    return reader->len <= reader->max && make_room(reader);
}

enum frame_state frame_got(struct frame_reader *reader, size_t n)
{
    reader->have += n;
    if (reader->have < FRAME_HEAD)
        return FRAME_MORE;
    if (reader->have == FRAME_HEAD && !take_head(reader))
        return FRAME_REFUSED;
    assert(reader->have - FRAME_HEAD <= reader->len);
    return reader->have - FRAME_HEAD == reader->len ? FRAME_READY : FRAME_MORE;
}

void frame_next(struct frame_reader *reader)
{
    reader->have = 0;
    reader->len = 0;
    if (reader->cap > PAYLOAD_KEPT)
        drop_payload(reader);
}

void frame_reader_close(struct frame_reader *reader)
{
    drop_payload(reader);
}

void frame_put_head(unsigned char ret_head[FRAME_HEAD], uint8_t type, uint32_t len)
{
    ret_head[0] = (unsigned char)(len >> 24);
    ret_head[1] = (unsigned char)(len >> 16);
    ret_head[2] = (unsigned char)(len >> 8);
    ret_head[3] = (unsigned char)len;
    ret_head[4] = type;
}

void hello_encode(struct buf *buf, const char *api_addr)
{
    buf_put_u16(buf, NET_VERSION);
    buf_put_block(buf, api_addr, strlen(api_addr));
}

/* It ends up in Location headers, so nothing but visible ASCII. */
static bool is_visible(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (text[i] <= ' ' || text[i] > '~')
            return false;
    return true;
}

int hello_decode(const void *payload, size_t len, char ret_api_addr[NET_ADDR_MAX], struct err *err)
{
    struct reader reader = reader_of(payload, len);
    unsigned version = reader_u16(&reader);
    if (!reader.failed && version != NET_VERSION)
        return err_set(err, ERR_UNSUPPORTED, "it speaks version %u of the protocol, this node speaks %d", version,
                       NET_VERSION);
    size_t addr_len = 0;
    const char *addr = reader_block(&reader, NET_ADDR_MAX - 1, &addr_len);
    if (!reader_done(&reader) || !is_visible(addr, addr_len))
        return err_set(err, ERR_INVALID, "its hello is malformed");
    memcpy(ret_api_addr, addr, addr_len);
    ret_api_addr[addr_len] = '\0';
    return OK;
}

void snapshot_sum_encode(struct buf *buf, const struct snapshot_sum *sum)
{
    buf_put_u64(buf, sum->chunks);
    buf_put_u64(buf, sum->bytes);
}

int snapshot_sum_decode(const void *payload, size_t len, struct snapshot_sum *ret)
{
    struct reader reader = reader_of(payload, len);
    struct snapshot_sum sum = {.chunks = reader_u64(&reader)};
    sum.bytes = reader_u64(&reader);
    if (!reader_done(&reader))
        return ERR_INVALID;
    *ret = sum;
    return OK;
}
