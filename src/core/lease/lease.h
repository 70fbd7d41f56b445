/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lease.h — what was handed out, until when, and how it is taken back.
 *
 * A lease exists in the log before its secret exists outside: lease_begin() writes it as pending, with all that
 * revocation needs; request_commit() makes that durable; the secret is made; lease_activate() makes it count.
 * A pending lease whose request failed, or whose leader is gone, is revoked like any other.
 *
 *   lease/id/<lease id>                  the record (the id is a path: a prefix is a directory)
 *   lease/expiry/<day>/<minute>/<entry>  → lease id, or token hash: the order in which things end
 *   lease/token/<token hash>/<uid>       → lease id
 *   lease/pending/<uid>                  → lease id
 *   lease/failing/<uid>                  → lease id: it could not be revoked LEASE_FAILING_ATTEMPTS times
 *
 * Only the leader revokes (expiry.c), from a cursor over that order: nothing is loaded at start.
 */
#ifndef COFFER_CORE_LEASE_H
#define COFFER_CORE_LEASE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "core/request/request.h"

#define LEASE_FAILING_ATTEMPTS 6

enum lease_state { LEASE_PENDING = 1, LEASE_ACTIVE, LEASE_REVOKING };

struct lease {
    const char *id;    /* "aws/creds/my-role/<24>" */
    const char *uid;   /* the last part */
    const char *token; /* hash of the token that asked; "" for none */
    const char *mount_uuid;
    enum lease_state state;
    int64_t issued_s, expires_s, last_renewal_s;
    int64_t ttl_s, max_ttl_s; /* as granted last; never beyond issued_s + max_ttl_s */
    int64_t not_after_s;      /* while it is begun: the end of the batch token that asks; 0: none */
    int64_t base_ttl_s;       /* what a renewal without an increment asks for */
    int64_t filed_s;          /* under what time it stands in the order of expiry */
    bool renewable;
    uint64_t epoch;     /* in which it was begun */
    int64_t deadline_s; /* by when its request, and every call it made, has certainly ended; 0 once active */
    int64_t due_s;      /* since when it should be revoked; 0 before */
    int64_t attempts;   /* of revocation that failed */
    const char *error;  /* of the last of them; or "" */
    json_t *data;       /* the engine's, for revocation and renewal */
    json_t *record;     /* what is stored; owns all of the above */
};

struct lease_terms {
    int64_t ttl_s;     /* 0: the mount's default */
    int64_t max_ttl_s; /* 0: the mount's */
    bool renewable;
};

/* Handlers of ROUTE_BLOCKS: writes a pending lease; request_commit() is to follow. Takes over the reference to data. */
int lease_begin(struct request *req, const struct lease_terms *terms, json_t *data) MUST_CHECK;
/* The secret is there: the lease counts from now, and stands in the answer. Commits. */
int lease_activate(struct request *req) MUST_CHECK;
/* Nothing is left outside, for certain: takes the pending lease back. Commits; so it holds if the request fails. */
int lease_cancel(struct request *req) MUST_CHECK;
/* Something may be outside: the worker is to revoke the lease. Commits; the lease does not stand in the answer. */
int lease_abandon(struct request *req) MUST_CHECK;
/* The secret lives for exactly this long (STS): sets the lease's end before lease_activate(). */
void lease_set_ttl(struct request *req, int64_t ttl_s);

/* ERR_INVALID "invalid lease" / "lease not found". */
int lease_get(struct request *req, const char *id, struct lease **ret_lease) MUST_CHECK;
int lease_renew(struct request *req, struct lease *lease, int64_t increment_s) MUST_CHECK;
/* Marks it for revocation now: the leader's worker does the rest. */
int lease_expire_now(struct request *req, struct lease *lease) MUST_CHECK;
/*
 * All leases below a prefix ("aws/creds/"; or one lease's id), and the tokens that were made there; likewise.
 * ret_n: how many were found; when they are very many, at least so many, and the worker finds the rest. Commits.
 */
int lease_expire_prefix(struct request *req, const char *prefix, size_t *ret_n) MUST_CHECK;
/* All leases of a token, found by the worker: one small write, however many they are. */
int lease_expire_token(struct request *req, const char *token_hash) MUST_CHECK;
/* Removes the records of a lease, in the transaction. */
int lease_remove(struct request *req, const struct lease *lease) MUST_CHECK;
/* Vault's answer to a lookup; a new reference. */
json_t *lease_describe(const struct request *req, const struct lease *lease);

/*
 * Revokes on the calling thread (which may block) and removes the lease; waits. ERR_UPSTREAM…: the engine's error,
 * the lease stays and will be tried again by the worker. ERR_UNAVAILABLE: revoked, but a lease that never became active
 * stays until nothing of its request can be under way any more. force: removes it whatever the engine says,
 * and asks the engine only shortly, or not at all if it has failed before.
 */
int lease_revoke_now(struct core *core, const char *id, bool force, struct err *err) MUST_CHECK;

/* Any one lease whose id begins with prefix ("aws/"), of the request's arena; "" for none. */
int lease_first_below(struct request *req, const char *prefix, const char **ret_id) MUST_CHECK;
/* lease_revoke_now() for all of them; stops at the first that fails. Waits. */
int lease_revoke_below(struct core *core, uint64_t epoch, const char *prefix, bool force, struct err *err) MUST_CHECK;

/*
 * Those that could not be revoked LEASE_FAILING_ATTEMPTS times or more, which are tried for ever all the same; at most
 * `limit` of them, 0 for all. Ends at the first visit that is not OK, with its code.
 */
int lease_each_failing(struct request *req, size_t limit,
                       int (*visit)(struct request *req, struct lease *lease, void *arg), void *arg) MUST_CHECK;
/* Has the worker try them now, or the first thousand. */
int lease_retry_failing(struct request *req) MUST_CHECK;

/*
 * The order of expiry, for lease.c and token.c. kind: 'l' lease, 't' token, 'd' a directory of leases or tokens that
 * are all to end.
 */
int expiry_file(struct request *req, int64_t when_s, char kind, const char *uid, const char *target) MUST_CHECK;
int expiry_unfile(struct request *req, int64_t when_s, char kind, const char *uid) MUST_CHECK;

/* ---- The worker (expiry.c): runs while this node is active ---- */

struct expiry;
struct expiry *expiry_start(struct core *core, uint64_t epoch);
void expiry_stop(struct expiry *expiry);
/* Something ends sooner than was known. Any thread. */
void expiry_wake(struct expiry *expiry);
struct expiry_standing;
void expiry_standing(struct expiry *expiry, struct expiry_standing *ret);

#endif
