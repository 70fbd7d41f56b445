/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rekey_private.h — between rekey.c and rekey_verify.c.
 */
#ifndef COFFER_CORE_REKEY_PRIVATE_H
#define COFFER_CORE_REKEY_PRIVATE_H

#include "core/seal/ceremony.h"

/* ERR_INVALID where there is no such key. */
int rekey_check_kind(struct request *req, enum ceremony_kind kind) MUST_CHECK;
/* Where the ceremony has it. */
unsigned char *rekey_new_key(const struct ceremony *ceremony);
/* Puts it in force. Without the mutex: it waits for the log. */
int rekey_put_in_force(struct request *req, enum ceremony_kind kind, const struct ceremony *ceremony) MUST_CHECK;

#endif
