/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "api/path.h"

static void assert_path(const char *raw, const char *want)
{
    char path[64];
    struct err err = {0};

    if (path_canonical(raw, path, sizeof path, &err) != OK)
        fail_msg("%s: %s", raw, err_text(&err));
    assert_string_equal(path, want);
}

static void assert_refused(const char *raw, const char *sentence)
{
    char path[64];
    struct err err = {0};

    if (path_canonical(raw, path, sizeof path, &err) == OK)
        fail_msg("\"%s\" became \"%s\"", raw, path);
    if (strstr(err_text(&err), sentence) == NULL)
        fail_msg("%s: \"%s\" is not in \"%s\"", raw, sentence, err_text(&err));
}

static void decoded_once(void **state)
{
    (void)state;
    assert_path("secret/data/a", "secret/data/a");
    assert_path("a%20b/c+d", "a b/c+d");
    assert_path("a%2fb", "a/b");
    assert_path("a%252fb", "a%2fb");
    assert_path("%c3%a4", "\xc3\xa4");
    assert_path("\xc3\xa4", "\xc3\xa4");
    assert_path("a/", "a/");
    assert_path("", "");
    assert_path("...", "...");
    assert_path("a..b/.c/d.", "a..b/.c/d.");
    assert_path("me/..;/you", "me/..;/you");
}

static void relative(void **state)
{
    static const char *const paths[] = {"..",        "../a",       "a/..",     "a/../b",     "a/./b",      ".",
                                        "a/%2e%2e/", "a/%2E%2e/b", "a/.%2e/b", "a/%2e/b",    "a%2f..%2fb", "./a",
                                        "a/b/..",    "a/b/.",      "%2e%2e",   "a/%2e%2e%2f"};

    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        assert_refused(paths[i], "relative paths");
    assert_path("me/%252e%252e/you", "me/%2e%2e/you"); /* a name like any other */
}

static void empty_segments(void **state)
{
    (void)state;
    assert_refused("a//b", "empty segment");
    assert_refused("/a", "empty segment");
    assert_refused("a%2f/b", "empty segment");
    assert_refused("a/%2fb", "empty segment");
    assert_refused("%2f", "empty segment");
    assert_refused("a//", "empty segment");
}

static void characters(void **state)
{
    static const char *const hidden[] = {"a%01b",       "a%7fb",      "a%0ab",          "a%0db",      "a%1bb",
                                         "a%c2%80",     "a%c2%a0",    "a%e2%80%8b",     "a%e2%80%ae", "a%ef%bb%bf",
                                         "a%e2%80%a8b", "a%ef%bf%bf", "a%f3%a0%80%81b", "a%ee%80%80", "a%e3%80%80"};
    static const char *const broken[] = {"a%00b",        "%",      "a%2",      "a%zz",      "a%g0",
                                         "%ff",          "%c3",    "%c0%ae",   "%e0%80%ae", "%ed%a0%80",
                                         "%f4%90%80%80", "%c3%28", "\xc3(abc", "%80",       "%f5%80%80%80"};

    (void)state;
    for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++)
        assert_refused(hidden[i], "cannot be printed");
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++)
        assert_refused(broken[i], "not UTF-8, or not well encoded");
}

static void length(void **state)
{
    char raw[200], path[64];
    struct err err = {0};

    (void)state;
    memset(raw, 'a', sizeof raw);
    raw[63] = '\0';
    assert_path(raw, raw);
    raw[63] = 'a';
    raw[64] = '\0';
    assert_int_equal(path_canonical(raw, path, sizeof path, &err), ERR_TOO_LARGE);
    raw[0] = '\0';
    for (int i = 0; i < 63; i++)
        memcpy(raw + 3 * i, "%61", 4);
    assert_int_equal(path_canonical(raw, path, sizeof path, &err), OK);
    assert_int_equal(strlen(path), 63);
}

static void slashes(void **state)
{
    char path[64];

    (void)state;
    assert_true(path_has_double_slash("/v1//a"));
    assert_true(path_has_double_slash("//"));
    assert_false(path_has_double_slash("/v1/a/"));
    path_squeeze_slashes("//v1///a/b//", path);
    assert_string_equal(path, "/v1/a/b/");
    path_squeeze_slashes("", path);
    assert_string_equal(path, "");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        {"percent-encoding is undone exactly once", decoded_once, NULL, NULL, NULL},
        {"\".\" and \"..\" are refused however they are written", relative, NULL, NULL, NULL},
        {"empty segments are refused however they are written", empty_segments, NULL, NULL, NULL},
        {"invisible characters and broken encodings are refused", characters, NULL, NULL, NULL},
        {"a path that does not fit is refused, by its decoded length", length, NULL, NULL, NULL},
        {"doubled slashes are seen, and squeezed", slashes, NULL, NULL, NULL},
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
