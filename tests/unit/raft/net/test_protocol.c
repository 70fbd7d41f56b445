/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "raft/net/net_protocol.h"

/* Feeds bytes in pieces of at most `step`; returns the last state. */
static enum frame_state feed(struct frame_reader *reader, const unsigned char *data, size_t len, size_t step)
{
    enum frame_state state = FRAME_MORE;
    while (len > 0 && state == FRAME_MORE) {
        void *room;
        size_t n = frame_room(reader, &room);
        n = n < step ? n : step;
        n = n < len ? n : len;
        assert_true(n > 0);
        memcpy(room, data, n);
        state = frame_got(reader, n);
        data += n;
        len -= n;
    }
    return state;
}

static void test_pieces(void **state)
{
    (void)state;
    for (size_t step = 1; step < 12; step++) {
        struct frame_reader reader = {.max = 100};
        for (int i = 0; i < 3; i++) {
            assert_int_equal(feed(&reader, (const unsigned char *)"\0\0\0\6\11abcdef", 11, step), FRAME_READY);
            assert_int_equal(reader.type, 9);
            assert_int_equal(reader.len, 6);
            assert_memory_equal(reader.payload, "abcdef", 6);
            frame_next(&reader);
        }
        assert_int_equal(feed(&reader, (const unsigned char *)"\0\0\0\0\1", 5, step), FRAME_READY);
        frame_reader_close(&reader);
    }
}

static void test_length(void **state)
{
    (void)state;
    struct frame_reader reader = {.max = 10};
    assert_int_equal(feed(&reader, (const unsigned char *)"\0\0\0\13\1", 5, 5), FRAME_REFUSED);
    assert_null(reader.payload);
    reader = (struct frame_reader){.max = 10};
    assert_int_equal(feed(&reader, (const unsigned char *)"\377\377\377\377\1", 5, 5), FRAME_REFUSED);
    assert_null(reader.payload);
    reader = (struct frame_reader){.max = 10};
    assert_int_equal(feed(&reader, (const unsigned char *)"\0\0\0\12\1", 5, 5), FRAME_MORE);
    frame_reader_close(&reader);
}

static void test_hello(void **state)
{
    (void)state;
    char addr[NET_ADDR_MAX];
    struct buf hello = BUF_INIT;
    hello_encode(&hello, "https://a:8200");
    assert_int_equal(hello_decode(hello.data, hello.len, addr, NULL), OK);
    assert_string_equal(addr, "https://a:8200");
    for (size_t len = 0; len < hello.len; len++)
        assert_int_equal(hello_decode(hello.data, len, addr, NULL), ERR_INVALID);
    buf_put_u8(&hello, 0);
    assert_int_equal(hello_decode(hello.data, hello.len, addr, NULL), ERR_INVALID);
    hello.data[1] = 2;
    assert_int_equal(hello_decode(hello.data, hello.len, addr, NULL), ERR_UNSUPPORTED);
    buf_clear(&hello);
    hello_encode(&hello, "https://a:8200\r\nSet-Cookie:x");
    assert_int_equal(hello_decode(hello.data, hello.len, addr, NULL), ERR_INVALID);
    buf_clear(&hello);
    char longest[NET_ADDR_MAX + 1] = "";
    memset(longest, 'x', NET_ADDR_MAX);
    hello_encode(&hello, longest);
    assert_int_equal(hello_decode(hello.data, hello.len, addr, NULL), ERR_INVALID);
    buf_close(&hello);
}

static void test_sum(void **state)
{
    (void)state;
    struct snapshot_sum sum = {.chunks = 7, .bytes = 1ull << 40}, again;
    struct buf buf = BUF_INIT;
    snapshot_sum_encode(&buf, &sum);
    assert_int_equal(snapshot_sum_decode(buf.data, buf.len, &again), OK);
    assert_memory_equal(&sum, &again, sizeof sum);
    assert_int_equal(snapshot_sum_decode(buf.data, buf.len - 1, &again), ERR_INVALID);
    buf_close(&buf);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        {"a frame is the same in whatever pieces it comes", test_pieces, NULL, NULL, NULL},
        {"a frame longer than allowed is refused before memory is taken", test_length, NULL, NULL, NULL},
        {"a hello that is cut, too long, or not plain text is refused", test_hello, NULL, NULL, NULL},
        {"a snapshot's sum survives the wire", test_sum, NULL, NULL, NULL},
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
