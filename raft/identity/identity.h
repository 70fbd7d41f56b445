/* SPDX-License-Identifier: Apache-2.0 */
/*
 * identity.h — who a node is to its peers: the cluster's authority, keys, certificates (X.509, ECDSA P-256).
 *
 * A node keeps <dir>/node.key, node.crt, ca.crt and, if it has to, trusted.crt (0600) outside the barrier, so that a
 * sealed node can take part. A certificate names its node: CN and a DNS SAN of "<node id>.coffer". The authority's key
 * is kept behind the barrier only. Threads: any; nothing is shared.
 */
#ifndef COFFER_RAFT_IDENTITY_H
#define COFFER_RAFT_IDENTITY_H

#include <openssl/ssl.h>
#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"

/* Appends a new authority: its certificate and key, PEM. */
int identity_new_authority(struct buf *ret_ca, struct err *err) MUST_CHECK;
/* Makes the node's key, if it has none, and appends a request for a certificate. */
int identity_request(const char *dir, const char *node_id, struct buf *ret_csr, struct err *err) MUST_CHECK;
/* Signs a request for node_id whatever name the request bears; appends the certificate and the authority's. */
int identity_sign(const char *ca, const char *csr, const char *node_id, struct buf *ret_certificate,
                  struct buf *ret_ca_certificate, struct err *err) MUST_CHECK;
/*
 * Checks that it belongs to the key and the node, then keeps it, and trusts this authority and those in `trusted`
 * (NULL: none) alone. All of it or nothing: what fails, or dies amid it, leaves no identity, and the node joins again.
 */
int identity_accept(const char *dir, const char *node_id, const char *certificate, const char *ca, const char *trusted,
                    struct err *err) MUST_CHECK;
bool identity_exists(const char *dir);

/* ---- Whom it trusts: its own authority, and others (identity_trust.c). All of them as PEM, certificates only. ---- */

/* Whether the identity is there, and trusts this one. */
bool identity_trusts(const char *dir, const char *ca_certificate);
/* Whether it is the one that has signed the node's own certificate. */
bool identity_is_of(const char *dir, const char *ca_certificate);
/* Trusts these from now on, too; what was accepted anew (identity_accept) forgets them. Not from two threads at once.
 */
int identity_trust(const char *dir, const char *authorities, bool *ret_is_new, struct err *err) MUST_CHECK;
/* Appends all that it trusts, its own authority first. */
int identity_authorities(const char *dir, struct buf *ret, struct err *err) MUST_CHECK;

/* A context for both directions: TLS 1.3 only, both sides proved by the authority, ALPN. */
int identity_context(const char *dir, bool as_server, SSL_CTX **ret_context, struct err *err) MUST_CHECK;
/* Has a context trust whom the identity trusts by now. */
int identity_context_trust(SSL_CTX *context, const char *dir, struct err *err) MUST_CHECK;
/* The node id that the peer's certificate names. ERR_DENIED when there is none. */
int identity_peer(SSL *ssl, char *ret_node_id, size_t size, struct err *err) MUST_CHECK;
/* The node id that a context's own certificate names. */
int identity_own(const SSL_CTX *context, char *ret_node_id, size_t size, struct err *err) MUST_CHECK;

#endif
