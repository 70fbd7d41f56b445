/* SPDX-License-Identifier: Apache-2.0 */
/*
 * request.h — one request, from the listener to the answer.
 *
 * The pipeline (request.c) is a table of steps; what a step knows and leaves for the next stands here.
 * Owner: the pipeline, from request_start() until it calls `done`. One thread works on it at a time.
 */
#ifndef COFFER_CORE_REQUEST_H
#define COFFER_CORE_REQUEST_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/file.h"
#include "core/engine.h"

struct core;
struct txn;
struct mount;
struct mount_table;
struct token;
struct lease;
struct wrapped;

#define REQUEST_PATH_MAX 2048
#define REQUEST_MS_MAX   90000

/* What a login grants; the pipeline makes a token of it. JSON members are references that the request owns. */
struct auth_grant {
    const char *display_name; /* "bob"; the mount's name is put before it */
    const char *alias;        /* who it is, for lockout and identity */
    const char *token_type;   /* "service", "batch"; NULL or "default": as the mount says */
    json_t *policies;         /* array of strings */
    json_t *metadata;         /* object of strings, or NULL */
    json_t *internal;         /* kept with the token, given to renew; or NULL */
    int64_t ttl_s;            /* 0: the mount's default */
    int64_t max_ttl_s;        /* 0: the mount's */
    int64_t period_s;
    int64_t explicit_max_ttl_s;
    int64_t num_uses; /* 0: unlimited */
    json_t *bound_cidrs;
    bool no_default_policy;
    bool is_set;
};

/* Of a login: whom it is asked for; see lockout.h. */
struct login {
    const char *alias, *mac;
    const char *path; /* of the count, in the mount's storage; NULL: nobody is counted */
    bool has_failed;  /* there is a count */
    bool is_refused;  /* the secret was wrong */
};

/* Of the answer, besides what the front sets itself. The name is a constant. */
struct request_header {
    const char *name, *value;
};

struct request {
    struct core *core;
    struct arena arena;
    char id[37];
    int64_t started_ms;            /* steady clock */
    int64_t started_wall_ns;       /* of one from outside; for the eye */
    LIST_ENTRY(request) in_flight; /* in_flight.h's */
    bool is_in_flight;
    int64_t arrived_us; /* the same clock */

    /* From the listener. */
    enum operation operation;
    const char *method;   /* of HTTP, or NULL: for the eye */
    const char *path;     /* canonical, without "/v1/": "aws/creds/my-role"; lists end in '/' */
    const char *raw_path; /* as sent, without "/v1/", percent-encoded: only for redirects; NULL: path */
    const char *query;    /* as sent, or NULL: only for redirects */
    json_t *data;         /* an object */
    /* Or what data will be made of, once its address may ask (the step `read`); borrowed from the front. NULL: nothing.
     */
    int (*read_body)(const char *type, const char *body, size_t len, json_t **ret_data, struct err *err);
    const char *body_type, *body;
    size_t body_len;
    const char *client_token; /* or NULL */
    const char *remote_addr;
    const char *forwarded_from; /* the node whose client it is, or NULL: this one's */
    int remote_port;
    int64_t wrap_ttl_s;   /* how long the answer is to be kept for whoever unwraps it; 0: it is given now */
    const char *raw_body; /* of a path that takes no JSON: borrowed from the front, or NULL */
    size_t raw_body_len;
    struct file_range body_file; /* the same, when it was too large for memory; the descriptor is -1 otherwise */
    /* What the client sent as a header, by its name in lower case: an array of texts, a new reference, or NULL when it
     * did not. Until `done`. NULL: a request without headers. */
    json_t *(*header_values)(const struct request *req, const char *name);
    bool is_head;
    unsigned opened; /* which ROUTE_OPEN_… need no token there */

    /* From the steps. */
    uint64_t epoch;
    enum { ASKED_NOT, ASKED_LEADS, ASKED_LEADS_NOT } asked; /* what the other nodes said of its leading */
    struct txn *txn;
    struct mount_table *mounts; /* what mount points into */
    const struct mount *mount;
    const struct route *route;
    unsigned extra_flags;       /* besides the route's own */
    int route_rc;               /* why there is no route */
    const char *mount_relative; /* the path below the mount */
    json_t *captures;           /* object: what the route's path captured */
    json_t *fields;             /* object: converted fields */
    struct token *token;        /* NULL for unauthenticated routes */
    struct token *wrapping;     /* of ROUTE_WRAPPING: the token that the request is about */
    bool has_sudo;              /* on this path */
    const char *granted_by;     /* the policy that allowed it */
    int reruns;
    int commit_rc;
    bool is_committing;
    bool use_is_taken;   /* the token's use is committed already */
    bool has_committed;  /* the handler has committed something in its middle */
    bool is_taken_on;    /* counted among those that end before leadership is handed over */
    bool is_handled;     /* the handler was run */
    bool may_be_durable; /* what it writes may be in the log */
    bool expiry_changed; /* something ends sooner than the worker may know */
    bool begins_upgrade; /* of a mount's data */
    bool is_plain;       /* the reply's data is the whole body, whatever the route says */
    json_t **owned;      /* references that go when the transaction goes */
    size_t n_owned;
    bool is_audited;   /* the request entry was written */
    bool is_counted;   /* by a quota */
    bool is_unaudited; /* refused in a way that does not go on record */
    bool is_internal;  /* made by this node itself: revocation, renewal */

    /* From the handler. */
    struct err err;
    int rc;
    int http_status; /* 0: by rc and data */
    json_t *reply;   /* data, or NULL */
    bool has_reply;
    char *text;                   /* the whole body instead of reply, of content_type; or NULL */
    const char *content_type;     /* NULL: JSON */
    struct file_range reply_file; /* instead of a JSON reply; the descriptor, -1 when there is none, is the request's */
    const char *reply_type;       /* its media type */
    json_t *warnings;
    int64_t lease_duration_s;
    struct lease *lease; /* the lease that this request made */
    struct login login;
    struct auth_grant auth;
    json_t *auth_reply;            /* the `auth` object of the envelope */
    const struct wrapped *rewraps; /* the answer was wrapped before; see wrapping.h */
    json_t *wrap_info;             /* of an answer that was wrapped: stands in its place */
    char *redirect;                /* Location, with status 307 */
    struct request_header headers[4];
    size_t n_headers;

    /* The front: called once, on whatever thread, when the answer is ready; then request_free(). */
    void (*done)(struct request *req);
    /* Runs fn(req) soon on the request's home thread; callable from any thread. */
    void (*resume)(struct request *req, void (*fn)(struct request *req));
    void *front;
    int step; /* index in the step table */
};

struct request *request_new(struct core *core);
void request_free(struct request *req);

/* Hands a reference to the request, which drops it when its transaction ends: for what points into JSON. */
void request_own(struct request *req, json_t *value);

/* Runs the pipeline; `done` is called now or later, exactly once. */
void request_start(struct request *req);

/*
 * A request of this node's own (revocation, renewal, tests): runs fn(req) in a transaction on the calling thread,
 * commits and waits; runs fn again on conflicts. fn must not block. epoch 0: the current one.
 */
int request_run_internal(struct core *core, uint64_t epoch, int (*fn)(struct request *req, void *arg), void *arg,
                         struct err *err) MUST_CHECK;

/*
 * The same for an engine's own work: finds the mount (a tainted one too), runs fn once, which may block and may
 * request_commit(), then commits what it wrote. ERR_NOTFOUND when there is no such mount, or this binary lacks its
 * engine.
 */
int request_run_engine(struct core *core, uint64_t epoch, const char *mount_uuid, enum operation operation,
                       int (*fn)(struct request *req, void *arg), void *arg, struct err *err) MUST_CHECK;

/*
 * Of a request that is done: whether it was refused only because this node does not serve, and nothing of it was done,
 * so that another node may be asked.
 */
bool request_was_untouched(const struct request *req);
/*
 * Whether a request would get as far as its handler: 0, or the status of its refusal; with 307, where to go instead (of
 * the arena). Leaves nothing behind; a token's use is not counted.
 */
int request_preview(struct core *core, enum operation operation, const char *path, const char *token,
                    const char *remote_addr, struct arena *arena, const char **ret_location);

/* Whether there is a body; without, the status is 204. */
bool reply_has_body(const struct request *req);
/* The body of the answer as text (json_text_free() it), or NULL for none; and its status. */
char *request_body(struct request *req, int *ret_status);

#endif
