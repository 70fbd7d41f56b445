/* SPDX-License-Identifier: Apache-2.0 */
/*
 * encoding.h — hex and base64 (RFC 4648 §4, with padding; decoding takes it with or without).
 */
#ifndef COFFER_BASE_ENCODING_H
#define COFFER_BASE_ENCODING_H

#include <stddef.h>

#include "base/err.h"

/* ret holds 2 × size + 1. */
void hex_encode(const void *data, size_t size, char *ret);
/* ret holds strlen(text) / 2. ERR_INVALID when it is no hex. */
int hex_decode(const char *text, unsigned char *ret, size_t *ret_size) MUST_CHECK;

#define BASE64_SIZE(n) (((n) + 2) / 3 * 4 + 1)
/* ret holds BASE64_SIZE(size). */
void base64_encode(const void *data, size_t size, char *ret);
/* ret holds strlen(text) × 3 / 4 + 3. ERR_INVALID when it is no base64. */
int base64_decode(const char *text, unsigned char *ret, size_t *ret_size) MUST_CHECK;

/* The same with the alphabet for names (§5), without padding: neither is read here, nor the other alphabet. */
void base64url_encode(const void *data, size_t size, char *ret);
int base64url_decode(const char *text, unsigned char *ret, size_t *ret_size) MUST_CHECK;

#endif
