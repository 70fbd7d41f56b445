/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/json.h"
#include "config/hcl.h"

static struct hcl *parse(const char *text)
{
    struct hcl *hcl = NULL;
    struct err err = {0};

    if (hcl_parse(text, strlen(text), &hcl, &err) != OK)
        fail_msg("%s", err_text(&err));
    return hcl;
}

static void assert_refused(const char *text, const char *sentence)
{
    struct hcl *hcl = NULL;
    struct err err = {0};

    assert_int_equal(hcl_parse(text, strlen(text), &hcl, &err), ERR_INVALID);
    assert_null(hcl);
    if (strstr(err_text(&err), sentence) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", sentence, err_text(&err));
}

/* The value of `x` in the text, as JSON. */
static void assert_value(const char *text, const char *json)
{
    struct hcl *hcl = parse(text);
    const struct hcl_item *item = hcl_find(hcl_root(hcl), "x");

    assert_non_null(item);
    json_t *value = hcl_item_json(item);
    char *shown = json_format(value);
    assert_string_equal(shown, json);
    json_text_free(shown);
    json_decref(value);
    hcl_free(hcl);
}

static void values(void **state)
{
    (void)state;
    assert_value("x = \"a\"", "\"a\"");
    assert_value("x = 12", "12");
    assert_value("x = -12", "-12");
    assert_value("x = 0x1F", "31");
    assert_value("x = 017", "15");
    assert_value("x = 1.5", "1.5");
    assert_value("x = 1e3", "1000.0");
    assert_value("x = true", "true");
    assert_value("x = [1, \"a\", [true,],]", "[1,\"a\",[true]]");
    assert_value("x = { a = 1, b = { c = [] } \"d e\" = 2 f \"g\" { h = 1 } }",
                 "{\"a\":1,\"b\":{\"c\":[]},\"d e\":2,\"f\":{\"g\":{\"h\":1}}}");
    assert_value("\"x\" = 1", "1");
    assert_value("\xef\xbb\xbfx = \"\xc3\xa4\"", "\"\xc3\xa4\"");
}

static void escapes(void **state)
{
    (void)state;
    assert_value("x = \"\\n\\t\\\\\\\"\\x41\\101\\u00e4\\U0001F600\"", "\"\\n\\t\\\\\\\"AA\xc3\xa4\xf0\x9f\x98\x80\"");
    assert_value("x = \"${a \"b\" {}}\"", "\"${a \\\"b\\\" {}}\"");
    assert_refused("x = \"\\q\"", "line 1, column 7: unknown escape");
    assert_refused("x = \"\\x00\"", "no character");
    assert_refused("x = \"\\ud800\"", "no character");
    assert_refused("x = \"\\u12\"", "too few digits");
    assert_refused("x = \"${a", "not closed");
}

static void heredocs(void **state)
{
    (void)state;
    assert_value("x = <<EOF\none\n  two\nEOF\n", "\"one\\n  two\\n\"");
    assert_value("x = <<-EOF\n    one\n      two\n    EOF\n", "\"one\\n  two\\n\"");
    assert_value("x = <<-EOF\n  one\n      two\n    EOF\n", "\"  one\\n      two\\n\"");
    assert_value("x = <<EOF\r\none\r\nEOF", "\"one\\r\\n\"");
    assert_value("x = <<E\nE", "\"\"");
    assert_value("x = [<<E\na\nE\n, 2]", "[\"a\\n\",2]");
    assert_refused("x = <<EOF\none\n", "not closed");
    assert_refused("x = <<EOF one\nEOF\n", "end of the line");
    assert_refused("x = <<\n", "marker");
}

static void comments(void **state)
{
    (void)state;
    assert_value("# one\n// two\n/* three\n x = 2 */ x /**/ = # four\n 1 // five", "1");
    assert_refused("x = 1 /* no end", "comment is not closed");
}

static void blocks(void **state)
{
    struct hcl *hcl = parse("ui = true\npath \"secret/*\" {\n  capabilities = [\"read\"]\n}\nlistener tcp { a = 1 }\n"
                            "path \"x\" {}\naudit \"file\" \"main\" { options { p = \"q\" } }\n");
    const struct hcl_body *root = hcl_root(hcl);

    (void)state;
    assert_false(hcl_is_json(hcl));
    assert_int_equal(root->n_items, 5);
    assert_string_equal(root->items[1].key, "path");
    assert_string_equal(root->items[1].labels[0], "secret/*");
    assert_int_equal(root->items[1].line, 2);
    assert_null(root->items[1].value);
    assert_int_equal(root->items[1].body->n_items, 1);
    assert_int_equal(root->items[1].body->items[0].line, 3);
    assert_string_equal(root->items[2].labels[0], "tcp");
    assert_int_equal(root->items[3].body->n_items, 0);
    assert_int_equal(root->items[4].n_labels, 2);
    assert_string_equal(root->items[4].labels[1], "main");
    json_t *object = hcl_item_json(&root->items[4]);
    char *text = json_format(object);
    assert_string_equal(text, "{\"file\":{\"main\":{\"options\":{\"p\":\"q\"}}}}");
    json_text_free(text);
    json_decref(object);
    hcl_free(hcl);
}

static void repeated_blocks(void **state)
{
    (void)state;
    assert_value("x { r { a = 1 } r { a = 2 } r { a = 3 } }", "{\"r\":[{\"a\":1},{\"a\":2},{\"a\":3}]}");
}

static void twice(void **state)
{
    (void)state;
    assert_refused("a = 1\na = 2", "line 2: the key \"a\" is given twice");
    assert_refused("a = 1\na { }", "given twice");
    assert_refused("a { }\na = 1", "given twice");
    assert_refused("x = { a = 1, a = 2 }", "given twice");
}

static void json_form(void **state)
{
    struct hcl *hcl = parse(" {\"path\":{\"a\":{\"capabilities\":[\"read\"],\"o\":{}},\"b\":{}},\"ui\":true,"
                            "\"telemetry\":{\"x\":1},\"listener\":[{\"tcp\":{\"k\":1}},{\"tcp\":{}}],\"empty\":{}}");
    const struct hcl_body *root = hcl_root(hcl);

    (void)state;
    assert_true(hcl_is_json(hcl));
    assert_int_equal(root->n_items, 7);
    assert_string_equal(root->items[0].labels[0], "a");
    assert_true(json_is_array(root->items[0].body->items[0].value));
    assert_true(json_is_object(root->items[0].body->items[1].value));
    assert_string_equal(root->items[1].labels[0], "b");
    assert_true(json_is_true(root->items[2].value));
    assert_int_equal(root->items[3].n_labels, 0);
    assert_int_equal(root->items[3].body->n_items, 1);
    assert_string_equal(root->items[4].key, "listener");
    assert_string_equal(root->items[4].labels[0], "tcp");
    assert_string_equal(root->items[5].labels[0], "tcp");
    assert_int_equal(root->items[6].body->n_items, 0);
    hcl_free(hcl);
    assert_refused("{\"a\":", "JSON");
    assert_refused("{\"a\":1} b", "JSON");
}

static void errors(void **state)
{
    (void)state;
    assert_refused("a", "line 1, column 2: expected '=' or '{', found the end");
    assert_refused("a = ", "expected a value, found the end");
    assert_refused("a \"b\" = 1", "expected '{', found '='");
    assert_refused("a {\n", "expected a key, found the end");
    assert_refused("\n  = 1", "line 2, column 3: expected a key, found '='");
    assert_refused("a = [1 2]", "expected ',' or ']'");
    assert_refused("a = 30s", "need quotes");
    assert_refused("a = 99999999999999999999", "not a number");
    assert_refused("a = \"b\nc\"", "not closed on its line");
    assert_refused("a = \"b", "not closed");
    assert_refused("a = ?", "unexpected character");
    assert_refused("a = b", "expected a value, found a name");
    assert_refused("a = \"\xff\"", "line 1: the text is not UTF-8");
    assert_refused("a = \"\xed\xa0\x80\"", "not UTF-8");
    assert_refused("a = \"\xc3", "not UTF-8");
}

static void nul_byte(void **state)
{
    struct hcl *hcl = NULL;
    struct err err = {0};

    (void)state;
    assert_int_equal(hcl_parse("a = 1\n\0", 7, &hcl, &err), ERR_INVALID);
    assert_string_equal(err_text(&err), "line 2: the text is not UTF-8, or holds a NUL");
    assert_int_equal(hcl_parse("", 0, &hcl, &err), OK);
    assert_int_equal(hcl_root(hcl)->n_items, 0);
    hcl_free(hcl);
}

static void assert_repeated_refused(const char *unit, size_t times, const char *before, const char *sentence)
{
    struct buf text = BUF_INIT;

    buf_puts(&text, before);
    for (size_t i = 0; i < times; i++)
        buf_puts(&text, unit);
    assert_refused(buf_str(&text), sentence);
    buf_close(&text);
}

static void bounds(void **state)
{
    (void)state;
    assert_repeated_refused("[", 100000, "x = ", "nested too deep");
    assert_repeated_refused("{ a = ", 100000, "x = ", "nested too deep");
    assert_repeated_refused("a {", 100000, "", "nested too deep");
    assert_repeated_refused("a ", 100000, "", "too many labels");
    assert_repeated_refused("a ", 100000, "x = { ", "nested too deep");
    assert_repeated_refused("1,", 100001, "x = [", "too many values");
    assert_repeated_refused("a {}\n", 100001, "", "too many values");
    assert_repeated_refused("0123456789abcdef", 300000, "", "longer than");
    assert_repeated_refused("[", 100000, "{\"a\":", "nested deeper");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        {"every kind of value is read", values, NULL, NULL, NULL},
        {"escapes in strings mean what HCL says, and unknown ones are refused", escapes, NULL, NULL, NULL},
        {"here-documents keep their lines, and <<- takes the indent away", heredocs, NULL, NULL, NULL},
        {"all three kinds of comment are skipped", comments, NULL, NULL, NULL},
        {"blocks have labels, lines and bodies", blocks, NULL, NULL, NULL},
        {"repeated blocks become an array in JSON", repeated_blocks, NULL, NULL, NULL},
        {"a key that is given twice is refused", twice, NULL, NULL, NULL},
        {"JSON gives the same tree as HCL", json_form, NULL, NULL, NULL},
        {"errors say where and what", errors, NULL, NULL, NULL},
        {"a NUL byte is refused and an empty text is not", nul_byte, NULL, NULL, NULL},
        {"depth, count and size are bounded", bounds, NULL, NULL, NULL},
    };

    json_setup();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
