/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seal_private.h — between seal.c, seal_init.c, seal_wrap.c and join.c.
 */
#ifndef COFFER_CORE_SEAL_PRIVATE_H
#define COFFER_CORE_SEAL_PRIVATE_H

#include <stddef.h>

#include "base/buf.h"
#include "core/core.h"
#include "storage/barrier.h"

/* Appends root_key, encrypted by the unseal key: nonce 12 ‖ AES-256-GCM ‖ tag 16. */
void seal_wrap(const unsigned char unseal_key[BARRIER_KEY_SIZE], const unsigned char root_key[BARRIER_KEY_SIZE],
               struct buf *ret);
/* ERR_DENIED when the key does not fit, or the data is damaged. */
int seal_unwrap(const unsigned char unseal_key[BARRIER_KEY_SIZE], const void *data, size_t len,
                unsigned char ret_root_key[BARRIER_KEY_SIZE]) MUST_CHECK;
/* Opens the barrier with the unseal key. */
int seal_open(struct core *core, const unsigned char unseal_key[BARRIER_KEY_SIZE], struct err *err) MUST_CHECK;
/* {"type","shares","threshold"}: a new reference; NULL when the cluster is not initialized. Under seal_mutex. */
json_t *seal_config(struct core *core);

#endif
