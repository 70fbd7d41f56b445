/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/identity/identity.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "raft/identity/identity_private.h"
#include "raft/net/net_protocol.h"

/* A peer sends one certificate of some 600 bytes. */
#define PEER_CERTIFICATES_MAX (16 << 10)

struct identity {
    EVP_PKEY *key;
    X509 *certificate;
    X509 *ca;
};

int identity_files_of(const char *dir, struct identity_files *ret, struct err *err)
{
    if (snprintf(ret->key, sizeof ret->key, "%s/node.key", dir) >= (int)sizeof ret->key ||
        snprintf(ret->certificate, sizeof ret->certificate, "%s/node.crt", dir) >= (int)sizeof ret->certificate ||
        snprintf(ret->ca, sizeof ret->ca, "%s/ca.crt", dir) >= (int)sizeof ret->ca ||
        snprintf(ret->trusted, sizeof ret->trusted, "%s/trusted.crt", dir) >= (int)sizeof ret->trusted)
        return err_set(err, ERR_INVALID, "the path of the data directory is too long");
    return OK;
}

static int check_node_id(const char *node_id, struct err *err)
{
    if (x509_node_id_valid(node_id))
        return OK;
    return err_set(err, ERR_INVALID, "a node's id is 1 to 63 characters of [A-Za-z0-9._-]");
}

/* ---- Files. We wrote them, so whatever differs from what we would write is damage. ---- */

static int damaged(const char *path, struct err *err)
{
    return err_set(err, ERR_CORRUPT, "%s is damaged: it is not what was written", path);
}

static bool equals(const struct buf *a, const struct buf *b)
{
    return a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}

/* A damaged private half would still bear the public one that the certificate shows. */
static bool is_consistent(EVP_PKEY *key)
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);
    bool fits = context != NULL && EVP_PKEY_pairwise_check(context) == 1;
    EVP_PKEY_CTX_free(context);
    ERR_clear_error();
    return fits;
}

static int load_key(const char *path, EVP_PKEY **ret_key, struct err *err)
{
    struct buf text = BUF_INIT, again = BUF_INIT;
    EVP_PKEY *key = NULL;
    int rc = file_read(path, IDENTITY_PEM_MAX, &text, err);
    if (rc != OK)
        goto out;
    rc = pem_read_key((const char *)text.data, text.len, &key, NULL);
    if (rc == OK)
        rc = pem_put_key(&again, key, NULL);
    if (rc != OK || !equals(&text, &again) || !is_consistent(key)) {
        rc = damaged(path, err);
        goto out;
    }
    *ret_key = key;
    key = NULL;
out:
    EVP_PKEY_free(key);
    buf_close(&again);
    buf_close(&text);
    return rc;
}

int identity_load_certificates(const char *path, STACK_OF(X509) * *ret, struct err *err)
{
    struct buf text = BUF_INIT, again = BUF_INIT;
    STACK_OF(X509) *certificates = NULL;
    int rc = file_read(path, IDENTITY_PEM_MAX, &text, err);
    if (rc != OK)
        goto out;
    rc = pem_read_certificates((const char *)text.data, text.len, &certificates, NULL);
    if (rc == OK)
        rc = pem_put_certificates(&again, certificates, NULL);
    if (rc != OK || !equals(&text, &again)) {
        rc = damaged(path, err);
        goto out;
    }
    *ret = certificates;
    certificates = NULL;
out:
    sk_X509_pop_free(certificates, X509_free);
    buf_close(&again);
    buf_close(&text);
    return rc;
}

static int load_certificate(const char *path, X509 **ret_certificate, struct err *err)
{
    STACK_OF(X509) * certificates;
    int rc = identity_load_certificates(path, &certificates, err);
    if (rc != OK)
        return rc;
    if (sk_X509_num(certificates) == 1)
        *ret_certificate = sk_X509_pop(certificates);
    else
        rc = damaged(path, err);
    sk_X509_pop_free(certificates, X509_free);
    return rc;
}

static void identity_close(struct identity *identity)
{
    EVP_PKEY_free(identity->key);
    X509_free(identity->certificate);
    X509_free(identity->ca);
}

/* Each file is checked for itself first, so that the sentence names the one that is at fault. */
static int check_files(const struct identity_files *files, const struct identity *identity, struct err *err)
{
    if (x509_check(identity->ca, identity->ca, err) != OK)
        return err_wrap(err, "%s", files->ca);
    if (x509_check(identity->certificate, identity->ca, err) != OK)
        return err_wrap(err, "%s", files->certificate);
    if (X509_check_private_key(identity->certificate, identity->key) != 1) {
        ERR_clear_error();
        return err_set(err, ERR_CORRUPT, "%s is not the key of %s", files->key, files->certificate);
    }
    return OK;
}

static int identity_load(const char *dir, struct identity *ret, struct err *err)
{
    struct identity_files files;
    struct identity identity = {0};
    int rc = identity_files_of(dir, &files, err);
    if (rc == OK)
        rc = load_key(files.key, &identity.key, err);
    if (rc == OK)
        rc = load_certificate(files.certificate, &identity.certificate, err);
    if (rc == OK)
        rc = load_certificate(files.ca, &identity.ca, err);
    if (rc == OK)
        rc = check_files(&files, &identity, err);
    if (rc == OK)
        *ret = identity;
    else
        identity_close(&identity);
    return rc;
}

/* ---- The authority ---- */

int identity_new_authority(struct buf *ret_ca, struct err *err)
{
    EVP_PKEY *key = NULL;
    X509 *ca = NULL;
    int rc = x509_key_new(&key, err);
    if (rc == OK)
        rc = x509_authority_new(key, &ca, err);
    if (rc == OK)
        rc = pem_put_certificate(ret_ca, ca, err);
    if (rc == OK)
        rc = pem_put_key(ret_ca, key, err);
    X509_free(ca);
    EVP_PKEY_free(key);
    return rc;
}

int identity_sign(const char *ca, const char *csr, const char *node_id, struct buf *ret_certificate,
                  struct buf *ret_ca_certificate, struct err *err)
{
    X509 *ca_certificate = NULL, *certificate = NULL;
    EVP_PKEY *ca_key = NULL;
    X509_REQ *request = NULL;
    int rc = check_node_id(node_id, err);
    if (rc == OK)
        rc = pem_read_certificate(ca, strlen(ca), &ca_certificate, err);
    if (rc == OK)
        rc = pem_read_key(ca, strlen(ca), &ca_key, err);
    if (rc == OK)
        rc = pem_read_request(csr, strlen(csr), &request, err);
    if (rc == OK)
        rc = x509_node_new(ca_certificate, ca_key, request, node_id, &certificate, err);
    if (rc == OK)
        rc = pem_put_certificate(ret_certificate, certificate, err);
    if (rc == OK)
        rc = pem_put_certificate(ret_ca_certificate, ca_certificate, err);
    X509_REQ_free(request);
    EVP_PKEY_free(ca_key);
    X509_free(certificate);
    X509_free(ca_certificate);
    return rc;
}

/* ---- A node's own ---- */

static int make_key(const char *dir, const char *path, EVP_PKEY **ret_key, struct err *err)
{
    struct buf text = BUF_INIT;
    EVP_PKEY *key = NULL;
    int rc = file_make_dir(dir, 0700, err);
    if (rc == OK)
        rc = x509_key_new(&key, err);
    if (rc == OK)
        rc = pem_put_key(&text, key, err);
    if (rc == OK)
        rc = file_replace(path, text.data, text.len, 0600, err);
    buf_close(&text);
    if (rc == OK)
        *ret_key = key;
    else
        EVP_PKEY_free(key);
    return rc;
}

int identity_request(const char *dir, const char *node_id, struct buf *ret_csr, struct err *err)
{
    struct identity_files files;
    EVP_PKEY *key = NULL;
    X509_REQ *request = NULL;
    int rc = check_node_id(node_id, err);
    if (rc == OK)
        rc = identity_files_of(dir, &files, err);
    if (rc == OK)
        rc = file_exists(files.key) ? load_key(files.key, &key, err) : make_key(dir, files.key, &key, err);
    if (rc == OK)
        rc = x509_request_new(key, node_id, &request, err);
    if (rc == OK)
        rc = pem_put_request(ret_csr, request, err);
    X509_REQ_free(request);
    EVP_PKEY_free(key);
    return rc;
}

static int check_offer(const struct identity *offer, const char *node_id, struct err *err)
{
    char named[IDENTITY_NODE_ID_MAX];
    if (x509_check(offer->ca, offer->ca, err) != OK || x509_check(offer->certificate, offer->ca, err) != OK)
        return err_set(err, ERR_INVALID, "the certificate offered to this node is not signed by the authority offered");
    int rc = x509_node_id(offer->certificate, named, sizeof named, err);
    if (rc != OK)
        return rc;
    if (strcmp(named, node_id) != 0)
        return err_set(err, ERR_INVALID, "the certificate names node %s, this is node %s", named, node_id);
    if (X509_check_private_key(offer->certificate, offer->key) != 1) {
        ERR_clear_error();
        return err_set(err, ERR_INVALID, "the certificate is not for this node's key");
    }
    return OK;
}

static int remove_file(const char *path, struct err *err)
{
    if (unlink(path) == 0 || errno == ENOENT)
        return OK;
    return err_set(err, ERR_IO, "cannot remove %s: %s", path, strerror(errno));
}

/*
 * The old certificate goes first and the new one comes last: whenever the process dies in between, the
 * node has no identity and joins again, instead of one that does not fit together.
 */
static int keep_offer(const char *dir, const struct identity_files *files, const struct identity *offer,
                      const char *trusted, struct err *err)
{
    struct buf certificate = BUF_INIT, ca = BUF_INIT;
    bool is_new;
    int rc = pem_put_certificate(&ca, offer->ca, err);
    if (rc == OK)
        rc = pem_put_certificate(&certificate, offer->certificate, err);
    if (rc == OK)
        rc = remove_file(files->certificate, err);
    if (rc == OK)
        rc = remove_file(files->trusted, err);
    if (rc == OK)
        rc = file_replace(files->ca, ca.data, ca.len, 0600, err);
    if (rc == OK && trusted != NULL)
        rc = identity_trust(dir, trusted, &is_new, err);
    if (rc == OK)
        rc = file_replace(files->certificate, certificate.data, certificate.len, 0600, err);
    buf_close(&ca);
    buf_close(&certificate);
    return rc;
}

int identity_accept(const char *dir, const char *node_id, const char *certificate, const char *ca, const char *trusted,
                    struct err *err)
{
    struct identity_files files;
    struct identity offer = {0};
    int rc = check_node_id(node_id, err);
    if (rc == OK)
        rc = identity_files_of(dir, &files, err);
    if (rc == OK)
        rc = load_key(files.key, &offer.key, err);
    if (rc == OK)
        rc = pem_read_certificate(certificate, strlen(certificate), &offer.certificate, err);
    if (rc == OK)
        rc = pem_read_certificate(ca, strlen(ca), &offer.ca, err);
    if (rc == OK)
        rc = check_offer(&offer, node_id, err);
    if (rc == OK)
        rc = keep_offer(dir, &files, &offer, trusted, err);
    identity_close(&offer);
    return rc;
}

bool identity_exists(const char *dir)
{
    struct identity_files files;
    return identity_files_of(dir, &files, NULL) == OK && file_exists(files.key) && file_exists(files.certificate) &&
           file_exists(files.ca);
}

/* ---- TLS ---- */

/* The dialler offers one protocol; a link without one that we know is refused in the handshake. */
static int choose_protocol(SSL *ssl, const unsigned char **ret_protocol, unsigned char *ret_len,
                           const unsigned char *offered, unsigned int len, void *arg)
{
    static const unsigned char known[] = NET_ALPN_LINK NET_ALPN_SNAPSHOT NET_ALPN_CALL;
    (void)ssl, (void)arg;
    unsigned char *chosen;
    if (SSL_select_next_proto(&chosen, ret_len, known, sizeof known - 1, offered, len) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *ret_protocol = chosen;
    return SSL_TLSEXT_ERR_OK;
}

/* No tickets and no cache: every link proves both sides anew. */
static bool set_up(SSL_CTX *context, const struct identity *identity)
{
    if (SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) != 1 || SSL_CTX_set_num_tickets(context, 0) != 1 ||
        SSL_CTX_use_certificate(context, identity->certificate) != 1 ||
        SSL_CTX_use_PrivateKey(context, identity->key) != 1 ||
        X509_STORE_add_cert(SSL_CTX_get_cert_store(context), identity->ca) != 1)
        return false;
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET | SSL_OP_CLEANSE_PLAINTEXT | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN); /* peers have the authority */
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL_CTX_set_verify_depth(context, 1);
    SSL_CTX_set_max_cert_list(context, PEER_CERTIFICATES_MAX);
    SSL_CTX_set_alpn_select_cb(context, choose_protocol, NULL);
    return true;
}

int identity_context(const char *dir, bool as_server, SSL_CTX **ret_context, struct err *err)
{
    struct identity identity = {0};
    int rc = identity_load(dir, &identity, err);
    if (rc != OK)
        return rc;
    ERR_clear_error();
    SSL_CTX *context = SSL_CTX_new(as_server ? TLS_server_method() : TLS_client_method());
    if (context == NULL || !set_up(context, &identity)) {
        SSL_CTX_free(context);
        context = NULL;
        rc = err_set(err, ERR_INTERNAL, "TLS between nodes cannot be set up");
    }
    ERR_clear_error();
    identity_close(&identity);
    if (rc == OK)
        rc = identity_context_trust(context, dir, err);
    if (rc == OK)
        *ret_context = context;
    else
        SSL_CTX_free(context);
    return rc;
}

int identity_peer(SSL *ssl, char *ret_node_id, size_t size, struct err *err)
{
    ERR_clear_error();
    X509 *certificate = SSL_get0_peer_certificate(ssl);
    if (certificate == NULL || SSL_get_verify_result(ssl) != X509_V_OK)
        return err_set(err, ERR_DENIED, "the peer has shown no certificate of this cluster");
    return x509_node_id(certificate, ret_node_id, size, err);
}

int identity_own(const SSL_CTX *context, char *ret_node_id, size_t size, struct err *err)
{
    return x509_node_id(SSL_CTX_get0_certificate(context), ret_node_id, size, err);
}
