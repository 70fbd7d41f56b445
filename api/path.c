/* SPDX-License-Identifier: Apache-2.0 */
#include "api/path.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* The character at *at, which moves on. -1 where there is none: overlong, surrogate, cut off, beyond U+10FFFF. */
static int32_t next_char(const char **at, const char *end)
{
    static const int32_t least[] = {0, 0x80, 0x800, 0x10000};
    unsigned char first = (unsigned char)*(*at)++;
    int more = first < 0x80 ? 0 : first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
    int32_t code = more == 0 ? first : first & (0x3f >> more);

    if ((first >= 0x80 && first < 0xc2) || first > 0xf4 || end - *at < more)
        return -1;
    for (int i = 0; i < more; i++) {
        unsigned char c = (unsigned char)*(*at)++;
        if ((c & 0xc0) != 0x80)
            return -1;
        code = code << 6 | (c & 0x3f);
    }
    if (code < least[more] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
        return -1;
    return code;
}

/* Decodes at most size - 1 bytes; ERR_TOO_LARGE when there are more. */
static int unescape(const char *raw, size_t len, bool plus_is_space, char *ret, size_t size, size_t *ret_len)
{
    const char *end = raw + len;
    size_t n = 0;

    for (const char *p = raw; p < end; p++) {
        char c = plus_is_space && *p == '+' ? ' ' : *p;
        if (*p == '%') {
            if (end - p < 3 || hex_value(p[1]) < 0 || hex_value(p[2]) < 0)
                return ERR_INVALID;
            c = (char)(hex_value(p[1]) << 4 | hex_value(p[2]));
            p += 2;
        }
        if (n + 1 >= size)
            return ERR_TOO_LARGE;
        ret[n++] = c;
    }
    ret[n] = '\0';
    for (const char *p = ret; p < ret + n;) {
        if (next_char(&p, ret + n) <= 0)
            return ERR_INVALID;
    }
    *ret_len = n;
    return OK;
}

int path_unescape(const char *raw, size_t len, bool plus_is_space, char *ret, size_t *ret_len)
{
    return unescape(raw, len, plus_is_space, ret, len + 1, ret_len);
}

/* Characters that print nothing, change the direction of text, or stand for nothing yet known. */
static bool is_printable(int32_t code)
{
    static const struct {
        int32_t first, last;
    } hidden[] = {
        {0x00, 0x1f},     {0x7f, 0xa0},     {0xad, 0xad},       {0x034f, 0x034f},    {0x061c, 0x061c}, {0x115f, 0x1160},
        {0x1680, 0x1680}, {0x17b4, 0x17b5}, {0x180b, 0x180f},   {0x2000, 0x200f},    {0x2028, 0x202f}, {0x205f, 0x206f},
        {0x3000, 0x3000}, {0x3164, 0x3164}, {0xe000, 0xf8ff},   {0xfdd0, 0xfdef},    {0xfe00, 0xfe0f}, {0xfeff, 0xfeff},
        {0xffa0, 0xffa0}, {0xfff0, 0xfffb}, {0x1d173, 0x1d17a}, {0xe0000, 0x10ffff},
    };

    for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++) {
        if (code >= hidden[i].first && code <= hidden[i].last)
            return false;
    }
    return (code & 0xfffe) != 0xfffe;
}

static int check_characters(const char *path, size_t len, struct err *err)
{
    for (const char *p = path; p < path + len;) {
        if (!is_printable(next_char(&p, path + len)))
            return err_set(err, ERR_INVALID, "the path holds a character that cannot be printed");
    }
    return OK;
}

static int check_segments(const char *path, struct err *err)
{
    for (const char *p = path;;) {
        size_t n = strcspn(p, "/");
        bool is_last = p[n] == '\0';
        if (n == 0 && !is_last)
            return err_set(err, ERR_INVALID, "the path has an empty segment");
        if ((n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.'))
            return err_set(err, ERR_INVALID, "relative paths not supported");
        if (is_last)
            return OK;
        p += n + 1;
    }
}

int path_canonical(const char *raw, char *ret, size_t size, struct err *err)
{
    size_t len;
    int rc = unescape(raw, strlen(raw), false, ret, size, &len);

    if (rc == ERR_TOO_LARGE)
        return err_set(err, rc, "the path is too long");
    if (rc != OK)
        return err_set(err, rc, "the path is not UTF-8, or not well encoded");
    rc = check_characters(ret, len, err);
    return rc == OK ? check_segments(ret, err) : rc;
}

bool path_has_double_slash(const char *raw)
{
    return strstr(raw, "//") != NULL;
}

void path_squeeze_slashes(const char *raw, char *ret)
{
    for (; *raw != '\0'; raw++) {
        if (raw[0] != '/' || raw[1] != '/')
            *ret++ = *raw;
    }
    *ret = '\0';
}
