/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/encoding.h"
#include "base/json.h"
#include "base/pgp.h"
#include "base/pgp_packets.h"

/* Ed25519 with a subkey of Curve25519; made for these tests, its private part was thrown away. */
static const char key[] =
    "mDMEawyxbBYJKwYBBAHaRw8BAQdAekAbFvMprh3k+fqkb7RZDQROLF8lF8NOXbTA2r8wZgi0C2VjYyA8ZWNjQHg+iJAEExYIADgW"
    "IQSnZL5idWLNWoG22QxyUPyvJNo/UwUCawyxbAIbAwULCQgHAgYVCgkICwIEFgIDAQIeAQIXgAAKCRByUPyvJNo/UyuvAQD3Agq3"
    "Yu+1s/g6nUewOWTwz847RFTmXeoco/atI8oa8wD8CSU1vRQzaZblUdFyVRwlgkuHgRsLRphWZCx7aoxIzwW4OARrDLFsEgorBgEE"
    "AZdVAQUBAQdAPd6TDByhDYyd6Qa9QGwDyMYWeAxYQruqgYvkxAqZd0UDAQgHiHgEGBYIACAWIQSnZL5idWLNWoG22QxyUPyvJNo/"
    "UwUCawyxbAIbDAAKCRByUPyvJNo/UxsYAP4z2TRRYXN+O0nF+QNkTIcTR7aUxpOOh21CR2Imb9tI/QEA2pp9OCbTxRCv+qz+niPC"
    "R4zJbrqHcYfFIwjBcdNeHAg=";

static const char fingerprint[] = "a764be627562cd5a81b6d90c7250fcaf24da3f53";

static void a_key_is_known_by_its_fingerprint(void **state)
{
    (void)state;
    char found[PGP_FINGERPRINT_SIZE];
    assert_int_equal(pgp_fingerprint(key, found, NULL), OK);
    assert_string_equal(found, fingerprint);
    assert_int_equal(pgp_check(key, NULL), OK);
}

static void armor_and_newlines_do_not_matter(void **state)
{
    (void)state;
    char text[2048], found[PGP_FINGERPRINT_SIZE];
    snprintf(text, sizeof text,
             "\n-----BEGIN PGP PUBLIC KEY BLOCK-----\r\nComment: x\n\n%.64s\n%s\n=abcd\n"
             "-----END PGP PUBLIC KEY BLOCK-----\n",
             key, key + 64);
    assert_int_equal(pgp_fingerprint(text, found, NULL), OK);
    assert_string_equal(found, fingerprint);
    snprintf(text, sizeof text, "%.10s\r\n%s\n\n", key, key + 10);
    assert_int_equal(pgp_fingerprint(text, found, NULL), OK);
}

static void the_same_text_is_encrypted_otherwise_each_time(void **state)
{
    (void)state;
    static const char text[] = "a text that is not to be seen";
    struct buf one = BUF_INIT, two = BUF_INIT;
    assert_int_equal(pgp_encrypt(key, text, strlen(text), &one, NULL), OK);
    assert_int_equal(pgp_encrypt(key, text, strlen(text), &two, NULL), OK);
    assert_true(one.len > strlen(text) && one.len == two.len);
    assert_null(memmem(one.data, one.len, text, strlen(text)));
    /* What is told of the session key, and what is encrypted with it: both differ. */
    assert_memory_not_equal(one.data, two.data, 90);
    assert_memory_not_equal(one.data + one.len - 40, two.data + two.len - 40, 40);
    buf_close(&one);
    buf_close(&two);
}

static void it_is_said_where_base64_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int at;
    } bad[] = {{"!!", 0},    {"AAAA!", 4},   {"keybase:a", 7}, {"AAAAA", 4},    {"AAAAAA", 4},
               {"A=AA", 1},  {"AA=", 3},     {"AA=A", 3},      {"AA==AAAA", 4}, {"AAA=A", 4},
               {"AA AA", 2}, {"\nAA\n*", 4}, {"AAAA=AAA", 4},  {"AAAA-AAA", 4}, {"=", 0}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct err err = {0};
        char expected[100];
        snprintf(expected, sizeof expected, "error decoding given PGP key: illegal base64 data at input byte %d",
                 bad[i].at);
        assert_int_equal(pgp_check(bad[i].text, &err), ERR_INVALID);
        assert_string_equal(err_text(&err), expected);
    }
}

static void a_key_cut_off_or_changed_never_encrypts(void **state)
{
    (void)state;
    unsigned char bytes[sizeof key];
    char text[sizeof key];
    size_t size;
    assert_int_equal(base64_decode(key, bytes, &size), OK);
    for (size_t n = 0; n < size; n++) {
        base64_encode(bytes, n, text);
        assert_int_equal(pgp_check(text, NULL), ERR_INVALID);
    }
    for (size_t n = 0; n < size; n += 3) {
        struct err err = {0};
        bytes[n] ^= 0x20;
        base64_encode(bytes, size, text);
        if (pgp_check(text, &err) != OK)
            assert_true(err.text[0] != '\0');
        bytes[n] ^= 0x20;
    }
}

static void packets_are_let_through_within_limits(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
        int rc;
    } keys[] = {{"", 0, OK},
                {"\xc6", 1, ERR_INVALID},
                {"\xc6\xe0", 2, ERR_INVALID},                          /* a length in parts */
                {"\x9b\x04", 2, ERR_INVALID},                          /* one without an end */
                {"\xc6\xff\xff\xff\xff\xff", 6, ERR_INVALID},          /* and one without a body */
                {"\xc6\x06\x04\0\0\0\0\x16", 8, OK},                   /* a curve's */
                {"\xc6\x08\x04\0\0\0\0\x01\xff\xff", 10, ERR_INVALID}, /* RSA, with a modulus of 65535 bits */
                {"\xc5\x06\x04\0\0\0\0\x16", 8, ERR_INVALID},          /* a private one */
                {"\xcd\x01x", 3, ERR_INVALID}};                        /* a name first */
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        assert_int_equal(pgp_packets_check(keys[i].bytes, keys[i].len, NULL), keys[i].rc);
}

static const struct CMUnitTest tests[] = {
    {"a key is known by its fingerprint, and can be encrypted to", a_key_is_known_by_its_fingerprint, NULL, NULL, NULL},
    {"armor and newlines do not matter", armor_and_newlines_do_not_matter, NULL, NULL, NULL},
    {"the same text is encrypted otherwise each time", the_same_text_is_encrypted_otherwise_each_time, NULL, NULL,
     NULL},
    {"it is said where base64 is wrong", it_is_said_where_base64_is_wrong, NULL, NULL, NULL},
    {"a key that is cut off anywhere never encrypts", a_key_cut_off_or_changed_never_encrypts, NULL, NULL, NULL},
    {"packets are let through within limits", packets_are_let_through_within_limits, NULL, NULL, NULL},
};

int main(void)
{
    json_setup();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
