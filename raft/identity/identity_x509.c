/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/identity/identity_private.h"

#include <openssl/asn1.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/secret.h"

/* The authority outlives every certificate that it may still sign within its first twenty years. */
#define AUTHORITY_DAYS (30 * 365)
#define NODE_DAYS      (10 * 365)

static int openssl_failed(struct err *err, const char *what)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    int rc = err_set(err, ERR_INTERNAL, "%s: %s", what, reason != NULL ? reason : "OpenSSL gives no reason");
    ERR_clear_error();
    return rc;
}

bool x509_node_id_valid(const char *node_id)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    size_t len = strlen(node_id);
    return len > 0 && len < IDENTITY_NODE_ID_MAX && strspn(node_id, allowed) == len;
}

int x509_key_new(EVP_PKEY **ret_key, struct err *err)
{
    ERR_clear_error();
    EVP_PKEY *key = EVP_EC_gen("P-256");
    if (key == NULL)
        return openssl_failed(err, "a key could not be made");
    *ret_key = key;
    return OK;
}

static bool set_serial(X509 *certificate)
{
    unsigned char bytes[16];
    random_bytes(bytes, sizeof bytes);
    bytes[0] = (bytes[0] & 0x7f) | 0x40; /* positive, and always of the same length */
    BIGNUM *number = BN_bin2bn(bytes, sizeof bytes, NULL);
    bool is_set = number != NULL && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != NULL;
    BN_free(number);
    return is_set;
}

static bool set_name(X509_NAME *name, const char *common_name)
{
    return X509_NAME_add_entry_by_txt(name, "O", MBSTRING_ASC, (const unsigned char *)"Coffer", -1, -1, 0) == 1 &&
           X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)common_name, -1, -1, 0) == 1;
}

static bool add_extension(X509 *certificate, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    bool is_added = extension != NULL && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return is_added;
}

/* What both kinds have in common. NULL when OpenSSL fails. */
static X509 *certificate_new(EVP_PKEY *key, int days)
{
    X509 *certificate = X509_new();
    if (certificate != NULL && X509_set_version(certificate, X509_VERSION_3) == 1 && set_serial(certificate) &&
        /* Valid since 1970: a node whose clock is behind, were it by years, is still a member. */
        ASN1_TIME_set(X509_getm_notBefore(certificate), 0) != NULL &&
        X509_time_adj_ex(X509_getm_notAfter(certificate), days, 0, NULL) != NULL &&
        X509_set_pubkey(certificate, key) == 1)
        return certificate;
    X509_free(certificate);
    return NULL;
}

int x509_authority_new(EVP_PKEY *key, X509 **ret_certificate, struct err *err)
{
    ERR_clear_error();
    char tag[9], name[64];
    random_base62(tag, sizeof tag - 1);
    snprintf(name, sizeof name, "Coffer cluster authority %s", tag);
    X509 *ca = certificate_new(key, AUTHORITY_DAYS);
    if (ca == NULL || !set_name(X509_get_subject_name(ca), name) ||
        X509_set_issuer_name(ca, X509_get_subject_name(ca)) != 1 ||
        !add_extension(ca, ca, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
        !add_extension(ca, ca, NID_key_usage, "critical,keyCertSign,cRLSign") ||
        !add_extension(ca, ca, NID_subject_key_identifier, "hash") ||
        !add_extension(ca, ca, NID_authority_key_identifier, "keyid:always") || X509_sign(ca, key, EVP_sha256()) == 0) {
        X509_free(ca);
        return openssl_failed(err, "an authority could not be made");
    }
    *ret_certificate = ca;
    return OK;
}

int x509_request_new(EVP_PKEY *key, const char *node_id, X509_REQ **ret_request, struct err *err)
{
    ERR_clear_error();
    X509_REQ *request = X509_REQ_new();
    if (request == NULL || X509_REQ_set_version(request, X509_REQ_VERSION_1) != 1 ||
        !set_name(X509_REQ_get_subject_name(request), node_id) || X509_REQ_set_pubkey(request, key) != 1 ||
        X509_REQ_sign(request, key, EVP_sha256()) == 0) {
        X509_REQ_free(request);
        return openssl_failed(err, "a certificate request could not be made");
    }
    *ret_request = request;
    return OK;
}

static bool is_p256(EVP_PKEY *key)
{
    char group[32];
    return EVP_PKEY_is_a(key, "EC") && EVP_PKEY_get_group_name(key, group, sizeof group, NULL) == 1 &&
           strcmp(group, "prime256v1") == 0;
}

static int check_request(X509_REQ *request, struct err *err)
{
    EVP_PKEY *key = X509_REQ_get0_pubkey(request);
    int rc = OK;
    if (key == NULL || !is_p256(key))
        rc = err_set(err, ERR_INVALID, "the key of the certificate request is not on the curve P-256");
    else if (X509_REQ_verify(request, key) != 1)
        rc = err_set(err, ERR_INVALID, "the certificate request is not signed by its own key");
    ERR_clear_error();
    return rc;
}

/* A certificate never outlives its authority. */
static bool cap_end(X509 *certificate, X509 *ca)
{
    const ASN1_TIME *ca_end = X509_get0_notAfter(ca);
    return ASN1_TIME_compare(X509_get0_notAfter(certificate), ca_end) <= 0 ||
           X509_set1_notAfter(certificate, ca_end) == 1;
}

int x509_node_new(X509 *ca, EVP_PKEY *ca_key, X509_REQ *request, const char *node_id, X509 **ret_certificate,
                  struct err *err)
{
    ERR_clear_error();
    int rc = check_request(request, err);
    if (rc != OK)
        return rc;
    char alternative[IDENTITY_NODE_ID_MAX + sizeof "DNS:.coffer"];
    snprintf(alternative, sizeof alternative, "DNS:%s.coffer", node_id);
    X509 *node = certificate_new(X509_REQ_get0_pubkey(request), NODE_DAYS);
    if (node == NULL || !cap_end(node, ca) || !set_name(X509_get_subject_name(node), node_id) ||
        X509_set_issuer_name(node, X509_get_subject_name(ca)) != 1 ||
        !add_extension(node, ca, NID_basic_constraints, "critical,CA:FALSE") ||
        !add_extension(node, ca, NID_key_usage, "critical,digitalSignature") ||
        !add_extension(node, ca, NID_ext_key_usage, "serverAuth,clientAuth") ||
        !add_extension(node, ca, NID_subject_alt_name, alternative) ||
        !add_extension(node, ca, NID_subject_key_identifier, "hash") ||
        !add_extension(node, ca, NID_authority_key_identifier, "keyid:always") ||
        X509_sign(node, ca_key, EVP_sha256()) == 0) {
        X509_free(node);
        return openssl_failed(err, "a certificate could not be made");
    }
    *ret_certificate = node;
    return OK;
}

int x509_node_id(X509 *certificate, char *ret_node_id, size_t size, struct err *err)
{
    const X509_NAME *subject = X509_get_subject_name(certificate);
    int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (at < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName, at) >= 0)
        return err_set(err, ERR_DENIED, "the certificate does not name one node");
    const ASN1_STRING *text = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));
    int len = ASN1_STRING_length(text);
    char node_id[IDENTITY_NODE_ID_MAX] = "";
    if (len <= 0 || len >= (int)sizeof node_id || (size_t)len >= size)
        return err_set(err, ERR_DENIED, "the certificate's name is not the name of a node");
    memcpy(node_id, ASN1_STRING_get0_data(text), (size_t)len);
    /* A zero byte inside would end the name early: then the lengths differ. */
    if (strlen(node_id) != (size_t)len || !x509_node_id_valid(node_id))
        return err_set(err, ERR_DENIED, "the certificate's name is not the name of a node");
    memcpy(ret_node_id, node_id, (size_t)len + 1);
    return OK;
}

static int check_failed(int code, struct err *err)
{
    bool is_date = code == X509_V_ERR_CERT_HAS_EXPIRED || code == X509_V_ERR_CERT_NOT_YET_VALID;
    return err_set(err, is_date ? ERR_INVALID : ERR_CORRUPT, "the certificate is not accepted: %s",
                   X509_verify_cert_error_string(code));
}

int x509_check(X509 *certificate, X509 *ca, struct err *err)
{
    ERR_clear_error();
    int rc = err_set(err, ERR_INTERNAL, "out of memory");
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    if (store == NULL || context == NULL || X509_STORE_add_cert(store, ca) != 1 ||
        X509_STORE_CTX_init(context, store, certificate, NULL) != 1)
        goto out;
    X509_STORE_CTX_set_flags(context, X509_V_FLAG_CHECK_SS_SIGNATURE | X509_V_FLAG_X509_STRICT);
    if (X509_verify_cert(context) == 1)
        rc = OK;
    else
        rc = check_failed(X509_STORE_CTX_get_error(context), err);
out:
    X509_STORE_CTX_free(context);
    X509_STORE_free(store);
    ERR_clear_error();
    return rc;
}
