/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "api/params.h"
#include "base/buf.h"
#include "base/json.h"

#define FORM "application/x-www-form-urlencoded"

static void assert_data(json_t *data, const char *want)
{
    char *text = json_format(data);

    assert_string_equal(text, want);
    json_text_free(text);
    json_decref(data);
}

static void assert_query(const char *query, const char *want)
{
    json_t *data = NULL;
    struct err err = {0};

    if (params_read_query(query, &data, &err) != OK)
        fail_msg("%s", err_text(&err));
    assert_data(data, want);
}

static void assert_body(const char *type, const char *body, const char *want)
{
    json_t *data = NULL;
    struct err err = {0};

    if (params_read_body(type, body, strlen(body), &data, &err) != OK)
        fail_msg("%s", err_text(&err));
    assert_data(data, want);
}

static void assert_body_refused(const char *type, const char *body, const char *sentence)
{
    json_t *data = NULL;
    struct err err = {0};

    assert_int_equal(params_read_body(type, body, strlen(body), &data, &err), ERR_INVALID);
    assert_null(data);
    if (strstr(err_text(&err), sentence) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", sentence, err_text(&err));
}

static void queries(void **state)
{
    json_t *data = NULL;
    struct err err = {0};

    (void)state;
    assert_query(NULL, "{}");
    assert_query("", "{}");
    assert_query("&&", "{}");
    assert_query("a=1&b=x%20y&c=x+y&d&e=", "{\"a\":\"1\",\"b\":\"x y\",\"c\":\"x y\",\"d\":\"\",\"e\":\"\"}");
    assert_query("a=1&a=2&a=3&b=a=b", "{\"a\":[\"1\",\"2\",\"3\"],\"b\":\"a=b\"}");
    assert_query("help=1&list=true&scan=false&x=1", "{\"x\":\"1\"}");
    assert_int_equal(params_read_query("a=%zz", &data, &err), ERR_INVALID);
    assert_int_equal(params_read_query("a%00=1", &data, &err), ERR_INVALID);
    assert_int_equal(params_read_query("a=%ff", &data, &err), ERR_INVALID);
}

static void too_many(void **state)
{
    struct buf query = BUF_INIT;
    json_t *data = NULL;
    struct err err = {0};

    (void)state;
    for (int i = 0; i < PARAMS_MAX; i++)
        buf_puts(&query, "a=b&");
    assert_int_equal(params_read_query(buf_str(&query), &data, &err), OK);
    json_decref(data);
    buf_puts(&query, "c=d");
    assert_int_equal(params_read_query(buf_str(&query), &data, &err), ERR_INVALID);
    buf_close(&query);
}

static void flags(void **state)
{
    static const char *const yes[] = {"list=1", "list=t", "a=b&list=true", "list=TRUE", "list=True", "list=T"};
    static const char *const no[] = {NULL, "", "list", "list=", "list=0", "list=false", "list=F", "lists=1", "alist=1"};
    bool flag;

    (void)state;
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++) {
        assert_int_equal(params_query_flag(yes[i], "list", &flag), OK);
        assert_true(flag);
    }
    for (size_t i = 0; i < sizeof no / sizeof *no; i++) {
        assert_int_equal(params_query_flag(no[i], "list", &flag), OK);
        assert_false(flag);
    }
    assert_int_equal(params_query_flag("list=yes", "list", &flag), ERR_INVALID);
    assert_int_equal(params_query_flag("list=tRUE", "list", &flag), ERR_INVALID);
    assert_true(params_query_has("help=1", "help"));
    assert_false(params_query_has("help=", "help"));
    assert_false(params_query_has(NULL, "help"));
}

static void json_bodies(void **state)
{
    (void)state;
    assert_body(NULL, "{\"a\":{\"b\":[1,true,null]}}", "{\"a\":{\"b\":[1,true,null]}}");
    assert_body(FORM, " {\"a\":1}", "{\"a\":1}");
    assert_body("text/plain", "{\"a\":1}\n", "{\"a\":1}");
    assert_body(NULL, "", "{}");
    assert_body(NULL, " \r\n\t", "{}");
    assert_body("application/json", "null", "{}");
    assert_body_refused(NULL, "[1]",
                        "failed to decode JSON input: json: cannot unmarshal array into Go value of type "
                        "map[string]interface {}");
    assert_body_refused(NULL, "\"a\"", "cannot unmarshal string");
    assert_body_refused(NULL, "1", "cannot unmarshal number");
    assert_body_refused(NULL, "true", "cannot unmarshal bool");
    assert_body_refused(NULL, "{\"a\"", "failed to decode JSON input: ");
    assert_body_refused(NULL, "{} x", "failed to decode JSON input: ");
    assert_body_refused(FORM, "[", "failed to decode JSON input: ");
    assert_body_refused(NULL, "{\"a\":\"\\u0000\"}", "failed to decode JSON input: ");
}

static void form_bodies(void **state)
{
    (void)state;
    assert_body(FORM, "a=1&a=2&b=c%26d+e", "{\"a\":\"1,2\",\"b\":\"c\\u0026d e\"}");
    assert_body("Application/X-WWW-form-urlencoded; charset=utf-8", "a=1", "{\"a\":\"1\"}");
    assert_body(FORM, "\"a\"", "{\"\\\"a\\\"\":\"\"}");
    assert_body_refused(FORM, "a=%zz", "error parsing form data");
    assert_body_refused(FORM "2", "a=1", "failed to decode JSON input: ");
}

static void nul_in_body(void **state)
{
    json_t *data = NULL;
    struct err err = {0};

    (void)state;
    assert_int_equal(params_read_body(NULL, "\0{}", 3, &data, &err), ERR_INVALID);
    assert_int_equal(params_read_body(FORM, "a=\0b", 4, &data, &err), ERR_INVALID);
    assert_int_equal(params_read_body(NULL, NULL, 0, &data, &err), OK);
    assert_data(data, "{}");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        {"a query becomes strings, and arrays of those that repeat", queries, NULL, NULL, NULL},
        {"a query of too many parameters is refused", too_many, NULL, NULL, NULL},
        {"flags are read as Go reads them", flags, NULL, NULL, NULL},
        {"a JSON body is read whatever its type says, and must be an object", json_bodies, NULL, NULL, NULL},
        {"a form is read where the type says so, repeated keys joined", form_bodies, NULL, NULL, NULL},
        {"NUL bytes are refused", nul_in_body, NULL, NULL, NULL},
    };

    json_setup();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
