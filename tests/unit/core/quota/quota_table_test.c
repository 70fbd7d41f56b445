/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "core/request/quota.h"

#include <cmocka.h> /* after engine.h: it makes a macro of fail */

static struct quota_rule rule = {.name = "a", .path = "kv/", .limit = 2, .interval_ms = 1000};

static int setup(void **state)
{
    *state = quota_table_new();
    return 0;
}

static int teardown(void **state)
{
    quota_table_free(*state);
    return 0;
}

static void test_an_address_gets_its_rate_in_each_interval(void **state)
{
    struct quota_verdict first = quota_table_take(*state, &rule, "10.0.0.1", 5000);
    assert_true(first.is_allowed);
    assert_int_equal(first.remaining, 1);
    assert_int_equal(first.reset_s, 1);
    assert_true(quota_table_take(*state, &rule, "10.0.0.1", 5900).is_allowed);
    struct quota_verdict third = quota_table_take(*state, &rule, "10.0.0.1", 5999);
    assert_false(third.is_allowed);
    assert_false(third.is_blocked);
    assert_int_equal(third.retry_s, 1);
    assert_true(quota_table_take(*state, &rule, "10.0.0.2", 5999).is_allowed);
    assert_true(quota_table_take(*state, &rule, "10.0.0.1", 6000).is_allowed);
}

static void test_one_too_many_blocks_for_as_long_as_the_rule_says(void **state)
{
    struct quota_rule blocking = {.name = "b", .path = "kv/", .limit = 1, .interval_ms = 1000, .block_ms = 5000};
    assert_true(quota_table_take(*state, &blocking, "10.0.0.1", 1000).is_allowed);
    assert_int_equal(quota_table_take(*state, &blocking, "10.0.0.1", 1001).retry_s, 5);
    struct quota_verdict blocked = quota_table_take(*state, &blocking, "10.0.0.1", 4000);
    assert_true(blocked.is_blocked);
    assert_false(blocked.is_allowed);
    assert_int_equal(blocked.retry_s, 3);
    assert_true(quota_table_take(*state, &blocking, "10.0.0.1", 6001).is_allowed);
}

static void test_two_rules_count_apart(void **state)
{
    struct quota_rule other = {.name = "c", .path = "", .limit = 1, .interval_ms = 1000};
    assert_true(quota_table_take(*state, &other, "10.0.0.1", 1000).is_allowed);
    assert_true(quota_table_take(*state, &rule, "10.0.0.1", 1000).is_allowed);
    assert_false(quota_table_take(*state, &other, "10.0.0.1", 1000).is_allowed);
}

/* More than there are places; the latest is still counted. */
static void test_any_number_of_addresses_is_taken(void **state)
{
    char address[32];
    for (int i = 0; i < 100000; i++) {
        snprintf(address, sizeof address, "10.%d.%d.%d", i >> 16, (i >> 8) & 255, i & 255);
        assert_true(quota_table_take(*state, &rule, address, 1000 + i / 1000).is_allowed);
    }
    assert_int_equal(quota_table_take(*state, &rule, address, 1100).remaining, 0);
}

static void test_the_longest_path_fits_best(void **state)
{
    (void)state;
    assert_true(quota_path_fits("", "kv/a") > 0);
    assert_true(quota_path_fits("kv/", "kv/a") > quota_path_fits("", "kv/a"));
    assert_true(quota_path_fits("kv/a*", "kv/abc") > quota_path_fits("kv/", "kv/abc"));
    assert_true(quota_path_fits("kv/abc", "kv/abc") > quota_path_fits("kv/abc*", "kv/abc"));
    assert_int_equal(quota_path_fits("kv/", "kvx/a"), 0);
    assert_int_equal(quota_path_fits("kv/abc", "kv/abcd"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_an_address_gets_its_rate_in_each_interval, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_too_many_blocks_for_as_long_as_the_rule_says, setup, teardown),
        cmocka_unit_test_setup_teardown(test_two_rules_count_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(test_any_number_of_addresses_is_taken, setup, teardown),
        cmocka_unit_test(test_the_longest_path_fits_best),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
