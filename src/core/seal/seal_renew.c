/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seal_renew.c — another unseal key, or another recovery key, in the place of the present one: each in one entry of the
 * log, so that there is always one whole set of keys that opens the cluster.
 *
 * The root key stays what it is: whoever is unsealed, or was away, goes on.
 */
#include <string.h>

#include "base/encoding.h"
#include "base/json.h"
#include "base/log.h"
#include "base/secret.h"
#include "core/core_private.h"
#include "core/request/request.h"
#include "core/seal/seal.h"
#include "core/seal/seal_private.h"

int seal_put_text(struct request *req, enum txn_clear record, json_t *value)
{
    char *text = json_format(value);
    int rc = txn_put_clear(req->txn, record, text, strlen(text));
    json_text_free(text);
    json_decref(value);
    return rc;
}

int seal_put_join(struct request *req, json_t *record, const unsigned char unseal_key[BARRIER_KEY_SIZE])
{
    unsigned char secret[32];
    char text[65];
    join_secret(unseal_key, secret);
    hex_encode(secret, sizeof secret, text);
    json_object_set_new(record, "secret", json_string(text));
    int rc = txn_put(req->txn, "core/join", record);
    secret_wipe(secret, sizeof secret);
    secret_wipe(text, sizeof text);
    return rc;
}

/* As the transaction sees it, so that a change that comes between is noticed; a new reference. */
static int get_config(struct request *req, json_t **ret_config)
{
    struct buf text = BUF_INIT;
    int rc = txn_get_clear(req->txn, TXN_CLEAR_SEAL, &text);
    if (rc == OK && json_parse((char *)text.data, text.len, ret_config, NULL) != OK)
        rc = ERR_CORRUPT;
    buf_close(&text);
    return rc == OK ? OK : fail(req, rc, "the seal's configuration cannot be read: %s", err_default_text(rc));
}

static int rewrap_root_key(struct request *req, const unsigned char *old_key, const unsigned char *new_key)
{
    struct buf wrapped = BUF_INIT;
    unsigned char *root_key = secret_alloc(BARRIER_KEY_SIZE);
    int rc = txn_get_clear(req->txn, TXN_CLEAR_ROOT_KEY, &wrapped);
    if (rc == OK && seal_unwrap(old_key, SEAL_ROOT_KEY, wrapped.data, wrapped.len, root_key) != OK)
        rc = fail(req, ERR_INVALID, "the unseal key has been changed meanwhile: start again");
    if (rc == OK) {
        buf_clear(&wrapped);
        seal_wrap(new_key, SEAL_ROOT_KEY, root_key, &wrapped);
        rc = txn_put_clear(req->txn, TXN_CLEAR_ROOT_KEY, wrapped.data, wrapped.len);
    }
    secret_free(root_key);
    buf_close(&wrapped);
    return rc;
}

static int renew_join(struct request *req, const unsigned char *new_key)
{
    json_t *record;
    int rc = txn_get(req->txn, "core/join", &record);
    if (rc != OK)
        return rc;
    rc = seal_put_join(req, record, new_key);
    json_decref(record);
    return rc;
}

static void set_shares(json_t *config, const struct seal_renewal *renewal)
{
    if (renewal->shares == 0)
        return;
    json_object_set_new(config, "shares", json_integer(renewal->shares));
    json_object_set_new(config, "threshold", json_integer(renewal->threshold));
}

int seal_write_unseal_key(struct request *req, void *arg)
{
    const struct seal_renewal *renewal = arg;
    struct core *core = req->core;
    json_t *config, *stored;
    int rc = rewrap_root_key(req, renewal->old_key, renewal->new_key);
    if (rc == OK)
        rc = renew_join(req, renewal->new_key);
    if (rc == OK)
        rc = get_config(req, &config);
    if (rc != OK)
        return rc;
    set_shares(config, renewal);
    if (seal_is_auto(core)) {
        rc = core->seal->encrypt(core->options.seal, renewal->new_key, &stored, &req->err);
        if (rc == OK)
            json_object_set_new(config, "stored", stored);
    }
    if (rc == OK)
        return seal_put_text(req, TXN_CLEAR_SEAL, config);
    json_decref(config);
    return rc;
}

int seal_write_recovery_key(struct request *req, void *arg)
{
    const struct seal_renewal *renewal = arg;
    json_t *config;
    char mark[65];
    int rc = get_config(req, &config);
    if (rc != OK)
        return rc;
    recovery_mark(renewal->new_key, mark);
    json_object_set_new(config, "recovery", json_string(mark));
    set_shares(config, renewal);
    return seal_put_text(req, TXN_CLEAR_SEAL, config);
}

/* ---- Of an automatic seal ---- */

/*
 * The unseal key itself is made anew: whoever had the old key of the seal, and has seen what it encrypted, has nothing.
 */
static int renew(struct core *core, uint64_t epoch, bool only_if_old, bool *ret_is_done, struct err *err)
{
    bool is_old;
    unsigned char *keys = secret_alloc(2 * BARRIER_KEY_SIZE), *new_key = keys + BARRIER_KEY_SIZE;
    struct seal_renewal renewal = {.old_key = keys, .new_key = new_key};
    random_bytes(new_key, BARRIER_KEY_SIZE);
    pthread_mutex_lock(&core->seal_mutex);
    json_t *config = seal_config(core);
    int rc = seal_auto_decrypt(core, config, keys, &is_old, err);
    *ret_is_done = rc == OK && (is_old || !only_if_old);
    if (*ret_is_done)
        rc = request_run_internal(core, epoch, seal_write_unseal_key, &renewal, err);
    pthread_mutex_unlock(&core->seal_mutex);
    json_decref(config);
    secret_free(keys);
    return rc;
}

int seal_auto_rekey(struct core *core, uint64_t epoch, struct err *err)
{
    bool is_done;
    return renew(core, epoch, false, &is_done, err);
}

void seal_auto_renew(struct core *core, uint64_t epoch)
{
    struct err err = {0};
    bool is_done;
    if (!seal_is_auto(core))
        return;
    if (renew(core, epoch, true, &is_done, &err) != OK)
        log_warn("core", "the seal's new key is not in use yet: %s; tried again by the next active node",
                 err_text(&err));
    else if (is_done)
        log_info("core", "the unseal key was made anew and encrypted by the seal's new key");
}
