/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lifecycle.c — sys/init, seal-status, unseal, seal, step-down.
 */
#include <string.h>

#include "base/buf.h"
#include "core/core.h"
#include "core/request/request.h"
#include "core/seal/seal.h"
#include "sys/handlers.h"

const struct field sys_init_fields[] = {
    {"secret_shares", FIELD_INT, "How many shares the unseal key is split into."},
    {"secret_threshold", FIELD_INT, "How many of them unseal."},
    {"stored_shares", FIELD_INT, "Of older clients; without effect."},
    {"pgp_keys", FIELD_LIST, "PGP public keys in base64, one a share: each share is told encrypted to its key."},
    {"root_token_pgp_key", FIELD_STRING, "A PGP public key in base64, to encrypt the root token to."},
    {"recovery_shares", FIELD_INT, "Of an auto-unseal only."},
    {"recovery_threshold", FIELD_INT, "Of an auto-unseal only."},
    {"recovery_pgp_keys", FIELD_LIST, "Of an auto-unseal only."},
    {0},
};

const struct field sys_unseal_fields[] = {
    {"key", FIELD_STRING, "One share, in hex or base64."},
    {"reset", FIELD_BOOL, "Forget the shares given so far."},
    {"migrate", FIELD_BOOL, "Of a change of seals; without effect."},
    {0},
};

enum { PARAMS = 3 };
static const char *const unseal_params[PARAMS] = {"secret_shares", "secret_threshold", "pgp_keys"};
static const char *const recovery_params[PARAMS] = {"recovery_shares", "recovery_threshold", "recovery_pgp_keys"};

const struct field sys_step_down_fields[] = {
    {"node_id", FIELD_STRING, "The node that is to lead next; without it the best one does."},
    {0},
};

int sys_init_read(struct request *req)
{
    reply_data(req, json_pack("{s:b}", "initialized", core_standing(req->core) != CORE_UNINITIALIZED));
    return OK;
}

static bool is_given(struct request *req, const struct field *field)
{
    if (field->type == FIELD_LIST)
        return json_array_size(field_json(req, field->name)) > 0;
    return field_int(req, field->name, 0) != 0;
}

/* People's shares are of the unseal key or of the recovery key, by the seal; asking for the other ones is a mistake. */
static int check_init(struct request *req)
{
    struct buf wrong = BUF_INIT;
    const char *const *names = seal_is_auto(req->core) ? unseal_params : recovery_params;
    int rc = OK;
    for (const struct field *field = sys_init_fields; field->name != NULL; field++)
        for (int i = 0; i < PARAMS; i++)
            if (strcmp(field->name, names[i]) == 0 && is_given(req, field))
                buf_printf(&wrong, "%s%s", wrong.len > 0 ? "," : "", field->name);
    if (wrong.len > 0)
        rc = fail(req, ERR_INVALID, "parameters %s not applicable to seal type %s", buf_str(&wrong),
                  seal_name(req->core));
    buf_close(&wrong);
    return rc;
}

int sys_init_write(struct request *req)
{
    struct err err = {0};
    json_t *result;
    const char *const *names = seal_is_auto(req->core) ? recovery_params : unseal_params;
    int rc = check_init(req);
    if (rc != OK)
        return rc;
    const struct seal_birth wish = {.shares = (int)field_int(req, names[0], 0),
                                    .threshold = (int)field_int(req, names[1], 0),
                                    .pgp_keys = field_json(req, names[2]),
                                    .root_token_pgp_key = field_str(req, "root_token_pgp_key", "")};
    rc = seal_init(req->core, &wish, &result, &err);
    if (rc != OK)
        return fail_with(req, &err);
    reply_data(req, result);
    return OK;
}

int sys_seal_status(struct request *req)
{
    reply_data(req, seal_status(req->core));
    return OK;
}

int sys_unseal(struct request *req)
{
    struct err err = {0};
    const char *key = field_str(req, "key", "");
    bool reset = field_bool(req, "reset", false);
    if (key[0] == '\0' && !reset)
        return fail(req, ERR_INVALID, "'key' must be specified in request body as JSON, or 'reset' set to true");
    int rc = reset ? seal_reset(req->core, &err) : seal_unseal(req->core, key, &err);
    return rc == OK ? sys_seal_status(req) : fail_with(req, &err);
}

/* The answer goes out after the keys are gone: nothing of it needs them. */
int sys_seal(struct request *req)
{
    struct err err = {0};
    int rc = seal_seal(req->core, &err);
    return rc == OK ? OK : fail_with(req, &err);
}

int sys_step_down(struct request *req)
{
    struct err err = {0};
    const char *node_id = field_str(req, "node_id", "");
    if (core_standing(req->core) != CORE_ACTIVE)
        return node_id[0] == '\0' ? OK : fail(req, ERR_INVALID, "this node is not active: ask the one that is");
    core_drain(req->core, CORE_STEPS_DOWN);
    int rc = core_hand_over(req->core, node_id[0] != '\0' ? node_id : NULL, &err);
    core_drain_end(req->core);
    if (rc == ERR_NOTFOUND)
        err.code = ERR_INVALID;
    return rc == OK ? OK : fail_with(req, &err);
}
