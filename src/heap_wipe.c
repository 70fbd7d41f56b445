/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heap_wipe.c — nothing that was in memory outlives its free.
 *
 * Tokens and secrets pass through the buffers of OpenSSL, h2o, curl and jansson, which free them as they are. So this
 * program's own free() and realloc() stand before the C library's, for all libraries it loads, and wipe what is given
 * back. What is never freed, only used again (h2o's pools, threads' stacks), is not covered; docs/memory.md says what
 * is left there. Sanitizers bring their own heap: their builds leave this file out.
 */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

/* The C library's own functions behind the names (glibc keeps them exported for this). */
extern void __libc_free(void *memory);
extern void *__libc_malloc(size_t size);

void free(void *memory)
{
    if (memory == NULL)
        return;
    explicit_bzero(memory, malloc_usable_size(memory));
    __libc_free(memory);
}

/* The C library's realloc frees the old place by itself, unwiped: so it is done by hand, unless the place is large
 * enough. */
void *realloc(void *memory, size_t size)
{
    if (memory == NULL)
        return __libc_malloc(size);
    size_t old = malloc_usable_size(memory);
    if (size != 0 && size <= old && size >= old / 2)
        return memory;
    if (size == 0) {
        free(memory);
        return NULL;
    }
    void *moved = __libc_malloc(size);
    if (moved == NULL)
        return NULL;
    memcpy(moved, memory, old < size ? old : size);
    free(memory);
    return moved;
}
