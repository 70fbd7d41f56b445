/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rekey_verify.c — whether the new shares have arrived: enough of them must be given back.
 */
#include "base/secret.h"
#include "core/core_private.h"
#include "core/request/request.h"
#include "core/seal/rekey.h"
#include "core/seal/rekey_private.h"
#include "core/seal/shares.h"
#include "storage/barrier.h"

static json_t *describe_verification(const struct ceremony *ceremony)
{
    const struct shares *verified = ceremony->verified;
    return json_pack("{s:s, s:b, s:i, s:i, s:i}", "nonce", verified != NULL ? shares_nonce(verified) : "", "started",
                     verified != NULL, "t", ceremony->threshold, "n", ceremony->shares, "progress",
                     verified != NULL ? shares_count(verified) : 0);
}

int rekey_verify_status(struct request *req, enum ceremony_kind kind)
{
    int rc = rekey_check_kind(req, kind);
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
    ceremony->verified = shares_new("");
}

int rekey_verify_restart(struct request *req, enum ceremony_kind kind)
{
    int rc = rekey_check_kind(req, kind);
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
                secret_equal(key, rekey_new_key(ceremony), BARRIER_KEY_SIZE);
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
    int rc = rekey_check_kind(req, kind);
    if (rc == OK)
        rc = ceremony_check_fields(req);
    if (rc != OK)
        return rc;
    pthread_mutex_lock(&req->core->ceremony_mutex);
    rc = take_new_share(req, kind, &taken);
    pthread_mutex_unlock(&req->core->ceremony_mutex);
    if (taken != NULL)
        rc = rekey_put_in_force(req, kind, taken);
    ceremony_free(taken);
    return rc;
}
