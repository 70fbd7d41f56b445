/* SPDX-License-Identifier: Apache-2.0 */
/*
 * token.h — tokens: who somebody is, what for, until when.
 *
 * A token is stored under a MAC of itself, "token/id/<hash>"; the token itself is stored nowhere. By its side:
 * "token/accessor/<accessor>" → hash, "token/child/<parent hash>/<hash>", "token/path/<where it was made>/<hash>"
 * (so that a prefix of paths is a directory of tokens), what it keeps for itself (cubbyhole.h), and its place in the
 * order of expiry (lease.h, kind 't', uid and target its hash). All of it changes in the one transaction of the
 * request.
 *
 * A child is only as alive as its parent: a lookup asks for every ancestor. So revoking a token is one small
 * transaction, whatever hangs on it, and takes effect at once; the leader's worker clears away the rest.
 *
 * Batch tokens are stored nowhere: what is known of one is in its text (token_batch.h). They live until their end or as
 * long as their parent, are neither renewed nor revoked, and have no accessor, no children and no cubbyhole; leases
 * that they make are their parent's, and end with them at the latest.
 */
#ifndef COFFER_CORE_TOKEN_H
#define COFFER_CORE_TOKEN_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "core/request/request.h"

#define TOKEN_LENGTH    28 /* "hvs." and what is random */
#define TOKEN_HASH_SIZE 65 /* hex of 32 bytes, terminated */

struct token {
    char hash[TOKEN_HASH_SIZE];
    const char *accessor;
    const char *parent; /* hash, or "" for an orphan */
    const char *path;   /* where it was made: "auth/approle/login" */
    const char *display_name;
    const char *type;             /* "service", "batch" */
    const char *role;             /* or "" */
    json_t *policies;             /* sorted */
    json_t *meta;                 /* or NULL */
    json_t *internal;             /* of the login method; or NULL */
    json_t *bound_cidrs;          /* or NULL */
    int64_t created_s, expires_s; /* wall clock; expires 0: never */
    int64_t last_renewal_s;       /* 0: never */
    int64_t creation_ttl_s, period_s, explicit_max_ttl_s, max_ttl_s;
    int64_t renewed_ttl_s; /* what its last renewal granted; 0: not renewed yet */
    int64_t num_uses; /* 0: unlimited; -1: the last one is being used */
    bool renewable, is_root, is_batch;
    const json_t *record; /* what is stored; owns all of the above; shared, see txn_get_shared() */
};

/* What is asked for; zeroed members are "not given". */
struct token_order {
    const char *id;     /* a chosen token, or NULL */
    const char *parent; /* hash, or NULL for an orphan */
    const char *path;
    const char *display_name;
    const char *role;
    json_t *policies; /* final; sorted and deduped here */
    json_t *meta, *internal, *bound_cidrs;
    const struct mount *mount; /* whose limits hold; NULL: auth/token/'s */
    int64_t ttl_s, max_ttl_s, period_s, explicit_max_ttl_s, num_uses;
    int64_t role_period_s, role_explicit_max_ttl_s; /* of a role, which renewing asks anew: the lesser holds */
    bool not_renewable;
    bool is_batch;      /* stored nowhere; id and num_uses must not be given */
    bool is_exact;      /* lives for ttl_s, whatever the mounts' maximum */
    bool never_expires; /* root */
};

/* Writes a new token into req's transaction; ret_auth is the `auth` object of the answer (a new reference). */
int token_create(struct request *req, const struct token_order *order, json_t **ret_auth) MUST_CHECK;
/* A root token, of a chosen text or (NULL) a random one of TOKEN_LENGTH characters. */
int token_create_root(struct request *req, const char *id, json_t **ret_auth) MUST_CHECK;
/* The token of a login: req->auth with the mount's limits, display name and metadata. Sets req->auth_reply. */
int token_create_login(struct request *req) MUST_CHECK;

/* ERR_DENIED for one that is unknown, expired, malformed or used up. In req's arena and transaction. */
int token_lookup(struct request *req, const char *client_token, struct token **ret_token) MUST_CHECK;
int token_lookup_hash(struct request *req, const char *hash, struct token **ret_token) MUST_CHECK;
/* How many service tokens there are: those that have an accessor. */
int token_count(struct request *req, size_t *ret_n) MUST_CHECK;
/* ERR_INVALID "invalid accessor". */
int token_lookup_accessor(struct request *req, const char *accessor, struct token **ret_token) MUST_CHECK;
/* Takes one use, if they are counted: ERR_DENIED when there is none left. */
int token_use(struct request *req, struct token *token) MUST_CHECK;

/*
 * After the last use: what the token kept for itself goes. Apart from token_use(), because the request that the use was
 * for may be about that. Nothing happens to a token that lives on, and to NULL.
 */
int token_leave(struct request *req, const struct token *token) MUST_CHECK;

/* Extends a token; ret_auth as above (client_token "" unless given). Errors: Vault's sentences. */
int token_renew(struct request *req, struct token *token, const char *client_token, int64_t increment_s,
                json_t **ret_auth) MUST_CHECK;
/* Ends it, and with it at once everything under it: its leases are due now, the worker removes its descendants. */
int token_revoke(struct request *req, const struct token *token) MUST_CHECK;
/* Removes only it; its children become orphans. Its leases are revoked. */
int token_revoke_orphan(struct request *req, const struct token *token) MUST_CHECK;
/*
 * The worker's part, when a token's time has come or it was revoked: revokes it if it is still there, then some of
 * its children. ret_more: call again, in another transaction, for the rest. OK when there is nothing left.
 */
int token_expire(struct request *req, const char *hash, bool *ret_more) MUST_CHECK;
/* The data of a lookup: a new reference. show_id: the token's text, or NULL for "". */
json_t *token_describe(struct request *req, const struct token *token, const char *show_id);
/* The `hash` of a token's text. ERR_SEALED. */
int token_hash(struct request *req, const char *client_token, char ret_hash[TOKEN_HASH_SIZE]) MUST_CHECK;

#endif
