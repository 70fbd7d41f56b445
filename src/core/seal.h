/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seal.h — initialising, unsealing and sealing a node, and how a node joins.
 *
 * The unseal key (Shamir) encrypts the root key, the root key the keyring; the cluster stores both encrypted.
 * Between the keys' arrival and the barrier's opening they lie in secret memory; then they are wiped.
 */
#ifndef COFFER_CORE_SEAL_H
#define COFFER_CORE_SEAL_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"
#include "core/core.h"

/* Creates the cluster. ret_result: keys, keys_base64, root_token (a new reference). Waits. root_token: a chosen
 * one (dev mode), or NULL. Errors: ERR_INVALID "Vault is already initialized", "invalid seal configuration: …". */
int seal_init(struct core *core, int shares, int threshold, const char *root_token, json_t **ret_result,
              struct err *err) MUST_CHECK;
/* One share, hex or base64. Waits when it was the last one needed. Errors: Vault's sentences. */
int seal_unseal(struct core *core, const char *key, struct err *err) MUST_CHECK;
int seal_reset(struct core *core, struct err *err) MUST_CHECK;
int seal_seal(struct core *core, struct err *err) MUST_CHECK;
/* The body of sys/seal-status; a new reference. */
json_t *seal_status(struct core *core);
/* {"cluster_name","cluster_id"}; a new reference. */
json_t *seal_cluster(struct core *core);

/* ---- Joining ---- */
/* Joiner: remembers whom to ask and fetches the seal's configuration; goes on when unsealed. `params` as in
 * sys/storage/raft/join. */
int join_start(struct core *core, const json_t *params, struct err *err) MUST_CHECK;
/* Leader: a stateless challenge for a node, and the check of its answer, which ends in a certificate and membership. */
int join_challenge(struct request *req, const char *node_id, json_t **ret_data) MUST_CHECK;
int join_answer(struct request *req, const json_t *params, json_t **ret_data) MUST_CHECK;

#endif
