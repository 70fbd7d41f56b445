/* SPDX-License-Identifier: Apache-2.0 */
#include "api/proxy_header.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define LINE_MAX_V1 107 /* with its CR LF */
#define HEAD_V2     16

static const char word_v1[] = "PROXY ";
static const unsigned char signature_v2[12] = {'\r', '\n', '\r', '\n', '\0', '\r', '\n', 'Q', 'U', 'I', 'T', '\n'};

static void set_address(struct sockaddr_storage *ret, int family, const void *address, uint16_t port)
{
    *ret = (struct sockaddr_storage){0};
    if (family == AF_INET) {
        struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        memcpy(&v4->sin_addr, address, 4);
    } else {
        struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
        memcpy(&v6->sin6_addr, address, 16);
    }
}

/* ---- Version 1: "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n" ---- */

/* The word up to the next blank; single blanks only. False at the end. */
static bool next_word(const char **at, const char *end, char *ret, size_t size)
{
    const char *blank = memchr(*at, ' ', (size_t)(end - *at));
    size_t len = (size_t)((blank != NULL ? blank : end) - *at);

    if (len == 0 || len >= size)
        return false;
    memcpy(ret, *at, len);
    ret[len] = '\0';
    *at += len + (blank != NULL);
    return memchr(ret, '\0', len) == NULL;
}

static bool parse_port(const char *text, uint16_t *ret_port)
{
    unsigned port = 0;

    if (strlen(text) > 5 || (text[0] == '0' && text[1] != '\0'))
        return false;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9')
            return false;
        port = port * 10 + (unsigned)(*text - '0');
    }
    *ret_port = (uint16_t)port;
    return port <= UINT16_MAX;
}

static bool parse_words(const char *at, const char *end, int family, struct sockaddr_storage *ret_source)
{
    char source[INET6_ADDRSTRLEN], target[INET6_ADDRSTRLEN], source_port[6], target_port[6];
    unsigned char address[16], ignored[16];
    uint16_t port, ignored_port;

    if (!next_word(&at, end, source, sizeof source) || !next_word(&at, end, target, sizeof target) ||
        !next_word(&at, end, source_port, sizeof source_port) ||
        !next_word(&at, end, target_port, sizeof target_port) || at != end || end[-1] == ' ')
        return false;
    if (inet_pton(family, source, address) != 1 || inet_pton(family, target, ignored) != 1 ||
        !parse_port(source_port, &port) || !parse_port(target_port, &ignored_port))
        return false;
    set_address(ret_source, family, address, port);
    return true;
}

static bool begins_with(const char *line, const char *end, const char *word)
{
    return (size_t)(end - line) >= strlen(word) && memcmp(line, word, strlen(word)) == 0;
}

static enum proxy_header parse_v1(const char *bytes, size_t len, struct sockaddr_storage *ret_source, size_t *ret_len)
{
    const char *end = memmem(bytes, len < LINE_MAX_V1 ? len : LINE_MAX_V1, "\r\n", 2);
    const char *line = bytes + sizeof word_v1 - 1;

    if (end == NULL)
        return len < LINE_MAX_V1 ? PROXY_MORE : PROXY_BAD;
    *ret_len = (size_t)(end - bytes) + 2;
    if (begins_with(line, end, "TCP4 "))
        return parse_words(line + 5, end, AF_INET, ret_source) ? PROXY_ADDRESS : PROXY_BAD;
    if (begins_with(line, end, "TCP6 "))
        return parse_words(line + 5, end, AF_INET6, ret_source) ? PROXY_ADDRESS : PROXY_BAD;
    return begins_with(line, end, "UNKNOWN") ? PROXY_SILENT : PROXY_BAD;
}

/* ---- Version 2: signature ‖ version and command u8 ‖ family u8 ‖ length u16 ‖ addresses ‖ notes ---- */

static enum proxy_header parse_addresses(unsigned family, const unsigned char *at, size_t len,
                                         struct sockaddr_storage *ret_source)
{
    switch (family) {
    case 0x00: /* unspecified */
        return PROXY_SILENT;
    case 0x11: /* source 4 ‖ target 4 ‖ source port 2 ‖ target port 2 */
        if (len < 12)
            return PROXY_BAD;
        set_address(ret_source, AF_INET, at, (uint16_t)(at[8] << 8 | at[9]));
        return PROXY_ADDRESS;
    case 0x21:
        if (len < 36)
            return PROXY_BAD;
        set_address(ret_source, AF_INET6, at, (uint16_t)(at[32] << 8 | at[33]));
        return PROXY_ADDRESS;
    default: /* datagrams, and sockets of the proxy's own machine */
        return PROXY_BAD;
    }
}

static enum proxy_header parse_v2(const unsigned char *bytes, size_t len, struct sockaddr_storage *ret_source,
                                  size_t *ret_len)
{
    if (len < HEAD_V2)
        return PROXY_MORE;
    size_t rest = (size_t)bytes[14] << 8 | bytes[15];
    unsigned command = bytes[12];
    if (HEAD_V2 + rest > PROXY_HEADER_MAX || (command != 0x20 && command != 0x21))
        return PROXY_BAD;
    if (len < HEAD_V2 + rest)
        return PROXY_MORE;
    *ret_len = HEAD_V2 + rest;
    return command == 0x20 ? PROXY_SILENT : parse_addresses(bytes[13], bytes + HEAD_V2, rest, ret_source);
}

/* ---- Either ---- */

/* Whether the bytes are, or may become, the beginning of a header. */
static bool fits(const void *bytes, size_t len, const void *beginning, size_t beginning_len)
{
    return memcmp(bytes, beginning, len < beginning_len ? len : beginning_len) == 0;
}

enum proxy_header proxy_header_parse(const void *bytes, size_t len, struct sockaddr_storage *ret_source,
                                     size_t *ret_len)
{
    size_t word_len = sizeof word_v1 - 1;

    if (len == 0)
        return PROXY_MORE;
    if (fits(bytes, len, word_v1, word_len))
        return len < word_len ? PROXY_MORE : parse_v1(bytes, len, ret_source, ret_len);
    if (fits(bytes, len, signature_v2, sizeof signature_v2))
        return len < sizeof signature_v2 ? PROXY_MORE : parse_v2(bytes, len, ret_source, ret_len);
    return PROXY_NONE;
}
