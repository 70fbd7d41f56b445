/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http.h — one HTTP exchange through libcurl. Knows nothing of secrets servers, tokens or redirects.
 */
#ifndef COFFER_CLI_HTTP_H
#define COFFER_CLI_HTTP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct http;

/* Empty or NULL texts mean libcurl's default. They are copied. */
struct http_settings {
    const char *ca_cert;     /* file */
    const char *ca_path;     /* directory */
    const char *client_cert; /* file */
    const char *client_key;  /* file */
    const char *server_name; /* for SNI and verification, instead of the host of the URL */
    const char *unix_socket; /* connect there, whatever the URL says */
    bool skip_verify;
    int64_t timeout_ms;
};

struct http_reply {
    long status;
    struct buf body;
    struct buf location; /* of a redirect, made absolute; empty otherwise */
};

struct http *http_new(const struct http_settings *settings);
void http_free(struct http *http);

/*
 * headers: "Name: value" lines, ended by NULL; body NULL: none. The reply's buffers are emptied first and belong to
 * the caller. Errors: ERR_UPSTREAM with curl's reason (connection, TLS, time-out); ERR_TOO_LARGE.
 */
int http_exchange(struct http *http, const char *method, const char *url, const char *const *headers,
                  const struct buf *body, struct http_reply *ret_reply, struct err *err) MUST_CHECK;

#endif
