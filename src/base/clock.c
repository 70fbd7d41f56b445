/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static int64_t read_ns(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t clock_wall_ms(void)
{
    return read_ns(CLOCK_REALTIME) / 1000000;
}

int64_t clock_wall_ns(void)
{
    return read_ns(CLOCK_REALTIME);
}

int64_t clock_steady_ms(void)
{
    return read_ns(CLOCK_MONOTONIC) / 1000000;
}

int64_t clock_boot_ns(void)
{
    return read_ns(CLOCK_BOOTTIME);
}

int64_t clock_steady_us(void)
{
    return read_ns(CLOCK_MONOTONIC) / 1000;
}

void clock_format_rfc3339(int64_t wall_ns, char *ret_text, size_t size)
{
    time_t seconds = (time_t)(wall_ns / 1000000000);
    long nanos = (long)(wall_ns % 1000000000);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    char date[32], fraction[16] = "";
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &tm);
    if (nanos > 0) {
        snprintf(fraction, sizeof fraction, ".%09ld", nanos);
        for (size_t n = strlen(fraction); fraction[n - 1] == '0'; n--)
            fraction[n - 1] = '\0';
    }
    snprintf(ret_text, size, "%s%sZ", date, fraction);
}

/* ".123456789" → nanoseconds; moves *at past it. */
static int64_t parse_fraction(const char **at)
{
    int64_t nanos = 0, unit = 100000000;
    if (**at != '.')
        return 0;
    for ((*at)++; **at >= '0' && **at <= '9'; (*at)++, unit /= 10)
        nanos += (**at - '0') * unit;
    return nanos;
}

int64_t clock_parse_rfc3339(const char *text)
{
    struct tm tm = {0};
    const char *at = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
    if (at == NULL)
        return -1;
    int64_t nanos = parse_fraction(&at);
    int hours = 0, minutes = 0, used = 0;
    char sign = *at;
    if (strcmp(at, "Z") != 0 &&
        ((sign != '+' && sign != '-') || sscanf(at + 1, "%2d:%2d%n", &hours, &minutes, &used) != 2 || at[1 + used]))
        return -1;
    int64_t offset_s = (hours * 60 + minutes) * 60 * (sign == '-' ? -1 : 1);
    return ((int64_t)timegm(&tm) - offset_s) * 1000000000 + nanos;
}
