/* SPDX-License-Identifier: Apache-2.0 */
/*
 * forward_message.h — a request and its answer as they travel between two nodes.
 *
 *   asks     FORWARD_REQUEST: version u8 ‖ method ‖ path ‖ has query u8 ‖ query ‖ client's address ‖ its port u16 ‖
 *            n u16 ‖ n × (name ‖ value) ‖ length of the body u32; then, unless that is 0, FORWARD_BODY
 *   answers  FORWARD_REPLY: outcome u8 ‖ status u16 ‖ content type ‖ n u16 ‖ n × (name ‖ value) ‖ length of the body
 *            u32; then, unless that is 0, FORWARD_BODY
 *
 * Texts are blocks (buf.h). Pure: no sockets. What is read is hostile. Threads: any.
 */
#ifndef COFFER_API_FORWARD_MESSAGE_H
#define COFFER_API_FORWARD_MESSAGE_H

#include "api/http.h"
#include "base/arena.h"
#include "base/buf.h"

#define FORWARD_HEAD_MAX (256u << 10)
#define FORWARD_BODY_MAX (64u << 20)

enum forward_frame { FORWARD_REQUEST = 1, FORWARD_REPLY, FORWARD_BODY };

enum forward_outcome {
    FORWARD_NOT_TAKEN, /* nothing of it was done: another node may be asked */
    FORWARD_ANSWERED,
};

/* Both append the head's payload; the body goes out as it is. */
void forward_request_encode(struct buf *buf, const struct http_call *call);
void forward_reply_encode(struct buf *buf, enum forward_outcome outcome, const struct http_reply *reply);

/* What they return points into arena; body is NULL, body_len what is to come. ERR_INVALID for nonsense. */
int forward_request_decode(const void *payload, size_t len, struct arena *arena, struct http_call *ret_call) MUST_CHECK;
int forward_reply_decode(const void *payload, size_t len, struct arena *arena, enum forward_outcome *ret_outcome,
                         struct http_reply *ret_reply) MUST_CHECK;

#endif
