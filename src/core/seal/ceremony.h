/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ceremony.h — what enough people do together with their shares: another unseal key, another recovery key (rekey.c), a
 * root token (root_token.c).
 *
 * One of a kind at a time. It lies in memory of the active node alone, ends with its being active, and is wiped then.
 * What it leads to is committed after it was taken out of here, so that nobody waits for the log under the mutex.
 */
#ifndef COFFER_CORE_CEREMONY_H
#define COFFER_CORE_CEREMONY_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct core;
struct request;
struct shares;

enum ceremony_kind { CEREMONY_REKEY, CEREMONY_RECOVERY_REKEY, CEREMONY_ROOT_TOKEN, CEREMONIES };

#define CEREMONY_OTP_SIZE 32 /* holds an OTP, which is as long as a token */

struct ceremony {
    uint64_t epoch;
    struct shares *given; /* of the key that is in force; their nonce is the ceremony's */
    unsigned char *keys;  /* secret memory: the key in force, once enough was given; then the new one */

    /* Of the new key. */
    int shares, threshold;
    bool needs_verification;
    struct shares *verified; /* of it, once it was told; their nonce is the verification's; NULL before */

    char otp[CEREMONY_OTP_SIZE]; /* of a root token; "" when it is encrypted to a PGP key */

    /* Who gets what is told (recipients.h), new references; NULL: it is told in clear. Of a root token, one. */
    json_t *pgp_keys, *pgp_fingerprints;
    bool keeps_backup;
    json_t *backup; /* what is to be kept, once it was told and until that is committed */
};

/* ---- Under core->ceremony_mutex ---- */

/* That which runs in the request's epoch, or NULL. */
struct ceremony *ceremony_find(struct request *req, enum ceremony_kind kind);
/* In the place of none. */
struct ceremony *ceremony_begin(struct request *req, enum ceremony_kind kind);
/* Takes it out; the caller frees it. */
struct ceremony *ceremony_take(struct request *req, enum ceremony_kind kind);
/*
 * One more share of the key in force. `what` is for sentences: "rekey", "root generation". ret_is_enough: keys holds
 * that key, and it is the right one. A wrong one among them starts the count again.
 */
int ceremony_give(struct request *req, struct ceremony *ceremony, const json_t *seal, const char *what,
                  bool *ret_is_enough) MUST_CHECK;

/* ---- Without it ---- */

/* Wipes; NULL is fine. */
void ceremony_free(struct ceremony *ceremony);
void ceremony_cancel(struct request *req, enum ceremony_kind kind);
/* All that run on this node. */
void ceremony_forget_all(struct core *core);
/* The stored configuration of the seal; a new reference. ERR_INVALID when nobody holds any share. */
int ceremony_seal(struct request *req, json_t **ret_seal) MUST_CHECK;
/* The fields "key" and "nonce" of a request that gives a share: that there is a key. */
int ceremony_check_fields(struct request *req) MUST_CHECK;

#endif
