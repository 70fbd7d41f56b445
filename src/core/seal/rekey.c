/* SPDX-License-Identifier: Apache-2.0 */
#include "core/seal/rekey.h"

#include <string.h>

#include "base/failpoint.h"
#include "base/json.h"
#include "base/log.h"
#include "base/secret.h"
#include "core/core_private.h"
#include "core/request/request.h"
#include "core/seal/recipients.h"
#include "core/seal/rekey_private.h"
#include "core/seal/seal.h"
#include "core/seal/seal_private.h"
#include "core/seal/shares.h"

unsigned char *rekey_new_key(const struct ceremony *ceremony)
{
    return ceremony->keys + BARRIER_KEY_SIZE;
}

/* With an automatic seal the unseal key has no shares. */
static bool has_shares(const struct request *req, enum ceremony_kind kind)
{
    return kind == CEREMONY_RECOVERY_REKEY || !seal_is_auto(req->core);
}

int rekey_check_kind(struct request *req, enum ceremony_kind kind)
{
    if (kind == CEREMONY_RECOVERY_REKEY && !seal_is_auto(req->core))
        return fail(req, ERR_INVALID, "recovery rekeying not supported");
    return OK;
}

/* ---- The state, as it is told ---- */

static json_t *describe(const struct ceremony *ceremony, const json_t *seal)
{
    bool runs = ceremony != NULL;
    json_t *status =
        json_pack("{s:s, s:b, s:i, s:i, s:i, s:I, s:O?, s:b, s:b}", "nonce", runs ? shares_nonce(ceremony->given) : "",
                  "started", runs, "t", runs ? ceremony->threshold : 0, "n", runs ? ceremony->shares : 0, "progress",
                  runs ? shares_count(ceremony->given) : 0, "required", (json_int_t)json_int(seal, "threshold", 0),
                  "pgp_fingerprints", runs ? ceremony->pgp_fingerprints : NULL, "backup",
                  runs && ceremony->keeps_backup, "verification_required", runs && ceremony->needs_verification);
    if (runs && ceremony->verified != NULL)
        json_object_set_new(status, "verification_nonce", json_string(shares_nonce(ceremony->verified)));
    return status;
}

int rekey_status(struct request *req, enum ceremony_kind kind)
{
    json_t *seal;
    int rc = rekey_check_kind(req, kind);
    if (rc == OK)
        rc = ceremony_seal(req, &seal);
    if (rc != OK)
        return rc;
    pthread_mutex_lock(&req->core->ceremony_mutex);
    reply_data(req, describe(ceremony_find(req, kind), seal));
    pthread_mutex_unlock(&req->core->ceremony_mutex);
    json_decref(seal);
    return OK;
}

/* ---- Beginning and giving up ---- */

/* What a request wishes the new key to be. */
struct wish {
    int shares, threshold;
    bool needs_verification, keeps_backup;
    json_t *pgp_keys;         /* borrowed; NULL for none */
    json_t *pgp_fingerprints; /* a new reference, likewise */
};

static struct wish read_wish(const struct request *req, bool splits)
{
    json_t *pgp_keys = field_json(req, "pgp_keys");
    return (struct wish){.shares = splits ? (int)field_int(req, "secret_shares", 0) : 1,
                         .threshold = splits ? (int)field_int(req, "secret_threshold", 0) : 1,
                         .needs_verification = field_bool(req, "require_verification", false),
                         .keeps_backup = field_bool(req, "backup", false),
                         .pgp_keys = json_array_size(pgp_keys) > 0 ? pgp_keys : NULL};
}

/* Whoever could not be encrypted to is found out now, and not when the last share was given. */
static int check_pgp(struct request *req, bool splits, struct wish *wish)
{
    struct err err = {0};
    if (wish->keeps_backup && wish->pgp_keys == NULL)
        return fail(req, ERR_INVALID,
                    "cannot request a backup of the new keys without providing PGP keys for encryption");
    if (wish->pgp_keys == NULL)
        return OK;
    if (!splits)
        return fail(req, ERR_INVALID,
                    "PGP key encryption not supported when rekeying the barrier key with recovery keys");
    if (json_array_size(wish->pgp_keys) != (size_t)wish->shares)
        return fail(req, ERR_INVALID, "incorrect number of PGP keys for rekey");
    int rc = recipients_read(wish->pgp_keys, &wish->pgp_fingerprints, &err);
    if (rc != OK)
        err_wrap(&err, "invalid rekey seal configuration");
    else if ((rc = recipients_check(wish->pgp_keys, &err)) != OK)
        err_wrap(&err, "failed to encrypt shares");
    return rc == OK ? OK : fail_with(req, &err);
}

static int check_wish(struct request *req, bool splits, struct wish *wish)
{
    struct err err = {0};
    if (shares_check("invalid rekey seal configuration: ", false, wish->shares, wish->threshold, &err) != OK)
        return fail_with(req, &err);
    if (wish->needs_verification && !splits)
        return fail(req, ERR_INVALID,
                    "requiring verification not supported when rekeying the barrier key with recovery keys");
    return check_pgp(req, splits, wish);
}

/* Under the mutex. */
static int start(struct request *req, enum ceremony_kind kind, const struct wish *wish)
{
    if (ceremony_find(req, kind) != NULL)
        return fail(req, ERR_INVALID, "rekey already in progress");
    struct ceremony *ceremony = ceremony_begin(req, kind);
    ceremony->shares = wish->shares;
    ceremony->threshold = wish->threshold;
    ceremony->needs_verification = wish->needs_verification;
    ceremony->keeps_backup = wish->keeps_backup;
    ceremony->pgp_keys = json_incref(wish->pgp_keys);
    ceremony->pgp_fingerprints = json_incref(wish->pgp_fingerprints);
    return OK;
}

static int begin(struct request *req, enum ceremony_kind kind)
{
    bool splits = has_shares(req, kind);
    struct wish wish = read_wish(req, splits);
    int rc = check_wish(req, splits, &wish);
    if (rc == OK) {
        pthread_mutex_lock(&req->core->ceremony_mutex);
        rc = start(req, kind, &wish);
        pthread_mutex_unlock(&req->core->ceremony_mutex);
    }
    json_decref(wish.pgp_fingerprints);
    return rc;
}

int rekey_init(struct request *req, enum ceremony_kind kind)
{
    json_t *seal;
    int rc = rekey_check_kind(req, kind);
    if (rc == OK)
        rc = ceremony_seal(req, &seal);
    if (rc != OK)
        return rc;
    json_decref(seal);
    rc = begin(req, kind);
    return rc == OK ? rekey_status(req, kind) : rc;
}

int rekey_cancel(struct request *req, enum ceremony_kind kind)
{
    const char *nonce = field_str(req, "nonce", "");
    int rc = rekey_check_kind(req, kind);
    if (rc != OK)
        return rc;
    pthread_mutex_lock(&req->core->ceremony_mutex);
    struct ceremony *ceremony = ceremony_find(req, kind);
    if (ceremony != NULL && nonce[0] != '\0' && strcmp(nonce, shares_nonce(ceremony->given)) != 0)
        rc = fail(req, ERR_INVALID, "invalid request: the nonce is not that of the rekey in progress");
    else
        ceremony_free(ceremony_take(req, kind));
    pthread_mutex_unlock(&req->core->ceremony_mutex);
    return rc;
}

/* ---- The new key ---- */

struct change {
    enum ceremony_kind kind;
    struct seal_renewal renewal;
    const json_t *backup; /* or NULL */
};

/* One entry of the log. */
static int write_change(struct request *req, void *arg)
{
    struct change *change = arg;
    int rc = change->kind == CEREMONY_REKEY ? seal_write_unseal_key(req, &change->renewal)
                                            : seal_write_recovery_key(req, &change->renewal);
    if (rc == OK && change->backup != NULL)
        rc = recipients_keep(req, change->kind == CEREMONY_RECOVERY_REKEY, change->backup);
    return rc;
}

int rekey_put_in_force(struct request *req, enum ceremony_kind kind, const struct ceremony *ceremony)
{
    struct core *core = req->core;
    struct err err = {0};
    struct change change = {.kind = kind,
                            .renewal = {.old_key = ceremony->keys,
                                        .new_key = rekey_new_key(ceremony),
                                        .shares = ceremony->shares,
                                        .threshold = ceremony->threshold},
                            .backup = ceremony->backup};
    (void)failpoint("rekey.before_commit");
    int rc;
    if (!has_shares(req, kind))
        rc = seal_auto_rekey(core, req->epoch, &err);
    else
        rc = request_run_internal(core, req->epoch, write_change, &change, &err);
    (void)failpoint("rekey.after_commit");
    if (rc != OK)
        return fail_with(req, &err);
    log_info("core", "%s was rekeyed: %d shares, threshold %d",
             kind == CEREMONY_REKEY ? "the unseal key" : "the recovery key", ceremony->shares, ceremony->threshold);
    return OK;
}

static int split(struct request *req, enum ceremony_kind kind, const struct ceremony *ceremony, json_t *hex,
                 json_t *base64, struct err *err)
{
    if (!has_shares(req, kind))
        return OK;
    int rc = shares_tell(rekey_new_key(ceremony), ceremony->shares, ceremony->threshold, hex, base64, err);
    if (rc == OK && recipients_encrypt(ceremony->pgp_keys, hex, base64, err) != OK)
        rc = err_wrap(err, "failed to encrypt shares");
    return rc;
}

/* The answer to the last share: what nobody is told a second time, unless a backup is kept. */
static int tell(struct request *req, enum ceremony_kind kind, struct ceremony *ceremony)
{
    struct err err = {0};
    json_t *hex = json_array(), *base64 = json_array();
    const char *nonce = shares_nonce(ceremony->given);
    int rc = split(req, kind, ceremony, hex, base64, &err);
    if (rc == OK && ceremony->keeps_backup)
        ceremony->backup = recipients_backup(nonce, ceremony->pgp_fingerprints, base64);
    json_t *result = json_pack("{s:s, s:b, s:o, s:o, s:O?, s:b, s:b}", "nonce", nonce, "complete", 1, "keys", hex,
                               "keys_base64", base64, "pgp_fingerprints", ceremony->pgp_fingerprints, "backup",
                               ceremony->keeps_backup, "verification_required", ceremony->needs_verification);
    if (rc != OK) {
        json_decref(result);
        return fail_with(req, &err);
    }
    if (ceremony->needs_verification) {
        ceremony->verified = shares_new("");
        json_object_set_new(result, "verification_nonce", json_string(shares_nonce(ceremony->verified)));
    }
    reply_data(req, result);
    return OK;
}

/* With verification: what is kept is kept before it is told. Without the mutex. */
static int write_backup(struct request *req, void *arg)
{
    const struct change *change = arg;
    return recipients_keep(req, change->kind == CEREMONY_RECOVERY_REKEY, change->backup);
}

static int keep_backup(struct request *req, enum ceremony_kind kind, const json_t *backup)
{
    struct err err = {0};
    struct change change = {.kind = kind, .backup = backup};
    int rc = request_run_internal(req->core, req->epoch, write_backup, &change, &err);
    if (rc == OK)
        return OK;
    ceremony_cancel(req, kind);
    return fail_with(req, &err);
}

/*
 * Under the mutex. ret_taken: to be put in force now; NULL when shares are missing, or must be verified first. Then
 * ret_backup: to be kept now, or NULL.
 */
static int take_share(struct request *req, enum ceremony_kind kind, const json_t *seal, struct ceremony **ret_taken,
                      json_t **ret_backup)
{
    bool is_enough;
    struct ceremony *ceremony = ceremony_find(req, kind);
    if (ceremony == NULL)
        return fail(req, ERR_INVALID, "no %s rekey in progress", kind == CEREMONY_REKEY ? "barrier" : "recovery");
    if (ceremony->verified != NULL)
        return fail(req, ERR_INVALID,
                    "rekey operation already finished; verification must be performed; nonce for the verification "
                    "operation is \"%s\"",
                    shares_nonce(ceremony->verified));
    int rc = ceremony_give(req, ceremony, seal, "rekey", &is_enough);
    if (rc != OK || !is_enough) {
        if (rc == OK)
            reply_data(req, describe(ceremony, seal));
        return rc;
    }
    random_bytes(rekey_new_key(ceremony), BARRIER_KEY_SIZE);
    rc = tell(req, kind, ceremony);
    if (rc != OK)
        return rc;
    if (!ceremony->needs_verification) {
        *ret_taken = ceremony_take(req, kind);
    } else {
        *ret_backup = ceremony->backup;
        ceremony->backup = NULL;
    }
    return OK;
}

int rekey_update(struct request *req, enum ceremony_kind kind)
{
    json_t *seal, *backup = NULL;
    struct ceremony *taken = NULL;
    int rc = rekey_check_kind(req, kind);
    if (rc == OK)
        rc = ceremony_check_fields(req);
    if (rc == OK)
        rc = ceremony_seal(req, &seal);
    if (rc != OK)
        return rc;
    pthread_mutex_lock(&req->core->ceremony_mutex);
    rc = take_share(req, kind, seal, &taken, &backup);
    pthread_mutex_unlock(&req->core->ceremony_mutex);
    if (rc == OK && taken != NULL)
        rc = rekey_put_in_force(req, kind, taken);
    if (rc == OK && backup != NULL)
        rc = keep_backup(req, kind, backup);
    json_decref(backup);
    ceremony_free(taken);
    json_decref(seal);
    return rc;
}

/* ---- What was kept ---- */

int rekey_backup_read(struct request *req, enum ceremony_kind kind)
{
    json_t *backup;
    int rc = recipients_kept(req, kind == CEREMONY_RECOVERY_REKEY, &backup);
    if (rc == ERR_NOTFOUND)
        return fail(req, ERR_INVALID, "no backed-up keys found");
    if (rc == OK)
        reply_data(req, backup);
    return rc;
}

int rekey_backup_delete(struct request *req, enum ceremony_kind kind)
{
    return recipients_forget(req, kind == CEREMONY_RECOVERY_REKEY);
}
