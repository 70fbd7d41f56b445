/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seal_private.h — between seal*.c and join*.c.
 */
#ifndef COFFER_CORE_SEAL_PRIVATE_H
#define COFFER_CORE_SEAL_PRIVATE_H

#include <stddef.h>

#include "base/buf.h"
#include "core/core.h"
#include "storage/barrier.h"
#include "storage/txn.h"

#define SETTLE_MS         5000 /* how long an answer waits for the node to become active, or a standby */
#define SEAL_WRAPPED_SIZE 60
#define SEAL_ROOT_KEY     "coffer root key" /* what an unseal key wraps */

/* Appends a secret, encrypted by a key: nonce 12 ‖ AES-256-GCM ‖ tag 16. Bound to its purpose. */
void seal_wrap(const unsigned char key[BARRIER_KEY_SIZE], const char *purpose,
               const unsigned char secret[BARRIER_KEY_SIZE], struct buf *ret);
/* ERR_DENIED when the key does not fit, the data is damaged, or it is for another purpose. */
int seal_unwrap(const unsigned char key[BARRIER_KEY_SIZE], const char *purpose, const void *data, size_t len,
                unsigned char ret_secret[BARRIER_KEY_SIZE]) MUST_CHECK;
/* What is stored of a recovery key, to know it again: it cannot be turned back. */
void recovery_mark(const unsigned char recovery_key[BARRIER_KEY_SIZE], char ret_hex[65]);

/* What the cluster stores of its seal: {"type","shares","threshold"}; of an automatic one the shares are of the
 * recovery key, and there are "recovery" (recovery_mark's) and "stored" (see seal_type.h). A new reference; NULL when
 * the cluster is not initialized. Under seal_mutex. */
json_t *seal_config(struct core *core);
/* Finds the configured type and checks its settings; sets core->seal. */
int seal_configure(struct core *core, struct err *err) MUST_CHECK;
/* What was initialized with one seal does not open with another. */
int seal_check_stored(struct core *core, struct err *err) MUST_CHECK;
/* Whether a key, put together from people's shares, is the one that they hold: Vault's sentences. */
int seal_check_key(struct core *core, const json_t *config, const unsigned char key[BARRIER_KEY_SIZE],
                   struct err *err) MUST_CHECK;
/* With the unseal key: joins, if that was begun, and opens the barrier. Under seal_mutex. */
int seal_open(struct core *core, const unsigned char unseal_key[BARRIER_KEY_SIZE], struct err *err) MUST_CHECK;

/* ---- seal_renew.c ---- */

/* Takes over value. */
int seal_put_text(struct request *req, enum txn_clear record, json_t *value) MUST_CHECK;
/* Writes the record of how to join, with the secret that belongs to the unseal key. */
int seal_put_join(struct request *req, json_t *record, const unsigned char unseal_key[BARRIER_KEY_SIZE]) MUST_CHECK;

struct seal_renewal {
    const unsigned char *old_key, *new_key; /* old_key: of the unseal key only */
    int shares, threshold;                  /* of the new one; 0: as they are */
};
/* arg is a struct seal_renewal; for request_run_internal(). ERR_INVALID when old_key does not fit any more. */
int seal_write_unseal_key(struct request *req, void *arg) MUST_CHECK;
int seal_write_recovery_key(struct request *req, void *arg) MUST_CHECK;
/* With an automatic seal: a new unseal key. Waits. */
int seal_auto_rekey(struct core *core, uint64_t epoch, struct err *err) MUST_CHECK;

/* ---- seal_auto.c; under seal_mutex ---- */

/* ret_is_old: by a key of the seal that is being replaced. */
int seal_auto_decrypt(struct core *core, const json_t *config, unsigned char ret_key[BARRIER_KEY_SIZE],
                      bool *ret_is_old, struct err *err) MUST_CHECK;

/* Gets the unseal key from the seal and opens the barrier with it, as seal_open() does. */
int seal_auto_open(struct core *core, struct err *err) MUST_CHECK;

#endif
