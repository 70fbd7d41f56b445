/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cidr.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

struct block {
    int family;
    unsigned char bytes[16];
    unsigned bits;
};

static bool parse_address(const char *text, struct block *ret)
{
    if (strncmp(text, "::ffff:", 7) == 0 && strchr(text, '.') != NULL)
        text += 7;
    ret->family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET;
    ret->bits = ret->family == AF_INET6 ? 128 : 32;
    return inet_pton(ret->family, text, ret->bytes) == 1;
}

static bool parse_block(const char *text, struct block *ret)
{
    char address[64];
    const char *slash = strchr(text, '/');
    size_t len = slash != NULL ? (size_t)(slash - text) : strlen(text);
    if (len >= sizeof address)
        return false;
    memcpy(address, text, len);
    address[len] = '\0';
    if (!parse_address(address, ret))
        return false;
    if (slash == NULL)
        return true;
    char *end;
    unsigned long bits = strtoul(slash + 1, &end, 10);
    if (slash[1] < '0' || slash[1] > '9' || *end != '\0' || bits > ret->bits)
        return false;
    ret->bits = (unsigned)bits;
    return true;
}

bool cidr_is_valid(const char *block)
{
    struct block parsed;
    return parse_block(block, &parsed);
}

bool cidr_has(const char *block, const char *address)
{
    struct block range, one;
    if (address == NULL || !parse_block(block, &range) || !parse_address(address, &one) || range.family != one.family)
        return false;
    unsigned whole = range.bits / 8, rest = range.bits % 8;
    if (memcmp(range.bytes, one.bytes, whole) != 0)
        return false;
    return rest == 0 || ((range.bytes[whole] ^ one.bytes[whole]) >> (8 - rest)) == 0;
}

bool cidr_list_has(const json_t *blocks, const char *address)
{
    const json_t *block;
    size_t i;
    if (json_array_size(blocks) == 0)
        return true;
    json_array_foreach(blocks, i,
                       block) if (json_is_string(block) && cidr_has(json_string_value(block), address)) return true;
    return false;
}
