/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shamir.h — Shamir's secret sharing over GF(2^8) with the polynomial 0x11b, in constant time.
 *
 * The same form as Vault's: a share is the secret's length plus one byte, the x coordinate, at
 * its end; coordinates are distinct, random and not zero. (A. Shamir, How to share a secret, CACM 22(11), 1979.)
 */
#ifndef COFFER_STORAGE_SHAMIR_H
#define COFFER_STORAGE_SHAMIR_H

#include <stddef.h>

#include "base/err.h"

#define SHAMIR_SHARES_MAX 255

/*
 * Splits `size` bytes into n shares of size + 1 bytes, written one after the other to ret_shares.
 * 2 <= threshold <= n <= 255, else ERR_INVALID.
 */
int shamir_split(const unsigned char *secret, size_t size, int n, int threshold, unsigned char *ret_shares) MUST_CHECK;

/*
 * Puts n shares of share_size bytes each, one after the other, together: share_size - 1 bytes to ret_secret.
 * ERR_INVALID for fewer than 2, a coordinate that is zero or there twice. Too few or wrong shares give a
 * wrong secret, not an error.
 */
int shamir_combine(const unsigned char *shares, int n, size_t share_size, unsigned char *ret_secret) MUST_CHECK;

#endif
