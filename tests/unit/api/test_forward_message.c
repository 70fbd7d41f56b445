/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "api/forward_message.h"

#include <cmocka.h>

static const struct http_header headers[] = {{"x-vault-token", "s.secret"}, {"x-empty", ""}};

static void a_request_arrives_as_it_was_sent(void **state)
{
    struct http_call sent = {.method = "PUT",
                             .path = "/v1/a%20b",
                             .query = "x=%31",
                             .headers = headers,
                             .n_headers = 2,
                             .body_len = 7,
                             .remote_addr = "192.0.2.1",
                             .remote_port = 4711};
    struct http_call got;
    struct buf buf = BUF_INIT;
    struct arena arena;

    (void)state;
    arena_init(&arena);
    forward_request_encode(&buf, &sent);
    assert_int_equal(forward_request_decode(buf.data, buf.len, &arena, &got), OK);
    assert_string_equal(got.method, "PUT");
    assert_string_equal(got.path, "/v1/a%20b");
    assert_string_equal(got.query, "x=%31");
    assert_string_equal(http_call_header(&got, "x-vault-token"), "s.secret");
    assert_string_equal(http_call_header(&got, "x-empty"), "");
    assert_int_equal(got.body_len, 7);
    assert_string_equal(got.remote_addr, "192.0.2.1");
    assert_int_equal(got.remote_port, 4711);
    assert_false(got.is_head);
    buf_close(&buf);
    arena_close(&arena);
}

static void no_query_is_another_thing_than_an_empty_one(void **state)
{
    struct http_call sent = {.method = "HEAD", .path = "/v1/a", .query = ""}, got;
    struct buf buf = BUF_INIT;
    struct arena arena;

    (void)state;
    arena_init(&arena);
    forward_request_encode(&buf, &sent);
    assert_int_equal(forward_request_decode(buf.data, buf.len, &arena, &got), OK);
    assert_string_equal(got.query, "");
    assert_true(got.is_head);
    buf_clear(&buf);
    sent.query = NULL;
    forward_request_encode(&buf, &sent);
    assert_int_equal(forward_request_decode(buf.data, buf.len, &arena, &got), OK);
    assert_null(got.query);
    buf_close(&buf);
    arena_close(&arena);
}

static void a_reply_arrives_as_it_was_sent(void **state)
{
    struct http_reply sent = {.status = 404, .headers = headers, .n_headers = 2, .body_len = 9}, got;
    enum forward_outcome outcome;
    struct buf buf = BUF_INIT;
    struct arena arena;

    (void)state;
    arena_init(&arena);
    forward_reply_encode(&buf, FORWARD_ANSWERED, &sent);
    assert_int_equal(forward_reply_decode(buf.data, buf.len, &arena, &outcome, &got), OK);
    assert_int_equal(outcome, FORWARD_ANSWERED);
    assert_int_equal(got.status, 404);
    assert_null(got.content_type);
    assert_int_equal(got.n_headers, 2);
    assert_string_equal(got.headers[0].value, "s.secret");
    assert_int_equal(got.body_len, 9);
    buf_clear(&buf);
    forward_reply_encode(&buf, FORWARD_NOT_TAKEN, &(struct http_reply){0});
    assert_int_equal(forward_reply_decode(buf.data, buf.len, &arena, &outcome, &got), OK);
    assert_int_equal(outcome, FORWARD_NOT_TAKEN);
    buf_close(&buf);
    arena_close(&arena);
}

/* Whatever is cut off, added, or changed: refused, and no more memory taken than there are bytes. */
static void what_is_not_whole_is_refused(void **state)
{
    struct http_call sent = {.method = "PUT", .path = "/v1/a", .headers = headers, .n_headers = 2}, got;
    struct buf buf = BUF_INIT;
    struct arena arena;

    (void)state;
    arena_init(&arena);
    forward_request_encode(&buf, &sent);
    for (size_t len = 0; len < buf.len; len++)
        assert_int_equal(forward_request_decode(buf.data, len, &arena, &got), ERR_INVALID);
    buf_put_u8(&buf, 0);
    assert_int_equal(forward_request_decode(buf.data, buf.len, &arena, &got), ERR_INVALID);
    buf.data[0] = 2; /* another version */
    assert_int_equal(forward_request_decode(buf.data, buf.len - 1, &arena, &got), ERR_INVALID);
    buf_clear(&buf);
    sent.body_len = FORWARD_BODY_MAX + 1;
    forward_request_encode(&buf, &sent);
    assert_int_equal(forward_request_decode(buf.data, buf.len, &arena, &got), ERR_INVALID);
    buf_close(&buf);
    arena_close(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_arrives_as_it_was_sent),
        cmocka_unit_test(no_query_is_another_thing_than_an_empty_one),
        cmocka_unit_test(a_reply_arrives_as_it_was_sent),
        cmocka_unit_test(what_is_not_whole_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
