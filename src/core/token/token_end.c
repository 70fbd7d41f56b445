/* SPDX-License-Identifier: Apache-2.0 */
/*
 * token_end.c — ending tokens: what goes at once, and what the worker clears away afterwards.
 */
#include <string.h>

#include "base/json.h"
#include "core/core_private.h"
#include "core/token/cubbyhole.h"
#include "core/token/token_private.h"

#define CHILDREN_AT_ONCE 64

static int has_children(struct request *req, const char *hash, bool *ret_has)
{
    json_t *names;
    int rc = txn_list(req->txn, arena_printf(&req->arena, "token/child/%s/", hash), NULL, 1, &names);
    if (rc != OK)
        return rc;
    *ret_has = json_array_size(names) > 0;
    json_decref(names);
    return OK;
}

/* Everything by which the token itself is found. From here on it is as if it had never been. */
static int remove_records(struct request *req, const struct token *token)
{
    int rc = txn_delete(req->txn, token_path(req, "id", token->hash));
    if (rc == OK)
        rc = txn_delete(req->txn, token_path(req, "accessor", token->accessor));
    if (rc == OK && token->parent[0] != '\0')
        rc = txn_delete(req->txn, arena_printf(&req->arena, "token/child/%s/%s", token->parent, token->hash));
    if (rc == OK)
        rc = txn_delete(req->txn, arena_printf(&req->arena, "token/path/%s/%s", token->path, token->hash));
    if (rc == OK && token->expires_s != 0)
        rc = expiry_unfile(req, token->expires_s, 't', token->hash);
    return rc;
}

/* The worker is to clear away what hangs on it. */
static int leave_to_worker(struct request *req, const struct token *token)
{
    return expiry_file(req, core_time_ms(req->core) / 1000, 't', token->hash, token->hash);
}

int token_remove(struct request *req, const struct token *token)
{
    bool has = false;
    int rc = remove_records(req, token);
    if (rc == OK)
        rc = lease_expire_token(req, token->hash);
    if (rc == OK)
        rc = has_children(req, token->hash, &has);
    if (rc == OK && has)
        rc = leave_to_worker(req, token);
    return rc;
}

static int clear_cubbyhole(struct request *req, const struct token *token)
{
    bool more = false;
    int rc = cubbyhole_clear(req, token->hash, &more);
    return rc == OK && more ? leave_to_worker(req, token) : rc;
}

static int refuse_batch(struct request *req)
{
    return fail(req, ERR_INVALID, "batch tokens cannot be revoked");
}

int token_revoke(struct request *req, const struct token *token)
{
    if (token->is_batch)
        return refuse_batch(req);
    int rc = token_remove(req, token);
    return rc == OK ? clear_cubbyhole(req, token) : rc;
}

int token_leave(struct request *req, const struct token *token)
{
    return token != NULL && token->num_uses == -1 ? clear_cubbyhole(req, token) : OK;
}

/* The hashes of some children, which request_own() keeps. */
static int some_children(struct request *req, const char *hash, json_t **ret_names)
{
    int rc = txn_list(req->txn, arena_printf(&req->arena, "token/child/%s/", hash), NULL, CHILDREN_AT_ONCE, ret_names);
    if (rc == OK)
        request_own(req, *ret_names);
    return rc;
}

static int make_orphan(struct request *req, const char *parent, const char *hash)
{
    json_t *record;
    int rc = txn_get(req->txn, token_path(req, "id", hash), &record);
    if (rc == OK) {
        json_object_set_new(record, "parent", json_string(""));
        rc = txn_put(req->txn, token_path(req, "id", hash), record);
        json_decref(record);
    }
    if (rc == OK || rc == ERR_NOTFOUND)
        rc = txn_delete(req->txn, arena_printf(&req->arena, "token/child/%s/%s", parent, hash));
    return rc;
}

int token_revoke_orphan(struct request *req, const struct token *token)
{
    json_t *names, *name;
    size_t i;
    int rc;
    if (token->is_batch)
        return refuse_batch(req);
    do {
        rc = some_children(req, token->hash, &names);
        for (i = 0; rc == OK && (name = json_array_get(names, i)) != NULL; i++)
            rc = make_orphan(req, token->hash, json_string_value(name));
    } while (rc == OK && json_array_size(names) > 0);
    return rc == OK ? token_revoke(req, token) : rc;
}

/* As token_lookup_hash(), but whether or not its time is up or its ancestors live. */
static int end_one(struct request *req, const char *hash)
{
    json_t *record;
    int rc = txn_get(req->txn, token_path(req, "id", hash), &record);
    if (rc != OK)
        return rc == ERR_NOTFOUND ? OK : rc;
    request_own(req, record);
    struct token token = {
        .accessor = json_str(record, "accessor", ""),
        .parent = json_str(record, "parent", ""),
        .path = json_str(record, "path", ""),
        .expires_s = json_int(record, "expires", 0),
    };
    memcpy(token.hash, hash, TOKEN_HASH_SIZE - 1);
    return token_revoke(req, &token);
}

int token_expire(struct request *req, const char *hash, bool *ret_more)
{
    json_t *names, *name;
    bool more = false;
    size_t i;
    if (strlen(hash) != TOKEN_HASH_SIZE - 1)
        return OK;
    int rc = end_one(req, hash);
    if (rc == OK)
        rc = cubbyhole_clear(req, hash, &more);
    if (rc == OK)
        rc = some_children(req, hash, &names);
    for (i = 0; rc == OK && (name = json_array_get(names, i)) != NULL; i++) {
        rc = end_one(req, json_string_value(name));
        /* A child without a record left only its name here. */
        if (rc == OK)
            rc = txn_delete(req->txn, arena_printf(&req->arena, "token/child/%s/%s", hash, json_string_value(name)));
    }
    if (rc == OK)
        *ret_more = more || json_array_size(names) == CHILDREN_AT_ONCE;
    return rc;
}
