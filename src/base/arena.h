/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arena.h — memory that lives exactly as long as one request, and is wiped with it.
 *
 * Allocation never fails (out of memory ends the process: sizes from outside are bounded before
 * they come here). Nothing is freed one by one. Threads: one at a time.
 */
#ifndef COFFER_BASE_ARENA_H
#define COFFER_BASE_ARENA_H

#include <stdarg.h>
#include <stddef.h>

#include "base/err.h"

struct arena_chunk;
struct arena {
    struct arena_chunk *chunks;
};

void arena_init(struct arena *arena);

/* Wipes and frees everything that was allocated; the arena can be used again. */
void arena_close(struct arena *arena);

/* Zeroed, aligned for any type. */
void *arena_alloc(struct arena *arena, size_t size);
void *arena_dup(struct arena *arena, const void *data, size_t size);
char *arena_strdup(struct arena *arena, const char *text);
/* Copies at most n bytes and terminates them. */
char *arena_strndup(struct arena *arena, const char *text, size_t n);
char *arena_printf(struct arena *arena, const char *fmt, ...) PRINTF_LIKE(2, 3);
char *arena_vprintf(struct arena *arena, const char *fmt, va_list args);

#endif
