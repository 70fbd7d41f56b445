/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "api/proxy_header.h"

#include <cmocka.h>

static struct sockaddr_storage source;
static size_t header_len;

static enum proxy_header parse(const void *bytes, size_t len)
{
    header_len = 0;
    memset(&source, 0, sizeof source);
    return proxy_header_parse(bytes, len, &source, &header_len);
}

static void assert_source(const char *address, int port)
{
    char text[64];
    const struct sockaddr_in *v4 = (const void *)&source;
    const struct sockaddr_in6 *v6 = (const void *)&source;
    bool is_v4 = source.ss_family == AF_INET;

    inet_ntop(source.ss_family, is_v4 ? (const void *)&v4->sin_addr : &v6->sin6_addr, text, sizeof text);
    assert_string_equal(text, address);
    assert_int_equal(ntohs(is_v4 ? v4->sin_port : v6->sin6_port), port);
}

/* ---- Version 1 ---- */

static void lines_name_the_client(void **state)
{
    static const char v4[] = "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\nGET /";
    static const char v6[] = "PROXY TCP6 2001:db8::1 2001:db8::2 65535 0\r\n";

    (void)state;
    assert_int_equal(parse(v4, sizeof v4 - 1), PROXY_ADDRESS);
    assert_int_equal(header_len, sizeof v4 - 1 - 5);
    assert_source("192.0.2.1", 56324);
    assert_int_equal(parse(v6, sizeof v6 - 1), PROXY_ADDRESS);
    assert_int_equal(header_len, sizeof v6 - 1);
    assert_source("2001:db8::1", 65535);
}

static void a_line_is_awaited_to_its_end(void **state)
{
    static const char line[] = "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n";

    (void)state;
    for (size_t len = 0; len < sizeof line - 1; len++)
        assert_int_equal(parse(line, len), PROXY_MORE);
    assert_int_equal(parse(line, sizeof line - 1), PROXY_ADDRESS);
}

static void an_unknown_client_leaves_the_address(void **state)
{
    (void)state;
    assert_int_equal(parse("PROXY UNKNOWN\r\n", 15), PROXY_SILENT);
    assert_int_equal(header_len, 15);
    assert_int_equal(parse("PROXY UNKNOWN ffff::1 x y z\r\n", 29), PROXY_SILENT);
    assert_int_equal(header_len, 29);
}

static void lines_that_are_none_are_refused(void **state)
{
    static const char *const lines[] = {
        "PROXY TCP4 192.0.2.1 198.51.100.1 56324\r\n",       "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443 1\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443 \r\n",  "PROXY TCP4  192.0.2.1 198.51.100.1 56324 443\r\n",
        "PROXY TCP4 192.0.2.256 198.51.100.1 56324 443\r\n", "PROXY TCP4 192.0.2.1 nowhere 56324 443\r\n",
        "PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n",        "PROXY TCP6 192.0.2.1 198.51.100.1 1 2\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 65536 443\r\n",   "PROXY TCP4 192.0.2.1 198.51.100.1 056 443\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 -1 443\r\n",      "PROXY TCP4\r\n",
        "PROXY TCP5 192.0.2.1 198.51.100.1 1 2\r\n",         "PROXY \r\n",
    };
    char endless[200] = "PROXY TCP4 ";

    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        if (parse(lines[i], strlen(lines[i])) != PROXY_BAD)
            fail_msg("taken: %s", lines[i]);
    }
    memset(endless + 11, '1', sizeof endless - 11);
    assert_int_equal(parse(endless, 106), PROXY_MORE);
    assert_int_equal(parse(endless, 107), PROXY_BAD);
    assert_int_equal(parse(endless, sizeof endless), PROXY_BAD);
}

/* ---- Version 2 ---- */

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"

static size_t make_v2(unsigned char *out, unsigned command, unsigned family, size_t len)
{
    memset(out, 0, 16 + len);
    memcpy(out, SIGNATURE, 12);
    out[12] = (unsigned char)command;
    out[13] = (unsigned char)family;
    out[14] = (unsigned char)(len >> 8);
    out[15] = (unsigned char)len;
    return 16 + len;
}

static void binary_headers_name_the_client(void **state)
{
    unsigned char header[5000];
    size_t len = make_v2(header, 0x21, 0x11, 12 + 7); /* with a note of 7 bytes */

    (void)state;
    memcpy(header + 16, "\xc0\x00\x02\x01\xc6\x33\x64\x01\xdc\x04\x01\xbb", 12);
    for (size_t part = 0; part < len; part++)
        assert_int_equal(parse(header, part), PROXY_MORE);
    assert_int_equal(parse(header, len + 100), PROXY_ADDRESS);
    assert_int_equal(header_len, len);
    assert_source("192.0.2.1", 56324);
    len = make_v2(header, 0x21, 0x21, 36);
    memcpy(header + 16, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01", 16);
    memcpy(header + 48, "\x10\x00\x01\xbb", 4);
    assert_int_equal(parse(header, len), PROXY_ADDRESS);
    assert_source("2001:db8::1", 4096);
}

static void a_proxys_own_connection_leaves_the_address(void **state)
{
    unsigned char header[5000];

    (void)state;
    size_t len = make_v2(header, 0x20, 0x11, 12);
    assert_int_equal(parse(header, len), PROXY_SILENT);
    assert_int_equal(header_len, len);
    len = make_v2(header, 0x21, 0x00, 0);
    assert_int_equal(parse(header, len), PROXY_SILENT);
    assert_int_equal(header_len, 16);
}

static void binary_headers_that_are_none_are_refused(void **state)
{
    static const struct {
        unsigned command, family;
        size_t len;
    } headers[] = {
        {0x11, 0x11, 12},   {0x22, 0x11, 12}, {0x21, 0x11, 11}, {0x21, 0x21, 35}, {0x21, 0x12, 12}, /* a datagram */
        {0x21, 0x31, 216}, /* a socket of the proxy's machine */
        {0x21, 0x11, 4081},
    };
    unsigned char header[5000];

    (void)state;
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        size_t len = make_v2(header, headers[i].command, headers[i].family, headers[i].len);
        assert_int_equal(parse(header, len), PROXY_BAD);
    }
    make_v2(header, 0x21, 0x11, 0xffff % 4900);
    header[14] = header[15] = 0xff;
    assert_int_equal(parse(header, 16), PROXY_BAD); /* at once: nothing is gathered for it */
}

static void other_beginnings_are_no_headers(void **state)
{
    (void)state;
    assert_int_equal(parse("GET / HTTP/1.1\r\n", 16), PROXY_NONE);
    assert_int_equal(parse("POST / HTTP/1.1\r\n", 17), PROXY_NONE);
    assert_int_equal(parse("PR", 2), PROXY_MORE);
    assert_int_equal(parse("PROXYX", 6), PROXY_NONE);
    assert_int_equal(parse("\x16\x03\x01", 3), PROXY_NONE);
    assert_int_equal(parse("\r\nGET / HTTP/1.1\r\n", 18), PROXY_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_name_the_client),
        cmocka_unit_test(a_line_is_awaited_to_its_end),
        cmocka_unit_test(an_unknown_client_leaves_the_address),
        cmocka_unit_test(lines_that_are_none_are_refused),
        cmocka_unit_test(binary_headers_name_the_client),
        cmocka_unit_test(a_proxys_own_connection_leaves_the_address),
        cmocka_unit_test(binary_headers_that_are_none_are_refused),
        cmocka_unit_test(other_beginnings_are_no_headers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
