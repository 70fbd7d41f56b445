/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "cli/command/kv.h"
#include "cli/output/secret_reply.h"

static int setup(void **state)
{
    struct cli *cli = calloc(1, sizeof *cli);

    arena_init(&cli->arena);
    cli->options = json_object();
    cli->kept = json_array();
    *state = cli;
    return 0;
}

static int teardown(void **state)
{
    struct cli *cli = *state;

    json_decref(cli->options);
    json_decref(cli->kept);
    arena_close(&cli->arena);
    free(cli);
    return 0;
}

static json_t *reply_of(struct cli *cli, const char *json)
{
    return secret_reply(cli, cli_keep(cli, json_loads(json, 0, NULL)));
}

static void expect_rows(struct cli *cli, const char *json, const char *expected)
{
    struct buf out = BUF_INIT;
    struct table table;

    table_init(&table, &cli->arena, 2);
    secret_put_rows(cli, reply_of(cli, json), &table);
    table_put(&table, &out);
    assert_string_equal(buf_str(&out), expected);
    buf_close(&out);
}

static void test_bare_answer(void **state)
{
    assert_int_equal(json_int(json_map_at(reply_of(*state, "{\"a\": 1}"), "data"), "a", 0), 1);
    assert_null(secret_reply(*state, NULL));
}

static void test_lease_rows(void **state)
{
    expect_rows(
        *state,
        "{\"lease_id\": \"aws/creds/x/1\", \"lease_duration\": 5400, \"renewable\": true, \"data\": {\"k\": 1}}",
        "lease_id           aws/creds/x/1\n"
        "lease_duration     1h30m\n"
        "lease_renewable    true\n"
        "k                  1\n");
    expect_rows(*state, "{\"lease_id\": \"\", \"lease_duration\": 2764800, \"data\": {}}",
                "refresh_interval    768h\n");
}

static void test_auth_rows(void **state)
{
    expect_rows(
        *state,
        "{\"auth\": {\"client_token\": \"t\", \"accessor\": \"a\", \"lease_duration\": 0, \"policies\": [\"p\"],"
        " \"metadata\": {\"username\": \"bob\"}}}",
        "token                  t\n"
        "token_accessor         a\n"
        "token_duration         ∞\n"
        "token_renewable        false\n"
        "token_policies         []\n"
        "identity_policies      []\n"
        "policies               [\"p\"]\n"
        "token_meta_username    bob\n");
}

static void test_wrap_rows(void **state)
{
    expect_rows(*state,
                "{\"wrap_info\": {\"token\": \"t\", \"accessor\": \"a\", \"ttl\": 300, \"creation_path\": \"p\","
                " \"creation_time\": \"2026-01-02T03:04:05.6Z\"}}",
                "wrapping_token:                  t\n"
                "wrapping_accessor:               a\n"
                "wrapping_token_ttl:              5m\n"
                "wrapping_token_creation_time:    2026-01-02 03:04:05.6 +0000 UTC\n"
                "wrapping_token_creation_path:    p\n");
}

static void test_duration_names(void **state)
{
    expect_rows(
        *state,
        "{\"data\": {\"ttl\": 60, \"my_ttl\": -5, \"battle\": 60, \"period\": 0, \"subttl\": 1, \"lease_max\": 3600,"
        " \"x_duration\": \"9\", \"y_ttl\": 1.5}}",
        "battle        60\n"
        "lease_max     1h\n"
        "my_ttl        -5s\n"
        "period        0s\n"
        "subttl        1\n"
        "ttl           1m\n"
        "x_duration    9\n"
        "y_ttl         1.5\n");
}

static void test_fields(void **state)
{
    json_t *secret =
        reply_of(*state, "{\"request_id\": \"r\", \"lease_duration\": 7, \"data\": {\"a\": null, \"b\": \"\"},"
                         " \"auth\": {\"client_token\": \"t\", \"metadata\": {\"u\": \"bob\"}},"
                         " \"wrap_info\": {\"token\": \"w\"}}");

    assert_string_equal(json_string_value(secret_field(*state, secret, "token")), "t");
    assert_string_equal(json_string_value(secret_field(*state, secret, "token_meta_u")), "bob");
    assert_string_equal(json_string_value(secret_field(*state, secret, "wrapping_token")), "w");
    assert_string_equal(json_string_value(secret_field(*state, secret, "b")), "");
    assert_string_equal(json_string_value(secret_field(*state, secret, "request_id")), "r");
    assert_int_equal(json_integer_value(secret_field(*state, secret, "refresh_interval")), 7);
    assert_true(json_is_object(secret_field(*state, secret, "data")));
    assert_null(secret_field(*state, secret, "a"));
    assert_null(secret_field(*state, secret, "nope"));
}

static void test_order(void **state)
{
    json_t *secret = reply_of(*state, "{\"warnings\": null, \"data\": {\"b\": 1, \"a\": 2}, \"request_id\": \"r\"}");
    char *text = json_dumps(secret_in_order(*state, secret), JSON_COMPACT);

    assert_string_equal(text, "{\"request_id\":\"r\",\"lease_id\":\"\",\"lease_duration\":0,\"renewable\":false,"
                              "\"data\":{\"a\":2,\"b\":1},\"warnings\":null}");
    free(text);
}

static void test_kv_paths(void **state)
{
    struct kv_place v1 = {.mount = "kv/", .key = "a/b", .version = 1};
    struct kv_place v2 = {.mount = "secret/", .key = "a/b", .version = 2};
    struct kv_place root = {.mount = "secret/", .key = "", .version = 2};

    assert_string_equal(kv_path(*state, &v1, "data"), "kv/a/b");
    assert_string_equal(kv_path(*state, &v2, "undelete"), "secret/undelete/a/b");
    assert_string_equal(kv_path(*state, &root, "metadata"), "secret/metadata");
}

#define WITH_CLI(name, fn)                                                                                             \
    {                                                                                                                  \
        name, fn, setup, teardown, NULL                                                                                \
    }

int main(void)
{
    static const struct CMUnitTest tests[] = {
        WITH_CLI("an answer without envelope is data", test_bare_answer),
        WITH_CLI("a lease comes first, and a duration without lease is a refresh interval", test_lease_rows),
        WITH_CLI("a token's rows have their own names, and no end is ∞", test_auth_rows),
        WITH_CLI("a wrapped answer shows its token and when it was made", test_wrap_rows),
        WITH_CLI("whole numbers named like durations print as durations", test_duration_names),
        WITH_CLI("a field is looked for in auth, wrapping, data and envelope", test_fields),
        WITH_CLI("the envelope prints in Vault's order", test_order),
        WITH_CLI("version 2 keeps each kind of thing below a path of its own", test_kv_paths),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
