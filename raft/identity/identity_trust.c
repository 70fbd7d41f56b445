/* SPDX-License-Identifier: Apache-2.0 */
/*
 * identity_trust.c — authorities besides the one that has signed a node's own certificate. A cluster has one authority
 * until another cluster's snapshot is forced on it: then newcomers are signed by that one's, and members go on with
 * the certificates that they have. Whoever trusts both can talk to all.
 */
#include <string.h>

#include "base/file.h"
#include "raft/identity/identity.h"
#include "raft/identity/identity_private.h"

/* Each comes with a restore of yet another cluster's snapshot. */
#define TRUSTED_MAX 16

/* The other authorities, each checked; an empty list when there are none. */
static int load_trusted(const char *path, STACK_OF(X509) * *ret, struct err *err)
{
    if (!file_exists(path)) {
        *ret = sk_X509_new_null();
        return *ret != NULL ? OK : err_set(err, ERR_INTERNAL, "out of memory");
    }
    STACK_OF(X509) * trusted;
    int rc = identity_load_certificates(path, &trusted, err);
    if (rc != OK)
        return rc;
    for (int i = 0; rc == OK && i < sk_X509_num(trusted); i++)
        rc = x509_check(sk_X509_value(trusted, i), sk_X509_value(trusted, i), err);
    if (rc != OK)
        err_wrap(err, "%s", path);
    if (rc == OK)
        *ret = trusted;
    else
        sk_X509_pop_free(trusted, X509_free);
    return rc;
}

/* All that a node trusts, its own authority first. */
static int load_all(const struct identity_files *files, STACK_OF(X509) * *ret, struct err *err)
{
    STACK_OF(X509) *own = NULL, *trusted = NULL;
    int rc = identity_load_certificates(files->ca, &own, err);
    if (rc == OK)
        rc = load_trusted(files->trusted, &trusted, err);
    while (rc == OK && sk_X509_num(trusted) > 0)
        if (sk_X509_push(own, sk_X509_shift(trusted)) == 0)
            rc = err_set(err, ERR_INTERNAL, "out of memory");
    sk_X509_pop_free(trusted, X509_free);
    if (rc == OK)
        *ret = own;
    else
        sk_X509_pop_free(own, X509_free);
    return rc;
}

static int find(const STACK_OF(X509) * list, const X509 *certificate)
{
    for (int i = 0; i < sk_X509_num(list); i++)
        if (X509_cmp(sk_X509_value(list, i), certificate) == 0)
            return i;
    return -1;
}

/* Adds to `known` what `offered` has besides. */
static int take_new(STACK_OF(X509) * known, STACK_OF(X509) * offered, bool *ret_is_new, struct err *err)
{
    int rc = OK;
    for (int i = 0; rc == OK && i < sk_X509_num(offered); i++) {
        X509 *certificate = sk_X509_value(offered, i);
        if (find(known, certificate) >= 0)
            continue;
        rc = x509_check(certificate, certificate, err);
        if (rc == OK && sk_X509_num(known) > TRUSTED_MAX)
            rc = err_set(err, ERR_INVALID, "this node trusts %d other authorities already", TRUSTED_MAX);
        if (rc == OK && (X509_up_ref(certificate) != 1 || sk_X509_push(known, certificate) == 0))
            rc = err_set(err, ERR_INTERNAL, "out of memory");
        *ret_is_new = true;
    }
    return rc;
}

static int keep_trusted(const struct identity_files *files, STACK_OF(X509) * all, struct err *err)
{
    struct buf text = BUF_INIT;
    X509_free(sk_X509_shift(all)); /* its own authority has a file of its own */
    int rc = pem_put_certificates(&text, all, err);
    if (rc == OK)
        rc = file_replace(files->trusted, text.data, text.len, 0600, err);
    buf_close(&text);
    return rc;
}

int identity_trust(const char *dir, const char *authorities, bool *ret_is_new, struct err *err)
{
    struct identity_files files;
    STACK_OF(X509) *offered = NULL, *all = NULL;
    bool is_new = false;
    int rc = identity_files_of(dir, &files, err);
    if (rc == OK)
        rc = pem_read_certificates(authorities, strlen(authorities), &offered, err);
    if (rc == OK)
        rc = load_all(&files, &all, err);
    if (rc == OK)
        rc = take_new(all, offered, &is_new, err);
    if (rc == OK && is_new)
        rc = keep_trusted(&files, all, err);
    sk_X509_pop_free(offered, X509_free);
    sk_X509_pop_free(all, X509_free);
    if (rc == OK)
        *ret_is_new = is_new;
    return rc;
}

/* At which place of all that the node trusts; -1: nowhere. */
static int place_of(const char *dir, const char *ca_certificate)
{
    struct identity_files files;
    STACK_OF(X509) *all = NULL;
    X509 *offered = NULL;
    int place = -1;
    if (identity_exists(dir) && identity_files_of(dir, &files, NULL) == OK && load_all(&files, &all, NULL) == OK &&
        pem_read_certificate(ca_certificate, strlen(ca_certificate), &offered, NULL) == OK)
        place = find(all, offered);
    sk_X509_pop_free(all, X509_free);
    X509_free(offered);
    return place;
}

bool identity_trusts(const char *dir, const char *ca_certificate)
{
    return place_of(dir, ca_certificate) >= 0;
}

bool identity_is_of(const char *dir, const char *ca_certificate)
{
    return place_of(dir, ca_certificate) == 0;
}

int identity_authorities(const char *dir, struct buf *ret, struct err *err)
{
    struct identity_files files;
    STACK_OF(X509) *all = NULL;
    int rc = identity_files_of(dir, &files, err);
    if (rc == OK)
        rc = load_all(&files, &all, err);
    if (rc == OK)
        rc = pem_put_certificates(ret, all, err);
    sk_X509_pop_free(all, X509_free);
    return rc;
}

int identity_context_trust(SSL_CTX *context, const char *dir, struct err *err)
{
    struct identity_files files;
    STACK_OF(X509) *trusted = NULL;
    int rc = identity_files_of(dir, &files, err);
    if (rc == OK)
        rc = load_trusted(files.trusted, &trusted, err);
    for (int i = 0; rc == OK && i < sk_X509_num(trusted); i++) /* one that is there already is no error */
        if (X509_STORE_add_cert(SSL_CTX_get_cert_store(context), sk_X509_value(trusted, i)) != 1)
            rc = err_set(err, ERR_INTERNAL, "out of memory");
    sk_X509_pop_free(trusted, X509_free);
    return rc;
}
