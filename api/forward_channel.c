/* SPDX-License-Identifier: Apache-2.0 */
#include "api/forward_private.h"

#define BODY_MS 30000 /* without any progress */

int forward_send(struct channel *channel, enum forward_frame type, const struct buf *head, const void *body,
                 size_t body_len, struct err *err)
{
    int rc = channel_send(channel, (uint8_t)type, head->data, head->len, FORWARD_SEND_MS, err);

    if (rc == OK && body_len > 0)
        rc = channel_send(channel, FORWARD_BODY, body, body_len, FORWARD_SEND_MS, err);
    return rc;
}

int forward_receive_head(struct channel *channel, enum forward_frame type, int timeout_ms, const void **ret_payload,
                         size_t *ret_len, struct err *err)
{
    uint8_t got;
    int rc = channel_receive(channel, FORWARD_HEAD_MAX, timeout_ms, &got, ret_payload, ret_len, err);

    if (rc == OK && got != (uint8_t)type)
        rc = err_set(err, ERR_INVALID, "it sends a frame where none belongs");
    return rc;
}

int forward_receive_body(struct channel *channel, size_t len, const void **ret_body, struct err *err)
{
    uint8_t got;
    size_t got_len;
    int rc = channel_receive(channel, (uint32_t)len, BODY_MS, &got, ret_body, &got_len, err);

    if (rc == OK && (got != FORWARD_BODY || got_len != len))
        rc = err_set(err, ERR_INVALID, "its body is not as long as it said");
    return rc;
}
