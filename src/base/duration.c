/* SPDX-License-Identifier: Apache-2.0 */
#include "base/duration.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define SECOND_NS 1000000000LL

static const struct {
    const char *name;
    int64_t ns;
} units[] = {
    /* Longer names first where one begins another. */
    {"ns", 1},       {"us", 1000},     {"\xc2\xb5s", 1000}, /* µs */
    {"ms", 1000000}, {"s", SECOND_NS}, {"m", 60 * SECOND_NS}, {"h", 3600 * SECOND_NS}, {"d", 86400 * SECOND_NS},
};

/* Whole and fractional digits of a number; false when there are none, or too many. */
static bool read_number(const char **at, int64_t *ret_whole, double *ret_fraction)
{
    const char *start = *at;
    double unit = 0.1;
    *ret_whole = 0;
    *ret_fraction = 0;
    for (; isdigit((unsigned char)**at); (*at)++)
        if (__builtin_mul_overflow(*ret_whole, 10, ret_whole) ||
            __builtin_add_overflow(*ret_whole, **at - '0', ret_whole))
            return false;
    bool any = *at > start;
    if (**at == '.')
        for ((*at)++; isdigit((unsigned char)**at); (*at)++, unit /= 10, any = true)
            *ret_fraction += unit * (**at - '0');
    return any;
}

static int64_t read_unit(const char **at)
{
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        size_t len = strlen(units[i].name);
        /* "m" must not take the beginning of "ms". */
        if (strncmp(*at, units[i].name, len) == 0 && !(units[i].name[0] == 'm' && len == 1 && (*at)[1] == 's')) {
            *at += len;
            return units[i].ns;
        }
    }
    return 0;
}

static int parse_parts(const char *at, int64_t *ret_ns)
{
    int64_t total = 0;
    while (*at != '\0') {
        int64_t whole, part;
        double fraction;
        if (!read_number(&at, &whole, &fraction))
            return ERR_INVALID;
        /* A number alone, as the whole text, is seconds. */
        int64_t unit = *at == '\0' && total == 0 ? SECOND_NS : read_unit(&at);
        if (unit == 0 || __builtin_mul_overflow(whole, unit, &part) || __builtin_add_overflow(total, part, &total) ||
            __builtin_add_overflow(total, (int64_t)(fraction * (double)unit + 0.5), &total))
            return ERR_INVALID;
    }
    *ret_ns = total;
    return OK;
}

int duration_parse_ns(const char *text, int64_t *ret_ns)
{
    bool negative = text[0] == '-';
    const char *digits = text + (negative || text[0] == '+');
    int64_t ns = 0;
    if (*digits == '\0' && digits != text)
        return ERR_INVALID;
    int rc = parse_parts(digits, &ns);
    if (rc == OK)
        *ret_ns = negative ? -ns : ns;
    return rc;
}

int duration_parse_s(const char *text, int64_t *ret_s)
{
    int64_t ns;
    int rc = duration_parse_ns(text, &ns);
    if (rc == OK)
        *ret_s = ns / SECOND_NS;
    return rc;
}

/* "1.5" of 1500 thousandths: without trailing zeroes. */
static int print_decimal(char *text, size_t size, int64_t whole, int64_t fraction, int digits)
{
    int n = snprintf(text, size, "%lld", (long long)whole);
    if (fraction == 0)
        return n;
    n += snprintf(text + n, size - (size_t)n, ".%0*lld", digits, (long long)fraction);
    while (text[n - 1] == '0')
        text[--n] = '\0';
    return n;
}

static void format_below_second(int64_t ns, char *text, size_t size)
{
    if (ns < 1000) {
        snprintf(text, size, "%lldns", (long long)ns);
        return;
    }
    bool micro = ns < 1000000;
    int64_t unit = micro ? 1000 : 1000000;
    int n = print_decimal(text, size, ns / unit, ns % unit, micro ? 3 : 6);
    snprintf(text + n, size - (size_t)n, micro ? "\xc2\xb5s" : "ms");
}

void duration_format_go(int64_t ns, char *ret_text, size_t size)
{
    if (ns < 0 && size > 1) {
        *ret_text++ = '-';
        size--;
        ns = -ns;
    }
    if (ns > 0 && ns < SECOND_NS) {
        format_below_second(ns, ret_text, size);
        return;
    }
    int64_t hours = ns / (3600 * SECOND_NS), minutes = ns / (60 * SECOND_NS) % 60;
    int n = 0;
    if (hours > 0)
        n += snprintf(ret_text, size, "%lldh", (long long)hours);
    if (hours > 0 || minutes > 0)
        n += snprintf(ret_text + n, size - (size_t)n, "%lldm", (long long)minutes);
    n += print_decimal(ret_text + n, size - (size_t)n, ns / SECOND_NS % 60, ns % SECOND_NS, 9);
    snprintf(ret_text + n, size - (size_t)n, "s");
}

void duration_format_short(int64_t seconds, char *ret_text, size_t size)
{
    duration_format_go(seconds * SECOND_NS, ret_text, size);
    size_t len = strlen(ret_text);
    if (seconds != 0 && len > 3 && strcmp(ret_text + len - 2, "0s") == 0 && ret_text[len - 3] == 'm')
        ret_text[len -= 2] = '\0';
    if (len > 3 && strcmp(ret_text + len - 2, "0m") == 0 && ret_text[len - 3] == 'h')
        ret_text[len - 2] = '\0';
}
