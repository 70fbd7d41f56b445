/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "api/forwarded_for.h"

#include <cmocka.h> /* last: it makes `fail` a macro, which is a function of ours */

static const char *const proxies[] = {"10.0.0.0/8", "2001:db8::7"};
static struct forwarded_rules rules;
static struct http_header headers[3];
static struct http_call call;
static struct arena arena;
static struct refusal refusal;

/* As if a request with these headers (NULL: none) came from there. */
static int ask(const char *from, const char *first, const char *second)
{
    arena_close(&arena);
    arena_init(&arena);
    refusal = (struct refusal){0};
    call = (struct http_call){.headers = headers};
    snprintf(call.remote_addr, sizeof call.remote_addr, "%s", from);
    headers[call.n_headers++] = (struct http_header){.name = "accept", .value = "*"};
    if (first != NULL)
        headers[call.n_headers++] = (struct http_header){.name = "x-forwarded-for", .value = first};
    if (second != NULL)
        headers[call.n_headers++] = (struct http_header){.name = "x-forwarded-for", .value = second};
    return forwarded_for(&rules, &call, &arena, &refusal);
}

static int reset(void **state)
{
    (void)state;
    rules = (struct forwarded_rules){.authorized = proxies, .n_authorized = 2};
    return 0;
}

static void assert_client(const char *from, const char *first, const char *second, const char *client)
{
    if (ask(from, first, second) != OK)
        fail_msg("refused: %s", refusal.text);
    assert_string_equal(call.remote_addr, client);
}

static void assert_refused(const char *from, const char *first, const char *second, const char *text)
{
    assert_int_equal(ask(from, first, second), ERR_INVALID);
    assert_int_equal(refusal.status, 400);
    assert_string_equal(refusal.text, text);
}

static void the_last_address_is_the_clients(void **state)
{
    (void)state;
    assert_client("10.1.2.3", "192.0.2.1", NULL, "192.0.2.1");
    assert_client("10.1.2.3", "6.6.6.6, 192.0.2.1", NULL, "192.0.2.1");
    assert_client("10.1.2.3", "6.6.6.6", " 192.0.2.1\t", "192.0.2.1");
    assert_client("2001:db8::7", "6.6.6.6,2001:db8::1", NULL, "2001:db8::1");
    assert_client("10.1.2.3", "192.0.2.1:4711", NULL, "192.0.2.1");
    assert_client("10.1.2.3", "[2001:db8::1]:4711", NULL, "2001:db8::1");
}

static void hops_are_skipped_from_the_right(void **state)
{
    (void)state;
    rules.hop_skips = 1;
    assert_client("10.1.2.3", "6.6.6.6, 192.0.2.1, 10.9.9.9", NULL, "192.0.2.1");
    assert_client("10.1.2.3", "192.0.2.1", "10.9.9.9", "192.0.2.1");
    assert_refused("10.1.2.3", "192.0.2.1", NULL,
                   "malformed x-forwarded-for configuration or request, hops to skip (1) would skip before earliest "
                   "chain link (chain length 1)");
}

static void strangers_are_not_believed(void **state)
{
    (void)state;
    assert_client("192.0.2.66", "10.0.0.1", NULL, "192.0.2.66");
    rules.reject_not_authorized = true;
    assert_refused("192.0.2.66", "10.0.0.1", NULL,
                   "client address not authorized for x-forwarded-for and configured to reject connection");
    assert_client("192.0.2.66", NULL, NULL, "192.0.2.66");
}

static void without_the_header_the_address_is_the_connections(void **state)
{
    (void)state;
    assert_client("10.1.2.3", NULL, NULL, "10.1.2.3");
    rules.reject_not_present = true;
    assert_refused("10.1.2.3", NULL, NULL, "missing x-forwarded-for header and configured to reject when not present");
}

static void what_is_no_address_is_refused(void **state)
{
    static const char *const values[] = {"",  ",", "unknown", "10.0.0.0/8", "192.0.2.1, ",
                                         "[", "]", "[]",      ":",          "1.2.3.4.5"};
    char endless[300];

    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        assert_refused("10.1.2.3", values[i], NULL, "malformed x-forwarded-for: its address is none");
    memset(endless, '1', sizeof endless - 1);
    endless[sizeof endless - 1] = '\0';
    assert_refused("10.1.2.3", endless, NULL, "malformed x-forwarded-for: its address is none");
}

static void without_rules_the_header_is_not_looked_at(void **state)
{
    (void)state;
    rules = (struct forwarded_rules){.reject_not_present = true};
    assert_client("10.1.2.3", "192.0.2.1", NULL, "10.1.2.3");
    assert_client("10.1.2.3", NULL, NULL, "10.1.2.3");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_last_address_is_the_clients, reset),
        cmocka_unit_test_setup(hops_are_skipped_from_the_right, reset),
        cmocka_unit_test_setup(strangers_are_not_believed, reset),
        cmocka_unit_test_setup(without_the_header_the_address_is_the_connections, reset),
        cmocka_unit_test_setup(what_is_no_address_is_refused, reset),
        cmocka_unit_test_setup(without_rules_the_header_is_not_looked_at, reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
