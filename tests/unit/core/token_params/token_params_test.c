/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include "base/json.h"
#include "core/request/field.h"
#include "core/token/token_params.h"

#include <cmocka.h> /* after engine.h: it makes a macro of fail */

static const struct field fields[] = {
    {"ttl", FIELD_DURATION, ""}, {"policies", FIELD_LIST, ""}, TOKEN_PARAM_FIELDS, {0}};
static const struct route route = {.fields = fields};
static const struct token_alias aliases[] = {{"ttl", "token_ttl"}, {"policies", "token_policies"}, {0}};

/* What a body makes of a record. */
static int take(const char *body, json_t *record, struct err *ret_err)
{
    struct request req = {.route = &route, .data = json_loads(body, 0, NULL)};
    arena_init(&req.arena);
    int rc = field_convert(&req);
    if (rc == OK)
        rc = token_params_take(&req, record, aliases);
    *ret_err = req.err;
    arena_close(&req.arena);
    json_decref(req.data);
    json_decref(req.fields);
    return rc;
}

static void refused(const char *body, const char *sentence)
{
    json_t *record = json_object();
    struct err err;
    assert_int_equal(take(body, record, &err), ERR_INVALID);
    assert_string_equal(err.text, sentence);
    json_decref(record);
}

static void test_checks(void **state)
{
    (void)state;
    refused("{\"token_ttl\":\"2h\",\"token_max_ttl\":\"1h\"}", "'token_ttl' cannot be greater than 'token_max_ttl'");
    refused("{\"token_num_uses\":-1}", "'token_num_uses' cannot be negative");
    refused("{\"token_type\":\"x\"}", "invalid 'token_type' value \"x\"");
    refused("{\"token_type\":\"default-batch\"}", "invalid 'token_type' value \"default-batch\"");
    refused("{\"token_type\":\"batch\", \"token_num_uses\":3}",
            "'token_type' cannot be 'batch' or 'default_batch' when set to generate tokens with limited use count");
    refused("{\"token_type\":\"batch\", \"token_period\":3}",
            "'token_type' cannot be 'batch' or 'default_batch' when set to generate periodic tokens");
    refused("{\"token_bound_cidrs\":\"10.0.0.0/99\"}",
            "error parsing address \"10.0.0.0/99\": it is no IPv4 or IPv6 address or block");
}

static void test_root(void **state)
{
    static const char *const spellings[] = {"root", "Root", "rOOt", " root", "root ", "\\troot\\n"};
    (void)state;
    for (size_t i = 0; i < sizeof spellings / sizeof spellings[0]; i++) {
        char body[64];
        snprintf(body, sizeof body, "{\"token_policies\":[\"a\",\"%s\"]}", spellings[i]);
        refused(body, "auth methods cannot create root tokens");
        snprintf(body, sizeof body, "{\"policies\":[\"%s\"]}", spellings[i]);
        refused(body, "auth methods cannot create root tokens");
    }
}

static void test_alias(void **state)
{
    json_t *record = json_object(), *data = json_object();
    struct err err;
    (void)state;
    assert_int_equal(take("{\"ttl\":\"1h\"}", record, &err), OK);
    token_params_describe(record, aliases, data);
    assert_int_equal(json_int(data, "ttl", 0), 3600);
    assert_int_equal(json_int(data, "token_ttl", 0), 3600);
    assert_int_equal(take("{\"token_ttl\":\"2h\"}", record, &err), OK);
    json_object_clear(data);
    token_params_describe(record, aliases, data);
    assert_null(json_object_get(data, "ttl"));
    assert_int_equal(json_int(data, "token_ttl", 0), 7200);
    json_decref(data);
    json_decref(record);
}

static void test_defaults(void **state)
{
    json_t *record = json_object(), *data = json_object();
    (void)state;
    token_params_describe(record, aliases, data);
    json_t *expected = json_loads("{\"token_ttl\":0,\"token_max_ttl\":0,\"token_policies\":[],\"token_bound_cidrs\":[],"
                                  "\"token_explicit_max_ttl\":0,\"token_no_default_policy\":false,\"token_num_uses\":0,"
                                  "\"token_period\":0,\"token_type\":\"default\",\"token_strictly_bind_ip\":false}",
                                  0, NULL);
    assert_true(json_equal(data, expected));
    json_decref(expected);
    json_decref(data);
    json_decref(record);
}

static void test_policies(void **state)
{
    json_t *record = json_object();
    struct err err;
    (void)state;
    assert_int_equal(take("{\"token_policies\":[\"Z\",\"a\",\" z\",\"\"]}", record, &err), OK);
    json_t *policies = token_params_policies(record), *expected = json_pack("[s, s]", "a", "z");
    assert_true(json_equal(policies, expected));
    json_decref(expected);
    json_decref(policies);
    json_decref(record);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        {"what does not fit together is refused", test_checks, NULL, NULL, NULL},
        {"no spelling of root can be given to a login", test_root, NULL, NULL, NULL},
        {"an old name is shown only as long as it was the last one used", test_alias, NULL, NULL, NULL},
        {"what was never given is shown with its default", test_defaults, NULL, NULL, NULL},
        {"a token's policies are in lower case, sorted, each once", test_policies, NULL, NULL, NULL},
    };
    json_setup();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
