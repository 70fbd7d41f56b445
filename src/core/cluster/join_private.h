/* SPDX-License-Identifier: Apache-2.0 */
/*
 * join_private.h — what the two sides of a join must compute alike, and whom they trust.
 */
#ifndef COFFER_CORE_JOIN_PRIVATE_H
#define COFFER_CORE_JOIN_PRIVATE_H

#include "base/err.h"

/* HMAC-SHA-256 by the join secret over each part with its length before it; as hex. */
void join_proof(const unsigned char secret[32], const char *challenge, const char *node_id, const char *cluster_addr,
                const char *csr, char ret_hex[65]);

/* Sees to it that this node trusts the state's authority. Under seal_mutex. */
struct core;
int join_trust(struct core *core, const char *authority, struct err *err) MUST_CHECK;

#endif
