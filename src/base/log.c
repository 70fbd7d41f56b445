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
static const char *const level_texts[] = {"trace", "debug", "info", "warn", "error"};
static const char *const modules[] = {"audit", "aws",  "config", "core",   "forward",  "http",
                                      "lease", "raft", "seal",   "server", "snapshot", NULL};
#define N_MODULES (sizeof modules / sizeof modules[0] - 1)
#define AS_ALL    (-1)

static atomic_int configured = LOG_INFO;
static atomic_int level_all = LOG_INFO; /* of modules without a level of their own */
static atomic_int level_own[N_MODULES] = {AS_ALL, AS_ALL, AS_ALL, AS_ALL, AS_ALL, AS_ALL,
                                          AS_ALL, AS_ALL, AS_ALL, AS_ALL, AS_ALL};
static atomic_int level_min = LOG_INFO; /* the least of them: what is below it is nobody's */
static atomic_bool json_lines = false;

/* ---- Levels ---- */

static int find_module(const char *name)
{
    for (size_t i = 0; i < N_MODULES; i++)
        if (strcmp(modules[i], name) == 0)
            return (int)i;
    return -1;
}

static int level_at(int module)
{
    int own = module >= 0 ? atomic_load_explicit(&level_own[module], memory_order_relaxed) : AS_ALL;
    return own != AS_ALL ? own : atomic_load_explicit(&level_all, memory_order_relaxed);
}

static void find_least(void)
{
    int least = level_at(-1);
    for (size_t i = 0; i < N_MODULES; i++)
        least = level_at((int)i) < least ? level_at((int)i) : least;
    atomic_store(&level_min, least);
}

static void set_all(int level)
{
    for (size_t i = 0; i < N_MODULES; i++)
        atomic_store(&level_own[i], AS_ALL);
    atomic_store(&level_all, level);
    find_least();
}

void log_configure(enum log_level level, bool as_json)
{
    log_set_level(level);
    atomic_store(&json_lines, as_json);
}

void log_set_level(enum log_level level)
{
    atomic_store(&configured, level);
    set_all(level);
}

const char *const *log_modules(void)
{
    return modules;
}

int log_module_level(const char *module, enum log_level *ret_level)
{
    int at = find_module(module);
    if (at < 0)
        return ERR_NOTFOUND;
    *ret_level = (enum log_level)level_at(at);
    return OK;
}

static int set_level(const char *module, int level)
{
    int at = module != NULL ? find_module(module) : 0;
    if (at < 0)
        return ERR_NOTFOUND;
    if (module == NULL) {
        set_all(level);
    } else {
        atomic_store(&level_own[at], level);
        find_least();
    }
    return OK;
}

int log_override(const char *module, enum log_level level)
{
    return set_level(module, level);
}

int log_restore(const char *module)
{
    return set_level(module, atomic_load(&configured));
}

const char *log_level_text(enum log_level level)
{
    return level_texts[level];
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
    if ((int)level < atomic_load_explicit(&level_min, memory_order_relaxed) ||
        (int)level < level_at(find_module(module)))
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
