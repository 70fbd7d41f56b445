/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine.h — what a secrets engine, an auth method and the sys/ API are made of: one struct, one table of routes.
 *
 * A handler is plain code. It reads its parameters (field_…), reads and writes its mount's storage (mount_…),
 * sets the reply (reply_…) and returns OK, or returns fail(req, ERR_…, "sentence"). Nothing it writes is visible
 * before the pipeline has committed all of it as one entry; if what it read has changed meanwhile, it is run again.
 * So a handler must have no effect but through req — unless its route says ROUTE_BLOCKS.
 */
#ifndef COFFER_CORE_ENGINE_H
#define COFFER_CORE_ENGINE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/file.h"

struct request;
struct core;

enum operation { OP_READ = 1, OP_LIST, OP_CREATE, OP_UPDATE, OP_PATCH, OP_DELETE, OP_HELP, OP_REVOKE, OP_RENEW };

/* "read", "update", … */
const char *operation_name(enum operation operation);

enum route_flag {
    ROUTE_UNAUTH = 1 << 0, /* needs no token */
    ROUTE_SUDO = 1 << 1,   /* needs the sudo capability besides the ordinary one */
    ROUTE_BLOCKS = 1 << 2, /* calls the outside, or burns CPU: runs on a pool thread, once; may request_commit() */
    ROUTE_LOCAL =
        1 << 3, /* answered by every node itself; with ROUTE_UNAUTH by a sealed one, too, and no transaction */
    ROUTE_PLAIN = 1 << 4,  /* the reply's data is the whole body: no envelope */
    ROUTE_INJECT = 1 << 5, /* the data stands at the envelope's top level too */
    ROUTE_LOGIN = 1 << 6,  /* a login: req->auth becomes a token that has no parent */
    ROUTE_NO_AUDIT = 1 << 7,
    ROUTE_FREES = 1 << 8,     /* makes room, sooner or later: is let in on a disk that is nearly full, as deleting is */
    ROUTE_RESCUES = 1 << 9,   /* takes this node out of service: an audit log that cannot be written is no hindrance */
    ROUTE_SEALS = 1 << 10,    /* may leave this node sealed: it is answered though that cannot be on record then */
    ROUTE_WRAPPING = 1 << 11, /* about a wrapping token, which is looked at before the caller is: see wrapping.h */
    ROUTE_FOLDS = 1 << 12,    /* names in its path are taken in lower case: so they are compared with policies, too */
    /* A listener may be configured so that these need no token there, and no audit. */
    ROUTE_OPEN_METRICS = 1 << 13,
    ROUTE_OPEN_IN_FLIGHT = 1 << 14,
    ROUTE_OPENABLE = ROUTE_OPEN_METRICS | ROUTE_OPEN_IN_FLIGHT,
    /* Or so that these need no token, but are audited. */
    ROUTE_OPEN_REKEY = 1 << 15,
    ROUTE_OPEN_ROOT = 1 << 16,
};

enum field_type {
    FIELD_STRING,
    FIELD_BOOL,
    FIELD_INT,
    FIELD_DURATION, /* seconds */
    FIELD_LIST,     /* array of strings; "a,b" is read as one */
    FIELD_STRINGS,  /* array of strings; a single text is a list of one, commas stay */
    FIELD_MAP,      /* object */
    FIELD_KV,       /* object of strings; also ["k=v", …] */
    FIELD_INTS,     /* array of integers; "1,2" is read as one */
    FIELD_ANY,
};

struct field {
    const char *name; /* NULL ends a table */
    enum field_type type;
    const char *help;
};

struct route {
    const char *path; /* "config/root", "roles/" (a list), "roles/:name", "data/" and then "*path"; NULL ends the table.
                       * :name takes one segment of [A-Za-z0-9_.-] that begins and ends in [A-Za-z0-9_];
                       * *name takes all the rest, not empty. */
    enum operation operation; /* OP_UPDATE is reached by create too, unless there is an own OP_CREATE */
    int (*handler)(struct request *req);
    unsigned flags;
    const char *help;           /* one sentence, for ?help=1 and the OpenAPI document */
    const struct field *fields; /* of the body or the query; NULL: takes anything, unchecked */
    /* For OP_UPDATE: whether what is written exists, which makes the operation update, not create. NULL: it does. */
    int (*exists)(struct request *req, bool *ret_exists);
};

/*
 * What bounds a renewal, in seconds; 0: nothing. It comes as it was when the token or the lease was made, and goes as
 * it is now.
 */
struct renew_terms {
    int64_t ttl_s, max_ttl_s;
    int64_t period_s, explicit_max_ttl_s; /* of tokens alone */
};

enum engine_kind { ENGINE_SECRET, ENGINE_AUTH, ENGINE_SYSTEM };

struct engine {
    const char *type; /* "aws" */
    enum engine_kind kind;
    const char *description;    /* of a mount that was given none */
    const struct route *routes; /* or, where they depend on the mount (kv's versions): */
    const struct route *(*routes_of)(const struct request *req);

    /* All of these are optional. */

    /* A new mount: req->mount is it; data is what the caller sent as `options`. */
    int (*mounted)(struct request *req);
    /*
     * options.version of the mount was raised: converts some of its data, a little at a time, so that nobody waits for
     * it; ret_more: there is more. Meanwhile req->mount->is_upgrading is set, and the engine's routes must say so.
     */
    int (*upgrade)(struct request *req, bool *ret_more);
    /*
     * Takes back what a lease stands for. data is what lease_begin() was given. Runs on a pool thread, may be called
     * more than once, also for what was never made: "it is not there" is OK. Other codes: it will be tried again.
     */
    int (*revoke)(struct request *req, const json_t *data);
    /* Whether a lease, or for auth methods a token, may live longer, and within what bounds. NULL: it may. */
    int (*renew)(struct request *req, const json_t *data, struct renew_terms *renewal);
    bool no_leases_by_renew; /* leases of this engine cannot be renewed */
};

/* ---- Failing ---- */

/* Sets the sentence of the error and returns code: `return fail(req, ERR_INVALID, "missing %s", name)`. */
int fail(struct request *req, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* The same, out of what a lower layer said. */
int fail_with(struct request *req, const struct err *err);

/* ---- Parameters: what the path captured first, then the body or query. Belong to the request. ---- */

/* The capture `name` of the route's path, canonical; never NULL for a name that the path has. */
const char *capture(const struct request *req, const char *name);
/* Whether the caller gave the field at all (null counts as not given). */
bool field_given(const struct request *req, const char *name);
/* Checked and converted before the handler ran; the fallback when it was not given. */
const char *field_str(const struct request *req, const char *name, const char *fallback);
bool field_bool(const struct request *req, const char *name, bool fallback);
int64_t field_int(const struct request *req, const char *name, int64_t fallback); /* INT and DURATION */
/* LIST, STRINGS, INTS: an array, MAP and KV: an object; borrowed; NULL when not given. */
json_t *field_json(const struct request *req, const char *name);
/* The whole body or query as sent (an object, maybe empty); borrowed. */
json_t *request_data(const struct request *req);

/* ---- ROUTE_LOGIN: who is asked for; see lockout.h ---- */

/*
 * Before the secret is looked at. exists: somebody has the name. ERR_DENIED, said, while it is locked out: the secret
 * must not be looked at then.
 */
int login_as(struct request *req, const char *alias, bool exists) MUST_CHECK;
/* The secret is wrong: counts, and returns code with the sentence, as fail() does. */
int login_refuse(struct request *req, int code, const char *sentence);

/* ---- The mount's storage. Paths are relative to the mount: "roles/x". Errors as in storage/txn.h, already said. ----
 */

/* ERR_NOTFOUND without a sentence when there is nothing. ret_value is a new reference. */
int mount_get(struct request *req, const char *path, json_t **ret_value) MUST_CHECK;
/* The same for what many requests read and holds no secret; it must not be changed: see txn_get_shared(). */
int mount_get_shared(struct request *req, const char *path, json_t **ret_value) MUST_CHECK;
int mount_put(struct request *req, const char *path, const json_t *value) MUST_CHECK;
/* Takes over the reference. */
int mount_put_new(struct request *req, const char *path, json_t *value) MUST_CHECK;
int mount_delete(struct request *req, const char *path) MUST_CHECK;
/* ret_names is a new reference to an array; directories end in '/'. */
int mount_list(struct request *req, const char *dir, json_t **ret_names) MUST_CHECK;
/* The first `limit` (0: all) of those that come after a name (NULL: from the first); needs memory for no more. */
int mount_list_page(struct request *req, const char *dir, const char *after, size_t limit,
                    json_t **ret_names) MUST_CHECK;
/* At most max of them, whichever come first; what it costs does not grow with the directory. */
int mount_list_some(struct request *req, const char *dir, size_t max, json_t **ret_names) MUST_CHECK;

/*
 * Now, in nanoseconds since 1970, as the cluster counts: what decides when something ends, and is shown with it. It
 * does not jump when this machine's clock is set.
 */
int64_t request_time_ns(const struct request *req);

/* ---- The reply. Without any, the answer is 204. ---- */

/* Takes over the reference. NULL: an envelope with null data. */
void reply_data(struct request *req, json_t *data);
/* A list of names; an empty one answers 404, as clients expect. Takes over the reference. */
int reply_keys(struct request *req, json_t *keys);
/* Answers with a file's bytes, which are no JSON. Takes over the descriptor. */
void reply_file(struct request *req, const struct file_range *file, const char *media_type);
/* Answers another status than 200 with the data set so far, e.g. 202, or 404 with an envelope. */
/* The whole body is this text, of this type; the reply takes it over (of buf_detach()). */
void reply_text(struct request *req, const char *content_type, char *text);
/* The same with a copy of the text, and a status; content_type: NULL for JSON. */
void reply_copy(struct request *req, int http_status, const char *content_type, const char *text);
void reply_status(struct request *req, int http_status);
void reply_warn(struct request *req, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* For a mount without leases (kv v1): what stands in lease_duration. */
void reply_lease_duration(struct request *req, int64_t seconds);

/* ---- ROUTE_BLOCKS only ---- */

/*
 * Commits what was written so far and waits until it is durable and applied; the handler then goes on with a new
 * snapshot. ERR_NOTLEADER and ERR_UNAVAILABLE end the request: nothing further may be done outside.
 */
int request_commit(struct request *req) MUST_CHECK;
/*
 * OK while this node still leads in the request's epoch and the request's time is not up. Ask before each outside call,
 * which may take long: it lets go of the snapshot, and what is read afterwards comes from a newer one. Whether anything
 * that was read has changed since the first is still found out by the commit.
 */
int request_still_leading(struct request *req) MUST_CHECK;

#endif
