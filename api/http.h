/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http.h — the HTTP front: a copied request in, a status and a body out. Nothing outside api/ knows h2o.
 *
 * HTTP/1.1 over TLS 1.2/1.3 (or clear), one event loop a thread, SO_REUSEPORT.
 */
#ifndef COFFER_API_HTTP_H
#define COFFER_API_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/file.h"

/* A request whose body is larger than its listener allows, while it still comes in. */
struct http_upload {
    const char *method, *path; /* as of a call */
    const char *token;         /* NULL when it shows none */
    const char *remote_addr;
    size_t size; /* of what has come, and the room that was made for more */
};

/*
 * Bodies beyond max_request_size are refused, but where `may_upload` says otherwise: they then go to a file without a
 * name in `dir`. It is asked again and again, on the thread of the connection, and must not block. Returns 0, or the
 * status to refuse with; with 307, where to go instead (of the arena).
 */
struct http_uploads {
    const char *dir;
    size_t max_size;
    int (*may_upload)(void *ctx, const struct http_upload *upload, struct arena *arena, const char **ret_location);
};

enum http_proxy {
    HTTP_PROXY_OFF,    /* connections are their clients' own */
    HTTP_PROXY_ALWAYS, /* a PROXY header is believed, whoever sends it */
    HTTP_PROXY_ALLOW,  /* from the authorized it is believed, from others passed over */
    HTTP_PROXY_DENY,   /* others than the authorized are not served at all */
};

struct http_listener {
    const char *address; /* "127.0.0.1:8200", "[::]:8200" */
    bool tls_disable;
    const char *cert_file, *key_file;
    const char *min_version, *max_version; /* "tls12", "tls13"; NULL: those */
    const char *client_ca_file;
    bool require_client_cert;
    size_t max_request_size; /* 0: 32 MiB */
    int max_request_ms;      /* 0: 90 s */
    enum http_proxy proxy;
    const char *const *proxy_authorized; /* addresses and blocks */
    size_t n_proxy_authorized;
    const struct http_uploads *uploads; /* the same for all; NULL: none. Must outlive the server. */
};

struct http_header {
    const char *name; /* lower case */
    const char *value;
};

/* One request. Owned by the front; valid until http_reply(). */
struct http_call {
    const char *method;
    const char *path;  /* as sent, up to '?' */
    const char *query; /* after '?', or NULL */
    const char *host;  /* whom it was sent to, as the client said */
    const struct http_header *headers;
    size_t n_headers;
    const char *body;
    size_t body_len;
    int64_t arrived_ms;          /* steady clock */
    size_t listener;             /* the one it came through, counted from 0 */
    struct file_range body_file; /* a body that is too large for memory; the descriptor is -1 when there is none */
    char remote_addr[64];
    int remote_port;
    bool is_head;
};

const char *http_call_header(const struct http_call *call, const char *lower_name);
/* A header that the answer will have, whoever gives it. Copies both. At most HTTP_ADDED_MAX. */
void http_call_add_header(struct http_call *call, const char *name, const char *value);
#define HTTP_ADDED_MAX 8

struct http_reply {
    int status;
    const struct http_header *headers; /* besides Content-Type, Content-Length, Cache-Control … */
    size_t n_headers;
    const char *content_type; /* NULL: application/json; "": none */
    const char *body;         /* copied; NULL: none */
    size_t body_len;
    const struct file_range *file; /* instead of a body; the descriptor is taken over */
};

/* Answers, from any thread, exactly once. The call is gone afterwards. */
void http_reply(struct http_call *call, const struct http_reply *reply);
/* The reply may take an hour, not just max_request_ms. On the call's thread. */
void http_take_time(struct http_call *call);
/* Runs fn(arg) soon on the thread that the call belongs to; from any thread. */
void http_post(struct http_call *call, void (*fn)(void *arg), void *arg);

struct http_server;
/* handler is called on the call's thread and must not block. threads 0: one a processor. */
int http_server_start(const struct http_listener *listeners, size_t n, int threads,
                      void (*handler)(void *ctx, struct http_call *call), void *ctx, struct http_server **ret_server,
                      struct err *err) MUST_CHECK;
/* Connections that are open; from any thread. */
long http_server_connections(struct http_server *server);
/* Reads certificates and keys again; keeps the old ones where the new ones are bad. */
int http_server_reload(struct http_server *server, struct err *err) MUST_CHECK;
/*
 * Stops listening, and lets running requests end for up to drain_ms. Who has a connection is told with the next answer
 * to open another one, elsewhere; connections that nothing is asked on are closed after idle_ms. False: something still
 * runs, and stays in memory.
 */
bool http_server_stop(struct http_server *server, int idle_ms, int drain_ms);

#endif
