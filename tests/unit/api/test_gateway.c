/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gateway with a pipeline of the test's own: what arrives there, and what becomes of its outcome.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/call_reply.h"
#include "api/cors.h"
#include "api/forward.h"
#include "api/gateway.h"
#include "base/json.h"
#include "base/pool.h"
#include "config/config.h"
#include "core/core.h"
#include "core/metrics.h"
#include "core/request/request.h"
#include "http_client.h"

#include <cmocka.h> /* last: it makes `fail` a macro, which is a function of ours */

#define PORT 21206
#define END  "Host: a\r\nConnection: close\r\n"

static char out[65536];

/* ---- The pipeline: "later/" goes on on another thread and comes back, "standby/" is redirected ---- */

struct request *request_new(struct core *core)
{
    struct request *req = calloc(1, sizeof *req);

    req->core = core;
    req->body_file.fd = req->reply_file.fd = -1;
    arena_init(&req->arena);
    return req;
}

void request_free(struct request *req)
{
    json_decref(req->data);
    json_decref(req->reply);
    arena_close(&req->arena);
    free(req);
}

const struct core_options *core_options(const struct core *core)
{
    static const struct core_options options = {.dev_mode = true, .data_dir = "/tmp"};

    (void)core;
    return &options;
}

bool request_was_untouched(const struct request *req)
{
    return req->rc == ERR_STANDBY || req->rc == ERR_SEALED;
}

/* ---- Forwarding: answers what it is given ---- */

struct forward *forward_new(struct core *core, void (*again)(void *ctx, struct http_call *call), void *ctx)
{
    (void)core, (void)again, (void)ctx;
    return (struct forward *)out; /* any */
}

void forward_call(struct forward *forward, struct http_call *call)
{
    char body[200];

    (void)forward;
    snprintf(body, sizeof body, "forwarded %s", call->path);
    call_send(call, 200, NULL, NULL, body);
}

void forward_free(struct forward *forward)
{
    (void)forward;
}

struct forward_server *forward_serve(struct core *core)
{
    (void)core;
    return NULL;
}

void forward_serve_stop(struct forward_server *server, int drain_ms)
{
    (void)server, (void)drain_ms;
}

/* ---- The rest of the pipeline ---- */
bool cors_answer(struct core *core, struct http_call *call)
{
    (void)core;
    (void)call;
    return false;
}

struct metrics *core_metrics(struct core *core)
{
    static struct metrics metrics;

    (void)core;
    return &metrics;
}

void metrics_count_response(struct metrics *metrics, int status, int64_t started_us)
{
    (void)started_us;
    metric_count(&metrics->responses[status]);
}

void core_set_connections(struct core *core, long (*count)(void *ctx), void *ctx)
{
    (void)core, (void)count, (void)ctx;
}

int request_preview(struct core *core, enum operation operation, const char *path, const char *token,
                    const char *remote_addr, struct arena *arena, const char **ret_location)
{
    (void)core, (void)operation, (void)path, (void)remote_addr, (void)arena, (void)ret_location;
    return strcmp(token, "root") == 0 ? 0 : 403;
}

static void read_body(struct request *req)
{
    if (req->read_body != NULL)
        assert_int_equal(req->read_body(req->body_type, req->body, req->body_len, &req->data, NULL), OK);
    if (req->data == NULL)
        req->data = json_object();
}

static void answer(struct request *req)
{
    const char *token = req->client_token != NULL ? req->client_token : "-";

    read_body(req);
    req->reply = json_pack("{s:i, s:s, s:s, s:O, s:s}", "operation", req->operation, "path", req->path, "token", token,
                           "data", req->data, "from", req->remote_addr);
    if (strncmp(req->path, "sealed/", 7) == 0)
        req->rc = ERR_SEALED;
    if (strncmp(req->path, "untouched/", 10) == 0 || strncmp(req->path, "sys/storage/", 12) == 0)
        req->rc = ERR_STANDBY;
    if (req->rc == ERR_STANDBY || strncmp(req->path, "standby/", 8) == 0)
        req->redirect = arena_printf(&req->arena, "https://other:8200/v1/%s?%s", req->raw_path, req->query);
    if (strcmp(req->path, "nothing") == 0)
        req->http_status = 204;
    req->done(req);
}

static void come_back(void *arg)
{
    struct request *req = arg;

    req->resume(req, answer);
}

void request_start(struct request *req)
{
    if (strncmp(req->path, "later/", 6) == 0)
        pool_run(test_pool(), come_back, req);
    else
        answer(req);
}

char *request_body(struct request *req, int *ret_status)
{
    *ret_status = req->redirect != NULL ? 307 : req->http_status != 0 ? req->http_status : 200;
    return *ret_status == 200 ? json_format(req->reply) : NULL;
}

/* ---- The tests ---- */

static void assert_answer(const char *request, const char *head, const char *body)
{
    client_ask(PORT, request, out, sizeof out);
    if (strstr(out, head) == NULL)
        fail_msg("\"%s\" is not in: %s", head, out);
    const char *start = strstr(out, "\r\n\r\n");
    assert_non_null(start);
    assert_string_equal(start + 4, body);
}

static void there_and_back(void **state)
{
    (void)state;
    assert_answer("PUT /v1/a/b HTTP/1.1\r\n" END "X-Vault-Token: t\r\nContent-Length: 7\r\n\r\n{\"x\":1}", "200 OK",
                  "{\"data\":{\"x\":1},\"from\":\"127.0.0.1\",\"operation\":4,\"path\":\"a/b\",\"token\":\"t\"}");
    assert_answer(
        "LIST /v1/later/b?x=1 HTTP/1.1\r\n" END "\r\n", "200 OK",
        "{\"data\":{\"x\":\"1\"},\"from\":\"127.0.0.1\",\"operation\":2,\"path\":\"later/b/\",\"token\":\"-\"}");
    assert_answer("GET /v1/nothing HTTP/1.1\r\n" END "\r\n", "204 No Content", "");
    assert_answer("HEAD /v1/a HTTP/1.1\r\n" END "\r\n", "200 OK", "");
}

static void redirects(void **state)
{
    (void)state;
    assert_answer("GET /v1/standby/a%20b?x=%31 HTTP/1.1\r\n" END "\r\n",
                  "\r\nLocation: https://other:8200/v1/standby/a%20b?x=%31\r\n", "");
    assert_non_null(strstr(out, "307 Temporary Redirect"));
    assert_answer("GET /v1//a?y HTTP/1.1\r\n" END "\r\n", "\r\nLocation: /v1/a?y\r\n", "");
}

static void forwarding(void **state)
{
    (void)state;
    assert_answer("GET /v1/untouched/a?x HTTP/1.1\r\n" END "\r\n", "200 OK", "forwarded /v1/untouched/a");
    assert_answer("GET /v1/untouched/a?x HTTP/1.1\r\n" END "X-Vault-No-Request-Forwarding: 1\r\n\r\n",
                  "307 Temporary Redirect", "");
    assert_answer("GET /v1/untouched/a?x HTTP/1.1\r\n" END "X-Vault-No-Request-Forwarding:\r\n\r\n", "200 OK",
                  "forwarded /v1/untouched/a");
    assert_answer("GET /v1/sys/storage/raft/snapshot?x HTTP/1.1\r\n" END "\r\n", "307 Temporary Redirect", "");
    assert_answer("POST /v1/sys/storage/raft/snapshot-force?x HTTP/1.1\r\n" END "Content-Length: 2\r\n\r\n{}",
                  "307 Temporary Redirect", "");
    /* May have been done, or is of this node itself. */
    assert_answer("GET /v1/standby/a?x HTTP/1.1\r\n" END "\r\n", "307 Temporary Redirect", "");
    client_ask(PORT, "GET /v1/sealed/a HTTP/1.1\r\n" END "\r\n", out, sizeof out);
    assert_null(strstr(out, "forwarded"));
}

static void refusals(void **state)
{
    (void)state;
    assert_answer("GET / HTTP/1.1\r\n" END "\r\n", "404 Not Found", "{\"errors\":[]}\n");
    assert_answer("GET /v1/a/../b HTTP/1.1\r\n" END "\r\n", "400 Bad Request",
                  "{\"errors\":[\"relative paths not supported\"]}\n");
    assert_answer("FOO /v1/a HTTP/1.1\r\n" END "\r\n", "405 Method Not Allowed", "{\"errors\":[]}\n");
    assert_answer("GET /v1/a HTTP/1.1\r\n" END "X-Vault-Wrap-TTL: z\"\r\n\r\n", "400 Bad Request",
                  "{\"errors\":[\"error parsing X-Vault-Wrap-TTL header: time: invalid duration \\\"z\\\"\\\"\"]}\n");
}

static int start(void **state)
{
    static struct config_listener listener = {.address = (char *)"127.0.0.1:21206", .tls_disable = true};
    static struct config config = {.listeners = &listener, .n_listeners = 1, .request_forwarding = true};
    struct gateway *gateway = NULL;
    struct err err = {0};

    (void)test_pool();
    if (gateway_start(NULL, &config, &gateway, &err) != OK)
        return -1;
    *state = gateway;
    return gateway_reload(gateway, &err);
}

static int stop(void **state)
{
    gateway_stop(*state, 0, 2000);
    later_join();
    return 0;
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        {"a call becomes a request, also on other threads, and its outcome the reply", there_and_back, NULL, NULL,
         NULL},
        {"a redirect keeps path and query as they were sent", redirects, NULL, NULL, NULL},
        {"what was not touched is forwarded, unless the client wants to go itself", forwarding, NULL, NULL, NULL},
        {"what cannot be asked is answered without the pipeline", refusals, NULL, NULL, NULL},
    };

    json_setup();
    return cmocka_run_group_tests(tests, start, stop);
}

#ifdef COFFER_SANITIZED
/* h2o keeps some recycled chunks in variables of its threads, which end with them, and never frees a queue. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:h2o_mem_alloc_pool\nleak:h2o_buffer_reserve\nleak:h2o_mem_alloc_recycle\n"
           "leak:h2o_multithread_create_queue\n";
}
#endif
