/* SPDX-License-Identifier: Apache-2.0 */
/* What of core needs neither a store nor a cluster: routes, parameters, blocks of addresses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/cidr.h"
#include "base/json.h"
#include "core/request/field.h"
#include "core/request/router.h"
#include "core/seal/rotate.h"

#include <cmocka.h> /* last: its macro fail() would hide ours */

/* ---- Routes ---- */

static int nothing(struct request *req)
{
    (void)req;
    return OK;
}

static const struct route routes[] = {
    {"roles/", OP_LIST, nothing, 0, NULL, NULL, NULL},        {"roles/:name", OP_READ, nothing, 0, NULL, NULL, NULL},
    {"roles/:name", OP_UPDATE, nothing, 0, NULL, NULL, NULL}, {"roles/:name/id", OP_READ, nothing, 0, NULL, NULL, NULL},
    {"data/*path", OP_READ, nothing, 0, NULL, NULL, NULL},    {0},
};

static int match(const char *path, enum operation operation, const char *name, const char *value)
{
    const struct route *route;
    json_t *captures;
    int rc = router_match(routes, path, operation, &route, &captures);
    if (rc != OK)
        return rc;
    if (name != NULL)
        assert_string_equal(json_str(captures, name, "(none)"), value);
    json_decref(captures);
    return OK;
}

static void a_path_finds_its_row(void **state)
{
    (void)state;
    assert_int_equal(match("roles/", OP_LIST, NULL, NULL), OK);
    assert_int_equal(match("roles/a-b.c_1", OP_READ, "name", "a-b.c_1"), OK);
    assert_int_equal(match("roles/a", OP_CREATE, "name", "a"), OK);
    assert_int_equal(match("roles/a/id", OP_READ, "name", "a"), OK);
    assert_int_equal(match("data/x/y/z", OP_READ, "path", "x/y/z"), OK);
}

static void a_path_of_no_row_is_not_found_and_of_no_operation_unsupported(void **state)
{
    (void)state;
    static const char *const unknown[] = {
        "",         "role",      "roles/a/",    "roles/a/b", "data/",         "roles/a.",
        "roles/-a", "roles/a b", "roles/a/id/", "Roles/a",   "roles/\xc3\xa4"};
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++)
        assert_int_equal(match(unknown[i], OP_READ, NULL, NULL), ERR_NOTFOUND);
    assert_int_equal(match("roles/", OP_READ, NULL, NULL), ERR_UNSUPPORTED);
    assert_int_equal(match("roles", OP_READ, NULL, NULL), ERR_UNSUPPORTED); /* there is a list of it */
    assert_int_equal(match("roles/a", OP_DELETE, NULL, NULL), ERR_UNSUPPORTED);
    assert_int_equal(match("data/a", OP_UPDATE, NULL, NULL), ERR_UNSUPPORTED);
}

/* ---- Parameters ---- */

static const struct field fields[] = {
    {"s", FIELD_STRING, ""}, {"b", FIELD_BOOL, ""},
    {"i", FIELD_INT, ""},    {"d", FIELD_DURATION, ""},
    {"l", FIELD_LIST, ""},   {"t", FIELD_STRINGS, ""},
    {"m", FIELD_MAP, ""},    {"k", FIELD_KV, ""},
    {"n", FIELD_INTS, ""},   {0},
};

/* What the one field becomes, as JSON text in ret, or the error. */
static int convert(const char *name, const char *json, char *ret, size_t size)
{
    static const struct route route = {"x", OP_UPDATE, nothing, 0, NULL, fields, NULL};
    struct request req = {.route = &route, .data = json_object(), .captures = json_object()};
    json_t *value = NULL;
    assert_int_equal(json_parse(json, strlen(json), &value, NULL), OK);
    json_object_set_new(req.data, name, value);
    int rc = field_convert(&req);
    if (rc == OK) {
        char *text = json_format(field_json(&req, name) != NULL ? field_json(&req, name) : json_null());
        snprintf(ret, size, "%s", text);
        json_text_free(text);
    }
    json_decref(req.data);
    json_decref(req.captures);
    json_decref(req.fields);
    return rc;
}

static void parameters_are_taken_as_leniently_as_clients_send_them(void **state)
{
    (void)state;
    static const struct {
        const char *name, *json, *becomes;
    } rows[] = {
        {"s", "5", "\"5\""},
        {"s", "true", "\"1\""},
        {"b", "\"true\"", "true"},
        {"b", "0", "false"},
        {"b", "\"\"", "false"},
        {"i", "\"12\"", "12"},
        {"i", "3.9", "3"},
        {"i", "\"\"", "0"},
        {"d", "\"1h\"", "3600"},
        {"d", "90", "90"},
        {"d", "\"2d\"", "172800"},
        {"l", "\"a, b ,c\"", "[\"a\",\"b\",\"c\"]"},
        {"l", "[\"a\",2]", "[\"a\",\"2\"]"},
        {"l", "\"\"", "[]"},
        {"t", "\"a,b\"", "[\"a,b\"]"},
        {"m", "\"{\\\"a\\\":1}\"", "{\"a\":1}"},
        {"k", "[\"a=1\",\"b=2=3\"]", "{\"a\":\"1\",\"b\":\"2=3\"}"},
        {"k", "{\"a\":1}", "{\"a\":\"1\"}"},
        {"n", "\"1,2\"", "[1,2]"},
        {"s", "null", "null"},
    };
    char text[200];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(convert(rows[i].name, rows[i].json, text, sizeof text), OK);
        assert_string_equal(text, rows[i].becomes);
    }
}

static void parameters_of_a_wrong_type_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *name, *json;
    } rows[] = {{"s", "{}"},
                {"s", "[1]"},
                {"b", "\"perhaps\""},
                {"i", "\"five\""},
                {"i", "\"99999999999999999999\""},
                {"d", "-5"},
                {"d", "\"soon\""},
                {"d", "\"-5s\""},
                {"l", "{}"},
                {"l", "[{}]"},
                {"m", "\"text\""},
                {"m", "[1]"},
                {"k", "\"no pair\""},
                {"k", "{\"a\":{}}"},
                {"n", "\"1,x\""}};
    char text[200];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(convert(rows[i].name, rows[i].json, text, sizeof text), ERR_INVALID);
}

/* ---- Addresses ---- */

static void a_block_has_its_addresses_and_no_others(void **state)
{
    (void)state;
    assert_true(cidr_has("10.0.0.0/8", "10.255.0.1"));
    assert_false(cidr_has("10.0.0.0/8", "11.0.0.1"));
    assert_true(cidr_has("192.168.1.128/25", "192.168.1.200"));
    assert_false(cidr_has("192.168.1.128/25", "192.168.1.100"));
    assert_true(cidr_has("127.0.0.1", "127.0.0.1"));
    assert_true(cidr_has("0.0.0.0/0", "8.8.8.8"));
    assert_true(cidr_has("10.0.0.0/8", "::ffff:10.1.2.3"));
    assert_true(cidr_has("2001:db8::/33", "2001:db8:7fff::1"));
    assert_false(cidr_has("2001:db8::/33", "2001:db8:8000::1"));
    assert_false(cidr_has("0.0.0.0/0", "2001:db8::1"));
    assert_false(cidr_has("10.0.0.0/8", "nonsense"));
    assert_false(cidr_has("10.0.0.0/8", NULL));
}

static void what_is_no_block_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",           "10.0.0.0/33", "10.0.0/8",    "10.0.0.0/",
                                      "10.0.0.0/x", "10.0.0.0/-1", "10.0.0.0/8 ", "::/129",
                                      "host/8",     "10.0.0.0/8/8"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(cidr_is_valid(bad[i]));
    assert_true(cidr_is_valid("::1"));
}

/* ---- Rotation ---- */

#define DAY_MS (INT64_C(24) * 3600 * 1000)

static void a_term_is_replaced_by_use_or_age(void **state)
{
    (void)state;
    struct rotate_config by_use = {.enabled = true, .max_operations = 1000}, by_age = by_use, off = by_use;
    by_age.interval_s = 2 * 24 * 3600;
    off.enabled = false;
    off.interval_s = 1;
    struct rotate_status new = {.installed_ms = DAY_MS, .records = 999},
                         used = {.installed_ms = DAY_MS, .records = 1000};
    assert_false(rotate_is_due(&by_use, &new, 1000 * DAY_MS));
    assert_true(rotate_is_due(&by_use, &used, DAY_MS));
    assert_false(rotate_is_due(&by_age, &new, 3 * DAY_MS - 1));
    assert_true(rotate_is_due(&by_age, &new, 3 * DAY_MS));
    assert_true(rotate_is_due(&by_age, &used, DAY_MS));
    assert_false(rotate_is_due(&by_age, &new, 0)); /* the clock was set back */
    assert_false(rotate_is_due(&off, &used, 1000 * DAY_MS));
}

static const struct CMUnitTest tests[] = {
    {"a path finds its row, and its names", a_path_finds_its_row, NULL, NULL, NULL},
    {"a path of no row is not found, one of another operation unsupported",
     a_path_of_no_row_is_not_found_and_of_no_operation_unsupported, NULL, NULL, NULL},
    {"parameters are taken as leniently as clients send them", parameters_are_taken_as_leniently_as_clients_send_them,
     NULL, NULL, NULL},
    {"parameters of a wrong type are refused", parameters_of_a_wrong_type_are_refused, NULL, NULL, NULL},
    {"a block has its addresses and no others", a_block_has_its_addresses_and_no_others, NULL, NULL, NULL},
    {"what is no block of addresses is refused", what_is_no_block_is_refused, NULL, NULL, NULL},
    {"a term is replaced when it was used enough or is old enough, unless that is off",
     a_term_is_replaced_by_use_or_age, NULL, NULL, NULL},
};

int main(void)
{
    json_setup();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
