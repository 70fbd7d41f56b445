/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log.h — the server's log on standard error, as lines for people or as JSON.
 *
 * `module` is one word ("core", "raft", "lease"). A message is a sentence; it never holds a
 * secret, a token, a path of stored data or a key. Any thread may log.
 */
#ifndef COFFER_BASE_LOG_H
#define COFFER_BASE_LOG_H

#include <stdbool.h>

#include "base/err.h"

enum log_level { LOG_TRACE, LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

/* Sets from what level on lines are written, and whether as JSON. May be called again at any time. */
void log_configure(enum log_level level, bool as_json);
void log_set_level(enum log_level level);

/* "audit", "core", …: every module that logs; NULL ends them. */
const char *const *log_modules(void);
/* From what level on a module's lines are written; ERR_NOTFOUND. */
int log_module_level(const char *module, enum log_level *ret_level);
/* Another one than is configured, for a module or (NULL) for all; until it is restored or configured anew. */
int log_override(const char *module, enum log_level level);
int log_restore(const char *module);
/* "trace", "debug" … */
const char *log_level_text(enum log_level level);
/* "trace", "debug", "info" (also ""), "warn" ("warning"), "error" ("err"). ERR_INVALID otherwise. */
int log_parse_level(const char *text, enum log_level *ret_level);

/* From now on messages go to `take` instead of standard error. For a program of one thread. */
void log_divert(void (*take)(void *arg, enum log_level level, const char *text), void *arg);

void log_write(enum log_level level, const char *module, const char *fmt, ...) PRINTF_LIKE(3, 4);

#define log_trace(module, ...) log_write(LOG_TRACE, module, __VA_ARGS__)
#define log_debug(module, ...) log_write(LOG_DEBUG, module, __VA_ARGS__)
#define log_info(module, ...)  log_write(LOG_INFO, module, __VA_ARGS__)
#define log_warn(module, ...)  log_write(LOG_WARN, module, __VA_ARGS__)
#define log_error(module, ...) log_write(LOG_ERROR, module, __VA_ARGS__)

#endif
