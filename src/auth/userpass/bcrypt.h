/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bcrypt.h — slow hashes of passwords (N. Provos, D. Mazières, A Future-Adaptable Password Scheme, 1999), by libcrypt.
 */
#ifndef COFFER_AUTH_USERPASS_BCRYPT_H
#define COFFER_AUTH_USERPASS_BCRYPT_H

#include <stdbool.h>

#include "base/err.h"

#define BCRYPT_HASH_SIZE    61
#define BCRYPT_PASSWORD_MAX 72 /* bytes; the algorithm knows no more */
#define BCRYPT_COST_MAX     12 /* a quarter of a second; a server is not asked to bear more */

/* "$2b$10$…". Takes about 50 ms. ERR_INVALID for a password that is too long; ERR_INTERNAL. */
int bcrypt_hash(const char *password, char ret_hash[BCRYPT_HASH_SIZE]) MUST_CHECK;
/* Takes as long whether it fits or not, and with hash NULL, which nothing fits; nor does one that costs too much. */
bool bcrypt_fits(const char *password, const char *hash);
/* Whether the text is a hash of this kind. */
bool bcrypt_is_hash(const char *text);
/* Of a hash: the binary logarithm of the number of rounds. */
int bcrypt_cost(const char *hash);

#endif
