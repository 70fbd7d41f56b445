/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net_protocol.h — what nodes say to each other, as bytes: frames, the hello, the ends of a snapshot.
 *
 *   frame     length u32 (of the payload) ‖ type u8 ‖ payload
 *   link      ALPN "coffer-raft/1": a hello of each side, then frames of the driver, from dialler to listener only
 *   call      ALPN "coffer-call/1": frames both ways, as the two ends agree (channel.h)
 *   snapshot  ALPN "coffer-snap/1": begin(header) chunk… end(count, bytes) from the dialler, then taken() back
 *
 * Numbers are big endian. Pure: no sockets, no loop. Everything that is read is hostile.
 */
#ifndef COFFER_RAFT_NET_PROTOCOL_H
#define COFFER_RAFT_NET_PROTOCOL_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/* As ALPN wants them: the length, then the name. */
#define NET_ALPN_LINK     "\015coffer-raft/1"
#define NET_ALPN_SNAPSHOT "\015coffer-snap/1"
#define NET_ALPN_CALL     "\015coffer-call/1"

#define NET_VERSION  1
#define NET_ADDR_MAX 264 /* an address with its terminator */

#define FRAME_HEAD         5
#define FRAME_HELLO_MAX    1024
#define FRAME_SNAPSHOT_MAX (1u << 20)

#define FRAME_HELLO 0 /* known by its place, the first of a link: types of the driver's may be 0 too */
enum { FRAME_SNAPSHOT_BEGIN = 1, FRAME_SNAPSHOT_CHUNK, FRAME_SNAPSHOT_END, FRAME_SNAPSHOT_TAKEN };

/* Collects one frame after the other, each in memory of its own size, from wherever the bytes come. */
struct frame_reader {
    uint32_t max; /* the longest payload taken; may be set between frames */
    /* The frame, once FRAME_READY was returned, until frame_next(). */
    uint8_t type;
    uint32_t len;
    unsigned char *payload;
    /* Private. */
    unsigned char head[FRAME_HEAD];
    size_t have; /* bytes of head and payload so far */
    size_t cap;
};

enum frame_state {
    FRAME_MORE,
    FRAME_READY,
    FRAME_REFUSED, /* longer than max (or than there is memory): nothing was taken for it */
};

/* Where the next bytes go, and how many fit at most: never 0, and never beyond this frame. */
size_t frame_room(struct frame_reader *reader, void **ret_room);
/* n bytes were put there. */
enum frame_state frame_got(struct frame_reader *reader, size_t n);
void frame_next(struct frame_reader *reader);
void frame_reader_close(struct frame_reader *reader);

void frame_put_head(unsigned char ret_head[FRAME_HEAD], uint8_t type, uint32_t len);

/* Payload of a hello: version u16 ‖ block api_addr. */
void hello_encode(struct buf *buf, const char *api_addr);
/* ERR_UNSUPPORTED for another version of the protocol, ERR_INVALID for nonsense. */
int hello_decode(const void *payload, size_t len, char ret_api_addr[NET_ADDR_MAX], struct err *err) MUST_CHECK;

/* Payload of a snapshot's end, and of the receiver's answer: how many chunks and bytes there were. */
struct snapshot_sum {
    uint64_t chunks;
    uint64_t bytes;
};
void snapshot_sum_encode(struct buf *buf, const struct snapshot_sum *sum);
int snapshot_sum_decode(const void *payload, size_t len, struct snapshot_sum *ret) MUST_CHECK;

#endif
