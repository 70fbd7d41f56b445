/* SPDX-License-Identifier: Apache-2.0 */
/*
 * recipients.h — PGP keys that shares and root tokens are encrypted to before they are told (base/pgp.h), and the
 * backup: shares so encrypted, kept for who loses the answer.
 *
 * A list of keys is a JSON array of texts, one for each share, in their order; NULL or an empty one is none. Threads:
 * any.
 */
#ifndef COFFER_CORE_RECIPIENTS_H
#define COFFER_CORE_RECIPIENTS_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"

struct request;

/* Reads the keys; ret_fingerprints: a new array, in their order. Whether one can encrypt to them it does not say. */
int recipients_read(const json_t *keys, json_t **ret_fingerprints, struct err *err) MUST_CHECK;
/* Whether one can encrypt to all of them. */
int recipients_check(const json_t *keys, struct err *err) MUST_CHECK;
/* Puts in each share's place its message, in hex and in base64. In the message is the share in hex, as in OpenBao. */
int recipients_encrypt(const json_t *keys, json_t *hex, json_t *base64, struct err *err) MUST_CHECK;
/* A text, as a message in base64. ret_text: a new JSON string. */
int recipients_encrypt_text(const char *key, const char *text, json_t **ret_text, struct err *err) MUST_CHECK;

/* ---- The backup: one record for each kind of key, in the barrier ---- */

/* What is kept: messages by their keys' fingerprints. A new reference. */
json_t *recipients_backup(const char *nonce, const json_t *fingerprints, const json_t *base64);
int recipients_keep(struct request *req, bool is_recovery, const json_t *backup) MUST_CHECK;
/* As clients are told it: nonce, keys (in hex) and keys_base64. ERR_NOTFOUND. */
int recipients_kept(struct request *req, bool is_recovery, json_t **ret_backup) MUST_CHECK;
int recipients_forget(struct request *req, bool is_recovery) MUST_CHECK;

#endif
