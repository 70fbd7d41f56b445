/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_private.h — the inside of the HTTP front. Only the http_*.c files of this folder include it.
 *
 *   server ─┬─ listener …          what was configured, and the newest TLS context
 *           └─ worker …            a thread with an event loop
 *                 ├─ port …        a listener's socket on this worker
 *                 ├─ conn …        a client's connection (hangs on the socket's on_close)
 *                 └─ call …        a request that the handler has
 *
 * Everything below a worker is touched by its thread alone; other threads send it messages.
 * A client that leaves takes its conn and h2o's request along; the call stays until it is answered.
 */
#ifndef COFFER_API_HTTP_PRIVATE_H
#define COFFER_API_HTTP_PRIVATE_H

#include <h2o.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "api/http.h"
#include "base/arena.h"
#include "base/file.h"

#define HTTP_BODY_MAX_DEFAULT   (32u << 20)
#define HTTP_BODY_MAX_ANONYMOUS (1u << 20)  /* of a request that shows no token: logins and unsealing are small */
#define HTTP_BODY_SLACK         (64u << 10) /* so much more is read to answer "too large" ourselves */
#define HTTP_HEAD_MAX           (64u << 10)
#define HTTP_REPLY_MS           90000 /* from the whole request to the reply */
#define HTTP_SLOW_REPLY_MS      3600000
#define HTTP_MEMORY_MAX         (65u << 20) /* a request that needs more is a file, if it may be at all */
#define HTTP_CONNS_MAX          16384
#define HTTP_THREADS_MAX        64

/* What a client may cost. A server takes them as they are when it starts; tests make them smaller. */
struct http_limits {
    int64_t first_ms;   /* from the connection to the first byte of a request, and for the TLS handshake */
    int64_t idle_ms;    /* between requests */
    int64_t crowded_ms; /* the same, while connections are scarce */
    int64_t head_ms;    /* from a request's first byte to the end of its head */
    int64_t body_ms;    /* from there to the end of its body */
    int64_t send_ms;    /* for a reply, besides its size by send_rate; and without any progress */
    size_t send_rate;   /* bytes a second */
    size_t unread_max;  /* bytes of requests held for all clients together */
};
extern struct http_limits http_limits;

struct worker;
struct call;

/* What other threads, and this one, want done on a worker's thread. */
struct message {
    h2o_multithread_message_t link;
    void (*run)(struct message *message);
};

struct listener {
    char *address;
    bool is_tls, require_client_cert;
    char *cert_file, *key_file, *min_version, *max_version, *client_ca_file;
    size_t body_max;
    int64_t reply_ms;
    enum http_proxy proxy;
    char **proxy_authorized;
    size_t n_proxy_authorized;
    SSL_CTX *ssl; /* newest; the server's reload_lock */
};

struct port {
    struct worker *worker;
    const struct listener *listener;
    int fd; /* until the worker's thread has made `sock` of it; -1 then */
    h2o_accept_ctx_t accept;
    h2o_socket_t *sock;
    bool is_paused;
    bool has_told_bad, has_told_stranger; /* in the log, of connections that were refused */
};

enum conn_phase { CONN_IDLE, CONN_HEAD, CONN_BODY, CONN_WAITING, CONN_SENDING };

struct conn {
    h2o_linklist_t link; /* worker's conns */
    h2o_socket_t *sock;
    struct worker *worker;
    struct port *port;
    const struct listener *listener;
    h2o_linklist_t proxy_link; /* worker's proxied, until its PROXY header was read */
    bool trusts_proxy;         /* that header is believed */
    int linger_fd;             /* a second descriptor of the socket, to linger with; or -1 */
    struct call *call;         /* while the handler has the request */
    bool is_sending;           /* from the reply until its last byte is out */
    size_t sending_bytes;
    bool is_upload;         /* its body may be larger than others', and is ciphertext */
    unsigned requests;      /* so far */
    enum conn_phase phase;  /* as the sweep saw it last, */
    unsigned phase_request; /* in which request, */
    int64_t phase_since_ms; /* since when */
};

/* Lives in the pool of h2o's request: when that goes, call and conn learn of it. */
struct guard {
    struct call *call; /* NULL once answered */
    struct conn *conn;
};

/* The bytes of a reply's body, wiped when h2o has sent them. */
struct reply_body {
    size_t len;
    char bytes[];
};

struct reply {
    int status;
    struct http_header *headers;
    size_t n_headers;
    const char *content_type;
    struct reply_body *body; /* or NULL; h2o's shared memory, one reference */
    struct file_range file;  /* instead of it, or -1 */
};

struct call {
    struct http_call pub;
    struct arena arena; /* everything that pub and reply point to, but the body of the reply */
    struct worker *worker;
    h2o_req_t *req;      /* NULL when the client has gone, or was answered */
    struct guard *guard; /* valid while req is */
    struct reply reply;
    struct http_header added[HTTP_ADDED_MAX]; /* headers that the reply will have besides its own */
    size_t n_added;
    bool takes_time;
    struct message answered;
};

struct worker {
    struct http_server *server;
    pthread_t thread;
    h2o_context_t ctx;
    h2o_multithread_receiver_t mailbox;
    struct port *ports; /* one for each listener */
    h2o_linklist_t conns, lingers, proxied;
    atomic_size_t n_conns; /* written by its own thread */
    size_t n_calls;
    atomic_int n_senders; /* threads that are just sending a message: as long, the queue must stay */
    int64_t swept_ms;
    bool is_stopping; /* has begun to stop */
    bool is_clean;    /* ended with nothing left over */
};

/* A TLS context that a reload has replaced: h2o uses it for connections that have not sent a byte yet. */
struct retired {
    struct retired *next;
    SSL_CTX *ssl;
    int64_t since_ms;
};

struct http_server {
    void (*handler)(void *ctx, struct http_call *call);
    void *handler_ctx;
    const struct http_uploads *uploads; /* or NULL */
    h2o_globalconf_t conf;
    struct listener *listeners;
    size_t n_listeners;
    struct worker *workers;
    size_t n_workers;
    struct http_limits limits;
    size_t conns_max; /* of one worker */
    pthread_mutex_t reload_lock;
    struct retired *retired;
    sem_t ready;                /* posted by each worker that takes messages */
    atomic_llong idle_until_ms; /* steady clock; while stopping: from then on idle connections are closed */
    atomic_llong stop_at_ms;    /* steady clock; 0: runs */
};

/* ---- http_listen.c ---- */
/* Fails with a sentence when somebody else has the address. */
int listen_probe(const char *address, struct err *err) MUST_CHECK;
/* A socket of its own on the address, shared with the other workers' through SO_REUSEPORT. */
int listen_open(const char *address, int *ret_fd, struct err *err) MUST_CHECK;

/* ---- http_tls.c ---- */
int tls_context_new(const struct listener *listener, SSL_CTX **ret_ssl, struct err *err) MUST_CHECK;

/* ---- http_worker.c ---- */
/* Opens the sockets to listen on. */
int worker_init(struct worker *worker, struct http_server *server, struct err *err) MUST_CHECK;
/* For a worker that was never run, or has ended cleanly. */
void worker_close(struct worker *worker);
/* The thread's function; posts the server's `ready`, and ends some time after its stop_at_ms was set. */
void *worker_run(void *worker);
void worker_send(struct worker *worker, struct message *message);
bool worker_is_current(const struct worker *worker);
/* From now on uses this TLS context. */
void worker_set_tls(struct worker *worker, size_t listener, SSL_CTX *ssl);
struct conn *conn_of(h2o_req_t *req);
/* Ends a connection: h2o sees that its socket is closed, and cleans up. */
void conn_kill(struct conn *conn);

/* ---- http_proxy.c ---- */
/* Waits for a PROXY header, then hands the connection to h2o; or closes it. */
void proxy_begin(struct conn *conn);
void proxies_sweep(struct worker *worker, int64_t now_ms);

/* ---- http_linger.c ---- */
/* When this connection ends, what its client still sends is read for a while. */
void conn_will_linger(struct conn *conn);
/* Takes over the descriptor. */
void linger_begin(struct worker *worker, int fd);
void lingers_sweep(struct worker *worker, int64_t now_ms);

/* ---- http_sweep.c ---- */
/* Closes what takes too long or too much room; while stopping, also what is idle. */
void worker_sweep(struct worker *worker, int64_t now_ms);

/* ---- http_call.c ---- */
void call_register(h2o_hostconf_t *host);
/* The address as text, an IPv4 client of an IPv6 socket as what it is; returns the port. */
int http_format_address(const struct sockaddr_storage *address, char *ret, size_t size);
/* Whether a request has a token to show at all, true or false. */
bool call_shows_token(const h2o_req_t *req);
/* Whether a request may have so large a body: 0, or the status to refuse it with, see http_uploads. */
int call_ask_upload(struct conn *conn, h2o_req_t *req, struct arena *arena, const char **ret_location);
/* Answers a request that has waited too long; the handler's own reply will be dropped. */
void call_give_up(struct call *call);

/* ---- http_reply.c ---- */
/* Sends it and takes over the body. */
void reply_send(h2o_req_t *req, const struct reply *reply);
struct reply_body *reply_body_new(const void *bytes, size_t len);
/* {"errors":["text"]}, or {"errors":[]} for NULL. The text needs no escapes. Ends the connection. */
void reply_refuse(h2o_req_t *req, int status, const char *text);
/* For a body that is too large, or must go elsewhere (location, or NULL). */
void reply_refuse_to(h2o_req_t *req, int status, const char *location);
/* The same while it still comes in: it is not read any further. */
void reply_refuse_amid(h2o_req_t *req, int status, const char *location);
/* Gives the errors that h2o answers by itself our form. */
void reply_register_errors(h2o_hostconf_t *host);

#endif
