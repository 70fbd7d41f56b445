/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/err.h>
#include <string.h>

#include "api/http_private.h"

/* Forward secrecy and authenticated encryption only; TLS 1.3 has nothing else. */
#define TLS12_CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20"

static int fail_ssl(struct err *err, const char *what, const char *file)
{
    char reason[160] = "unknown reason";
    unsigned long code = ERR_peek_last_error();

    if (code != 0)
        ERR_error_string_n(code, reason, sizeof reason);
    ERR_clear_error();
    return err_set(err, ERR_INVALID, "%s %s: %s", what, file, reason);
}

static int parse_version(const char *text, int fallback, int *ret_version, struct err *err)
{
    if (text == NULL)
        *ret_version = fallback;
    else if (strcmp(text, "tls12") == 0)
        *ret_version = TLS1_2_VERSION;
    else if (strcmp(text, "tls13") == 0)
        *ret_version = TLS1_3_VERSION;
    else
        return err_set(err, ERR_INVALID, "TLS version \"%s\" is not offered; there are tls12 and tls13", text);
    return OK;
}

static int set_versions(SSL_CTX *ssl, const struct listener *listener, struct err *err)
{
    int least = 0, most = 0;
    int rc = parse_version(listener->min_version, TLS1_2_VERSION, &least, err);

    if (rc == OK)
        rc = parse_version(listener->max_version, TLS1_3_VERSION, &most, err);
    if (rc != OK)
        return rc;
    if (least > most)
        return err_set(err, ERR_INVALID, "the least TLS version is above the highest");
    SSL_CTX_set_min_proto_version(ssl, least);
    SSL_CTX_set_max_proto_version(ssl, most);
    return OK;
}

static int load_certificate(SSL_CTX *ssl, const struct listener *listener, struct err *err)
{
    if (SSL_CTX_use_certificate_chain_file(ssl, listener->cert_file) != 1)
        return fail_ssl(err, "cannot use the certificate in", listener->cert_file);
    if (SSL_CTX_use_PrivateKey_file(ssl, listener->key_file, SSL_FILETYPE_PEM) != 1)
        return fail_ssl(err, "cannot use the private key in", listener->key_file);
    if (SSL_CTX_check_private_key(ssl) != 1)
        return fail_ssl(err, "the certificate does not belong to the private key in", listener->key_file);
    return OK;
}

static int set_client_ca(SSL_CTX *ssl, const struct listener *listener, struct err *err)
{
    static const unsigned char session_context[] = "coffer";

    if (listener->client_ca_file == NULL) {
        if (listener->require_client_cert)
            return err_set(err, ERR_INVALID, "client certificates are required, but no CA for them is given");
        return OK;
    }
    if (SSL_CTX_load_verify_locations(ssl, listener->client_ca_file, NULL) != 1)
        return fail_ssl(err, "cannot use the client CA in", listener->client_ca_file);
    SSL_CTX_set_client_CA_list(ssl, SSL_load_client_CA_file(listener->client_ca_file));
    SSL_CTX_set_session_id_context(ssl, session_context, sizeof session_context - 1);
    SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER | (listener->require_client_cert ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
                       NULL);
    return OK;
}

int tls_context_new(const struct listener *listener, SSL_CTX **ret_ssl, struct err *err)
{
    static const h2o_iovec_t protocols[] = {{(char *)"http/1.1", 8}, {NULL, 0}};
    int rc;

    ERR_clear_error();
    SSL_CTX *ssl = SSL_CTX_new(TLS_server_method());
    if (ssl == NULL)
        return fail_ssl(err, "cannot make a TLS context for", listener->address);
    SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                 SSL_OP_CLEANSE_PLAINTEXT);
    SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF); /* tickets resume sessions */
    if (SSL_CTX_set_cipher_list(ssl, TLS12_CIPHERS) != 1)
        rc = fail_ssl(err, "cannot set the ciphers of", listener->address);
    else
        rc = set_versions(ssl, listener, err);
    if (rc == OK)
        rc = load_certificate(ssl, listener, err);
    if (rc == OK)
        rc = set_client_ca(ssl, listener, err);
    if (rc != OK) {
        SSL_CTX_free(ssl);
        return rc;
    }
    h2o_ssl_register_alpn_protocols(ssl, protocols);
    *ret_ssl = ssl;
    return OK;
}
