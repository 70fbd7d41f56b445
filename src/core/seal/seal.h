/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seal.h — initialising, unsealing and sealing a node, and how a node joins.
 *
 * The unseal key encrypts the root key, the root key the keyring; the cluster stores both encrypted. The unseal key
 * itself is in shares among people, or stored encrypted by an automatic seal: seal_type.h.
 * Between the keys' arrival and the barrier's opening they lie in secret memory; then they are wiped.
 */
#ifndef COFFER_CORE_SEAL_H
#define COFFER_CORE_SEAL_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"
#include "core/core.h"

/* The configured seal: whether the node unseals itself, and its type's name. */
bool seal_is_auto(const struct core *core);
const char *seal_name(const struct core *core);

struct seal_birth {
    int shares, threshold;
    const char *root_token;         /* a chosen one (dev mode), or NULL */
    const json_t *pgp_keys;         /* to encrypt the shares to, one for each (recipients.h); NULL or empty: none */
    const char *root_token_pgp_key; /* likewise; NULL or "": none */
};

/* Creates the cluster. ret_result: keys, keys_base64, root_token (a new reference). Waits. With an automatic seal the
 * shares are of a recovery key, may be none, and are told as recovery_keys, recovery_keys_base64; the node is unsealed
 * afterwards.
 * Errors: ERR_INVALID "Vault is already initialized", "invalid seal configuration: …". */
int seal_init(struct core *core, const struct seal_birth *wish, json_t **ret_result, struct err *err) MUST_CHECK;
/* One share (of the recovery key, when the seal is automatic), hex or base64. Waits when it was the last one needed.
 * Errors: Vault's sentences. */
int seal_unseal(struct core *core, const char *key, struct err *err) MUST_CHECK;
int seal_reset(struct core *core, struct err *err) MUST_CHECK;
int seal_seal(struct core *core, struct err *err) MUST_CHECK;
/* Of an automatic seal: unseals in the background, trying again until it succeeds, from the start on. */
void seal_auto_start(struct core *core);
void seal_auto_stop(struct core *core);
/* Begins anew, after this node was sealed because the state was replaced. The lifecycle thread. */
void seal_auto_again(struct core *core);
/* Encrypts anew what is encrypted by a seal's key that is being replaced. On the active node; waits. */
void seal_auto_renew(struct core *core, uint64_t epoch);
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
