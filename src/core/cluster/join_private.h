/* SPDX-License-Identifier: Apache-2.0 */
/*
 * join_private.h — what the two sides of a join must compute alike.
 */
#ifndef COFFER_CORE_JOIN_PRIVATE_H
#define COFFER_CORE_JOIN_PRIVATE_H

/* HMAC-SHA-256 by the join secret over each part with its length before it; as hex. */
void join_proof(const unsigned char secret[32], const char *challenge, const char *node_id, const char *cluster_addr,
                const char *csr, char ret_hex[65]);

#endif
