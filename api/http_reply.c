/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <unistd.h>

#include "api/http_private.h"
#include "base/secret.h"

#define FILE_PIECE 65536

#define RETRY_AFTER_S "1" /* about what a failover takes */

static const char *reason_of(int status)
{
    static const struct {
        int status;
        const char *reason;
    } reasons[] = {
        {200, "OK"},
        {202, "Accepted"},
        {204, "No Content"},
        {307, "Temporary Redirect"},
        {400, "Bad Request"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {412, "Precondition Failed"},
        {413, "Request Entity Too Large"},
        {414, "Request URI Too Long"},
        {415, "Unsupported Media Type"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
    };

    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        if (reasons[i].status == status)
            return reasons[i].reason;
    }
    return "Status";
}

/* ---- Bodies ---- */

static void wipe_body(void *memory)
{
    struct reply_body *body = memory;

    secret_wipe(body->bytes, body->len);
}

struct reply_body *reply_body_new(const void *bytes, size_t len)
{
    struct reply_body *body = h2o_mem_alloc_shared(NULL, sizeof *body + len, wipe_body);

    body->len = len;
    memcpy(body->bytes, bytes, len);
    return body;
}

/* ---- Sending ---- */

/* A line feed in a value would begin another header. */
static bool is_header_value(const char *value)
{
    for (; *value != '\0'; value++) {
        if ((unsigned char)*value < ' ' || *value == 0x7f)
            return false;
    }
    return true;
}

static void add_header(h2o_req_t *req, const char *name, const char *value)
{
    h2o_iovec_t n = h2o_strdup(&req->pool, name, strlen(name));
    h2o_iovec_t v = h2o_strdup(&req->pool, value, strlen(value));

    if (is_header_value(value))
        h2o_add_header_by_str(&req->pool, &req->res.headers, n.base, n.len, 0, NULL, v.base, v.len);
}

static void add_standard_headers(h2o_req_t *req, const char *content_type)
{
    if (content_type != NULL)
        add_header(req, "Content-Type", content_type);
    add_header(req, "Cache-Control", "no-store");
    add_header(req, "Strict-Transport-Security", "max-age=31536000; includeSubDomains");
}

static bool is_head(const h2o_req_t *req)
{
    return h2o_memis(req->input.method.base, req->input.method.len, H2O_STRLIT("HEAD"));
}

/* A file on its way to a client: h2o asks for the next piece when the last one is out. */
struct file_sender {
    h2o_generator_t super;
    struct file_range rest;
    char piece[FILE_PIECE];
};

static void close_file(void *memory)
{
    close(((struct file_sender *)memory)->rest.fd);
}

/* What cannot be read ends the connection amid the announced length, so that nobody takes it for all. */
static void send_piece(h2o_generator_t *self, h2o_req_t *req)
{
    struct file_sender *sender = (struct file_sender *)self;
    size_t want = sender->rest.size < FILE_PIECE ? (size_t)sender->rest.size : FILE_PIECE;
    ssize_t n = pread(sender->rest.fd, sender->piece, want, sender->rest.offset);

    if (n <= 0) {
        conn_kill(conn_of(req));
        h2o_send(req, NULL, 0, H2O_SEND_STATE_ERROR);
        return;
    }
    sender->rest.offset += n;
    sender->rest.size -= (uint64_t)n;
    h2o_iovec_t piece = h2o_iovec_init(sender->piece, (size_t)n);
    h2o_send(req, &piece, 1, sender->rest.size > 0 ? H2O_SEND_STATE_IN_PROGRESS : H2O_SEND_STATE_FINAL);
}

static void send_file(h2o_req_t *req, const struct file_range *file)
{
    struct file_sender *sender = h2o_mem_alloc_shared(&req->pool, sizeof *sender, close_file);

    sender->super = (h2o_generator_t){.proceed = send_piece};
    sender->rest = *file;
    conn_of(req)->sending_bytes = (size_t)file->size;
    h2o_start_response(req, &sender->super);
    if (is_head(req) || file->size == 0)
        h2o_send(req, NULL, 0, H2O_SEND_STATE_FINAL);
    else
        send_piece(&sender->super, req);
}

/* Afterwards h2o may have ended the request at any time; `stop` never comes, as a body is sent at once. */
void reply_send(h2o_req_t *req, const struct reply *reply)
{
    static h2o_generator_t generator;
    size_t len = reply->body != NULL ? reply->body->len : 0;
    h2o_iovec_t body = {NULL, 0};
    struct conn *conn = conn_of(req);

    req->res.status = reply->status;
    req->res.reason = reason_of(reply->status);
    if (reply->status != 204)
        req->res.content_length =
            reply->file.fd >= 0 ? (size_t)reply->file.size : len; /* else h2o ends the connection */
    /* With 204, too: clients have always seen it there. */
    add_standard_headers(req, reply->content_type);
    if (reply->status == 503)
        add_header(req, "Retry-After", RETRY_AFTER_S);
    for (size_t i = 0; i < reply->n_headers; i++)
        add_header(req, reply->headers[i].name, reply->headers[i].value);
    if (reply->body != NULL) {
        h2o_mem_link_shared(&req->pool, reply->body);
        h2o_mem_release_shared(reply->body);
        if (reply->status != 204 && !is_head(req))
            body = h2o_iovec_init(reply->body->bytes, len);
    }
    conn->is_sending = true;
    if (reply->file.fd >= 0) {
        send_file(req, &reply->file);
        return;
    }
    conn->sending_bytes = body.len;
    h2o_start_response(req, &generator);
    h2o_send(req, &body, body.len > 0, H2O_SEND_STATE_FINAL);
}

static size_t format_errors(char *out, size_t size, const char *text)
{
    int n =
        text != NULL ? snprintf(out, size, "{\"errors\":[\"%s\"]}\n", text) : snprintf(out, size, "{\"errors\":[]}\n");

    return (size_t)n < size ? (size_t)n : size - 1;
}

void reply_refuse(h2o_req_t *req, int status, const char *text)
{
    char body[256];
    size_t len = format_errors(body, sizeof body, text);
    struct reply reply = {
        .status = status, .content_type = "application/json", .body = reply_body_new(body, len), .file.fd = -1};

    req->http1_is_persistent = 0;
    conn_will_linger(conn_of(req));
    reply_send(req, &reply);
}

void reply_refuse_to(h2o_req_t *req, int status, const char *location)
{
    char body[256];
    const char *text = status == 413   ? "http: request body too large"
                       : status == 403 ? "permission denied"
                       : status == 503 ? "this cannot be taken now: the node is sealed, not active, or its disk is full"
                                       : NULL;
    size_t len = format_errors(body, sizeof body, text);
    struct http_header header = {.name = "Location", .value = (char *)location};
    struct reply reply = {.status = status,
                          .content_type = "application/json",
                          .headers = &header,
                          .n_headers = location != NULL,
                          .body = reply_body_new(body, len),
                          .file.fd = -1};

    req->http1_is_persistent = 0;
    conn_will_linger(conn_of(req));
    reply_send(req, &reply);
}

/* As h2o does it when it finds a body too large itself. */
void reply_refuse_amid(h2o_req_t *req, int status, const char *location)
{
    h2o_hostconf_t *host = req->conn->ctx->globalconf->hosts[0];

    h2o_socket_read_stop(conn_of(req)->sock);
    h2o_req_bind_conf(req, host, &host->paths.entries[0]);
    reply_refuse_to(req, status, location);
}

/* ---- Errors of h2o's own: bodies that are too large or broken ---- */

struct error_stream {
    h2o_ostream_t super;
    h2o_iovec_t body;
};

static void send_error_body(h2o_ostream_t *super, h2o_req_t *req, h2o_iovec_t *bufs, size_t n_bufs,
                            h2o_send_state_t state)
{
    struct error_stream *stream = (struct error_stream *)super;

    (void)bufs;
    (void)n_bufs;
    h2o_ostream_send_next(super, req, &stream->body, 1, state);
}

static void on_error_reply(h2o_filter_t *self, h2o_req_t *req, h2o_ostream_t **slot)
{
    const char *text = req->res.status == 413 ? "http: request body too large" : "malformed request";
    char body[128];
    size_t len = format_errors(body, sizeof body, text);

    (void)self;
    conn_will_linger(conn_of(req));
    if (is_head(req)) {
        h2o_setup_next_ostream(req, slot);
        return;
    }
    struct error_stream *stream = (void *)h2o_add_ostream(req, sizeof *stream, slot);
    stream->super.do_send = send_error_body;
    stream->body = h2o_strdup(&req->pool, body, len);
    req->res.headers = (h2o_headers_t){0};
    add_standard_headers(req, "application/json");
    req->res.content_length = len;
    req->res.reason = reason_of(req->res.status);
    h2o_setup_next_ostream(req, &stream->super.next);
}

void reply_register_errors(h2o_hostconf_t *host)
{
    h2o_filter_t *filter = h2o_create_filter(&host->fallback_path, sizeof *filter);

    filter->on_setup_ostream = on_error_reply;
}
