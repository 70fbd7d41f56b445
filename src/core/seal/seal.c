/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seal.c — unsealing by people and sealing; seal_auto.c unseals without them, seal_init.c creates what is sealed.
 */
#include "core/seal/seal.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/secret.h"
#include "core/core_private.h"
#include "core/seal/seal_private.h"
#include "core/seal/shares.h"
#include "core/snapshot/quarantine.h"

/* ---- The stored, or the fetched, configuration of the seal ---- */

bool seal_is_auto(const struct core *core)
{
    return core->seal->decrypt != NULL;
}

const char *seal_name(const struct core *core)
{
    return core->seal->name;
}

json_t *seal_config(struct core *core)
{
    struct txn *txn;
    struct buf text = BUF_INIT;
    json_t *config = NULL;
    if (txn_begin(core->store, core->barrier, &txn, NULL) == OK) {
        if (txn_get_clear(txn, TXN_CLEAR_SEAL, &text) == OK)
            (void)!json_parse((char *)text.data, text.len, &config, NULL);
        txn_free(txn);
    }
    buf_close(&text);
    if (config == NULL && core->joining != NULL)
        config = joining_seal_config(core->joining);
    return config;
}

int seal_configure(struct core *core, struct err *err)
{
    const char *type = core->options.seal_type != NULL ? core->options.seal_type : "shamir";
    core->seal = seal_type_find(type);
    if (core->seal == NULL)
        return err_set(err, ERR_INVALID, "there is no seal of type \"%.64s\"", type);
    return core->seal->check != NULL ? core->seal->check(core->options.seal, err) : OK;
}

int seal_check_stored(struct core *core, struct err *err)
{
    json_t *config = seal_config(core);
    const char *stored = json_str(config, "type", core->seal->name);
    int rc = OK;
    if (strcmp(stored, core->seal->name) != 0)
        rc =
            err_set(err, ERR_INVALID,
                    "the cluster was initialized with seal \"%.32s\", and the configuration says \"%s\": changing from "
                    "one to the other is not supported",
                    stored, core->seal->name);
    json_decref(config);
    return rc;
}

static int read_clear(struct core *core, enum txn_clear record, struct buf *ret, struct err *err)
{
    struct txn *txn;
    int rc = txn_begin(core->store, core->barrier, &txn, err);
    if (rc != OK)
        return rc;
    rc = txn_get_clear(txn, record, ret);
    txn_free(txn);
    return rc == OK ? OK : err_set(err, rc, "the stored keys cannot be read: %s", err_default_text(rc));
}

/* ---- Unsealing ---- */

static int open_barrier(struct core *core, const unsigned char unseal_key[BARRIER_KEY_SIZE], struct err *err)
{
    struct buf wrapped = BUF_INIT, keyring = BUF_INIT;
    unsigned char *root_key = secret_alloc(BARRIER_KEY_SIZE);
    int rc = read_clear(core, TXN_CLEAR_ROOT_KEY, &wrapped, err);
    if (rc == OK)
        rc = read_clear(core, TXN_CLEAR_KEYRING, &keyring, err);
    if (rc == OK && seal_unwrap(unseal_key, SEAL_ROOT_KEY, wrapped.data, wrapped.len, root_key) != OK)
        rc = err_set(err, ERR_INVALID,
                     "failed to decrypt keys from storage: the unseal keys do not fit; start again with "
                     "keys of this seal");
    if (rc == OK)
        rc = barrier_unseal(core->barrier, root_key, keyring.data, keyring.len, err);
    if (rc == OK && txn_follow_keyring(core->store, core->barrier, NULL) != OK) {
        barrier_seal(core->barrier);
        rc = err_set(err, ERR_UNAVAILABLE, "the state was replaced by one under other keys meanwhile; unseal again");
    }
    secret_free(root_key);
    buf_close(&keyring);
    buf_close(&wrapped);
    if (rc == OK) {
        core->was_opened = true;
        join_trust_stored(core);
        log_info("core", "unsealed");
        cluster_set_sealed(core->cluster, false);
        core_wake(core);
    }
    return rc;
}

int seal_open(struct core *core, const unsigned char unseal_key[BARRIER_KEY_SIZE], struct err *err)
{
    int rc = OK;
    if (core->joining != NULL && !core_check_initialized(core))
        rc = joining_finish(core, core->joining, unseal_key, err);
    if (rc == OK)
        rc = open_barrier(core, unseal_key, err);
    if (rc == OK)
        core_set_joining(core, NULL);
    return rc;
}

static int check_recovery(const json_t *config, const unsigned char key[BARRIER_KEY_SIZE], struct err *err)
{
    char mark[65];
    recovery_mark(key, mark);
    if (secret_equal_str(mark, json_str(config, "recovery", "")))
        return OK;
    return err_set(err, ERR_INVALID, "recovery key verification failed: the recovery keys are not this cluster's");
}

static int check_unseal_key(struct core *core, const unsigned char key[BARRIER_KEY_SIZE], struct err *err)
{
    struct buf wrapped = BUF_INIT;
    unsigned char *root_key = secret_alloc(BARRIER_KEY_SIZE);
    int rc = read_clear(core, TXN_CLEAR_ROOT_KEY, &wrapped, err);
    if (rc == OK && seal_unwrap(key, SEAL_ROOT_KEY, wrapped.data, wrapped.len, root_key) != OK)
        rc = err_set(err, ERR_INVALID, "unseal key verification failed: the unseal keys are not this cluster's");
    secret_free(root_key);
    buf_close(&wrapped);
    return rc;
}

int seal_check_key(struct core *core, const json_t *config, const unsigned char key[BARRIER_KEY_SIZE], struct err *err)
{
    return seal_is_auto(core) ? check_recovery(config, key, err) : check_unseal_key(core, key, err);
}

static void forget_shares(struct core *core)
{
    shares_free(core->unsealing);
    core->unsealing = NULL;
}

/* All shares are there: a wrong one among them starts the count again. */
static int finish_unsealing(struct core *core, const json_t *config, struct err *err)
{
    unsigned char *key = secret_alloc(BARRIER_KEY_SIZE);
    int rc = shares_combine(core->unsealing, key, err);
    if (rc == OK && seal_is_auto(core)) {
        rc = check_recovery(config, key, err);
        if (rc == OK)
            rc = seal_auto_open(core, err);
    } else if (rc == OK) {
        rc = seal_open(core, key, err);
    }
    secret_free(key);
    forget_shares(core);
    return rc;
}

static int take_share(struct core *core, const json_t *config, const char *text, bool *ret_is_open, struct err *err)
{
    bool is_new;
    if (core->unsealing == NULL)
        core->unsealing = shares_new("invalid key: ");
    int rc = shares_add(core->unsealing, text, &is_new, err);
    if (rc != OK && shares_count(core->unsealing) == 0)
        forget_shares(core);
    if (rc == OK && shares_count(core->unsealing) >= json_int(config, "threshold", 1)) {
        rc = finish_unsealing(core, config, err);
        *ret_is_open = rc == OK;
    }
    return rc;
}

int seal_unseal(struct core *core, const char *text, struct err *err)
{
    bool is_open = false;
    pthread_mutex_lock(&core->seal_mutex);
    json_t *config = seal_config(core);
    int rc = config == NULL ? err_set(err, ERR_INVALID, "Vault is not initialized") : OK;
    if (rc == OK && barrier_is_sealed(core->barrier))
        rc = take_share(core, config, text, &is_open, err);
    json_decref(config);
    pthread_mutex_unlock(&core->seal_mutex);
    if (is_open)
        core_wait_settled(core, SETTLE_MS);
    return rc;
}

int seal_reset(struct core *core, struct err *err)
{
    pthread_mutex_lock(&core->seal_mutex);
    int rc = barrier_is_sealed(core->barrier) ? OK : err_set(err, ERR_INVALID, "vault is unsealed");
    if (rc == OK)
        forget_shares(core);
    pthread_mutex_unlock(&core->seal_mutex);
    return rc;
}

int seal_seal(struct core *core, struct err *err)
{
    (void)err;
    pthread_mutex_lock(&core->seal_mutex);
    if (!barrier_is_sealed(core->barrier))
        core_seal_now(core);
    pthread_mutex_unlock(&core->seal_mutex);
    return OK;
}

/* ---- Status ---- */

json_t *seal_cluster(struct core *core)
{
    struct buf text = BUF_INIT;
    json_t *cluster = NULL, *data = json_object();
    if (read_clear(core, TXN_CLEAR_CLUSTER, &text, NULL) == OK &&
        json_parse((char *)text.data, text.len, &cluster, NULL) == OK) {
        json_object_set(data, "cluster_name", json_object_get(cluster, "name"));
        json_object_set(data, "cluster_id", json_object_get(cluster, "id"));
    }
    json_decref(cluster);
    buf_close(&text);
    return data;
}

json_t *seal_status(struct core *core)
{
    pthread_mutex_lock(&core->seal_mutex);
    json_t *config = seal_config(core);
    const struct shares *given = core->unsealing;
    bool is_sealed = barrier_is_sealed(core->barrier), is_auto = seal_is_auto(core);
    json_t *status = json_pack(
        "{s:s, s:b, s:b, s:I, s:I, s:i, s:s, s:s, s:s, s:b, s:b, s:s}", "type", core->seal->name, "initialized",
        config != NULL, "sealed", is_sealed, "t", (json_int_t)json_int(config, "threshold", 0), "n",
        (json_int_t)json_int(config, "shares", 0), "progress", given != NULL ? shares_count(given) : 0, "nonce",
        given != NULL ? shares_nonce(given) : "", "version", COFFER_VERSION, "build_date", COFFER_BUILD_DATE,
        "migration", 0, "recovery_seal", is_auto, "storage_type", core->options.storage_type);
    if (is_auto)
        json_object_set_new(status, "recovery_seal_type", json_string("shamir"));
    pthread_mutex_unlock(&core->seal_mutex);
    if (config != NULL && quarantine_of_state(core) != 0)
        json_object_set_new(status, "quarantine", json_true());
    json_decref(config);
    if (!is_sealed) {
        json_t *cluster = seal_cluster(core);
        json_object_update(status, cluster);
        json_decref(cluster);
    }
    return status;
}
