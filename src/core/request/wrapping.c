/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wrapping.c — wrapping an answer, and taking it out again.
 */
#include "core/request/wrapping.h"

#include <string.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/json.h"
#include "core/core_private.h"
#include "core/lease/lease_private.h"
#include "core/request/request_private.h"
#include "core/token/cubbyhole.h"
#include "core/token/token.h"

#define POLICY "response-wrapping"

/* ---- Wrapping ---- */

/* What stores and token are made of, and what comes of it. */
struct parcel {
    struct request *req; /* whose answer it is */
    json_t *response, *info;
    json_t *wrap_info;
};

static int64_t ttl_of(const struct request *req)
{
    const struct wrapped *before = req->rewraps;
    if (before == NULL)
        return req->wrap_ttl_s;
    return req->wrap_ttl_s > 0 && req->wrap_ttl_s < before->ttl_s ? req->wrap_ttl_s : before->ttl_s;
}

/*
 * What anybody is told, or answers nothing, is told as ever: clients that wrap whatever they ask go on working, and
 * nobody without a token makes the store grow.
 */
static bool is_for_all(const struct request *req)
{
    bool is_open = has_flag(req, ROUTE_UNAUTH) && !has_flag(req, ROUTE_LOGIN);
    return is_open || has_flag(req, ROUTE_RESCUES) || req->operation == OP_HELP;
}

static bool is_due(const struct request *req)
{
    return req->rc == OK && !is_for_all(req) && ttl_of(req) > 0 && req->wrap_info == NULL && reply_has_body(req);
}

/* What is inside and can be looked up, or revoked, without taking it out. */
static const char *accessor_of(const struct request *req)
{
    if (req->rewraps != NULL)
        return req->rewraps->accessor;
    if (req->auth_reply != NULL)
        return json_str(req->auth_reply, "accessor", "");
    return strcmp(req->mount->type, "approle") == 0 ? json_str(req->reply, "secret_id_accessor", "") : "";
}

static json_t *info_of(const struct request *req, int status)
{
    char now[40];
    clock_format_rfc3339(request_time_ns(req), now, sizeof now);
    json_t *info =
        json_pack("{s:I, s:s, s:s, s:i, s:s}", "creation_ttl", (json_int_t)ttl_of(req) * 1000000000, "creation_time",
                  now, "creation_path", req->rewraps != NULL ? req->rewraps->creation_path : req->path, "status",
                  status, "accessor", accessor_of(req));
    if (req->content_type != NULL)
        json_object_set_new(info, "content_type", json_string(req->content_type));
    return info;
}

static void parcel_open(struct request *req, struct parcel *parcel)
{
    int status;
    char *body = request_body(req, &status);
    size_t len = strlen(body);
    if (len > 0 && body[len - 1] == '\n' && req->content_type == NULL)
        len--; /* it is JSON, and old clients read it as a text */
    *parcel = (struct parcel){
        .req = req,
        .response = json_pack("{s:s%}", "response", body, len),
        .info = info_of(req, status),
    };
    json_text_free(body);
}

static void parcel_close(struct parcel *parcel)
{
    json_decref(parcel->response);
    json_decref(parcel->info);
    json_decref(parcel->wrap_info);
}

static json_t *describe(const struct parcel *parcel, const json_t *auth)
{
    json_t *info = json_pack("{s:s, s:s, s:I, s:O, s:O}", "token", json_str(auth, "client_token", ""), "accessor",
                             json_str(auth, "accessor", ""), "ttl", (json_int_t)ttl_of(parcel->req), "creation_time",
                             json_object_get(parcel->info, "creation_time"), "creation_path",
                             json_object_get(parcel->info, "creation_path"));
    const char *accessor = json_str(parcel->info, "accessor", "");
    if (accessor[0] != '\0')
        json_object_set_new(info, "wrapped_accessor", json_string(accessor));
    return info;
}

/* Tokens are filed by the path that made them, in directories: a list's path has its last '/' taken off. */
static const char *token_path(struct request *own, const char *path)
{
    char *copy = arena_strdup(&own->arena, path);
    for (size_t len = strlen(copy); len > 1 && copy[len - 1] == '/';)
        copy[--len] = '\0';
    return copy;
}

static int make_token(struct request *own, const struct request *req, json_t **ret_auth)
{
    json_t *policies = json_pack("[s]", POLICY);
    struct token_order order = {
        .path = token_path(own, req->path),
        .display_name = req->token != NULL ? req->token->display_name : "",
        .policies = policies,
        .ttl_s = ttl_of(req),
        .explicit_max_ttl_s = ttl_of(req),
        .num_uses = 1,
        .not_renewable = true,
        .is_exact = true,
    };
    int rc = token_create(own, &order, ret_auth);
    json_decref(policies);
    return rc;
}

/* In own's transaction, which may be the request's or one of its own that runs again on a conflict. */
static int keep(struct request *own, void *arg)
{
    struct parcel *parcel = arg;
    char hash[TOKEN_HASH_SIZE];
    json_t *auth;
    int rc = make_token(own, parcel->req, &auth);
    if (rc != OK)
        return rc;
    rc = token_hash(own, json_str(auth, "client_token", ""), hash);
    if (rc == OK)
        rc = cubbyhole_put(own, hash, "response", parcel->response);
    if (rc == OK)
        rc = cubbyhole_put(own, hash, "wrapinfo", parcel->info);
    if (rc == OK && parcel->req->lease != NULL && parcel->req->lease->state == LEASE_PENDING)
        rc = lease_activate_in(own, parcel->req->lease);
    json_decref(parcel->wrap_info);
    parcel->wrap_info = rc == OK ? describe(parcel, auth) : NULL;
    json_decref(auth);
    return rc;
}

/* From here on the answer is the token. The lease is still the request's to abandon if the answer does not go out. */
static void swap_reply(struct request *req, struct parcel *parcel)
{
    json_t **values[] = {&req->reply, &req->auth_reply, &req->warnings};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        json_decref(*values[i]);
        *values[i] = NULL;
    }
    req->content_type = NULL;
    req->http_status = 0;
    req->wrap_info = json_incref(parcel->wrap_info);
}

static int wrap(struct request *req, int (*run)(struct request *req, struct parcel *parcel))
{
    struct parcel parcel;
    if (req->reply_file.fd >= 0)
        return fail(req, ERR_INVALID, "the answer is a file, which cannot be wrapped");
    if (failpoint("wrap.before_keep"))
        return fail(req, ERR_UNAVAILABLE, "%s", err_default_text(ERR_UNAVAILABLE));
    parcel_open(req, &parcel);
    int rc = parcel.response != NULL ? run(req, &parcel) : fail(req, ERR_INVALID, "only text can be wrapped");
    if (rc == OK)
        swap_reply(req, &parcel);
    parcel_close(&parcel);
    return rc;
}

static int keep_along(struct request *req, struct parcel *parcel)
{
    return keep(req, parcel);
}

static int keep_apart(struct request *req, struct parcel *parcel)
{
    struct err err = {0};
    int rc = request_run_internal(req->core, req->epoch, keep, parcel, &err);
    if (rc == OK && parcel->req->lease != NULL)
        parcel->req->lease->state = LEASE_ACTIVE;
    (void)failpoint("wrap.after_keep");
    return rc == OK ? OK : fail_with(req, &err);
}

enum step_result step_wrap(struct request *req)
{
    if (is_due(req))
        req->rc = wrap(req, keep_along);
    return NEXT;
}

int wrapping_apart(struct request *req)
{
    if (!req->has_committed || req->auth.is_set || !is_due(req))
        return OK;
    int rc = request_commit(req); /* what the handler has written since */
    return rc == OK ? wrap(req, keep_apart) : rc;
}

int wrapping_check(struct request *req)
{
    if (req->wrap_ttl_s > 0 && !is_for_all(req) && has_flag(req, ROUTE_LOCAL))
        return fail(req, ERR_INVALID, "each node answers this path by itself: the answer cannot be wrapped");
    return OK;
}

/* ---- Unwrapping ---- */

static int not_valid(struct request *req)
{
    return fail(req, ERR_INVALID, "wrapping token is not valid or does not exist");
}

static int find(struct request *req, const char *text)
{
    json_t *info;
    int rc = token_lookup(req, text, &req->wrapping);
    if (rc != OK)
        return rc == ERR_DENIED ? not_valid(req) : rc;
    const json_t *policies = req->wrapping->policies;
    rc = json_array_size(policies) == 1 && json_list_has(policies, POLICY)
             ? cubbyhole_get(req, req->wrapping->hash, "wrapinfo", &info)
             : ERR_NOTFOUND;
    if (rc == OK)
        json_decref(info);
    return rc == ERR_NOTFOUND ? not_valid(req) : rc;
}

int wrapping_find(struct request *req)
{
    const json_t *given = json_object_get(req->data, "token");
    if (given != NULL && !json_is_string(given) && !json_is_null(given))
        return fail(req, ERR_DENIED, "error validating wrapping token: could not decode token in request body");
    const char *text = json_str(req->data, "token", "");
    if (text[0] == '\0')
        text = req->client_token;
    if (text == NULL || text[0] == '\0')
        return fail(req, ERR_DENIED, "error validating wrapping token: token is empty");
    return find(req, text);
}

int wrapping_describe(struct request *req, struct wrapped *ret_wrapped)
{
    json_t *info;
    int rc = cubbyhole_get(req, req->wrapping->hash, "wrapinfo", &info);
    if (rc != OK)
        return rc == ERR_NOTFOUND ? not_valid(req) : rc;
    request_own(req, info);
    *ret_wrapped = (struct wrapped){
        .content_type = json_str(info, "content_type", NULL),
        .status = (int)json_int(info, "status", 200),
        .ttl_s = json_int(info, "creation_ttl", 0) / 1000000000,
        .creation_time = json_str(info, "creation_time", ""),
        .creation_path = json_str(info, "creation_path", ""),
        .accessor = json_str(info, "accessor", ""),
    };
    return OK;
}

/* Of a caller that is the wrapping token itself, this request is the one use; it has ended it already. */
static int end_token(struct request *req)
{
    bool is_caller = req->token != NULL && strcmp(req->token->hash, req->wrapping->hash) == 0;
    return is_caller ? OK : token_revoke(req, req->wrapping);
}

int wrapping_open(struct request *req, struct wrapped *ret_wrapped)
{
    json_t *response;
    int rc = wrapping_describe(req, ret_wrapped);
    if (rc == OK)
        rc = cubbyhole_get(req, req->wrapping->hash, "response", &response);
    if (rc != OK)
        return rc == ERR_NOTFOUND ? not_valid(req) : rc;
    request_own(req, response);
    ret_wrapped->body = json_str(response, "response", "");
    return end_token(req);
}

void wrapping_again(struct request *req, const struct wrapped *wrapped)
{
    req->rewraps = arena_dup(&req->arena, wrapped, sizeof *wrapped);
    reply_copy(req, wrapped->status, wrapped->content_type, wrapped->body);
}
