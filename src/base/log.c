/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"

static const char *const level_names[] = {"TRACE", "DEBUG", "INFO", "WARN", "ERROR"};
static atomic_int level_min = LOG_INFO;
static atomic_bool json_lines = false;

void log_configure(enum log_level level, bool as_json)
{
    atomic_store(&level_min, level);
    atomic_store(&json_lines, as_json);
}

void log_set_level(enum log_level level)
{
    atomic_store(&level_min, level);
}

enum log_level log_get_level(void)
{
    return (enum log_level)atomic_load(&level_min);
}

int log_parse_level(const char *text, enum log_level *ret_level)
{
    static const struct {
        const char *name;
        enum log_level level;
    } names[] = {{"trace", LOG_TRACE}, {"debug", LOG_DEBUG},  {"info", LOG_INFO},   {"", LOG_INFO},
                 {"warn", LOG_WARN},   {"warning", LOG_WARN}, {"error", LOG_ERROR}, {"err", LOG_ERROR}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcasecmp(text, names[i].name) == 0) {
            *ret_level = names[i].level;
            return OK;
        }
    }
    return ERR_INVALID;
}

/* One write for a line, so that lines of several threads do not mix. */
static void put_line(const char *line, size_t len)
{
    while (len > 0) {
        ssize_t n = write(STDERR_FILENO, line, len);
        if (n <= 0)
            return;
        line += n;
        len -= (size_t)n;
    }
}

static void put_json(const char *time, enum log_level level, const char *module, const char *text)
{
    json_t *line = json_pack("{s:s, s:s, s:s, s:s}", "@timestamp", time, "@level", level_names[level], "@module",
                             module, "@message", text);
    if (line == NULL)
        return;
    char *body = json_format(line);
    char out[2400];
    int n = snprintf(out, sizeof out, "%s\n", body);
    put_line(out, (size_t)n < sizeof out ? (size_t)n : sizeof out - 1);
    json_text_free(body);
    json_decref(line);
}

static void (*diverted)(void *arg, enum log_level level, const char *text);
static void *diverted_arg;

void log_divert(void (*take)(void *arg, enum log_level level, const char *text), void *arg)
{
    diverted = take;
    diverted_arg = arg;
}

void log_write(enum log_level level, const char *module, const char *fmt, ...)
{
    if ((int)level < atomic_load_explicit(&level_min, memory_order_relaxed))
        return;
    char text[1024], time[40], line[1200];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    for (char *c = text; *c != '\0'; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = ' '; /* what a peer sent must not forge lines */
    if (diverted != NULL) {
        diverted(diverted_arg, level, text);
        return;
    }
    clock_format_rfc3339(clock_wall_ms() * 1000000, time, sizeof time);
    if (atomic_load(&json_lines)) {
        put_json(time, level, module, text);
        return;
    }
    int n = snprintf(line, sizeof line, "%s [%s]%s %s: %s\n", time, level_names[level],
                     strlen(level_names[level]) == 4 ? " " : "", module, text);
    put_line(line, (size_t)n < sizeof line ? (size_t)n : sizeof line - 1);
}
