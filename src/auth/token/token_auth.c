/* SPDX-License-Identifier: Apache-2.0 */
/*
 * token_auth.c — auth/token: looking up, renewing and revoking. create.c makes tokens.
 */
#include "auth/token/token_auth.h"

#include <string.h>

#include "auth/token/create.h"
#include "auth/token/role.h"
#include "core/request/request.h"
#include "core/token/token.h"
#include "storage/txn.h"

static const struct field token_fields[] = {
    {"token", FIELD_STRING, "The token."},
    {"accessor", FIELD_STRING, "The token's accessor."},
    {"increment", FIELD_DURATION, "For how long from now."},
    {0},
};

/* ---- Looking up ---- */

static int lookup(struct request *req)
{
    struct token *token;
    const char *id = field_str(req, "token", "");
    if (id[0] == '\0')
        id = req->client_token;
    int rc = token_lookup(req, id, &token);
    if (rc == ERR_DENIED)
        return fail(req, ERR_DENIED, "bad token");
    if (rc == OK)
        reply_data(req, token_describe(req, token, id));
    return rc;
}

static int lookup_self(struct request *req)
{
    reply_data(req, token_describe(req, req->token, req->client_token));
    return OK;
}

/* The form that clients know of what is wrong with an accessor. */
static int by_accessor(struct request *req, struct token **ret_token)
{
    const char *accessor = field_str(req, "accessor", "");
    if (accessor[0] == '\0')
        return fail(req, ERR_INVALID, "1 error occurred:\n\t* missing accessor\n\n");
    return token_lookup_accessor(req, accessor, ret_token);
}

static int lookup_accessor(struct request *req)
{
    struct token *token;
    int rc = by_accessor(req, &token);
    if (rc == OK)
        reply_data(req, token_describe(req, token, NULL));
    return rc;
}

static int list_accessors(struct request *req)
{
    json_t *names;
    int rc = txn_list(req->txn, "token/accessor/", NULL, 0, &names);
    return rc == OK ? reply_keys(req, names) : rc;
}

/* ---- Renewing ---- */

static int renew_found(struct request *req, struct token *token, const char *client_token)
{
    return token_renew(req, token, client_token, field_int(req, "increment", 0), &req->auth_reply);
}

static int renew(struct request *req)
{
    struct token *token;
    const char *id = field_str(req, "token", "");
    if (id[0] == '\0')
        return fail(req, ERR_INVALID, "missing token ID");
    int rc = token_lookup(req, id, &token);
    if (rc == ERR_DENIED)
        return fail(req, ERR_INVALID, "token not found");
    return rc == OK ? renew_found(req, token, id) : rc;
}

static int renew_self(struct request *req)
{
    return renew_found(req, req->token, req->client_token);
}

static int renew_accessor(struct request *req)
{
    struct token *token;
    int rc = by_accessor(req, &token);
    return rc == OK ? renew_found(req, token, NULL) : rc;
}

/* ---- Revoking ---- */

static int revoke(struct request *req)
{
    struct token *token;
    const char *id = field_str(req, "token", "");
    if (id[0] == '\0')
        return fail(req, ERR_INVALID, "missing token ID");
    int rc = token_lookup(req, id, &token);
    if (rc == ERR_DENIED)
        return OK;
    return rc == OK ? token_revoke(req, token) : rc;
}

/* The last use of a token has ended it already. */
static int revoke_self(struct request *req)
{
    return req->token->num_uses == -1 ? OK : token_revoke(req, req->token);
}

static int revoke_accessor(struct request *req)
{
    struct token *token;
    int rc = by_accessor(req, &token);
    if (rc == ERR_INVALID && field_str(req, "accessor", "")[0] != '\0') {
        reply_warn(req, "No token found with this accessor");
        return OK;
    }
    return rc == OK ? token_revoke(req, token) : rc;
}

static int revoke_orphan(struct request *req)
{
    struct token *token;
    const char *id = field_str(req, "token", "");
    if (id[0] == '\0')
        return fail(req, ERR_INVALID, "missing token ID");
    if (!req->has_sudo)
        return fail(req, ERR_INVALID, "root or sudo privileges required to revoke and orphan");
    int rc = token_lookup(req, id, &token);
    if (rc == ERR_DENIED)
        return fail(req, ERR_INVALID, "token to revoke not found");
    return rc == OK ? token_revoke_orphan(req, token) : rc;
}

/*
 * A token and all by which it is found are written, and removed, in one transaction; and what ends is removed by the
 * active node. There is nothing dangling to look for.
 */
static int tidy(struct request *req)
{
    reply_data(req, NULL);
    reply_warn(req, "There is nothing to tidy: tokens are removed together with all that refers to them.");
    reply_status(req, 202);
    return OK;
}

#define ROLE "roles/:role_name"

static const struct route routes[] = {
    {"create", OP_UPDATE, token_create_child, 0, "Create a child of the calling token.", token_create_fields, NULL},
    {"create-orphan", OP_UPDATE, token_create_no_parent, 0, "Create a token without a parent.", token_create_fields,
     NULL},
    {"create/:role_name", OP_UPDATE, token_create_by_role, 0, "Create a token as a role says.", token_create_fields,
     NULL},
    {"roles/", OP_LIST, token_role_list, 0, "The roles.", NULL, NULL},
    {ROLE, OP_READ, token_role_read, 0, "What tokens of a role may be.", token_role_fields, NULL},
    {ROLE, OP_UPDATE, token_role_write, 0, "Say what tokens of a role may be.", token_role_fields, token_role_exists},
    {ROLE, OP_DELETE, token_role_delete, 0, "Delete a role; its tokens live on, and are not renewed.",
     token_role_fields, NULL},
    {"lookup", OP_UPDATE, lookup, 0, "What a token is.", token_fields, NULL},
    {"lookup", OP_READ, lookup, 0, "What a token is.", token_fields, NULL},
    {"lookup-self", OP_READ, lookup_self, 0, "What the calling token is.", NULL, NULL},
    {"lookup-self", OP_UPDATE, lookup_self, 0, "What the calling token is.", NULL, NULL},
    {"lookup-accessor", OP_UPDATE, lookup_accessor, 0, "What an accessor's token is.", token_fields, NULL},
    {"accessors/", OP_LIST, list_accessors, ROUTE_SUDO, "The accessors of all tokens.", NULL, NULL},
    {"renew", OP_UPDATE, renew, 0, "Make a token last longer.", token_fields, NULL},
    {"renew-self", OP_UPDATE, renew_self, 0, "Make the calling token last longer.", token_fields, NULL},
    {"renew-accessor", OP_UPDATE, renew_accessor, 0, "Make an accessor's token last longer.", token_fields, NULL},
    {"revoke", OP_UPDATE, revoke, ROUTE_FREES, "End a token and all that was made with it.", token_fields, NULL},
    {"revoke-self", OP_UPDATE, revoke_self, ROUTE_FREES, "End the calling token.", NULL, NULL},
    {"revoke-accessor", OP_UPDATE, revoke_accessor, ROUTE_FREES, "End an accessor's token.", token_fields, NULL},
    {"revoke-orphan", OP_UPDATE, revoke_orphan, ROUTE_FREES, "End a token; its children live on. Needs sudo.",
     token_fields, NULL},
    {"tidy", OP_UPDATE, tidy, 0, "Kept for clients that call it: nothing is ever left over.", NULL, NULL},
    {0},
};

const struct engine token_engine = {
    .type = "token",
    .kind = ENGINE_AUTH,
    .description = "token based credentials",
    .routes = routes,
    .renew = token_role_renew,
};
