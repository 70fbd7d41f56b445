/* SPDX-License-Identifier: Apache-2.0 */
/*
 * forward_private.h — what both ends of forwarding need: frames with bodies, and a bound on memory. For forward*.c.
 */
#ifndef COFFER_API_FORWARD_PRIVATE_H
#define COFFER_API_FORWARD_PRIVATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "api/forward_message.h"
#include "raft/net/channel.h"

#define FORWARD_SEND_MS   10000
#define FORWARD_BODIES    (256u << 20) /* bytes of bodies at once, at either end */
#define FORWARD_THREADS   64           /* calls at once from one node */
#define FORWARD_ANSWER_MS 120000       /* more than a request may take */

/* Bytes that are held by all calls of one end. */
struct budget {
    atomic_size_t used;
};

static inline bool budget_take(struct budget *budget, size_t n)
{
    if (atomic_fetch_add(&budget->used, n) + n <= FORWARD_BODIES)
        return true;
    atomic_fetch_sub(&budget->used, n);
    return false;
}

static inline void budget_give(struct budget *budget, size_t n)
{
    atomic_fetch_sub(&budget->used, n);
}

/* Sends a head, and a body unless it is empty. */
int forward_send(struct channel *channel, enum forward_frame type, const struct buf *head, const void *body,
                 size_t body_len, struct err *err) MUST_CHECK;
/* Receives a head of this type; it stays where it is until the next call. */
int forward_receive_head(struct channel *channel, enum forward_frame type, int timeout_ms, const void **ret_payload,
                         size_t *ret_len, struct err *err) MUST_CHECK;
/* Receives a body of len bytes, not 0; it stays where it is until the next call. */
int forward_receive_body(struct channel *channel, size_t len, const void **ret_body, struct err *err) MUST_CHECK;

#endif
