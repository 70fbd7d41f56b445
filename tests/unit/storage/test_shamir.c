/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include "base/encoding.h"
#include "base/secret.h"
#include "storage/shamir.h"

#define SIZE 32

/* Every choice of shares that is large enough gives the secret, and one that is smaller does not. */
static void check_all_subsets(int n, int threshold)
{
    unsigned char secret[SIZE], shares[6 * (SIZE + 1)], chosen[6 * (SIZE + 1)], result[SIZE];
    random_bytes(secret, sizeof secret);
    assert_int_equal(shamir_split(secret, SIZE, n, threshold, shares), OK);
    for (unsigned subset = 0; subset < 1u << n; subset++) {
        int count = 0;
        for (int i = 0; i < n; i++)
            if (subset & 1u << i)
                memcpy(chosen + (size_t)count++ * (SIZE + 1), shares + (size_t)i * (SIZE + 1), SIZE + 1);
        if (count < 2)
            continue;
        assert_int_equal(shamir_combine(chosen, count, SIZE + 1, result), OK);
        assert_int_equal(memcmp(result, secret, SIZE) == 0, count >= threshold);
    }
}

static void test_subsets(void **state)
{
    (void)state;
    for (int n = 2; n <= 6; n++)
        for (int threshold = 2; threshold <= n; threshold++)
            check_all_subsets(n, threshold);
}

static void test_largest(void **state)
{
    (void)state;
    static unsigned char shares[255 * 5], result[4];
    assert_int_equal(shamir_split((const unsigned char *)"four", 4, 255, 255, shares), OK);
    assert_int_equal(shamir_combine(shares, 255, 5, result), OK);
    assert_memory_equal(result, "four", 4);
}

/* Made apart from this code, with tables of logarithms: a polynomial of degree 2 at x = 1, 7, 113 and 255. */
static void test_vector(void **state)
{
    (void)state;
    static const char *const shares[] = {"b07a53d7ce2e6d6bf1da5f76ebe0b65201", "b350f4a61ca28a7c03f91e80bf13615907",
                                         "c518f4bdbb1926db29afb312666ed6fe71", "a7b1a3632acc275ed6290a1ae5883a1aff"};
    for (int left_out = 0; left_out < 4; left_out++) {
        unsigned char bytes[3 * 17], result[16];
        size_t size;
        for (int i = 0, at = 0; i < 4; i++)
            if (i != left_out)
                assert_int_equal(hex_decode(shares[i], bytes + 17 * at++, &size), OK);
        assert_int_equal(shamir_combine(bytes, 3, 17, result), OK);
        assert_memory_equal(result, "sixteen byte key", 16);
    }
}

static void test_wrong_share(void **state)
{
    (void)state;
    unsigned char shares[3 * 5], result[4];
    assert_int_equal(shamir_split((const unsigned char *)"four", 4, 3, 3, shares), OK);
    shares[0] ^= 1;
    assert_int_equal(shamir_combine(shares, 3, 5, result), OK);
    assert_memory_not_equal(result, "four", 4);
}

/* N-126 of tests/server/cves.md: unequal, and none is zero. */
static void test_coordinates(void **state)
{
    (void)state;
    static unsigned char shares[255 * 2];
    bool seen[256] = {false};
    assert_int_equal(shamir_split((const unsigned char *)"x", 1, 255, 2, shares), OK);
    for (int i = 0; i < 255; i++) {
        assert_int_not_equal(shares[2 * i + 1], 0);
        assert_false(seen[shares[2 * i + 1]]);
        seen[shares[2 * i + 1]] = true;
    }
}

static void test_zero(void **state)
{
    (void)state;
    unsigned char result[1];
    assert_int_equal(shamir_combine((const unsigned char *)"a\0b\1", 2, 2, result), ERR_INVALID);
}

static void test_twice(void **state)
{
    (void)state;
    unsigned char result[1];
    assert_int_equal(shamir_combine((const unsigned char *)"a\1b\1", 2, 2, result), ERR_INVALID);
}

static void test_arguments(void **state)
{
    (void)state;
    unsigned char bytes[512] = {0};
    assert_int_equal(shamir_split(bytes, 1, 3, 1, bytes), ERR_INVALID);
    assert_int_equal(shamir_split(bytes, 1, 2, 3, bytes), ERR_INVALID);
    assert_int_equal(shamir_split(bytes, 1, 256, 3, bytes), ERR_INVALID);
    assert_int_equal(shamir_split(bytes, 0, 3, 2, bytes), ERR_INVALID);
    assert_int_equal(shamir_combine(bytes, 1, 2, bytes), ERR_INVALID);
    assert_int_equal(shamir_combine(bytes, 2, 1, bytes), ERR_INVALID);
    assert_int_equal(shamir_combine(bytes, 256, 2, bytes), ERR_INVALID);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        {"any shares, as many as the threshold, give the secret, and fewer do not", test_subsets, NULL, NULL, NULL},
        {"255 of 255 shares give the secret", test_largest, NULL, NULL, NULL},
        {"shares that were computed by another program give its secret", test_vector, NULL, NULL, NULL},
        {"a wrong share gives a wrong secret", test_wrong_share, NULL, NULL, NULL},
        {"coordinates are distinct and none is zero", test_coordinates, NULL, NULL, NULL},
        {"a share with a zero coordinate is refused", test_zero, NULL, NULL, NULL},
        {"a coordinate that comes twice is refused", test_twice, NULL, NULL, NULL},
        {"impossible numbers of shares are refused", test_arguments, NULL, NULL, NULL},
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
