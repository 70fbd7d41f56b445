/* SPDX-License-Identifier: Apache-2.0 */
/*
 * root_token.h — a root token on the word of those who hold the unseal key's shares, or the recovery key's.
 *
 * The answer holds it XORed with a one-time password that is known to who began, or encrypted to a PGP key: so whoever
 * gives the last share does not have it. Handlers' parts: each sets the reply's data. Errors: Vault's sentences.
 */
#ifndef COFFER_CORE_ROOT_TOKEN_H
#define COFFER_CORE_ROOT_TOKEN_H

#include "core/seal/ceremony.h"

int root_token_status(struct request *req) MUST_CHECK;
/* Fields: otp, pgp_key (which counts without an otp); without both an OTP is made and told, once. */
int root_token_init(struct request *req) MUST_CHECK;
/* Fields: key, nonce. Waits for the log when it was the last share. */
int root_token_update(struct request *req) MUST_CHECK;
/* Fields: encoded_token, otp. */
int root_token_decode(struct request *req) MUST_CHECK;

#endif
