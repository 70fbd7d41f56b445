/* SPDX-License-Identifier: Apache-2.0 */
#include "core/seal/ceremony.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/secret.h"
#include "core/core_private.h"
#include "core/request/request.h"
#include "core/seal/seal_private.h"
#include "core/seal/shares.h"

void ceremony_free(struct ceremony *ceremony)
{
    if (ceremony == NULL)
        return;
    shares_free(ceremony->given);
    shares_free(ceremony->verified);
    secret_free(ceremony->keys);
    json_decref(ceremony->pgp_keys);
    json_decref(ceremony->pgp_fingerprints);
    json_decref(ceremony->backup);
    secret_wipe(ceremony, sizeof *ceremony);
    free(ceremony);
}

struct ceremony *ceremony_find(struct request *req, enum ceremony_kind kind)
{
    struct ceremony **slot = &req->core->ceremonies[kind];
    if (*slot != NULL && (*slot)->epoch != req->epoch) {
        ceremony_free(*slot);
        *slot = NULL;
    }
    return *slot;
}

struct ceremony *ceremony_begin(struct request *req, enum ceremony_kind kind)
{
    struct ceremony *ceremony = calloc(1, sizeof *ceremony);
    if (ceremony == NULL)
        abort();
    ceremony->epoch = req->epoch;
    ceremony->given = shares_new("");
    ceremony->keys = secret_alloc(2 * BARRIER_KEY_SIZE);
    req->core->ceremonies[kind] = ceremony;
    return ceremony;
}

struct ceremony *ceremony_take(struct request *req, enum ceremony_kind kind)
{
    struct ceremony *ceremony = ceremony_find(req, kind);
    req->core->ceremonies[kind] = NULL;
    return ceremony;
}

void ceremony_cancel(struct request *req, enum ceremony_kind kind)
{
    pthread_mutex_lock(&req->core->ceremony_mutex);
    ceremony_free(ceremony_take(req, kind));
    pthread_mutex_unlock(&req->core->ceremony_mutex);
}

void ceremony_forget_all(struct core *core)
{
    pthread_mutex_lock(&core->ceremony_mutex);
    for (int kind = 0; kind < CEREMONIES; kind++) {
        ceremony_free(core->ceremonies[kind]);
        core->ceremonies[kind] = NULL;
    }
    pthread_mutex_unlock(&core->ceremony_mutex);
}

int ceremony_seal(struct request *req, json_t **ret_seal)
{
    pthread_mutex_lock(&req->core->seal_mutex);
    json_t *seal = seal_config(req->core);
    pthread_mutex_unlock(&req->core->seal_mutex);
    if (seal == NULL)
        return fail(req, ERR_INVALID, "Vault is not initialized");
    if (json_int(seal, "threshold", 0) < 1) {
        json_decref(seal);
        return fail(req, ERR_INVALID, "the cluster was initialized without recovery keys: nobody can agree to this");
    }
    *ret_seal = seal;
    return OK;
}

int ceremony_check_fields(struct request *req)
{
    if (field_str(req, "key", "")[0] == '\0')
        return fail(req, ERR_INVALID, "'key' must be specified in request body as JSON");
    return OK;
}

static int combine(struct request *req, struct ceremony *ceremony, const json_t *seal)
{
    struct err err = {0};
    int rc = shares_combine(ceremony->given, ceremony->keys, &err);
    if (rc == OK)
        rc = seal_check_key(req->core, seal, ceremony->keys, &err);
    shares_clear(ceremony->given);
    return rc == OK ? OK : fail_with(req, &err);
}

int ceremony_give(struct request *req, struct ceremony *ceremony, const json_t *seal, const char *what,
                  bool *ret_is_enough)
{
    struct err err = {0};
    bool is_new;
    *ret_is_enough = false;
    if (!secret_equal_str(field_str(req, "nonce", ""), shares_nonce(ceremony->given)))
        return fail(req, ERR_INVALID, "incorrect nonce supplied; nonce for this %s operation is \"%s\"", what,
                    shares_nonce(ceremony->given));
    int rc = shares_add(ceremony->given, field_str(req, "key", ""), &is_new, &err);
    if (rc != OK)
        return fail_with(req, &err);
    if (!is_new)
        return fail(req, ERR_INVALID, "given key has already been provided during this generation operation");
    if (shares_count(ceremony->given) < json_int(seal, "threshold", 1))
        return OK;
    rc = combine(req, ceremony, seal);
    *ret_is_enough = rc == OK;
    return rc;
}
