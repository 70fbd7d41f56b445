/* SPDX-License-Identifier: Apache-2.0 */
/* Any head of a forwarded request or reply: what is taken comes out the same when it is sent on. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "api/forward_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct http_call call;
    struct http_reply reply;
    enum forward_outcome outcome;
    struct buf again = BUF_INIT;
    struct arena arena;

    arena_init(&arena);
    if (forward_request_decode(data, size, &arena, &call) == OK) {
        struct http_call second;
        forward_request_encode(&again, &call);
        assert(forward_request_decode(again.data, again.len, &arena, &second) == OK);
        assert(strcmp(call.path, second.path) == 0 && call.body_len == second.body_len);
        assert(call.n_headers == second.n_headers && strcmp(call.remote_addr, second.remote_addr) == 0);
    }
    buf_clear(&again);
    if (forward_reply_decode(data, size, &arena, &outcome, &reply) == OK) {
        forward_reply_encode(&again, outcome, &reply);
        assert(again.len == size && memcmp(again.data, data, size) == 0);
    }
    buf_close(&again);
    arena_close(&arena);
    return 0;
}
