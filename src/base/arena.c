/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"

#define CHUNK_SIZE 8192u /* holds a whole ordinary request */

struct arena_chunk {
    struct arena_chunk *next;
    size_t size;
    size_t used;
    max_align_t data[];
};

/* ---- Spares: a request needs a few chunks, and to get and give back so large ones costs more than to keep them ----
 */

#define SPARES_MAX 8 /* a thread */

/* Without spares, AddressSanitizer sees what is used after its end. */
#ifdef __SANITIZE_ADDRESS__
#define KEEPS_SPARES false
#else
#define KEEPS_SPARES true
#endif

struct spares {
    int n;
    struct arena_chunk *chunks[SPARES_MAX];
};

static pthread_once_t spares_once = PTHREAD_ONCE_INIT;
static pthread_key_t spares_key;
static _Thread_local struct spares *spares;

static void free_spares(void *arg)
{
    struct spares *gone = arg;
    spares = NULL;
    while (gone->n > 0)
        free(gone->chunks[--gone->n]);
    free(gone);
}

static void make_spares_key(void)
{
    if (pthread_key_create(&spares_key, free_spares) != 0)
        abort();
}

/* Takes a wiped chunk of the usual size; or frees it, when there are enough. */
static void keep_chunk(struct arena_chunk *chunk)
{
    if (spares == NULL) {
        pthread_once(&spares_once, make_spares_key);
        spares = calloc(1, sizeof *spares);
        if (spares == NULL || pthread_setspecific(spares_key, spares) != 0)
            abort();
    }
    if (KEEPS_SPARES && chunk->size == CHUNK_SIZE && spares->n < SPARES_MAX)
        spares->chunks[spares->n++] = chunk;
    else
        free(chunk);
}

/* ---- Arenas ---- */

void arena_init(struct arena *arena)
{
    arena->chunks = NULL;
}

void arena_close(struct arena *arena)
{
    while (arena->chunks != NULL) {
        struct arena_chunk *chunk = arena->chunks;
        arena->chunks = chunk->next;
        secret_wipe(chunk->data, chunk->used);
        keep_chunk(chunk);
    }
}

static struct arena_chunk *chunk_new(struct arena *arena, size_t size)
{
    size_t room = size > CHUNK_SIZE ? size : CHUNK_SIZE;
    bool has_spare = room == CHUNK_SIZE && spares != NULL && spares->n > 0;
    struct arena_chunk *chunk = has_spare ? spares->chunks[--spares->n] : malloc(sizeof *chunk + room);
    if (chunk == NULL)
        abort();
    chunk->size = room;
    chunk->used = 0;
    chunk->next = arena->chunks;
    arena->chunks = chunk;
    return chunk;
}

static size_t aligned(size_t size)
{
    size_t align = _Alignof(max_align_t);
    return (size + align - 1) / align * align;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    if (size > SIZE_MAX / 2)
        abort();
    size = aligned(size);
    struct arena_chunk *chunk = arena->chunks;
    if (chunk == NULL || chunk->size - chunk->used < size)
        chunk = chunk_new(arena, size);
    void *memory = (char *)chunk->data + chunk->used;
    chunk->used += size;
    return memset(memory, 0, size);
}

void *arena_dup(struct arena *arena, const void *data, size_t size)
{
    void *copy = arena_alloc(arena, size);
    return size > 0 ? memcpy(copy, data, size) : copy;
}

char *arena_strndup(struct arena *arena, const char *text, size_t n)
{
    size_t len = strnlen(text, n);
    char *copy = arena_alloc(arena, len + 1);
    memcpy(copy, text, len);
    return copy;
}

char *arena_strdup(struct arena *arena, const char *text)
{
    return arena_strndup(arena, text, strlen(text));
}

char *arena_vprintf(struct arena *arena, const char *fmt, va_list args)
{
    struct arena_chunk *chunk = arena->chunks;
    size_t room = chunk != NULL ? chunk->size - chunk->used : 0;
    char *end = chunk != NULL ? (char *)chunk->data + chunk->used : NULL;
    va_list again;
    va_copy(again, args);
    int len = vsnprintf(end, room, fmt, args); /* as a rule it fits where it will stand */
    if (len < 0)
        abort();
    if ((size_t)len < room) {
        chunk->used += aligned((size_t)len + 1);
        va_end(again);
        return end;
    }
    if (room > 0)
        secret_wipe(end, room);
    char *text = arena_alloc(arena, (size_t)len + 1);
    vsnprintf(text, (size_t)len + 1, fmt, again);
    va_end(again);
    return text;
}

char *arena_printf(struct arena *arena, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    char *text = arena_vprintf(arena, fmt, args);
    va_end(args);
    return text;
}
