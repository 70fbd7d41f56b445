/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/net/net_tls.h"

#include <assert.h>
#include <limits.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

int tls_open(struct tls *ret_tls, SSL_CTX *context, const char *alpn, struct err *err)
{
    ERR_clear_error();
    struct tls tls = {.ssl = SSL_new(context), .in = BIO_new(BIO_s_mem()), .out = BIO_new(BIO_s_mem())};
    if (tls.ssl == NULL || tls.in == NULL || tls.out == NULL) {
        BIO_free(tls.in);
        BIO_free(tls.out);
        SSL_free(tls.ssl);
        return err_set(err, ERR_INTERNAL, "out of memory");
    }
    SSL_set_bio(tls.ssl, tls.in, tls.out);
    if (alpn == NULL) {
        SSL_set_accept_state(tls.ssl);
    } else {
        SSL_set_connect_state(tls.ssl);
        /* 0 is success here, unlike anywhere else in OpenSSL. */
        if (SSL_set_alpn_protos(tls.ssl, (const unsigned char *)alpn, (unsigned)strlen(alpn)) != 0) {
            tls_close(&tls);
            return err_set(err, ERR_INTERNAL, "out of memory");
        }
    }
    *ret_tls = tls;
    return OK;
}

void tls_close(struct tls *tls)
{
    ERR_clear_error();
    SSL_free(tls->ssl);
    *tls = (struct tls){0};
}

void tls_feed(struct tls *tls, const void *data, size_t len)
{
    assert(len <= INT_MAX);
    ERR_clear_error();
    if (len > 0 && BIO_write(tls->in, data, (int)len) != (int)len)
        abort(); /* a memory BIO refuses only when there is no memory */
}

static const char *failure(const struct tls *tls)
{
    long verified = SSL_get_verify_result(tls->ssl);
    if (verified != X509_V_OK)
        return X509_verify_cert_error_string(verified);
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    return reason != NULL ? reason : "the connection is broken";
}

static enum tls_state state_of(const struct tls *tls, int result, struct err *err)
{
    switch (SSL_get_error(tls->ssl, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return TLS_AGAIN;
    case SSL_ERROR_ZERO_RETURN:
        err_set(err, ERR_UNAVAILABLE, "the peer closed the connection");
        return TLS_OVER;
    default:
        err_set(err, ERR_DENIED, "TLS: %s", failure(tls));
        ERR_clear_error();
        return TLS_OVER;
    }
}

enum tls_state tls_handshake(struct tls *tls, struct err *err)
{
    ERR_clear_error();
    int result = SSL_do_handshake(tls->ssl);
    return result == 1 ? TLS_OK : state_of(tls, result, err);
}

enum tls_state tls_read(struct tls *tls, void *data, size_t size, size_t *ret_len, struct err *err)
{
    ERR_clear_error();
    int result = SSL_read_ex(tls->ssl, data, size, ret_len);
    return result == 1 ? TLS_OK : state_of(tls, result, err);
}

enum tls_state tls_write(struct tls *tls, const void *data, size_t len, struct err *err)
{
    if (len == 0)
        return TLS_OK;
    ERR_clear_error();
    size_t written;
    int result = SSL_write_ex(tls->ssl, data, len, &written);
    if (result == 1)
        return TLS_OK;
    /* The wire is memory, so there is nothing that a write could wait for. */
    if (state_of(tls, result, err) == TLS_AGAIN)
        err_set(err, ERR_INTERNAL, "TLS: a write was not taken");
    return TLS_OVER;
}

size_t tls_pending(const struct tls *tls)
{
    return tls->out != NULL ? BIO_ctrl_pending(tls->out) : 0;
}

size_t tls_take(struct tls *tls, void *data, size_t size)
{
    ERR_clear_error();
    int n = BIO_read(tls->out, data, size > INT_MAX ? INT_MAX : (int)size);
    return n > 0 ? (size_t)n : 0;
}

bool tls_speaks(const struct tls *tls, const char *alpn)
{
    const unsigned char *name;
    unsigned len;
    SSL_get0_alpn_selected(tls->ssl, &name, &len);
    return len + 1 == strlen(alpn) && memcmp(name, alpn + 1, len) == 0;
}
