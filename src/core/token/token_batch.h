/* SPDX-License-Identifier: Apache-2.0 */
/*
 * token_batch.h — tokens that are stored nowhere: what is known of one is in its text, encrypted.
 *
 *   "hvb." ‖ base64url, without padding, of a stored value (storage/barrier.h: term u32 ‖ format u8 ‖ nonce 12 ‖
 *   AES-256-GCM ‖ tag 16), whose data is the token's record as compact JSON
 *
 * The value is bound to the empty name in the directory "token/batch/". Nothing is ever stored there: so no record can
 * be passed off as a token. Threads: any.
 */
#ifndef COFFER_CORE_TOKEN_BATCH_H
#define COFFER_CORE_TOKEN_BATCH_H

#include <jansson.h>
#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "storage/barrier.h"

#define TOKEN_BATCH_TEXT_MAX 4096 /* it is to fit into a header */

/* Whether it looks like one. */
bool token_text_is_batch(const char *text);
/* Sets ret_text. ERR_TOO_LARGE for a record that makes too long a text; ERR_SEALED. */
int token_batch_seal(struct barrier *barrier, const json_t *record, struct buf *ret_text) MUST_CHECK;
/* A new reference. ERR_NOTFOUND for a text that was not made with this barrier, whatever is wrong with it; ERR_SEALED.
 */
int token_batch_open(struct barrier *barrier, const char *text, json_t **ret_record) MUST_CHECK;

#endif
