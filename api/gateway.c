/* SPDX-License-Identifier: Apache-2.0 */
#include "api/gateway.h"

#include <stdlib.h>
#include <string.h>

#include "api/call_reply.h"
#include "api/cors.h"
#include "api/forward.h"
#include "api/forwarded_for.h"
#include "api/http.h"
#include "api/probe.h"
#include "api/redirect.h"
#include "api/upload.h"
#include "base/buf.h"
#include "base/json.h"
#include "config/config.h"
#include "core/core.h"
#include "core/metrics.h"
#include "core/request/request.h"

#define SNAPSHOT_SIZE_MAX ((size_t)64 << 30)

struct gateway {
    struct core *core;
    const struct config *config; /* borrowed */
    struct http_server *server;
    struct probe *probe;                   /* or NULL */
    struct forwarded_rules *forwarded_for; /* of each listener */
    struct forward *forward;               /* NULL: standbys redirect */
    struct forward_server *forward_server;
    struct http_uploads uploads;
};

/* What a request needs to find its way back; of its arena. */
struct front {
    struct gateway *gateway;
    struct http_call *call;
};

/* ---- Answering ---- */

/* A standby that its own redirects lead back to: better an error that says so than a client going round. */
static void send_loop(struct request *req, struct http_call *call)
{
    const char *text = arena_printf(
        &req->arena,
        "this node is a standby, and the address that it knows of the active node, %.*s, leads back to it; set "
        "api_addr on every node to an address of that node alone, or have the load balancer send requests only to "
        "the node that answers 200 at /v1/sys/health",
        (int)(strstr(req->redirect, "/v1/") - req->redirect), req->redirect);
    struct refusal refusal = {.status = 503, .text = text};

    call_refuse(call, &refusal);
}

/* Snapshots are streamed; and some clients want to go themselves. */
static bool wants_redirect(const struct request *req, const struct http_call *call)
{
    const char *header = http_call_header(call, "x-vault-no-request-forwarding");

    return (header != NULL && header[0] != '\0') || call_has_raw_body(req->path);
}

static bool should_forward(const struct request *req, const struct front *front)
{
    return front->gateway->forward != NULL && request_was_untouched(req) && req->rc != ERR_SEALED &&
           !wants_redirect(req, front->call);
}

static void send_file(struct request *req, struct http_call *call)
{
    struct http_reply reply = {.status = 200, .content_type = req->reply_type, .file = &req->reply_file};

    http_reply(call, &reply);
    req->reply_file.fd = -1; /* the front's now */
}

static void send_body(const struct request *req, int status, const char *body)
{
    struct http_call *call = ((const struct front *)req->front)->call;
    struct http_header headers[CALL_HEADERS_MAX];
    size_t n = 0;

    _Static_assert(sizeof req->headers / sizeof req->headers[0] < CALL_HEADERS_MAX, "all headers of a request fit");

    if (req->redirect != NULL)
        headers[n++] = (struct http_header){.name = "Location", .value = req->redirect};
    for (size_t i = 0; i < req->n_headers; i++)
        headers[n++] = (struct http_header){.name = req->headers[i].name, .value = req->headers[i].value};
    call_send_with(call, status, headers, n, req->content_type, body);
}

/* The pipeline's last word, on whatever thread. */
static void on_done(struct request *req)
{
    struct front *front = req->front;
    struct http_call *call = front->call;
    int status = 503;

    if (should_forward(req, front)) {
        forward_call(front->gateway->forward, call);
    } else if (req->redirect != NULL && redirect_is_loop(call->host, req->redirect)) {
        send_loop(req, call);
    } else if (req->rc == OK && req->reply_file.fd >= 0) {
        send_file(req, call);
    } else {
        char *body = request_body(req, &status);
        send_body(req, status, body);
        json_text_free(body);
    }
    metrics_count_response(core_metrics(req->core), status, req->arrived_us);
    request_free(req);
}

/* ---- Going on ---- */

struct resumption {
    struct request *req;
    void (*fn)(struct request *req);
};

static void run_resumption(void *arg)
{
    struct resumption *resumption = arg;
    struct request *req = resumption->req;
    void (*fn)(struct request * req) = resumption->fn;

    free(resumption);
    fn(req);
}

static void on_resume(struct request *req, void (*fn)(struct request *req))
{
    struct resumption *resumption = malloc(sizeof *resumption);

    if (resumption == NULL)
        abort();
    *resumption = (struct resumption){.req = req, .fn = fn};
    http_post(((struct front *)req->front)->call, run_resumption, resumption);
}

static json_t *header_values(const struct request *req, const char *name)
{
    const struct http_call *call = ((const struct front *)req->front)->call;
    json_t *values = NULL;

    for (size_t i = 0; i < call->n_headers; i++) {
        json_t *value = strcmp(call->headers[i].name, name) == 0 ? json_string(call->headers[i].value) : NULL;
        if (value == NULL)
            continue;
        if (values == NULL)
            values = json_array();
        json_array_append_new(values, value);
    }
    return values;
}

static int may_upload(void *ctx, const struct http_upload *upload, struct arena *arena, const char **ret_location)
{
    return upload_ask(((struct gateway *)ctx)->core, upload, arena, ret_location);
}

/* A standby that has become active meanwhile comes here again. */
static void serve(void *ctx, struct http_call *call)
{
    struct gateway *gateway = ctx;
    struct request *req = request_new(gateway->core);
    struct refusal refusal = {0};

    if (call_read_request(call, req, &refusal) != OK) {
        call_refuse(call, &refusal);
        metrics_count_response(core_metrics(req->core), refusal.status, req->arrived_us);
        request_free(req);
        return;
    }
    if (call_has_raw_body(req->path))
        http_take_time(call);
    struct front *front = arena_alloc(&req->arena, sizeof *front);
    *front = (struct front){.gateway = gateway, .call = call};
    const struct config_listener *listener = &gateway->config->listeners[call->listener];
    req->opened = (listener->unauthenticated_metrics_access ? ROUTE_OPEN_METRICS : 0) |
                  (listener->unauthenticated_in_flight_requests_access ? ROUTE_OPEN_IN_FLIGHT : 0) |
                  (listener->disable_unauthed_rekey_endpoints ? 0 : ROUTE_OPEN_REKEY) |
                  (listener->disable_unauthed_generate_root_endpoints ? 0 : ROUTE_OPEN_ROOT);
    req->front = front;
    req->header_values = header_values;
    req->done = on_done;
    req->resume = on_resume;
    request_start(req);
}

static void on_call(void *ctx, struct http_call *call)
{
    struct gateway *gateway = ctx;
    struct refusal refusal = {0};
    struct arena arena;

    probe_note(gateway->probe, call);
    if (cors_answer(gateway->core, call))
        return;
    arena_init(&arena);
    if (forwarded_for(&gateway->forwarded_for[call->listener], call, &arena, &refusal) == OK)
        serve(gateway, call);
    else
        call_refuse(call, &refusal);
    arena_close(&arena);
}

/* ---- Starting and stopping ---- */

static enum http_proxy to_proxy(const char *behavior)
{
    if (behavior == NULL)
        return HTTP_PROXY_OFF;
    if (strcmp(behavior, "use_always") == 0)
        return HTTP_PROXY_ALWAYS;
    return strcmp(behavior, "allow_authorized") == 0 ? HTTP_PROXY_ALLOW : HTTP_PROXY_DENY;
}

static struct forwarded_rules to_rules(const struct config_listener *from)
{
    return (struct forwarded_rules){
        .authorized = (const char *const *)from->x_forwarded_for_authorized_addrs.texts,
        .n_authorized = from->x_forwarded_for_authorized_addrs.n,
        .hop_skips = from->x_forwarded_for_hop_skips,
        .reject_not_authorized = from->x_forwarded_for_reject_not_authorized,
        .reject_not_present = from->x_forwarded_for_reject_not_present,
    };
}

static struct http_listener to_listener(const struct config_listener *from, const struct http_uploads *uploads)
{
    return (struct http_listener){
        .address = from->address,
        .uploads = uploads,
        .tls_disable = from->tls_disable,
        .cert_file = from->tls_cert_file,
        .key_file = from->tls_key_file,
        .min_version = from->tls_min_version,
        .max_version = from->tls_max_version,
        .client_ca_file = from->tls_client_ca_file,
        .require_client_cert = from->tls_require_and_verify_client_cert,
        .max_request_size = from->max_request_size > 0 ? (size_t)from->max_request_size : 0,
        .proxy = to_proxy(from->proxy_protocol_behavior),
        .proxy_authorized = (const char *const *)from->proxy_protocol_authorized_addrs.texts,
        .n_proxy_authorized = from->proxy_protocol_authorized_addrs.n,
        .max_request_ms = from->max_request_duration_s > 0 ? (int)(from->max_request_duration_s * 1000) : 0,
    };
}

static void gateway_free(struct gateway *gateway)
{
    forward_free(gateway->forward);
    probe_stop(gateway->probe);
    free(gateway->forwarded_for);
    free(gateway);
}

static long count_connections(void *ctx)
{
    const struct gateway *gateway = ctx;

    return http_server_connections(gateway->server);
}

int gateway_start(struct core *core, const struct config *config, struct gateway **ret_gateway, struct err *err)
{
    size_t n = config->n_listeners;
    struct http_listener *listeners = calloc(n + 1, sizeof *listeners);
    struct gateway *gateway = calloc(1, sizeof *gateway);

    if (listeners == NULL || gateway == NULL)
        abort();
    gateway->forwarded_for = calloc(n + 1, sizeof *gateway->forwarded_for);
    if (gateway->forwarded_for == NULL)
        abort();
    gateway->core = core;
    gateway->config = config;
    if (!core_options(core)->dev_mode)
        gateway->probe = probe_start(core_options(core)->api_addr);
    gateway->uploads = (struct http_uploads){
        .dir = core_options(core)->data_dir, .max_size = SNAPSHOT_SIZE_MAX, .may_upload = may_upload};
    for (size_t i = 0; i < n; i++) {
        if (config->listeners[i].max_snapshot_size > 0)
            gateway->uploads.max_size = (size_t)config->listeners[i].max_snapshot_size;
        listeners[i] = to_listener(&config->listeners[i], &gateway->uploads);
        gateway->forwarded_for[i] = to_rules(&config->listeners[i]);
    }
    if (config->request_forwarding)
        gateway->forward = forward_new(core, serve, gateway);
    gateway->forward_server = forward_serve(core);
    int rc = http_server_start(listeners, n, 0, on_call, gateway, &gateway->server, err);
    free(listeners);
    if (rc != OK) {
        forward_serve_stop(gateway->forward_server, 0);
        gateway_free(gateway);
        return rc;
    }
    core_set_connections(core, count_connections, gateway);
    *ret_gateway = gateway;
    return OK;
}

int gateway_reload(struct gateway *gateway, struct err *err)
{
    return http_server_reload(gateway->server, err);
}

void gateway_stop(struct gateway *gateway, int idle_ms, int drain_ms)
{
    if (gateway == NULL)
        return;
    core_set_connections(gateway->core, NULL, NULL);
    bool is_clean = http_server_stop(gateway->server, idle_ms, drain_ms);
    forward_serve_stop(gateway->forward_server, drain_ms);
    if (is_clean)
        gateway_free(gateway);
}
