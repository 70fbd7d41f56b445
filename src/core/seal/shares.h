/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shares.h — a key in shares: split among people, told to them, and collected from them again.
 *
 * Shares are Shamir's (storage/shamir.h). One share of one is the key itself. Threads: one at a time.
 */
#ifndef COFFER_CORE_SHARES_H
#define COFFER_CORE_SHARES_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"
#include "storage/barrier.h"

/* "…shares must be at least one" and so on, after the prefix; may_be_none: nobody holds any. */
int shares_check(const char *prefix, bool may_be_none, int shares, int threshold, struct err *err) MUST_CHECK;
/* Appends the shares of a key to two arrays of texts, in hex and in base64. */
int shares_tell(const unsigned char key[BARRIER_KEY_SIZE], int shares, int threshold, json_t *hex, json_t *base64,
                struct err *err) MUST_CHECK;

/* What was given so far; in secret memory. */
struct shares;
/* prefix: a literal, before the sentences of shares_add() about what cannot be a share, or "". */
struct shares *shares_new(const char *prefix);
/* Wipes; NULL is fine. */
void shares_free(struct shares *shares);
/*
 * Takes one share, in hex or base64. ret_is_new: it was not given before. One of a split key begins anew
 * after those of another size; others are refused: they cannot be of one key. ERR_INVALID: Vault's sentences.
 */
int shares_add(struct shares *shares, const char *text, bool *ret_is_new, struct err *err) MUST_CHECK;
/* Forgets what was given; it is the same collecting still. */
void shares_clear(struct shares *shares);
int shares_count(const struct shares *shares);
/* Of this collecting; a UUID. */
const char *shares_nonce(const struct shares *shares);
/* Whether it is the right key does not show here. ERR_INVALID when the shares cannot be of one key. */
int shares_combine(const struct shares *shares, unsigned char ret_key[BARRIER_KEY_SIZE], struct err *err) MUST_CHECK;

#endif
