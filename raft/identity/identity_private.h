/* SPDX-License-Identifier: Apache-2.0 */
/*
 * identity_private.h — keys, requests and certificates as objects and as PEM, for identity.c
 * and identity_trust.c.
 *
 * Reading PEM takes hostile text: nothing longer than IDENTITY_PEM_MAX, never a question for a password.
 * What is returned belongs to the caller (EVP_PKEY_free, X509_free). Threads: any.
 */
#ifndef COFFER_RAFT_IDENTITY_PRIVATE_H
#define COFFER_RAFT_IDENTITY_PRIVATE_H

#include <limits.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

#define IDENTITY_PEM_MAX     (64u << 10)
#define IDENTITY_NODE_ID_MAX 64

/* Whether it is [A-Za-z0-9._-]{1,63}: what a certificate may name. */
bool x509_node_id_valid(const char *node_id);

/* A new key on the curve P-256. */
int x509_key_new(EVP_PKEY **ret_key, struct err *err) MUST_CHECK;
int x509_authority_new(EVP_PKEY *key, X509 **ret_certificate, struct err *err) MUST_CHECK;
int x509_request_new(EVP_PKEY *key, const char *node_id, X509_REQ **ret_request, struct err *err) MUST_CHECK;
/* A certificate for node_id and the request's key. ERR_INVALID when the requester has not proved that the key is its
 * own. */
int x509_node_new(X509 *ca, EVP_PKEY *ca_key, X509_REQ *request, const char *node_id, X509 **ret_certificate,
                  struct err *err) MUST_CHECK;

/* What a certificate's one CN says. ERR_DENIED when that is no node id. */
int x509_node_id(X509 *certificate, char *ret_node_id, size_t size, struct err *err) MUST_CHECK;
/*
 * ERR_CORRUPT when the authority has not signed it, or not itself; ERR_INVALID when one of both is not valid today.
 */
int x509_check(X509 *certificate, X509 *ca, struct err *err) MUST_CHECK;

/* Read the first object of its kind; ERR_INVALID when there is none. */
int pem_read_key(const char *pem, size_t len, EVP_PKEY **ret_key, struct err *err) MUST_CHECK;
int pem_read_certificate(const char *pem, size_t len, X509 **ret_certificate, struct err *err) MUST_CHECK;
int pem_read_request(const char *pem, size_t len, X509_REQ **ret_request, struct err *err) MUST_CHECK;
/* All of them, in order, at least one; `ret` is the caller's (sk_X509_pop_free). ERR_INVALID, also for what follows. */
int pem_read_certificates(const char *pem, size_t len, STACK_OF(X509) * *ret, struct err *err) MUST_CHECK;
/* Append. */
int pem_put_key(struct buf *buf, EVP_PKEY *key, struct err *err) MUST_CHECK;
int pem_put_certificate(struct buf *buf, X509 *certificate, struct err *err) MUST_CHECK;
int pem_put_certificates(struct buf *buf, const STACK_OF(X509) * certificates, struct err *err) MUST_CHECK;
int pem_put_request(struct buf *buf, X509_REQ *request, struct err *err) MUST_CHECK;

/* ---- What a node keeps ---- */

struct identity_files {
    char key[PATH_MAX];
    char certificate[PATH_MAX];
    char ca[PATH_MAX];
    char trusted[PATH_MAX]; /* other authorities that are trusted as well; mostly not there */
};
int identity_files_of(const char *dir, struct identity_files *ret, struct err *err) MUST_CHECK;
/* A file of certificates; ERR_CORRUPT, naming it, when it is not what was written. */
int identity_load_certificates(const char *path, STACK_OF(X509) * *ret, struct err *err) MUST_CHECK;

#endif
