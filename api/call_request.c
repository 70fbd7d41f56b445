/* SPDX-License-Identifier: Apache-2.0 */
#include "api/call_request.h"

#include <string.h>
#include <strings.h>

#include "api/params.h"
#include "api/path.h"
#include "base/duration.h"
#include "core/request/wrapping.h"

#define SECOND_NS 1000000000

static int refuse(struct refusal *refusal, int status, const char *text)
{
    *refusal = (struct refusal){.status = status, .text = text};
    return ERR_INVALID;
}

static int refuse_with(struct refusal *refusal, struct request *req, const struct err *err)
{
    return refuse(refusal, err_http_status(err->code), arena_strdup(&req->arena, err_text(err)));
}

/* ---- The path ---- */

static int read_path(const struct http_call *call, struct request *req, struct refusal *refusal)
{
    struct err err = {0};

    if (path_has_double_slash(call->path)) {
        char *location = arena_alloc(&req->arena, strlen(call->path) + 1);
        path_squeeze_slashes(call->path, location);
        refuse(refusal, 307, NULL);
        refusal->location = call->query == NULL ? location : arena_printf(&req->arena, "%s?%s", location, call->query);
        return ERR_INVALID;
    }
    if (strncmp(call->path, "/v1/", 4) != 0)
        return refuse(refusal, 404, NULL);
    char *path = arena_alloc(&req->arena, REQUEST_PATH_MAX + 2); /* a list may get a slash more */
    int rc = path_canonical(call->path + 4, path, REQUEST_PATH_MAX + 1, &err);
    if (rc == ERR_TOO_LARGE)
        return refuse(refusal, 414, "the path is too long");
    if (rc != OK)
        return refuse_with(refusal, req, &err);
    req->path = path;
    req->raw_path = arena_strdup(&req->arena, call->path + 4);
    req->query = call->query != NULL ? arena_strdup(&req->arena, call->query) : NULL;
    return OK;
}

static bool ends_in_slash(const char *path)
{
    size_t len = strlen(path);

    return len > 0 && path[len - 1] == '/';
}

/* ---- What to do ---- */

static int read_get(const struct http_call *call, struct request *req, struct refusal *refusal)
{
    bool list, scan;

    if (params_query_flag(call->query, "list", &list) != OK || params_query_flag(call->query, "scan", &scan) != OK ||
        (list && scan))
        return refuse(refusal, 400, NULL);
    if (scan)
        return refuse(refusal, 405, NULL); /* recursive lists are not offered */
    req->operation = list ? OP_LIST : OP_READ;
    return OK;
}

static int read_operation(const struct http_call *call, struct request *req, struct refusal *refusal)
{
    static const struct {
        const char *method;
        enum operation operation;
    } verbs[] = {
        {"GET", OP_READ},   {"HEAD", OP_READ},   {"LIST", OP_LIST},     {"POST", OP_UPDATE},
        {"PUT", OP_UPDATE}, {"PATCH", OP_PATCH}, {"DELETE", OP_DELETE}, {"HELP", OP_HELP},
    };

    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        if (strcmp(call->method, verbs[i].method) == 0)
            req->operation = verbs[i].operation;
    }
    if (req->operation == 0)
        return refuse(refusal, 405, NULL);
    req->method = arena_strdup(&req->arena, call->method);
    req->is_head = call->is_head;
    if (params_query_has(call->query, "help"))
        req->operation = OP_HELP;
    if (req->operation == OP_READ && !call->is_head)
        return read_get(call, req, refusal);
    return OK;
}

static bool is_write(const struct request *req)
{
    return req->operation == OP_UPDATE || req->operation == OP_PATCH;
}

/* A list is of a directory, however it was spelled; a directory cannot be written. */
static int settle_slash(struct request *req, struct refusal *refusal)
{
    if (is_write(req) && ends_in_slash(req->path))
        return refuse(refusal, 400, "cannot write to a path ending in '/'");
    if (req->operation == OP_LIST && !ends_in_slash(req->path))
        req->path = arena_printf(&req->arena, "%s/", req->path);
    return OK;
}

/* ---- Parameters ---- */

/* The length of a word of RFC 9110's token characters. */
static size_t token_len(const char *text)
{
    return strspn(text, "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
}

static int check_patch_type(const char *type, struct request *req, struct refusal *refusal)
{
    static const char wanted[] = "application/merge-patch+json";

    if (type == NULL || *type == '\0')
        return refuse(refusal, 400, "mime: no media type");
    size_t main_len = token_len(type);
    size_t sub_len = type[main_len] == '/' ? token_len(type + main_len + 1) : 0;
    bool has_slash = type[main_len] == '/';
    size_t len = main_len + has_slash + sub_len;
    if (main_len == 0 || (has_slash && sub_len == 0))
        return refuse(refusal, 400, "mime: expected token after slash");
    if (type[len + strspn(type + len, " \t")] != '\0' && type[len + strspn(type + len, " \t")] != ';')
        return refuse(refusal, 400, "mime: unexpected content after media subtype");
    if (len == sizeof wanted - 1 && strncasecmp(type, wanted, len) == 0)
        return OK;
    return refuse(
        refusal, 415,
        arena_printf(&req->arena, "PATCH requires Content-Type of %s, provided %.*s", wanted, (int)len, type));
}

bool call_has_raw_body(const char *path)
{
    static const char *const paths[] = {"sys/storage/raft/snapshot", "sys/storage/raft/snapshot-force",
                                        "sys/storage/raft/snapshot-verify"};

    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        if (strcmp(path, paths[i]) == 0)
            return true;
    }
    return false;
}

static int read_params(const struct http_call *call, struct request *req, struct refusal *refusal)
{
    const char *type = http_call_header(call, "content-type");
    struct err err = {0};
    json_t *data;
    int rc = OK;

    if (req->operation == OP_PATCH)
        rc = check_patch_type(type, req, refusal);
    if (rc != OK)
        return rc;
    if (is_write(req) && call_has_raw_body(req->path)) {
        req->raw_body = call->body;
        req->raw_body_len = call->body_len;
        req->body_file = call->body_file;
        return OK;
    }
    if (is_write(req)) {
        req->read_body = params_read_body;
        req->body_type = type;
        req->body = call->body;
        req->body_len = call->body_len;
        return OK;
    }
    rc = params_read_query(call->query, &data, &err);
    if (rc != OK)
        return refuse_with(refusal, req, &err);
    json_decref(req->data);
    req->data = data;
    return OK;
}

/* ---- Headers ---- */

/* Tokens are words of printable ASCII; whatever else comes is no token, and is not worth hashing. */
static int read_token(const struct http_call *call, struct request *req, struct refusal *refusal)
{
    static const char bearer[] = "Bearer ";
    const char *token = http_call_header(call, "x-vault-token");
    const char *authorization = http_call_header(call, "authorization");

    if ((token == NULL || *token == '\0') && authorization != NULL &&
        strncmp(authorization, bearer, sizeof bearer - 1) == 0)
        token = authorization + sizeof bearer - 1;
    if (token == NULL || *token == '\0')
        return OK;
    if (strlen(token) > CALL_TOKEN_MAX)
        return refuse(refusal, 403, "permission denied");
    for (const char *p = token; *p != '\0'; p++) {
        if (*p <= ' ' || *p > '~')
            return refuse(refusal, 403, "permission denied");
    }
    req->client_token = arena_strdup(&req->arena, token);
    return OK;
}

static bool is_plain_text(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text < ' ' || *text > '~')
            return false;
    }
    return true;
}

static int read_wrap_ttl(const struct http_call *call, struct request *req, struct refusal *refusal)
{
    const char *ttl = http_call_header(call, "x-vault-wrap-ttl");
    const char *format = http_call_header(call, "x-vault-wrap-format");
    int64_t ns;

    if (ttl == NULL || *ttl == '\0')
        return OK;
    if (strlen(ttl) > 64 || !is_plain_text(ttl))
        return refuse(refusal, 400, "error parsing X-Vault-Wrap-TTL header: time: invalid duration");
    if (duration_parse_ns(ttl, &ns) != OK)
        return refuse(
            refusal, 400,
            arena_printf(&req->arena, "error parsing X-Vault-Wrap-TTL header: time: invalid duration \"%s\"", ttl));
    if (ns < 0)
        return refuse(refusal, 400, "error parsing X-Vault-Wrap-TTL header: requested wrap ttl cannot be negative");
    req->wrap_ttl_s = ns / SECOND_NS + (ns % SECOND_NS != 0); /* never 0 for somebody who asked for something */
    if (req->wrap_ttl_s > WRAPPING_TTL_MAX_S)
        return refuse(refusal, 400, "error parsing X-Vault-Wrap-TTL header: longer than a hundred years");
    if (req->wrap_ttl_s > 0 && strcmp(format != NULL ? format : "", "") != 0)
        return refuse(refusal, 400, "X-Vault-Wrap-Format is not supported: wrapping tokens have one form");
    return OK;
}

/* There is one namespace, the root; these are its names. */
static int check_namespace(const struct http_call *call, struct refusal *refusal)
{
    static const char *const names[] = {"", "/", "root", "root/"};
    const char *given = http_call_header(call, "x-vault-namespace");

    if (given == NULL)
        return OK;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(given, names[i]) == 0)
            return OK;
    }
    return refuse(refusal, 404, "namespace not found");
}

int call_read_request(const struct http_call *call, struct request *req, struct refusal *ret_refusal)
{
    int rc = read_path(call, req, ret_refusal);

    if (rc == OK)
        rc = check_namespace(call, ret_refusal);
    if (rc == OK)
        rc = read_operation(call, req, ret_refusal);
    if (rc == OK)
        rc = settle_slash(req, ret_refusal);
    if (rc == OK)
        rc = read_token(call, req, ret_refusal);
    if (rc == OK)
        rc = read_wrap_ttl(call, req, ret_refusal);
    if (rc == OK)
        rc = read_params(call, req, ret_refusal);
    req->remote_addr = arena_strdup(&req->arena, call->remote_addr);
    req->remote_port = call->remote_port;
    return rc;
}
