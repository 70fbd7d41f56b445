/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a peer sends, from the first byte: its hello, then frames; and the ends of a snapshot. The first byte of the
 * input says in what pieces the rest arrives.
 */
#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "raft/net/net_protocol.h"

#define MAX (1u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_hello(const struct frame_reader *frame)
{
    char addr[NET_ADDR_MAX];
    if (hello_decode(frame->payload, frame->len, addr, NULL) != OK)
        return;
    struct buf again = BUF_INIT;
    hello_encode(&again, addr);
    assert(again.len == frame->len && memcmp(again.data, frame->payload, again.len) == 0);
    buf_close(&again);
}

static void check_sum(const struct frame_reader *frame)
{
    struct snapshot_sum sum;
    if (snapshot_sum_decode(frame->payload, frame->len, &sum) != OK)
        return;
    struct buf again = BUF_INIT;
    snapshot_sum_encode(&again, &sum);
    assert(again.len == frame->len && memcmp(again.data, frame->payload, again.len) == 0);
    buf_close(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct frame_reader reader = {.max = FRAME_HELLO_MAX};
    enum frame_state state = FRAME_MORE;
    size_t step = (size_t)data[0] + 1;
    for (size_t at = 1; at < size && state != FRAME_REFUSED;) {
        void *room;
        size_t n = frame_room(&reader, &room);
        n = n < step ? n : step;
        n = n < size - at ? n : size - at;
        assert(n > 0);
        memcpy(room, data + at, n);
        at += n;
        state = frame_got(&reader, n);
        assert(state == FRAME_REFUSED || reader.have < FRAME_HEAD || reader.len <= reader.max);
        if (state != FRAME_READY)
            continue;
        check_hello(&reader);
        check_sum(&reader);
        frame_next(&reader);
        reader.max = MAX;
    }
    frame_reader_close(&reader);
    return 0;
}
