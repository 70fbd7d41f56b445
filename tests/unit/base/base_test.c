/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/duration.h"
#include "base/encoding.h"
#include "base/err.h"
#include "base/file.h"
#include "base/glob.h"
#include "base/json.h"
#include "base/pool.h"
#include "base/secret.h"

static void a_sentence_gets_its_context(void **state)
{
    (void)state;
    struct err err = {0};
    assert_int_equal(err_set(&err, ERR_CORRUPT, "a bit is wrong"), ERR_CORRUPT);
    assert_int_equal(err_wrap(&err, "%s", "the file"), ERR_CORRUPT);
    assert_string_equal(err_text(&err), "the file: a bit is wrong");
    assert_int_equal(err_wrap(NULL, "%s", "the file"), ERR_INTERNAL);
}

static void durations_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ns;
    } good[] = {{"", 0},
                {"0", 0},
                {"45", 45000000000},
                {"1h30m", 5400000000000},
                {"1.5h", 5400000000000},
                {"300ms", 300000000},
                {"2d", 172800000000000},
                {"-5s", -5000000000},
                {"1us", 1000},
                {"768h", 2764800000000000}};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        int64_t ns = -1;
        assert_int_equal(duration_parse_ns(good[i].text, &ns), OK);
        assert_int_equal(ns, good[i].ns);
    }
}

static void a_star_stands_for_any_text(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *text;
        bool fits;
    } cases[] = {{"a", "a", true},     {"a", "ab", false},        {"", "", true},          {"", "a", false},
                 {"*", "", true},      {"*", "any", true},        {"a*", "a", true},       {"a*", "ba", false},
                 {"*a", "bba", true},  {"a*c", "abcbc", true},    {"a*c", "abcb", false},  {"*b*", "abc", true},
                 {"a**b", "ab", true}, {"*ab*ab", "abab", true},  {"*aab", "aaaab", true}, {"a?", "ab", false},
                 {"[a]", "a", false},  {"a*b*c", "aXbYcZ", false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(glob_fits(cases[i].pattern, cases[i].text), cases[i].fits);
}

static void what_is_no_duration_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "1w", "1y", "h", "1h30", "abc", "-", "1 h", "99999999999999999999", "9999999999999h", "1..5h", "+"};
    int64_t ns;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(duration_parse_ns(bad[i], &ns), ERR_INVALID);
}

static void durations_are_printed_as_go_does(void **state)
{
    (void)state;
    static const struct {
        int64_t ns;
        const char *go;
    } rows[] = {{0, "0s"},
                {1500000000, "1.5s"},
                {3600000000000, "1h0m0s"},
                {60000000000, "1m0s"},
                {12345, "12.345\xc2\xb5s"},
                {1500000, "1.5ms"},
                {-1000000000, "-1s"}};
    char text[40];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        duration_format_go(rows[i].ns, text, sizeof text);
        assert_string_equal(text, rows[i].go);
    }
    duration_format_short(2764800, text, sizeof text);
    assert_string_equal(text, "768h");
    duration_format_short(5400, text, sizeof text);
    assert_string_equal(text, "1h30m");
    duration_format_short(0, text, sizeof text);
    assert_string_equal(text, "0s");
}

static void times_survive_printing(void **state)
{
    (void)state;
    char text[40];
    int64_t now = clock_wall_ns();
    clock_format_rfc3339(now, text, sizeof text);
    assert_int_equal(clock_parse_rfc3339(text), now);
    assert_int_equal(clock_parse_rfc3339("2026-01-01T02:00:00+02:00"), clock_parse_rfc3339("2026-01-01T00:00:00Z"));
    assert_int_equal(clock_parse_rfc3339("2026-01-01"), -1);
    assert_int_equal(clock_parse_rfc3339("2026-01-01T00:00:00"), -1);
    assert_int_equal(clock_parse_rfc3339("2026-01-01T00:00:00Zx"), -1);
}

static void base64_is_read_with_and_without_padding(void **state)
{
    (void)state;
    unsigned char bytes[64];
    size_t size;
    assert_int_equal(base64_decode("aGVsbG8=", bytes, &size), OK);
    assert_int_equal(size, 5);
    assert_int_equal(base64_decode("aGVsbG8", bytes, &size), OK);
    assert_memory_equal(bytes, "hello", 5);
    assert_int_equal(base64_decode("aGVsbA", bytes, &size), OK);
    assert_int_equal(size, 4);
    static const char *const bad[] = {"a", "aGVsb===", "aG=sbG8=", "aGVs bG8=", "aGVs\n", "!!!!"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(base64_decode(bad[i], bytes, &size), ERR_INVALID);
}

static void every_byte_survives_hex_and_base64(void **state)
{
    (void)state;
    unsigned char bytes[256], back[300];
    char text[600];
    size_t size;
    for (int i = 0; i < 256; i++)
        bytes[i] = (unsigned char)i;
    for (size_t n = 0; n <= 256; n++) {
        hex_encode(bytes, n, text);
        assert_int_equal(hex_decode(text, back, &size), OK);
        assert_int_equal(size, n);
        assert_memory_equal(back, bytes, n);
        base64_encode(bytes, n, text);
        assert_int_equal(base64_decode(text, back, &size), OK);
        assert_int_equal(size, n);
        assert_memory_equal(back, bytes, n);
        base64url_encode(bytes, n, text);
        assert_null(strpbrk(text, "+/="));
        assert_int_equal(base64url_decode(text, back, &size), OK);
        assert_int_equal(size, n);
        assert_memory_equal(back, bytes, n);
    }
}

static void the_alphabet_for_names_is_another_one(void **state)
{
    (void)state;
    static const char *const bad[] = {"+w", "/w", "Zg==", "Z", "Z g", "Zg\n"};
    unsigned char back[16];
    size_t size;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(base64url_decode(bad[i], back, &size), ERR_INVALID);
}

static void a_reader_never_runs_over(void **state)
{
    (void)state;
    struct buf buf = BUF_INIT;
    buf_put_u32(&buf, 7);
    buf_put_block(&buf, "abc", 3);
    struct reader reader = reader_of(buf.data, buf.len);
    size_t len;
    assert_int_equal(reader_u32(&reader), 7);
    assert_memory_equal(reader_block(&reader, 3, &len), "abc", 3);
    assert_true(reader_done(&reader));
    assert_int_equal(reader_u64(&reader), 0);
    assert_true(reader.failed);
    reader = reader_of(buf.data + 4, buf.len - 5); /* one byte short */
    assert_null(reader_block(&reader, 100, &len));
    reader = reader_of(buf.data + 4, buf.len - 4);
    assert_null(reader_block(&reader, 2, &len)); /* longer than allowed */
    buf_close(&buf);
}

static void arena_memory_is_zeroed_and_aligned(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena);
    for (size_t size = 0; size < 20000; size = size * 2 + 3) {
        unsigned char *memory = arena_alloc(&arena, size);
        assert_int_equal((uintptr_t)memory % _Alignof(max_align_t), 0);
        for (size_t i = 0; i < size; i++)
            assert_int_equal(memory[i], 0);
        memset(memory, 0xff, size);
    }
    assert_string_equal(arena_printf(&arena, "%s-%d", "a", 7), "a-7");
    arena_close(&arena);
}

static int parse(const char *text)
{
    json_t *value = NULL;
    struct err err = {0};
    int rc = json_parse(text, strlen(text), &value, &err);
    json_decref(value);
    return rc;
}

static void json_bombs_are_refused(void **state)
{
    (void)state;
    char *deep = malloc(20001), *wide = malloc(200003);
    memset(deep, '[', 20000);
    deep[20000] = '\0';
    assert_int_equal(parse(deep), ERR_INVALID);
    wide[0] = '[';
    for (int i = 0; i < 100000; i++)
        memcpy(wide + 1 + 2 * i, "1,", 2);
    strcpy(wide + 200000, "1]");
    assert_int_equal(parse(wide), ERR_INVALID);
    free(deep);
    free(wide);
    assert_int_equal(parse("{\"a\":1} x"), ERR_INVALID);
    assert_int_equal(parse("{\"a\":\"\\u0000\"}"), ERR_INVALID);
    assert_int_equal(parse("\"[[[[[[\\\"[[[\""), OK);
    assert_int_equal(parse("{\"a\":[1,2,{\"b\":null}]}"), OK);
}

static void arena_texts_of_any_length(void **state)
{
    struct arena arena;
    (void)state;
    arena_init(&arena);
    for (int len = 0; len < 20000; len += 37) {
        char *text = arena_printf(&arena, "<%*s>", len, "");
        char *after = arena_strdup(&arena, "after");
        assert_int_equal(strlen(text), len + 2);
        assert_int_equal(text[len + 1], '>');
        assert_string_equal(after, "after");
    }
    arena_close(&arena);
}

static void json_is_printed_as_go_does(void **state)
{
    (void)state;
    json_t *value = json_pack("{s:s, s:i}", "b", "<a> & c", "a", 1);
    char *text = json_format(value);
    assert_string_equal(text, "{\"a\":1,\"b\":\"\\u003ca\\u003e \\u0026 c\"}");
    json_text_free(text);
    json_decref(value);
}

static void a_replaced_file_is_whole(void **state)
{
    (void)state;
    char path[] = "/tmp/coffer-base-XXXXXX";
    struct err err = {0};
    struct buf text = BUF_INIT;
    assert_int_not_equal(close(mkstemp(path)), -1);
    assert_int_equal(file_replace(path, "one", 3, 0600, &err), OK);
    assert_int_equal(file_replace(path, "second", 6, 0600, &err), OK);
    assert_int_equal(file_read(path, 100, &text, &err), OK);
    assert_string_equal(buf_str(&text), "second");
    assert_int_equal(file_read(path, 3, &text, &err), ERR_TOO_LARGE);
    unlink(path);
    assert_int_equal(file_read(path, 100, &text, &err), ERR_NOTFOUND);
    buf_close(&text);
}

static void secrets_are_compared_whole(void **state)
{
    (void)state;
    assert_true(secret_equal_str("abc", "abc"));
    assert_false(secret_equal_str("abc", "abd"));
    assert_false(secret_equal_str("abc", "abcd"));
    unsigned char *key = secret_alloc(5000);
    for (size_t i = 0; i < 5000; i++)
        assert_int_equal(key[i], 0);
    secret_free(key);
}

static void count_up(void *arg)
{
    __atomic_fetch_add((int *)arg, 1, __ATOMIC_SEQ_CST);
}

static void a_pool_runs_everything_before_it_ends(void **state)
{
    (void)state;
    int count = 0;
    struct pool *pool = pool_new("test", 4);
    for (int i = 0; i < 1000; i++)
        pool_run(pool, count_up, &count);
    pool_free(pool);
    assert_int_equal(count, 1000);
}

static const struct CMUnitTest tests[] = {
    {"a sentence gets its context, also when nobody reads it", a_sentence_gets_its_context, NULL, NULL, NULL},
    {"durations are read as seconds, days and Go's form", durations_are_read, NULL, NULL, NULL},
    {"what is no duration, or too long a one, is refused", what_is_no_duration_is_refused, NULL, NULL, NULL},
    {"a star in a pattern stands for any text, and nothing else is special", a_star_stands_for_any_text, NULL, NULL,
     NULL},
    {"durations are printed as Go prints them", durations_are_printed_as_go_does, NULL, NULL, NULL},
    {"a time is the same after printing and reading it", times_survive_printing, NULL, NULL, NULL},
    {"base64 is read with and without padding, and nothing else is", base64_is_read_with_and_without_padding, NULL,
     NULL, NULL},
    {"every byte survives hex and base64", every_byte_survives_hex_and_base64, NULL, NULL, NULL},
    {"base64 for names is read in its own alphabet alone", the_alphabet_for_names_is_another_one, NULL, NULL, NULL},
    {"a reader never runs over its end", a_reader_never_runs_over, NULL, NULL, NULL},
    {"arena memory is zeroed and aligned", arena_memory_is_zeroed_and_aligned, NULL, NULL, NULL},
    {"JSON that is too deep, too wide or has a NUL is refused", json_bombs_are_refused, NULL, NULL, NULL},
    {"an arena formats texts of any length", arena_texts_of_any_length, NULL, NULL, NULL},
    {"JSON is printed with sorted keys and Go's escapes", json_is_printed_as_go_does, NULL, NULL, NULL},
    {"a replaced file has the new contents, and too large a file is refused", a_replaced_file_is_whole, NULL, NULL,
     NULL},
    {"secrets are compared whole, and key memory begins zeroed", secrets_are_compared_whole, NULL, NULL, NULL},
    {"a pool runs everything it was given before it ends", a_pool_runs_everything_before_it_ends, NULL, NULL, NULL},
};

int main(void)
{
    json_setup();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
