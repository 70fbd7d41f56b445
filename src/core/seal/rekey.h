/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rekey.h — another unseal key, or with an automatic seal another recovery key, in new shares.
 *
 *   init ──▶ shares of the present key … ──▶ the new shares are told ──▶ in force
 *                                                   └─ with verification: ──▶ shares of the new key … ──▶ in force
 *
 * With verification the new key is in force only when enough of its shares have come back. An answer can get lost;
 * without verification the new shares are lost with it. With an automatic seal nobody holds shares of the unseal key:
 * it is made anew on the word of those who hold the recovery key's, and nothing is told.
 *
 * Shares can be told encrypted to PGP keys, and be kept so as well (recipients.h): in the same entry of the log that
 * puts the new key in force, or, with verification, before they are told.
 *
 * Handlers' parts: each sets the reply's data. kind: one of the two rekeys. Errors: Vault's sentences.
 */
#ifndef COFFER_CORE_REKEY_H
#define COFFER_CORE_REKEY_H

#include "core/seal/ceremony.h"

int rekey_status(struct request *req, enum ceremony_kind kind) MUST_CHECK;
/* Fields: secret_shares, secret_threshold, require_verification, pgp_keys, backup. */
int rekey_init(struct request *req, enum ceremony_kind kind) MUST_CHECK;
/* Field: nonce, which must fit if it is given. */
int rekey_cancel(struct request *req, enum ceremony_kind kind) MUST_CHECK;
/* Fields: key, nonce. Waits for the log when it was the last share. */
int rekey_update(struct request *req, enum ceremony_kind kind) MUST_CHECK;
int rekey_verify_status(struct request *req, enum ceremony_kind kind) MUST_CHECK;
int rekey_verify_update(struct request *req, enum ceremony_kind kind) MUST_CHECK;
int rekey_verify_restart(struct request *req, enum ceremony_kind kind) MUST_CHECK;

/* The shares that were kept, encrypted. */
int rekey_backup_read(struct request *req, enum ceremony_kind kind) MUST_CHECK;
int rekey_backup_delete(struct request *req, enum ceremony_kind kind) MUST_CHECK;

#endif
