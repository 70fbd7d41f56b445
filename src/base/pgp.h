/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pgp.h — encrypting to somebody's PGP public key.
 *
 * A key is a text: base64 of the binary form, as Vault's API has it, or armored ("-----BEGIN PGP PUBLIC KEY
 * BLOCK-----"). It is hostile. The work is librnp's (pgp_library.h), which is loaded when the first key comes. Each
 * call reads the key anew and keeps nothing. Threads: any. Errors: ERR_INVALID, with OpenBao's sentence where it is not
 * its parser's own.
 */
#ifndef COFFER_BASE_PGP_H
#define COFFER_BASE_PGP_H

#include <stddef.h>

#include "base/buf.h"

#define PGP_KEY_TEXT_MAX     (192u << 10)
#define PGP_FINGERPRINT_SIZE 65 /* of 32 bytes at most, in hex */

/* Of the primary key, lower case. What has no subkey to encrypt to has one, too: see pgp_check(). */
int pgp_fingerprint(const char *key, char ret_hex[PGP_FINGERPRINT_SIZE], struct err *err) MUST_CHECK;
/* Whether one can encrypt to it now: it, or a subkey, is meant for that, not expired and not revoked. */
int pgp_check(const char *key, struct err *err) MUST_CHECK;
/* Appends one binary message. */
int pgp_encrypt(const char *key, const void *data, size_t len, struct buf *ret, struct err *err) MUST_CHECK;

#endif
