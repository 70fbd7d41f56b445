/* SPDX-License-Identifier: Apache-2.0 */
/*
 * token.c — finding, using and describing tokens. token_create.c makes them, token_end.c ends them.
 */
#include "core/token/token.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/cidr.h"
#include "base/clock.h"
#include "base/encoding.h"
#include "base/json.h"
#include "core/core_private.h"
#include "core/lease/lease_private.h"
#include "core/token/token_batch.h"
#include "core/token/token_private.h"

#define TOKEN_SIZE_MAX 512
#define ANCESTORS_MAX  100

int token_hash(struct request *req, const char *client_token, char ret_hash[TOKEN_HASH_SIZE])
{
    unsigned char mac[32];
    int rc = barrier_mac(req->core->barrier, "token", client_token, strlen(client_token), mac);
    if (rc == OK)
        hex_encode(mac, sizeof mac, ret_hash);
    return rc;
}

const char *token_path(struct request *req, const char *kind, const char *name)
{
    return arena_printf(&req->arena, "token/%s/%s", kind, name);
}

static struct token *read_token(struct request *req, const char *hash, json_t *record)
{
    struct token *token = arena_alloc(&req->arena, sizeof *token);
    request_own(req, record);
    *token = (struct token){
        .accessor = json_str(record, "accessor", ""),
        .parent = json_str(record, "parent", ""),
        .path = json_str(record, "path", ""),
        .display_name = json_str(record, "display_name", ""),
        .type = json_str(record, "type", "service"),
        .role = json_str(record, "role", ""),
        .policies = json_list_at(record, "policies"),
        .meta = json_map_at(record, "meta"),
        .internal = json_map_at(record, "internal"),
        .bound_cidrs = json_list_at(record, "bound_cidrs"),
        .created_s = json_int(record, "created", 0),
        .expires_s = json_int(record, "expires", 0),
        .last_renewal_s = json_int(record, "last_renewal", 0),
        .creation_ttl_s = json_int(record, "creation_ttl", 0),
        .renewed_ttl_s = json_int(record, "renewed_ttl", 0),
        .period_s = json_int(record, "period", 0),
        .explicit_max_ttl_s = json_int(record, "explicit_max_ttl", 0),
        .max_ttl_s = json_int(record, "max_ttl", 0),
        .num_uses = json_int(record, "num_uses", 0),
        .renewable = json_flag(record, "renewable", false),
        .record = record,
    };
    token->is_batch = strcmp(token->type, "batch") == 0;
    token->is_root = json_list_has(token->policies, "root");
    snprintf(token->hash, sizeof token->hash, "%s", hash);
    return token;
}

static int64_t now_s(const struct request *req)
{
    return core_time_ms(req->core) / 1000;
}

static int denied(struct request *req)
{
    return fail(req, ERR_DENIED, "permission denied");
}

static int load(struct request *req, const char *hash, struct token **ret_token)
{
    json_t *record;
    int rc = txn_get_shared(req->txn, token_path(req, "id", hash), &record);
    if (rc == OK)
        *ret_token = read_token(req, hash, record);
    return rc;
}

/* A child is only as alive as every ancestor. */
static int check_ancestors(struct request *req, const struct token *token)
{
    const char *parent = token->parent;
    for (int depth = 0; parent[0] != '\0'; depth++) {
        struct token *ancestor;
        int rc = depth < ANCESTORS_MAX ? load(req, parent, &ancestor) : ERR_NOTFOUND;
        if (rc == OK && ancestor->expires_s != 0 && ancestor->expires_s <= now_s(req))
            rc = ERR_NOTFOUND;
        if (rc != OK)
            return rc;
        parent = ancestor->parent;
    }
    return OK;
}

/* rc: of loading the token. */
static int check_alive(struct request *req, int rc, struct token *token, struct token **ret_token)
{
    if (rc == OK && token->expires_s != 0 && token->expires_s <= now_s(req))
        rc = ERR_NOTFOUND;
    if (rc == OK)
        rc = check_ancestors(req, token);
    if (rc == ERR_NOTFOUND)
        return denied(req);
    if (rc == OK)
        *ret_token = token;
    return rc;
}

int token_lookup_hash(struct request *req, const char *hash, struct token **ret_token)
{
    struct token *token = NULL;
    int rc = load(req, hash, &token);
    return check_alive(req, rc, token, ret_token);
}

static int lookup_batch(struct request *req, const char *text, struct token **ret_token)
{
    char hash[TOKEN_HASH_SIZE];
    struct token *token = NULL;
    json_t *record;
    int rc = token_batch_open(req->core->barrier, text, &record);
    if (rc == OK) {
        token = read_token(req, "", record);
        rc = token_hash(req, text, hash);
    }
    if (rc == OK)
        memcpy(token->hash, hash, TOKEN_HASH_SIZE);
    return check_alive(req, rc, token, ret_token);
}

int token_lookup(struct request *req, const char *client_token, struct token **ret_token)
{
    char hash[TOKEN_HASH_SIZE];
    if (token_text_is_batch(client_token))
        return lookup_batch(req, client_token, ret_token);
    if (strlen(client_token) > TOKEN_SIZE_MAX)
        return denied(req);
    int rc = token_hash(req, client_token, hash);
    return rc == OK ? token_lookup_hash(req, hash, ret_token) : rc;
}

static int no_accessor(struct request *req)
{
    return fail(req, ERR_INVALID, "1 error occurred:\n\t* invalid accessor\n\n");
}

int token_count(struct request *req, size_t *ret_n)
{
    int rc = txn_count(req->txn, "token/accessor/", ret_n);
    return rc == OK ? OK : fail(req, rc, "%s", err_default_text(rc));
}

int token_lookup_accessor(struct request *req, const char *accessor, struct token **ret_token)
{
    json_t *record;
    if (accessor[0] == '\0' || strlen(accessor) > TOKEN_SIZE_MAX || strchr(accessor, '/') != NULL)
        return no_accessor(req);
    int rc = txn_get(req->txn, token_path(req, "accessor", accessor), &record);
    if (rc == OK) {
        request_own(req, record);
        rc = token_lookup_hash(req, json_str(record, "hash", ""), ret_token);
    }
    return rc == ERR_NOTFOUND || rc == ERR_DENIED || rc == ERR_INVALID ? no_accessor(req) : rc;
}

json_t *token_change(struct request *req, struct token *token)
{
    json_t *record = json_copy((json_t *)token->record);
    request_own(req, record);
    token->record = record;
    return record;
}

int token_use(struct request *req, struct token *token)
{
    if (token->bound_cidrs != NULL && token->expires_s != 0 && !cidr_list_has(token->bound_cidrs, req->remote_addr))
        return denied(req);
    if (token->num_uses == 0)
        return OK;
    if (token->num_uses == 1) {
        /* The last one: the token ends with this request, whatever comes of it. */
        token->num_uses = -1;
        return token_remove(req, token);
    }
    token->num_uses--;
    json_t *record = token_change(req, token);
    json_object_set_new(record, "num_uses", json_integer(token->num_uses));
    return txn_put(req->txn, token_path(req, "id", token->hash), record);
}

/* As clients know it, the first root token and those of generate-root have none: no list of leases shows them, and no
 * prefix revokes them. */
bool token_has_lease(const char *path)
{
    return strcmp(path, "auth/token/root") != 0;
}

static json_t *time_text(int64_t seconds)
{
    char text[40];
    clock_format_rfc3339(seconds * 1000000000, text, sizeof text);
    return json_string(text);
}

static void describe_times(const struct request *req, const struct token *token, json_t *data)
{
    int64_t left = token->expires_s != 0 ? token->expires_s - lease_now_s(req) : 0;
    json_object_set_new(data, "creation_time", json_integer(token->created_s));
    json_object_set_new(data, "creation_ttl", json_integer(token->creation_ttl_s));
    json_object_set_new(data, "expire_time", token->expires_s != 0 ? time_text(token->expires_s) : json_null());
    json_object_set_new(data, "ttl", json_integer(left > 0 ? left : 0));
    json_object_set_new(data, "explicit_max_ttl", json_integer(token->explicit_max_ttl_s));
    if (token_has_lease(token->path)) {
        json_object_set_new(data, "issue_time", time_text(token->created_s));
        json_object_set_new(data, "renewable", json_boolean(token->renewable));
    }
    if (token->last_renewal_s != 0) {
        json_object_set_new(data, "last_renewal", time_text(token->last_renewal_s));
        json_object_set_new(data, "last_renewal_time", json_integer(token->last_renewal_s));
    }
    if (token->period_s > 0)
        json_object_set_new(data, "period", json_integer(token->period_s));
}

json_t *token_describe(struct request *req, const struct token *token, const char *show_id)
{
    json_t *data =
        json_pack("{s:s, s:s, s:O, s:s, s:O?, s:s, s:I, s:b, s:s, s:s}", "id", show_id != NULL ? show_id : "",
                  "accessor", token->accessor, "policies", token->policies, "path", token->path, "meta", token->meta,
                  "display_name", token->display_name, "num_uses", (json_int_t)token->num_uses, "orphan",
                  token->parent[0] == '\0', "entity_id", "", "type", token->type);
    describe_times(req, token, data);
    if (token->role[0] != '\0')
        json_object_set_new(data, "role", json_string(token->role));
    if (token->bound_cidrs != NULL && json_array_size(token->bound_cidrs) > 0)
        json_object_set(data, "bound_cidrs", token->bound_cidrs);
    return data;
}
