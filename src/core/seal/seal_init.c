/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seal_init.c — creating a cluster: keys, their shares, the first records, the root token.
 *
 * Everything is written as one entry of the log, and only when it is durable are the shares told. A crash before
 * that leaves a mark, and the next start clears away what was begun.
 */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/secret.h"
#include "core/core_private.h"
#include "core/policy/policy.h"
#include "core/request/request.h"
#include "core/seal/recipients.h"
#include "core/seal/seal.h"
#include "core/seal/seal_private.h"
#include "core/seal/shares.h"
#include "core/token/token.h"

enum { UNSEAL, ROOT, RECOVERY, KEYS };

struct birth {
    const struct seal_birth *wish;
    unsigned char *keys; /* secret memory: UNSEAL, ROOT and RECOVERY */
    struct buf keyring;
    struct buf ca;
    json_t *auth; /* of the root token */
};

static const unsigned char *key_of(const struct birth *birth, int which)
{
    return birth->keys + which * BARRIER_KEY_SIZE;
}

/* ---- The first records ---- */

static int describe_seal(struct core *core, const struct birth *birth, json_t **ret_config, struct err *err)
{
    json_t *stored;
    char recovery[65];
    *ret_config = json_pack("{s:s, s:i, s:i}", "type", seal_name(core), "shares", birth->wish->shares, "threshold",
                            birth->wish->threshold);
    if (!seal_is_auto(core))
        return OK;
    recovery_mark(key_of(birth, RECOVERY), recovery);
    if (birth->wish->shares > 0)
        json_object_set_new(*ret_config, "recovery", json_string(recovery));
    int rc = core->seal->encrypt(core->options.seal, key_of(birth, UNSEAL), &stored, err);
    if (rc == OK)
        json_object_set_new(*ret_config, "stored", stored);
    else
        json_decref(*ret_config);
    return rc;
}

static int put_seal(struct request *req, const struct birth *birth)
{
    struct buf wrapped = BUF_INIT;
    json_t *config;
    int rc = describe_seal(req->core, birth, &config, &req->err);
    if (rc == OK)
        rc = seal_put_text(req, TXN_CLEAR_SEAL, config);
    seal_wrap(key_of(birth, UNSEAL), SEAL_ROOT_KEY, key_of(birth, ROOT), &wrapped);
    if (rc == OK)
        rc = txn_put_clear(req->txn, TXN_CLEAR_ROOT_KEY, wrapped.data, wrapped.len);
    if (rc == OK)
        rc = txn_put_clear(req->txn, TXN_CLEAR_KEYRING, birth->keyring.data, birth->keyring.len);
    buf_close(&wrapped);
    return rc;
}

static int put_cluster(struct request *req)
{
    char id[37], name[64];
    unsigned char random[4];
    random_uuid(id);
    random_bytes(random, sizeof random);
    snprintf(name, sizeof name, "vault-cluster-%02x%02x%02x%02x", random[0], random[1], random[2], random[3]);
    const char *given = req->core->options.cluster_name;
    return seal_put_text(req, TXN_CLEAR_CLUSTER,
                         json_pack("{s:s, s:s}", "name", given != NULL ? given : name, "id", id));
}

/* What a leader needs to let others in. */
static int put_join(struct request *req, struct birth *birth)
{
    json_t *record = json_pack("{s:s}", "authority", buf_str(&birth->ca));
    int rc = seal_put_join(req, record, key_of(birth, UNSEAL));
    json_decref(record);
    return rc;
}

static int write_first(struct request *req, void *arg)
{
    struct birth *birth = arg;
    json_decref(birth->auth); /* of a run before this one */
    birth->auth = NULL;
    int rc = put_seal(req, birth);
    if (rc == OK)
        rc = put_cluster(req);
    if (rc == OK)
        rc = put_join(req, birth);
    if (rc == OK)
        rc = mount_init(req);
    if (rc == OK)
        rc = policy_write(req, "default", policy_default_text);
    return rc == OK ? token_create_root(req, birth->wish->root_token, &birth->auth) : rc;
}

/* ---- The steps ---- */

static int make_keys(struct core *core, struct birth *birth, struct err *err)
{
    birth->keys = secret_alloc((size_t)KEYS * BARRIER_KEY_SIZE);
    random_bytes(birth->keys, (size_t)KEYS * BARRIER_KEY_SIZE);
    const unsigned char *root_key = key_of(birth, ROOT);
    int rc = barrier_create_keyring(root_key, &birth->keyring, err);
    return rc == OK ? barrier_unseal(core->barrier, root_key, birth->keyring.data, birth->keyring.len, err) : rc;
}

/* The names under which shares are told, in hex and in base64. */
static const char *const share_names[2][2] = {{"keys", "keys_base64"}, {"recovery_keys", "recovery_keys_base64"}};

static int add_shares(const struct birth *birth, bool is_auto, json_t *result, struct err *err)
{
    const struct seal_birth *wish = birth->wish;
    json_t *lists[2] = {NULL};
    for (int i = 0; i < 2 && wish->shares > 0; i++)
        json_object_set_new(result, share_names[is_auto][i], lists[i] = json_array());
    int rc =
        shares_tell(key_of(birth, is_auto ? RECOVERY : UNSEAL), wish->shares, wish->threshold, lists[0], lists[1], err);
    return rc == OK ? recipients_encrypt(wish->pgp_keys, lists[0], lists[1], err) : rc;
}

static bool has_root_token_key(const struct birth *birth)
{
    return birth->wish->root_token_pgp_key != NULL && birth->wish->root_token_pgp_key[0] != '\0';
}

static int add_root_token(const struct birth *birth, json_t *result, struct err *err)
{
    json_t *token = json_string(json_str(birth->auth, "client_token", ""));
    int rc = OK;
    if (has_root_token_key(birth)) {
        json_t *message = NULL;
        rc = recipients_encrypt_text(birth->wish->root_token_pgp_key, json_string_value(token), &message, err);
        json_decref(token);
        token = message;
    }
    json_object_set_new(result, "root_token", token);
    return rc;
}

static int tell_shares(const struct birth *birth, bool is_auto, json_t **ret_result, struct err *err)
{
    json_t *result = json_pack("{s:[], s:[]}", "keys", "keys_base64");
    int rc = add_shares(birth, is_auto, result, err);
    if (rc == OK)
        rc = add_root_token(birth, result, err);
    if (rc == OK)
        *ret_result = result;
    else
        json_decref(result);
    return rc;
}

/* Before anything is made: what is encrypted to nobody would be lost. */
static int check_recipients(const struct birth *birth, const char *prefix, struct err *err)
{
    const struct seal_birth *wish = birth->wish;
    json_t *root_token_keys = has_root_token_key(birth) ? json_pack("[s]", wish->root_token_pgp_key) : NULL;
    json_t *fingerprints = NULL;
    size_t n = json_array_size(wish->pgp_keys);
    int rc = OK;
    if (n > 0 && n != (size_t)wish->shares)
        rc = err_set(err, ERR_INVALID, "%scount mismatch between number of provided PGP keys and number of shares",
                     prefix);
    if (rc == OK && recipients_read(wish->pgp_keys, &fingerprints, err) != OK)
        rc = err_wrap(err, "%.*s", (int)strlen(prefix) - 2, prefix);
    if (rc == OK)
        rc = recipients_check(wish->pgp_keys, err);
    if (rc == OK)
        rc = recipients_check(root_token_keys, err);
    json_decref(fingerprints);
    json_decref(root_token_keys);
    return rc;
}

static int create(struct core *core, struct birth *birth, json_t **ret_result, struct err *err)
{
    struct cluster_status status;
    json_t *result = NULL;
    int rc = core_mark_init(core, true, err);
    if (rc == OK)
        rc = make_keys(core, birth, err);
    if (rc == OK)
        rc = cluster_bootstrap(core->cluster, &birth->ca, err);
    cluster_status(core->cluster, &status);
    if (rc == OK)
        rc = request_run_internal(core, status.epoch, write_first, birth, err);
    if (rc == OK)
        rc = tell_shares(birth, seal_is_auto(core), &result, err);
    if (rc == OK)
        rc = core_mark_init(core, false, err);
    if (rc == OK)
        *ret_result = result;
    else
        json_decref(result);
    return rc;
}

/* An automatic seal shows at once that it opens what it closed; if it does not, its thread goes on trying. */
static void open_again(struct core *core)
{
    struct err err = {0};
    if (seal_is_auto(core) && seal_auto_open(core, &err) != OK)
        log_warn("core", "initialized, but not unsealed: %s", err_text(&err));
}

/* Under seal_mutex. */
static int init(struct core *core, struct birth *birth, const char *prefix, json_t **ret_result, struct err *err)
{
    if (core_check_initialized(core) || core->joining != NULL)
        return err_set(err, ERR_INVALID, "Vault is already initialized");
    int rc = check_recipients(birth, prefix, err);
    if (rc != OK)
        return rc;
    rc = create(core, birth, ret_result, err);
    core_seal_now(core);
    if (rc == OK) {
        log_info("core", "initialized with %d shares, threshold %d", birth->wish->shares, birth->wish->threshold);
        open_again(core);
    }
    return rc;
}

int seal_init(struct core *core, const struct seal_birth *wish, json_t **ret_result, struct err *err)
{
    struct birth birth = {.wish = wish};
    bool is_auto = seal_is_auto(core);
    const char *prefix = is_auto ? "invalid recovery configuration: " : "invalid seal configuration: ";
    int rc = shares_check(prefix, is_auto, wish->shares, wish->threshold, err);
    if (rc != OK)
        return rc;
    pthread_mutex_lock(&core->seal_mutex);
    rc = init(core, &birth, prefix, ret_result, err);
    pthread_mutex_unlock(&core->seal_mutex);
    if (rc == OK && is_auto)
        core_wait_settled(core, SETTLE_MS);
    secret_free(birth.keys);
    buf_close(&birth.keyring);
    buf_close(&birth.ca);
    json_decref(birth.auth);
    return rc;
}
