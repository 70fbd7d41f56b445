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
/* From now on. */
void http_set_timeout(struct http *http, int64_t timeout_ms);

/* Bodies that lie in files. */
struct http_files {
    int upload;   /* sent instead of a body, from its beginning, upload_size bytes; -1: none */
    int download; /* gets the answer's body when the status is 200; -1: none */
    int64_t upload_size;
    /* Called now and then; total is 0 when it is not known. May be NULL. */
    void (*progress)(void *arg, int64_t done, int64_t total);
    void *arg;
};

/*
 * headers: "Name: value" lines, ended by NULL; body NULL: none; files NULL: none. A transfer of files has no time-out
 * of its own. The reply's buffers are emptied first and belong to the caller. Errors: ERR_UPSTREAM with curl's reason
 * (connection, TLS, time-out); ERR_TOO_LARGE.
 */
int http_exchange(struct http *http, const char *method, const char *url, const char *const *headers,
                  const struct buf *body, const struct http_files *files, struct http_reply *ret_reply,
                  struct err *err) MUST_CHECK;

#endif
