/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/arena.h"
#include "cli/output/text.h"

/* What a function appends for a JSON value must be this text. */
static void expect(const char *json, void (*put)(struct buf *out, const json_t *value), const char *expected)
{
    json_t *value = json_loads(json, JSON_DECODE_ANY, NULL);
    struct buf out = BUF_INIT;

    assert_non_null(value);
    put(&out, value);
    assert_string_equal(buf_str(&out), expected);
    buf_close(&out);
    json_decref(value);
}

static void put_yaml(struct buf *out, const json_t *value)
{
    assert_true(text_put_yaml(out, value));
}

static void test_values_as_go(void **state)
{
    (void)state;
    expect("\"bare\"", text_put_value, "bare");
    expect("[1, 2.5, true, null, \"x\"]", text_put_value, "[1 2.5 true <nil> x]");
    expect("{\"b\": [], \"a\": {\"k\": \"v\"}}", text_put_value, "map[a:map[k:v] b:[]]");
}

static void test_reals(void **state)
{
    (void)state;
    expect("[0.1, 1.0, 1e20, 1e-7, 0.30000000000000004]", text_put_value, "[0.1 1.0 1e20 1e-7 0.30000000000000004]");
    expect("[1.0, 1e20]", put_yaml, "- 1\n- 1e+20\n");
}

static void test_quoted_list(void **state)
{
    (void)state;
    expect("[\"a\", \"b\"]", text_put_quoted_list, "[\"a\" \"b\"]");
    expect("[]", text_put_quoted_list, "[]");
}

static void test_json_layout(void **state)
{
    (void)state;
    expect("{\"z\": [1, {}], \"a\": [], \"n\": null}", text_put_json,
           "{\n  \"z\": [\n    1,\n    {}\n  ],\n  \"a\": [],\n  \"n\": null\n}");
}

static void test_json_escapes(void **state)
{
    (void)state;
    expect("\"<&>\\\"\\\\\\n\\t\\u0001é\"", text_put_json, "\"\\u003c\\u0026\\u003e\\\"\\\\\\n\\t\\u0001é\"");
}

static void test_yaml_layout(void **state)
{
    (void)state;
    expect("{\"b\": {\"c\": [1, [2], {\"d\": \"e\"}]}, \"a\": {}, \"l\": []}", put_yaml,
           "a: {}\nb:\n  c:\n  - 1\n  - - 2\n  - d: e\nl: []\n");
    expect("{\"10\": 1, \"9\": 2, \"a_b\": 3, \"aB\": 4}", put_yaml, "\"9\": 2\n\"10\": 1\na_b: 3\naB: 4\n");
    expect("\"two\\nlines\\n\"", put_yaml, "|\n  two\n  lines\n");
}

static void test_yaml_special(void **state)
{
    static const char *const special[] = {
        "",     "yes",  "No",    "on",       "y",          "null", "~",
        "12",   "0x1f", "1e3",   "1_000",    "2026-01-31", ".5",   "-.inf",
        ".NaN", "<<",   "12:30", "12:30:45", "+1",         "0b1",  "2026-01-31T10:00:00Z"};
    static const char *const plain[] = {"a",  "yesterday", "1.2.3", "10.0.0.1", "1h", "-",
                                        "e3", ".",         "v1",    "2026-01",  "="};

    (void)state;
    for (size_t i = 0; i < sizeof special / sizeof *special; i++)
        if (!text_is_yaml_special(special[i]))
            fail_msg("%s must be quoted", special[i]);
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        if (text_is_yaml_special(plain[i]))
            fail_msg("%s need not be quoted", plain[i]);
}

static void test_sorted(void **state)
{
    json_t *value = json_loads("{\"b\": [{\"d\": 1, \"c\": 2}], \"a\": 3}", 0, NULL), *sorted = text_sorted(value);
    char *text = json_dumps(sorted, JSON_COMPACT);

    (void)state;
    assert_string_equal(text, "{\"a\":3,\"b\":[{\"c\":2,\"d\":1}]}");
    free(text);
    json_decref(sorted);
    json_decref(value);
}

static void test_table(void **state)
{
    struct buf out = BUF_INIT;
    struct arena arena;
    struct table table;

    (void)state;
    arena_init(&arena);
    table_init(&table, &arena, 3);
    table_header(&table, "Path", "Type", "Description");
    table_row(&table, "a/", "∞", "");
    table_row(&table, "longer/", " kv\n", "x");
    assert_int_equal(table_rows(&table), 2);
    table_put(&table, &out);
    assert_string_equal(buf_str(&out), "Path       Type    Description\n"
                                       "----       ----    -----------\n"
                                       "a/         ∞       n/a\n"
                                       "longer/    kv      x\n");
    buf_close(&out);
    arena_close(&arena);
}

static void test_banner(void **state)
{
    struct buf out = BUF_INIT;

    (void)state;
    text_put_banner(&out, "Metadata", 24);
    text_put_banner(&out, "Data", 10);
    text_put_banner(&out, "Secret Path", 3);
    assert_string_equal(buf_str(&out), "======= Metadata =======\n== Data ==\n== Secret Path ==\n");
    buf_close(&out);
}

static void test_wrapped(void **state)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    char word[81];

    (void)state;
    memset(word, 'x', 80);
    word[80] = '\0';
    text_print_wrapped(out, "a b", 3, 2);
    text_print_wrapped(out, word, 80, 2);
    text_print_wrapped(out, "", 0, 2);
    fclose(out);
    assert_memory_equal(text, "  a b\n  xxx", 10);
    assert_int_equal(size, 6 + 2 + 80 + 1 + 1);
    free(text);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        {"values print as Go prints them", test_values_as_go, NULL, NULL, NULL},
        {"a real prints with the fewest digits that read back the same", test_reals, NULL, NULL, NULL},
        {"a list of policies prints quoted", test_quoted_list, NULL, NULL, NULL},
        {"JSON is indented by two and keeps the order of keys", test_json_layout, NULL, NULL, NULL},
        {"JSON escapes what HTML would read", test_json_escapes, NULL, NULL, NULL},
        {"YAML lists are not indented and keys are sorted, numbers by value", test_yaml_layout, NULL, NULL, NULL},
        {"a text that YAML would read as something else is quoted", test_yaml_special, NULL, NULL, NULL},
        {"a sorted copy is sorted at every depth", test_sorted, NULL, NULL, NULL},
        {"columns are padded by characters and empty cells are n/a", test_table, NULL, NULL, NULL},
        {"a banner has the asked width, or at least two signs", test_banner, NULL, NULL, NULL},
        {"a word longer than a line stands alone", test_wrapped, NULL, NULL, NULL},
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
