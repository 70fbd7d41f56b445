/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "auth/userpass/bcrypt.h"

#define PASSWORD_72 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef01234567"

static void test_round_trip(void **state)
{
    char hash[BCRYPT_HASH_SIZE], again[BCRYPT_HASH_SIZE];
    (void)state;
    assert_int_equal(bcrypt_hash("correct horse", hash), OK);
    assert_int_equal(bcrypt_hash("correct horse", again), OK);
    assert_true(bcrypt_is_hash(hash));
    assert_string_not_equal(hash, again);
    assert_true(bcrypt_fits("correct horse", hash));
    assert_true(bcrypt_fits("correct horse", again));
    assert_false(bcrypt_fits("correct horsf", hash));
    assert_false(bcrypt_fits("", hash));
}

/* A test vector of the original implementation. */
static void test_foreign(void **state)
{
    (void)state;
    assert_true(bcrypt_fits("U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"));
}

static void test_length(void **state)
{
    char hash[BCRYPT_HASH_SIZE];
    (void)state;
    assert_int_equal(bcrypt_hash(PASSWORD_72 "x", hash), ERR_INVALID);
    assert_int_equal(bcrypt_hash(PASSWORD_72, hash), OK);
    assert_true(bcrypt_fits(PASSWORD_72, hash));
    assert_false(bcrypt_fits(PASSWORD_72 "x", hash));
}

static void test_nobody(void **state)
{
    (void)state;
    assert_false(bcrypt_fits("x", NULL));
    assert_false(bcrypt_fits("", NULL));
}

static void test_malformed(void **state)
{
    static const char *const texts[] = {
        "",
        "$2b$",
        "$1$abcdefgh$xxxxxxxxxxxxxxxxxxxxxx",
        "$2b$03$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        "$2b$0x$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        "$2b$05$CCCCCCCCCCCCCCCCCCCCC:E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeWW",
    };
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_false(bcrypt_is_hash(texts[i]));
        assert_false(bcrypt_fits("x", texts[i]));
    }
}

/* 2^31 rounds would take days. */
static void test_cost(void **state)
{
    static const char costly[] = "$2b$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
    (void)state;
    assert_true(bcrypt_is_hash(costly));
    assert_int_equal(bcrypt_cost(costly), 31);
    assert_false(bcrypt_fits("x", costly));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        {"a password fits its own hash and no other does", test_round_trip, NULL, NULL, NULL},
        {"a hash that others made is understood", test_foreign, NULL, NULL, NULL},
        {"what lies behind the 72nd byte is not left unchecked", test_length, NULL, NULL, NULL},
        {"nothing fits nobody's password", test_nobody, NULL, NULL, NULL},
        {"a malformed hash is none", test_malformed, NULL, NULL, NULL},
        {"a hash that costs too much is not computed", test_cost, NULL, NULL, NULL},
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
