/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net_tls.h — TLS without a socket: bytes of the wire go in and come out, whoever carries them.
 *
 * So the same connection can begin on the loop and go on in a thread. Every call clears OpenSSL's error queue
 * first: what one connection left there would be taken for the failure of the next.
 * Threads: one at a time.
 */
#ifndef COFFER_RAFT_NET_TLS_H
#define COFFER_RAFT_NET_TLS_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct tls {
    SSL *ssl; /* NULL while closed */
    BIO *in;  /* both belong to ssl */
    BIO *out;
};

enum tls_state {
    TLS_OK,
    TLS_AGAIN, /* more must be fed first */
    TLS_OVER,  /* ended or broken, err says how; tls_take() may still hold an alert for the peer */
};

/* alpn: what to ask for as dialler (a length byte and the name), NULL as listener. */
int tls_open(struct tls *ret_tls, SSL_CTX *context, const char *alpn, struct err *err) MUST_CHECK;
void tls_close(struct tls *tls);

/* Takes bytes that came from the wire; they are copied. */
void tls_feed(struct tls *tls, const void *data, size_t len);
enum tls_state tls_handshake(struct tls *tls, struct err *err);
enum tls_state tls_read(struct tls *tls, void *data, size_t size, size_t *ret_len, struct err *err);
/* After the handshake. All of it is encrypted at once. */
enum tls_state tls_write(struct tls *tls, const void *data, size_t len, struct err *err);
/* How many bytes wait for the wire, and taking them. */
size_t tls_pending(const struct tls *tls);
size_t tls_take(struct tls *tls, void *data, size_t size);

/* Whether both sides agreed on this protocol (as above). */
bool tls_speaks(const struct tls *tls, const char *alpn);

#endif
