/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "api/redirect.h"

#include <cmocka.h>

static void the_same_address_is_a_loop(void **state)
{
    (void)state;
    assert_true(redirect_is_loop("vault.example.com:8200", "https://vault.example.com:8200/v1/a"));
    assert_true(redirect_is_loop("Vault.Example.com", "https://vault.example.com:443/v1/a?b=:1"));
    assert_true(redirect_is_loop("vault.example.com:443", "https://vault.example.com/v1/a"));
    assert_true(redirect_is_loop("vault.example.com:80", "http://vault.example.com"));
    assert_true(redirect_is_loop("[::1]:8200", "https://[::1]:8200/v1/a"));
    assert_true(redirect_is_loop("[::1]", "https://[::1]:443/v1/a"));
}

static void another_address_is_none(void **state)
{
    (void)state;
    assert_false(redirect_is_loop(NULL, "https://a:8200/v1/a"));
    assert_false(redirect_is_loop("", "https://a:8200/v1/a"));
    assert_false(redirect_is_loop("a:8200", "https://a:8202/v1/a"));
    assert_false(redirect_is_loop("a", "https://a:8200/v1/a"));
    assert_false(redirect_is_loop("b:8200", "https://a:8200/v1/b:8200"));
    assert_false(redirect_is_loop("[::1]:8200", "https://[::2]:8200/v1/a"));
    assert_false(redirect_is_loop("[::1", "https://[::1]:8200/v1/a"));
    assert_false(redirect_is_loop("a:8200", "/v1/a"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_address_is_a_loop),
        cmocka_unit_test(another_address_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
