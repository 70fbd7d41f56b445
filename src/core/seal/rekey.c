/* SPDX-License-Identifier: Apache-2.0 */
#include "core/seal/rekey.h"

#include <string.h>

#include "base/failpoint.h"
#include "base/json.h"
#include "base/log.h"
#include "base/secret.h"
#include "core/core_private.h"
#include "core/request/request.h"
#include "core/seal/seal.h"
#include "core/seal/seal_private.h"
#include "core/seal/shares.h"

static unsigned char *new_key_of(const struct ceremony *ceremony)
{
    return ceremony->keys + BARRIER_KEY_SIZE;
}

/* With an automatic seal the unseal key has no shares. */
static bool has_shares(const struct request *req, enum ceremony_kind kind)
{
    return kind == CEREMONY_RECOVERY_REKEY || !seal_is_auto(req->core);
}

static int check_kind(struct request *req, enum ceremony_kind kind)
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
        json_pack("{s:s, s:b, s:i, s:i, s:i, s:I, s:n, s:b, s:b}", "nonce", runs ? shares_nonce(ceremony->given) : "",
                  "started", runs, "t", runs ? ceremony->threshold : 0, "n", runs ? ceremony->shares : 0, "progress",
                  runs ? shares_count(ceremony->given) : 0, "required", (json_int_t)json_int(seal, "threshold", 0),
                  "pgp_fingerprints", "backup", 0, "verification_required", runs && ceremony->needs_verification);
    if (runs && ceremony->verified != NULL)
        json_object_set_new(status, "verification_nonce", json_string(shares_nonce(ceremony->verified)));
    return status;
}

int rekey_status(struct request *req, enum ceremony_kind kind)
{
    json_t *seal;
    int rc = check_kind(req, kind);
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

static json_t *describe_verification(const struct ceremony *ceremony)
{
    const struct shares *verified = ceremony->verified;
    return json_pack("{s:s, s:b, s:i, s:i, s:i}", "nonce", verified != NULL ? shares_nonce(verified) : "", "started",
                     verified != NULL, "t", ceremony->threshold, "n", ceremony->shares, "progress",
                     verified != NULL ? shares_count(verified) : 0);
}

/* ---- Beginning and giving up ---- */

static int begin(struct request *req, enum ceremony_kind kind)
{
    bool splits = has_shares(req, kind);
    int shares = splits ? (int)field_int(req, "secret_shares", 0) : 1;
    int threshold = splits ? (int)field_int(req, "secret_threshold", 0) : 1;
    struct err err = {0};
    if (shares_check("invalid rekey seal configuration: ", false, shares, threshold, &err) != OK)
        return fail_with(req, &err);
    bool needs_verification = field_bool(req, "require_verification", false);
    if (needs_verification && !splits)
        return fail(req, ERR_INVALID,
                    "requiring verification not supported when rekeying the barrier key with recovery keys");
    pthread_mutex_lock(&req->core->ceremony_mutex);
    struct ceremony *ceremony = ceremony_find(req, kind);
    int rc = ceremony != NULL ? fail(req, ERR_INVALID, "rekey already in progress") : OK;
    if (rc == OK) {
        ceremony = ceremony_begin(req, kind);
        ceremony->shares = shares;
        ceremony->threshold = threshold;
        ceremony->needs_verification = needs_verification;
    }
    pthread_mutex_unlock(&req->core->ceremony_mutex);
    return rc;
}

int rekey_init(struct request *req, enum ceremony_kind kind)
{
    json_t *seal;
    int rc = check_kind(req, kind);
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
    int rc = check_kind(req, kind);
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

/* Puts it in force. Without the mutex: it waits for the log. */
static int put_in_force(struct request *req, enum ceremony_kind kind, const struct ceremony *ceremony)
{
    struct core *core = req->core;
    struct err err = {0};
    struct seal_renewal renewal = {.old_key = ceremony->keys,
                                   .new_key = new_key_of(ceremony),
                                   .shares = ceremony->shares,
                                   .threshold = ceremony->threshold};
    (void)failpoint("rekey.before_commit");
    int rc;
    if (!has_shares(req, kind))
        rc = seal_auto_rekey(core, req->epoch, &err);
    else
        rc = request_run_internal(
            core, req->epoch, kind == CEREMONY_REKEY ? seal_write_unseal_key : seal_write_recovery_key, &renewal, &err);
    (void)failpoint("rekey.after_commit");
    if (rc != OK)
        return fail_with(req, &err);
    log_info("core", "%s was rekeyed: %d shares, threshold %d",
             kind == CEREMONY_REKEY ? "the unseal key" : "the recovery key", ceremony->shares, ceremony->threshold);
    return OK;
}

/* The answer to the last share: what nobody is told a second time. */
static int tell(struct request *req, enum ceremony_kind kind, const struct ceremony *ceremony, json_t **ret_result)
{
    struct err err = {0};
    json_t *hex = json_array(), *base64 = json_array();
    int rc = has_shares(req, kind)
                 ? shares_tell(new_key_of(ceremony), ceremony->shares, ceremony->threshold, hex, base64, &err)
                 : OK;
    *ret_result = json_pack("{s:s, s:b, s:o, s:o, s:n, s:b, s:b}", "nonce", shares_nonce(ceremony->given), "complete",
                            1, "keys", hex, "keys_base64", base64, "pgp_fingerprints", "backup", 0,
                            "verification_required", ceremony->needs_verification);
    if (ceremony->verified != NULL)
        json_object_set_new(*ret_result, "verification_nonce", json_string(shares_nonce(ceremony->verified)));
    return rc == OK ? OK : fail_with(req, &err);
}

/* Under the mutex. ret_taken: to be put in force now; NULL when shares are missing, or must be verified first. */
static int take_share(struct request *req, enum ceremony_kind kind, const json_t *seal, struct ceremony **ret_taken)
{
    bool is_enough;
    json_t *result;
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
    random_bytes(new_key_of(ceremony), BARRIER_KEY_SIZE);
    if (ceremony->needs_verification)
        ceremony->verified = shares_new();
    else
        *ret_taken = ceremony_take(req, kind);
    rc = tell(req, kind, ceremony, &result);
    reply_data(req, result);
    return rc;
}

int rekey_update(struct request *req, enum ceremony_kind kind)
{
    json_t *seal;
    struct ceremony *taken = NULL;
    int rc = check_kind(req, kind);
    if (rc == OK)
        rc = ceremony_check_fields(req);
    if (rc == OK)
        rc = ceremony_seal(req, &seal);
    if (rc != OK)
        return rc;
    pthread_mutex_lock(&req->core->ceremony_mutex);
    rc = take_share(req, kind, seal, &taken);
    pthread_mutex_unlock(&req->core->ceremony_mutex);
    if (rc == OK && taken != NULL)
        rc = put_in_force(req, kind, taken);
    ceremony_free(taken);
    json_decref(seal);
    return rc;
}

/* ---- Verifying that the new shares have arrived ---- */

int rekey_verify_status(struct request *req, enum ceremony_kind kind)
{
    int rc = check_kind(req, kind);
    if (rc != OK)
        return rc;
    pthread_mutex_lock(&req->core->ceremony_mutex);
    struct ceremony *ceremony = ceremony_find(req, kind);
    if (ceremony != NULL)
        reply_data(req, describe_verification(ceremony));
    else
        rc = fail(req, ERR_INVALID, "no rekey configuration found");
    pthread_mutex_unlock(&req->core->ceremony_mutex);
    return rc;
}

static void restart_verification(struct ceremony *ceremony)
{
    if (ceremony == NULL || ceremony->verified == NULL)
        return;
    shares_free(ceremony->verified);
    ceremony->verified = shares_new();
}

int rekey_verify_restart(struct request *req, enum ceremony_kind kind)
{
    int rc = check_kind(req, kind);
    if (rc != OK)
        return rc;
    pthread_mutex_lock(&req->core->ceremony_mutex);
    restart_verification(ceremony_find(req, kind));
    pthread_mutex_unlock(&req->core->ceremony_mutex);
    return rekey_verify_status(req, kind);
}

static bool is_new_key(const struct ceremony *ceremony)
{
    unsigned char *key = secret_alloc(BARRIER_KEY_SIZE);
    bool fits = shares_combine(ceremony->verified, key, NULL) == OK &&
                secret_equal(key, new_key_of(ceremony), BARRIER_KEY_SIZE);
    secret_free(key);
    return fits;
}

/* Under the mutex; ret_taken as above. */
static int take_new_share(struct request *req, enum ceremony_kind kind, struct ceremony **ret_taken)
{
    struct err err = {0};
    bool is_new;
    struct ceremony *ceremony = ceremony_find(req, kind);
    if (ceremony == NULL)
        return fail(req, ERR_INVALID, "no rekey in progress");
    if (ceremony->verified == NULL)
        return fail(req, ERR_INVALID, "no rekey verification in progress");
    if (!secret_equal_str(field_str(req, "nonce", ""), shares_nonce(ceremony->verified)))
        return fail(req, ERR_INVALID, "incorrect nonce supplied; nonce for this verify operation is \"%s\"",
                    shares_nonce(ceremony->verified));
    if (shares_add(ceremony->verified, field_str(req, "key", ""), &is_new, &err) != OK)
        return fail_with(req, &err);
    if (!is_new)
        return fail(req, ERR_INVALID, "given key has already been provided during this verify operation");
    reply_data(req, describe_verification(ceremony));
    if (shares_count(ceremony->verified) < ceremony->threshold)
        return OK;
    if (is_new_key(ceremony)) {
        reply_data(req, json_pack("{s:s, s:b}", "nonce", shares_nonce(ceremony->verified), "complete", 1));
        *ret_taken = ceremony_take(req, kind);
        return OK;
    }
    restart_verification(ceremony);
    return fail(req, ERR_INVALID, "rekey verification failed; incorrect key shares supplied");
}

int rekey_verify_update(struct request *req, enum ceremony_kind kind)
{
    struct ceremony *taken = NULL;
    int rc = check_kind(req, kind);
    if (rc == OK)
        rc = ceremony_check_fields(req);
    if (rc != OK)
        return rc;
    pthread_mutex_lock(&req->core->ceremony_mutex);
    rc = take_new_share(req, kind, &taken);
    pthread_mutex_unlock(&req->core->ceremony_mutex);
    if (taken != NULL)
        rc = put_in_force(req, kind, taken);
    ceremony_free(taken);
    return rc;
}
