/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "api/call_request.h"
#include "base/json.h"

#include <cmocka.h> /* last: it makes `fail` a macro, which is a function of ours */

static struct request req;
static struct refusal refusal;
static struct http_header headers[4];
static size_t n_headers;

/* As the pipeline does. */
static int read_body(void)
{
    struct err err = {0};
    int rc = req.read_body(req.body_type, req.body, req.body_len, &req.data, &err);
    if (rc != OK)
        refusal =
            (struct refusal){.status = err_http_status(err.code), .text = arena_strdup(&req.arena, err_text(&err))};
    return rc == OK ? OK : ERR_INVALID;
}

static int ask(const char *method, const char *target, const char *body)
{
    static char path[8192];
    struct http_call call = {.method = method, .path = path, .headers = headers, .n_headers = n_headers, .body = body};

    arena_close(&req.arena);
    json_decref(req.data);
    req = (struct request){0};
    refusal = (struct refusal){0};
    snprintf(path, sizeof path, "%s", target);
    char *query = strchr(path, '?');
    if (query != NULL)
        *query++ = '\0';
    call.query = query;
    call.body_len = body != NULL ? strlen(body) : 0;
    call.is_head = strcmp(method, "HEAD") == 0;
    snprintf(call.remote_addr, sizeof call.remote_addr, "192.0.2.1");
    int rc = call_read_request(&call, &req, &refusal);
    if (rc == OK && req.read_body != NULL)
        rc = read_body();
    n_headers = 0;
    return rc;
}

static void add_header(const char *name, const char *value)
{
    headers[n_headers++] = (struct http_header){.name = name, .value = value};
}

static void assert_asks(const char *method, const char *target, enum operation operation, const char *path)
{
    if (ask(method, target, NULL) != OK)
        fail_msg("%s %s: %d %s", method, target, refusal.status, refusal.text);
    assert_int_equal(req.operation, operation);
    assert_string_equal(req.path, path);
}

static void assert_refused(const char *method, const char *target, int status, const char *text)
{
    assert_int_equal(ask(method, target, "{}"), ERR_INVALID);
    assert_int_equal(refusal.status, status);
    if (text == NULL)
        assert_null(refusal.text);
    else
        assert_string_equal(refusal.text, text);
}

static void verbs(void **state)
{
    (void)state;
    assert_asks("GET", "/v1/a/b", OP_READ, "a/b");
    assert_asks("HEAD", "/v1/a/b", OP_READ, "a/b");
    assert_true(req.is_head);
    assert_asks("POST", "/v1/a/b", OP_UPDATE, "a/b");
    assert_asks("PUT", "/v1/a/b", OP_UPDATE, "a/b");
    assert_asks("DELETE", "/v1/a/b/", OP_DELETE, "a/b/");
    assert_asks("LIST", "/v1/a/b", OP_LIST, "a/b/");
    assert_asks("LIST", "/v1/a/b/", OP_LIST, "a/b/");
    assert_asks("GET", "/v1/a/b?list=true", OP_LIST, "a/b/");
    assert_asks("GET", "/v1/a/b?list=false", OP_READ, "a/b");
    assert_asks("GET", "/v1/a/b?help=1", OP_HELP, "a/b");
    assert_asks("PUT", "/v1/a/b?help=1", OP_HELP, "a/b");
    assert_asks("HELP", "/v1/a/b", OP_HELP, "a/b");
    assert_refused("SCAN", "/v1/a", 405, NULL);
    assert_refused("OPTIONS", "/v1/a", 405, NULL);
    assert_refused("get", "/v1/a", 405, NULL);
    assert_refused("GET", "/v1/a?scan=1", 405, NULL);
    assert_refused("GET", "/v1/a?list=1&scan=1", 400, NULL);
    assert_refused("GET", "/v1/a?list=maybe", 400, NULL);
}

static void paths(void **state)
{
    static char longest[4096];

    (void)state;
    assert_refused("GET", "/", 404, NULL);
    assert_refused("GET", "/ui/", 404, NULL);
    assert_refused("GET", "/v2/a", 404, NULL);
    assert_refused("GET", "/v1", 404, NULL);
    assert_refused("GET", "*", 404, NULL);
    assert_refused("GET", "http://x/v1/a", 307, NULL); /* to "http:/x/v1/a", which is 404 */
    assert_refused("PUT", "/v1/a/", 400, "cannot write to a path ending in '/'");
    assert_refused("GET", "/v1/a/../b", 400, "relative paths not supported");
    assert_refused("GET", "/v1/a%00", 400, "the path is not UTF-8, or not well encoded");
    assert_refused("GET", "/v1//a?x=1", 307, NULL);
    assert_string_equal(refusal.location, "/v1/a?x=1");
    assert_refused("GET", "//v1/a", 307, NULL);
    assert_string_equal(refusal.location, "/v1/a");
    memset(longest, 'a', REQUEST_PATH_MAX + 5);
    memcpy(longest, "/v1/", 4);
    assert_refused("GET", longest, 414, "the path is too long");
    longest[REQUEST_PATH_MAX + 4] = '\0';
    assert_int_equal(ask("LIST", longest, NULL), OK);
    assert_int_equal(strlen(req.path), REQUEST_PATH_MAX + 1);
}

static void redirects_keep_what_was_sent(void **state)
{
    (void)state;
    assert_asks("GET", "/v1/a%20b/c?x=%20y", OP_READ, "a b/c");
    assert_string_equal(req.raw_path, "a%20b/c");
    assert_string_equal(req.query, "x=%20y");
}

static void parameters(void **state)
{
    (void)state;
    assert_int_equal(ask("GET", "/v1/a?x=1", "{\"y\":2}"), OK);
    assert_string_equal(json_str(req.data, "x", ""), "1");
    assert_int_equal(json_object_size(req.data), 1);
    assert_int_equal(ask("PUT", "/v1/a?x=1", "{\"y\":2}"), OK);
    assert_int_equal(json_int(req.data, "y", 0), 2);
    assert_int_equal(json_object_size(req.data), 1);
    assert_int_equal(ask("DELETE", "/v1/a?versions=1", NULL), OK);
    assert_string_equal(json_str(req.data, "versions", ""), "1");
    assert_int_equal(ask("PUT", "/v1/a", "[]"), ERR_INVALID);
    assert_int_equal(refusal.status, 400);
    assert_int_equal(ask("GET", "/v1/a?%zz", NULL), ERR_INVALID);
    assert_int_equal(refusal.status, 400);
}

static void patches(void **state)
{
    (void)state;
    assert_refused("PATCH", "/v1/a", 400, "mime: no media type");
    add_header("content-type", "a/b/c");
    assert_refused("PATCH", "/v1/a", 400, "mime: unexpected content after media subtype");
    add_header("content-type", "json/");
    assert_refused("PATCH", "/v1/a", 400, "mime: expected token after slash");
    add_header("content-type", "json");
    assert_refused("PATCH", "/v1/a", 415, "PATCH requires Content-Type of application/merge-patch+json, provided json");
    add_header("content-type", "application/json; charset=utf-8");
    assert_refused("PATCH", "/v1/a", 415,
                   "PATCH requires Content-Type of application/merge-patch+json, provided application/json");
    add_header("content-type", "application/merge-patch+json; charset=utf-8");
    assert_int_equal(ask("PATCH", "/v1/a", "{\"x\":null}"), OK);
    assert_int_equal(req.operation, OP_PATCH);
    assert_true(json_is_null(json_object_get(req.data, "x")));
}

static void tokens(void **state)
{
    static char longest[CALL_TOKEN_MAX + 2];

    (void)state;
    assert_asks("GET", "/v1/a", OP_READ, "a");
    assert_null(req.client_token);
    add_header("authorization", "Bearer two");
    assert_asks("GET", "/v1/a", OP_READ, "a");
    assert_string_equal(req.client_token, "two");
    add_header("authorization", "Bearer two");
    add_header("x-vault-token", "one");
    assert_asks("GET", "/v1/a", OP_READ, "a");
    assert_string_equal(req.client_token, "one");
    add_header("authorization", "bearer two");
    assert_asks("GET", "/v1/a", OP_READ, "a");
    assert_null(req.client_token);
    add_header("x-vault-token", "");
    assert_asks("GET", "/v1/a", OP_READ, "a");
    assert_null(req.client_token);
    add_header("x-vault-token", "a b");
    assert_refused("GET", "/v1/a", 403, "permission denied");
    add_header("x-vault-token", "\xc3\xa4");
    assert_refused("GET", "/v1/a", 403, "permission denied");
    memset(longest, 'a', CALL_TOKEN_MAX + 1);
    add_header("x-vault-token", longest);
    assert_refused("GET", "/v1/a", 403, "permission denied");
    longest[CALL_TOKEN_MAX] = '\0';
    add_header("x-vault-token", longest);
    assert_asks("GET", "/v1/a", OP_READ, "a");
}

static void wrapping(void **state)
{
    (void)state;
    add_header("x-vault-wrap-ttl", "5m");
    assert_asks("GET", "/v1/a", OP_READ, "a");
    assert_int_equal(req.wrap_ttl_s, 300);
    add_header("x-vault-wrap-ttl", "500ms");
    assert_asks("GET", "/v1/a", OP_READ, "a");
    assert_int_equal(req.wrap_ttl_s, 1);
    add_header("x-vault-wrap-ttl", "0");
    assert_asks("GET", "/v1/a", OP_READ, "a");
    assert_int_equal(req.wrap_ttl_s, 0);
    add_header("x-vault-wrap-ttl", "zz");
    assert_refused("GET", "/v1/a", 400, "error parsing X-Vault-Wrap-TTL header: time: invalid duration \"zz\"");
    add_header("x-vault-wrap-ttl", "-5");
    assert_refused("GET", "/v1/a", 400, "error parsing X-Vault-Wrap-TTL header: requested wrap ttl cannot be negative");
}

static void namespaces(void **state)
{
    static const char *const roots[] = {"", "/", "root", "root/"};
    static const char *const others[] = {"foo", "ROOT", "//root", "root/a", "//", "/root"};

    (void)state;
    for (size_t i = 0; i < sizeof roots / sizeof *roots; i++) {
        add_header("x-vault-namespace", roots[i]);
        assert_asks("GET", "/v1/a", OP_READ, "a");
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        add_header("x-vault-namespace", others[i]);
        assert_refused("GET", "/v1/a", 404, "namespace not found");
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        {"each verb is the operation that it means, others are refused", verbs, NULL, NULL, NULL},
        {"paths outside /v1/, and those that are not canonical, are refused", paths, NULL, NULL, NULL},
        {"a redirect can say the path and query as they were sent", redirects_keep_what_was_sent, NULL, NULL, NULL},
        {"readers' parameters are in the query, writers' in the body", parameters, NULL, NULL, NULL},
        {"a patch needs its media type", patches, NULL, NULL, NULL},
        {"the token is read from either header, and must look like one", tokens, NULL, NULL, NULL},
        {"a wrapping time that is none is refused", wrapping, NULL, NULL, NULL},
        {"no namespace but the root exists", namespaces, NULL, NULL, NULL},
    };

    json_setup();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
