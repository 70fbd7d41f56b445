/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/identity/identity_private.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>

/* Without it OpenSSL would ask for the password of an encrypted file on the terminal. */
static int no_password(char *text, int size, int is_writing, void *arg)
{
    (void)text, (void)size, (void)is_writing, (void)arg;
    return -1;
}

static int open_text(const char *pem, size_t len, BIO **ret_bio, struct err *err)
{
    ERR_clear_error();
    if (len > IDENTITY_PEM_MAX)
        return err_set(err, ERR_INVALID, "PEM text of %zu bytes is too long", len);
    *ret_bio = BIO_new_mem_buf(pem, (int)len);
    return *ret_bio != NULL ? OK : err_set(err, ERR_INTERNAL, "out of memory");
}

int pem_read_key(const char *pem, size_t len, EVP_PKEY **ret_key, struct err *err)
{
    BIO *bio;
    int rc = open_text(pem, len, &bio, err);
    if (rc != OK)
        return rc;
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
    BIO_free(bio);
    ERR_clear_error();
    if (key == NULL)
        return err_set(err, ERR_INVALID, "no readable private key in PEM form");
    *ret_key = key;
    return OK;
}

int pem_read_certificate(const char *pem, size_t len, X509 **ret_certificate, struct err *err)
{
    BIO *bio;
    int rc = open_text(pem, len, &bio, err);
    if (rc != OK)
        return rc;
    X509 *certificate = PEM_read_bio_X509(bio, NULL, no_password, NULL);
    BIO_free(bio);
    ERR_clear_error();
    if (certificate == NULL)
        return err_set(err, ERR_INVALID, "no readable certificate in PEM form");
    *ret_certificate = certificate;
    return OK;
}

/* What is left in bio; ends where nothing more begins. */
static bool read_all(BIO *bio, STACK_OF(X509) * certificates)
{
    X509 *certificate;
    while ((certificate = PEM_read_bio_X509(bio, NULL, no_password, NULL)) != NULL)
        if (sk_X509_push(certificates, certificate) == 0)
            abort();
    return ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE && sk_X509_num(certificates) > 0;
}

int pem_read_certificates(const char *pem, size_t len, STACK_OF(X509) * *ret, struct err *err)
{
    BIO *bio;
    int rc = open_text(pem, len, &bio, err);
    if (rc != OK)
        return rc;
    STACK_OF(X509) *certificates = sk_X509_new_null();
    if (certificates == NULL)
        abort();
    bool is_read = read_all(bio, certificates);
    BIO_free(bio);
    ERR_clear_error();
    if (!is_read) {
        sk_X509_pop_free(certificates, X509_free);
        return err_set(err, ERR_INVALID, "no readable certificates in PEM form");
    }
    *ret = certificates;
    return OK;
}

int pem_read_request(const char *pem, size_t len, X509_REQ **ret_request, struct err *err)
{
    BIO *bio;
    int rc = open_text(pem, len, &bio, err);
    if (rc != OK)
        return rc;
    X509_REQ *request = PEM_read_bio_X509_REQ(bio, NULL, no_password, NULL);
    BIO_free(bio);
    ERR_clear_error();
    if (request == NULL)
        return err_set(err, ERR_INVALID, "no readable certificate request in PEM form");
    *ret_request = request;
    return OK;
}

/* Takes bio. A memory BIO wipes what it held when it is freed. */
static int put_bio(struct buf *buf, BIO *bio, int is_written, struct err *err)
{
    char *text = NULL;
    long len = is_written ? BIO_get_mem_data(bio, &text) : 0;
    if (len > 0)
        buf_put(buf, text, (size_t)len);
    BIO_free(bio);
    ERR_clear_error();
    return len > 0 ? OK : err_set(err, ERR_INTERNAL, "PEM text could not be written");
}

int pem_put_key(struct buf *buf, EVP_PKEY *key, struct err *err)
{
    BIO *bio = BIO_new(BIO_s_mem());
    int is_written = bio != NULL && PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, no_password, NULL) == 1;
    return put_bio(buf, bio, is_written, err);
}

int pem_put_certificate(struct buf *buf, X509 *certificate, struct err *err)
{
    BIO *bio = BIO_new(BIO_s_mem());
    return put_bio(buf, bio, bio != NULL && PEM_write_bio_X509(bio, certificate) == 1, err);
}

int pem_put_certificates(struct buf *buf, const STACK_OF(X509) * certificates, struct err *err)
{
    int rc = OK;
    for (int i = 0; rc == OK && i < sk_X509_num(certificates); i++)
        rc = pem_put_certificate(buf, sk_X509_value(certificates, i), err);
    return rc;
}

int pem_put_request(struct buf *buf, X509_REQ *request, struct err *err)
{
    BIO *bio = BIO_new(BIO_s_mem());
    return put_bio(buf, bio, bio != NULL && PEM_write_bio_X509_REQ(bio, request) == 1, err);
}
