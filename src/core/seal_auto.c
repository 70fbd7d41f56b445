/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seal_auto.c — unsealing without people.
 *
 * A thread tries from the start on, until the node is open for the first time: who seals it afterwards wants it sealed.
 * A node that joins needs nothing else either: its leader tells what is stored of the seal, and whoever can open
 * that has proved to belong to the cluster.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/encoding.h"
#include "base/json.h"
#include "base/log.h"
#include "base/secret.h"
#include "core/core_private.h"
#include "core/request.h"
#include "core/seal.h"
#include "core/seal_private.h"

#define PAUSE_FIRST_MS 100
#define PAUSE_MAX_MS   5000

static int decrypt_unseal_key(struct core *core, const json_t *config, unsigned char ret_key[BARRIER_KEY_SIZE],
                              bool *ret_is_old, struct err *err)
{
    const char *type = json_str(config, "type", "");
    if (strcmp(type, core->seal->name) != 0)
        return err_set(err, ERR_INVALID, "the cluster's seal is \"%.32s\", and this node is configured for \"%s\"",
                       type, core->seal->name);
    return core->seal->decrypt(core->options.seal, json_object_get(config, "stored"), ret_key, ret_is_old, err);
}

int seal_auto_open(struct core *core, struct err *err)
{
    bool is_old;
    int rc = OK;
    if (core->joining != NULL && !core_check_initialized(core))
        rc = joining_fetch_seal(core, core->joining, err);
    if (rc != OK)
        return rc;
    json_t *config = seal_config(core);
    unsigned char *key = secret_alloc(BARRIER_KEY_SIZE);
    rc = decrypt_unseal_key(core, config, key, &is_old, err);
    if (rc == OK)
        rc = seal_open(core, key, err);
    secret_free(key);
    json_decref(config);
    return rc;
}

/* ---- From the start on ---- */

/* True once the node has been open, whoever opened it: it may have been sealed again since, and wants to stay so. */
static bool try_to_open(struct core *core, int *pause_ms)
{
    struct err err = {0};
    pthread_mutex_lock(&core->seal_mutex);
    bool is_open = core->was_opened;
    if (!is_open && core_standing(core) == CORE_SEALED) {
        is_open = seal_auto_open(core, &err) == OK;
        if (!is_open)
            log_warn("core", "cannot unseal yet: %s; trying again", err_text(&err));
        *pause_ms = *pause_ms * 2 > PAUSE_MAX_MS ? PAUSE_MAX_MS : *pause_ms * 2;
    }
    pthread_mutex_unlock(&core->seal_mutex);
    return is_open;
}

static void *unseal_by_itself(void *arg)
{
    struct core *core = arg;
    int pause_ms = PAUSE_FIRST_MS;
    pthread_setname_np(pthread_self(), "auto_unseal");
    while (!atomic_load(&core->auto_stopping) && !try_to_open(core, &pause_ms))
        for (int ms = 0; ms < pause_ms && !atomic_load(&core->auto_stopping); ms += 50)
            usleep(50000);
    return NULL;
}

void seal_auto_start(struct core *core)
{
    if (seal_is_auto(core))
        core->auto_running = pthread_create(&core->auto_thread, NULL, unseal_by_itself, core) == 0;
}

void seal_auto_stop(struct core *core)
{
    atomic_store(&core->auto_stopping, true);
    pthread_mutex_lock(&core->seal_mutex);
    bool was_running = core->auto_running;
    core->auto_running = false;
    pthread_mutex_unlock(&core->seal_mutex);
    if (was_running)
        pthread_join(core->auto_thread, NULL);
}

void seal_auto_again(struct core *core)
{
    pthread_mutex_lock(&core->seal_mutex);
    bool was_running = core->auto_running;
    core->auto_running = false;
    pthread_mutex_unlock(&core->seal_mutex);
    if (was_running)
        pthread_join(core->auto_thread, NULL); /* it ended, or will now, since the node was open */
    pthread_mutex_lock(&core->seal_mutex);
    if (was_running && !atomic_load(&core->auto_stopping))
        seal_auto_start(core);
    pthread_mutex_unlock(&core->seal_mutex);
}

/* ---- A new key ---- */

struct renewal {
    const unsigned char *old_key; /* the unseal key so far */
    unsigned char *keys;          /* secret memory: the new one, then the root key */
};

static int rewrap_root_key(struct request *req, const struct renewal *renewal)
{
    unsigned char *root_key = renewal->keys + BARRIER_KEY_SIZE;
    struct buf wrapped = BUF_INIT;
    int rc = txn_get_clear(req->txn, TXN_CLEAR_ROOT_KEY, &wrapped);
    if (rc == OK && seal_unwrap(renewal->old_key, SEAL_ROOT_KEY, wrapped.data, wrapped.len, root_key) != OK)
        rc = fail(req, ERR_CORRUPT, "the root key cannot be decrypted");
    if (rc == OK) {
        buf_clear(&wrapped);
        seal_wrap(renewal->keys, SEAL_ROOT_KEY, root_key, &wrapped);
        rc = txn_put_clear(req->txn, TXN_CLEAR_ROOT_KEY, wrapped.data, wrapped.len);
    }
    buf_close(&wrapped);
    return rc;
}

static int store_unseal_key(struct request *req, const struct renewal *renewal)
{
    struct core *core = req->core;
    json_t *stored, *config = seal_config(core);
    int rc = core->seal->encrypt(core->options.seal, renewal->keys, &stored, &req->err);
    if (rc == OK) {
        json_object_set_new(config, "stored", stored);
        char *text = json_format(config);
        rc = txn_put_clear(req->txn, TXN_CLEAR_SEAL, text, strlen(text));
        json_text_free(text);
    }
    json_decref(config);
    return rc;
}

static int renew_join_secret(struct request *req, const struct renewal *renewal)
{
    unsigned char secret[32];
    char text[65];
    json_t *record;
    int rc = txn_get(req->txn, "core/join", &record);
    if (rc != OK)
        return rc;
    join_secret(renewal->keys, secret);
    hex_encode(secret, sizeof secret, text);
    json_object_set_new(record, "secret", json_string(text));
    rc = txn_put(req->txn, "core/join", record);
    json_decref(record);
    secret_wipe(secret, sizeof secret);
    secret_wipe(text, sizeof text);
    return rc;
}

/* The unseal key itself is made anew: whoever had the old key of the seal, and has seen what it encrypted, has nothing.
 */
static int write_renewal(struct request *req, void *arg)
{
    const struct renewal *renewal = arg;
    random_bytes(renewal->keys, BARRIER_KEY_SIZE);
    int rc = rewrap_root_key(req, renewal);
    if (rc == OK)
        rc = store_unseal_key(req, renewal);
    return rc == OK ? renew_join_secret(req, renewal) : rc;
}

void seal_auto_renew(struct core *core, uint64_t epoch)
{
    struct err err = {0};
    bool is_old;
    if (!seal_is_auto(core))
        return;
    unsigned char *old_key = secret_alloc(BARRIER_KEY_SIZE), *keys = secret_alloc(2 * BARRIER_KEY_SIZE);
    struct renewal renewal = {.old_key = old_key, .keys = keys};
    pthread_mutex_lock(&core->seal_mutex);
    json_t *config = seal_config(core);
    int rc = decrypt_unseal_key(core, config, old_key, &is_old, &err);
    if (rc == OK && is_old)
        rc = request_run_internal(core, epoch, write_renewal, &renewal, &err);
    pthread_mutex_unlock(&core->seal_mutex);
    if (rc != OK)
        log_warn("core", "the seal's new key is not in use yet: %s; tried again by the next active node",
                 err_text(&err));
    else if (is_old)
        log_info("core", "the unseal key was made anew and encrypted by the seal's new key");
    json_decref(config);
    secret_free(old_key);
    secret_free(keys);
}
