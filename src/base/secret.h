/* SPDX-License-Identifier: Apache-2.0 */
/*
 * secret.h — memory for keys, constant-time comparison, random numbers.
 *
 * Key memory has pages of its own: locked (never swapped), left out of core dumps, not inherited
 * by a fork, wiped when freed. Ordinary secrets of a request live in its arena, which is wiped too.
 */
#ifndef COFFER_BASE_SECRET_H
#define COFFER_BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/*
 * Makes the process undumpable and forbids core files. Call it first thing in main.
 * with_mlock: whether key memory is locked; false is the setting `disable_mlock`.
 */
void secret_process_init(bool with_mlock);

/* Zeroed key memory; ends the process when it cannot be had, saying what limit to raise. */
void *secret_alloc(size_t size);
void secret_free(void *memory);

void secret_wipe(void *memory, size_t size);
bool secret_equal(const void *a, const void *b, size_t size);
/* Compares two texts without telling by its time where they differ (their lengths it tells). */
bool secret_equal_str(const char *a, const char *b);

/* From the kernel through OpenSSL; ends the process when there are none to be had. */
void random_bytes(void *ret, size_t size);
/* n characters of [0-9A-Za-z], unbiased, and a terminator: ret holds n + 1. */
void random_base62(char *ret, size_t n);
/* A version 4 UUID: ret holds 37. */
void random_uuid(char *ret);

#endif
