/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/http_head.h"
#include "api/http_private.h"
#include "base/clock.h"
#include "base/secret.h"

/* ---- The life of a call ---- */

static void call_free(struct call *call)
{
    call->worker->n_calls--;
    if (call->pub.body_file.fd >= 0)
        close(call->pub.body_file.fd);
    arena_close(&call->arena);
    free(call);
}

/* On the call's thread: the answer is there. */
static void call_answer(struct message *message)
{
    struct call *call = H2O_STRUCT_FROM_MEMBER(struct call, answered, message);

    if (call->req != NULL) {
        call->guard->conn->call = NULL;
        call->guard->call = NULL;
        reply_send(call->req, &call->reply);
    } else {
        if (call->reply.body != NULL)
            h2o_mem_release_shared(call->reply.body);
        if (call->reply.file.fd >= 0)
            close(call->reply.file.fd);
    }
    call_free(call);
}

/* h2o disposes of the request: its reply is out, or its client has gone. */
static void on_request_gone(void *memory)
{
    struct guard *guard = memory;

    guard->conn->is_sending = false;
    if (guard->call != NULL) {
        guard->conn->call = NULL;
        guard->call->req = NULL;
    }
}

void call_give_up(struct call *call)
{
    h2o_req_t *req = call->req;

    call->guard->conn->call = NULL;
    call->guard->call = NULL;
    call->req = NULL;
    reply_refuse(req, 503, "the request took too long");
}

/* ---- Copying ---- */

/* h2o leaves the blanks behind a value. */
static size_t trimmed_len(const h2o_iovec_t *value)
{
    size_t len = value->len;

    while (len > 0 && (value->base[len - 1] == ' ' || value->base[len - 1] == '\t'))
        len--;
    return len;
}

static void copy_headers(struct call *call, const h2o_req_t *req)
{
    size_t n = req->headers.size;
    struct http_header *headers = arena_alloc(&call->arena, (n + 1) * sizeof *headers);

    for (size_t i = 0; i < n; i++) {
        const h2o_header_t *header = &req->headers.entries[i];
        headers[i].name = arena_strndup(&call->arena, header->name->base, header->name->len);
        headers[i].value = arena_strndup(&call->arena, header->value.base, trimmed_len(&header->value));
    }
    call->pub.headers = headers;
    call->pub.n_headers = n;
}

static void copy_target(struct call *call, const h2o_req_t *req)
{
    char *path = arena_strndup(&call->arena, req->input.path.base, req->input.path.len);
    char *query = strchr(path, '?');

    if (query != NULL)
        *query++ = '\0';
    call->pub.path = path;
    call->pub.query = query;
    call->pub.method = arena_strndup(&call->arena, req->input.method.base, req->input.method.len);
    call->pub.host = arena_strndup(&call->arena, req->input.authority.base, req->input.authority.len);
    call->pub.is_head = strcmp(call->pub.method, "HEAD") == 0;
}

/* What was too large for memory h2o has put into a file: that is taken over as it is, with the map's first bytes. */
static bool take_body_file(struct call *call, const h2o_req_t *req, const h2o_buffer_t *input)
{
    int fd = input->_fd >= 0 ? dup(input->_fd) : -1;

    if (fd < 0)
        return false;
    call->pub.body_file = (struct file_range){
        .fd = fd, .offset = (off_t)(req->entity.base - (const char *)input), .size = req->entity.len};
    return true;
}

static void copy_body(struct call *call, const h2o_req_t *req, const struct conn *conn)
{
    call->pub.body_file.fd = -1;
    if (req->entity.len == 0 || (conn->is_upload && take_body_file(call, req, conn->sock->input)))
        return;
    char *body = arena_alloc(&call->arena, req->entity.len + 1);
    memcpy(body, req->entity.base, req->entity.len);
    call->pub.body = body;
    call->pub.body_len = req->entity.len;
}

int http_format_address(const struct sockaddr_storage *address, char *ret, size_t size)
{
    const struct sockaddr_in *v4 = (const void *)address;
    const struct sockaddr_in6 *v6 = (const void *)address;

    ret[0] = '\0';
    if (address->ss_family == AF_INET) {
        (void)inet_ntop(AF_INET, &v4->sin_addr, ret, (socklen_t)size);
        return ntohs(v4->sin_port);
    }
    if (address->ss_family != AF_INET6)
        return 0;
    if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
        (void)inet_ntop(AF_INET, &v6->sin6_addr.s6_addr[12], ret, (socklen_t)size);
    else
        (void)inet_ntop(AF_INET6, &v6->sin6_addr, ret, (socklen_t)size);
    return ntohs(v6->sin6_port);
}

static void copy_peer(struct http_call *pub, h2o_req_t *req)
{
    struct sockaddr_storage peer = {0};

    if (req->conn->callbacks->get_peername(req->conn, (struct sockaddr *)&peer) != 0)
        pub->remote_port = http_format_address(&peer, pub->remote_addr, sizeof pub->remote_addr);
}

/*
 * h2o keeps the bytes of a request until its reply is out, and its buffers and pools are recycled as they are. What
 * may hold a secret is wiped as soon as we have our copy: the header lines, the body, and what decoding left behind it.
 */
static void wipe_request(h2o_req_t *req, h2o_socket_t *sock, bool is_upload)
{
    h2o_buffer_t *input = sock->input;
    char *lines = memchr(input->bytes + 1, '\n', input->size - 1);
    char *end = memmem(input->bytes, input->size, "\r\n\r\n", 4);

    for (size_t i = 0; i < req->headers.size; i++)
        secret_wipe(req->headers.entries[i].value.base, req->headers.entries[i].value.len);
    if (lines != NULL && end != NULL && end > lines)
        secret_wipe(lines, (size_t)(end - lines));
    if (req->entity.len == 0 || is_upload)
        return;
    secret_wipe(req->entity.base, req->entity.len);
    secret_wipe(input->bytes + input->size, (size_t)(input->_buf + input->capacity - (input->bytes + input->size)));
}

static struct call *call_new(struct conn *conn, h2o_req_t *req)
{
    struct call *call = calloc(1, sizeof *call);

    if (call == NULL)
        abort();
    arena_init(&call->arena);
    call->worker = conn->worker;
    call->worker->n_calls++;
    call->answered.run = call_answer;
    call->reply.file.fd = -1;
    copy_headers(call, req);
    copy_target(call, req);
    copy_body(call, req, conn);
    copy_peer(&call->pub, req);
    call->pub.arrived_ms = clock_steady_ms();
    call->pub.listener = (size_t)(conn->listener - conn->worker->server->listeners);
    call->req = req;
    call->guard = h2o_mem_alloc_shared(&req->pool, sizeof *call->guard, on_request_gone);
    *call->guard = (struct guard){.call = call, .conn = conn};
    conn->call = call;
    return call;
}

/* ---- From h2o to the handler ---- */

bool call_shows_token(const h2o_req_t *req)
{
    for (size_t i = 0; i < req->headers.size; i++) {
        const h2o_iovec_t *name = req->headers.entries[i].name;
        if (h2o_memis(name->base, name->len, H2O_STRLIT("x-vault-token")) ||
            h2o_memis(name->base, name->len, H2O_STRLIT("authorization")))
            return true;
    }
    return false;
}

/* The token that a request shows; NULL when it shows none. */
static const char *shown_token(const h2o_req_t *req, struct arena *arena)
{
    static const char bearer[] = "Bearer ";
    const char *found = NULL;

    for (size_t i = 0; i < req->headers.size; i++) {
        const h2o_header_t *header = &req->headers.entries[i];
        size_t len = trimmed_len(&header->value);
        if (h2o_memis(header->name->base, header->name->len, H2O_STRLIT("x-vault-token")))
            found = arena_strndup(arena, header->value.base, len);
        else if (found == NULL && h2o_memis(header->name->base, header->name->len, H2O_STRLIT("authorization")) &&
                 len >= sizeof bearer && memcmp(header->value.base, bearer, sizeof bearer - 1) == 0)
            found = arena_strndup(arena, header->value.base + sizeof bearer - 1, len - sizeof bearer + 1);
    }
    return found;
}

int call_ask_upload(struct conn *conn, h2o_req_t *req, struct arena *arena, const char **ret_location)
{
    const struct http_server *server = conn->worker->server;

    if (server->uploads == NULL)
        return 413;
    char *path = arena_strndup(arena, req->input.path.base, req->input.path.len);
    path[strcspn(path, "?")] = '\0';
    struct http_call peer = {.remote_port = 0};
    copy_peer(&peer, req);
    struct http_upload upload = {.path = path,
                                 .remote_addr = peer.remote_addr,
                                 .method = arena_strndup(arena, req->input.method.base, req->input.method.len),
                                 .token = shown_token(req, arena),
                                 .size = conn->sock->input->capacity};
    int status = server->uploads->may_upload(server->handler_ctx, &upload, arena, ret_location);
    conn->is_upload = status == 0;
    return status;
}

static void take_call(struct conn *conn, h2o_req_t *req)
{
    const struct http_server *server = conn->worker->server;
    struct call *call = call_new(conn, req);

    wipe_request(req, conn->sock, conn->is_upload);
    conn->is_upload = false;
    server->handler(server->handler_ctx, &call->pub);
}

static void take_large_call(struct conn *conn, h2o_req_t *req)
{
    struct arena arena;
    const char *location = NULL;

    arena_init(&arena);
    int status = call_ask_upload(conn, req, &arena, &location);
    if (status == 0) {
        take_call(conn, req);
    } else {
        wipe_request(req, conn->sock, false);
        reply_refuse_to(req, status, location);
    }
    arena_close(&arena);
}

static int on_request(h2o_handler_t *self, h2o_req_t *req)
{
    struct conn *conn = conn_of(req);
    size_t body_max = conn->listener->body_max;
    const char *problem = http_head_problem(conn->sock->input->bytes, conn->sock->input->size);

    (void)self;
    conn->requests++;
    if (!call_shows_token(req) && body_max > HTTP_BODY_MAX_ANONYMOUS)
        body_max = HTTP_BODY_MAX_ANONYMOUS;
    if (problem != NULL) {
        reply_refuse(req, 400, problem);
    } else if (req->entity.len > body_max) {
        take_large_call(conn, req);
    } else {
        conn->is_upload = false;
        take_call(conn, req);
    }
    return 0;
}

void call_register(h2o_hostconf_t *host)
{
    h2o_pathconf_t *path = h2o_config_register_path(host, "/", 0);
    h2o_handler_t *handler = h2o_create_handler(path, sizeof *handler);

    handler->on_req = on_request;
    /* What is no path for h2o ("*", absolute forms) is for our handler to refuse. */
    handler = h2o_create_handler(&host->fallback_path, sizeof *handler);
    handler->on_req = on_request;
}

/* ---- The public side ---- */

const char *http_call_header(const struct http_call *call, const char *lower_name)
{
    for (size_t i = 0; i < call->n_headers; i++) {
        if (strcmp(call->headers[i].name, lower_name) == 0)
            return call->headers[i].value;
    }
    return NULL;
}

void http_call_add_header(struct http_call *pub, const char *name, const char *value)
{
    struct call *call = H2O_STRUCT_FROM_MEMBER(struct call, pub, pub);

    assert(call->n_added < HTTP_ADDED_MAX);
    call->added[call->n_added++] =
        (struct http_header){.name = arena_strdup(&call->arena, name), .value = arena_strdup(&call->arena, value)};
}

static void copy_headers_of_reply(struct call *call, const struct http_reply *reply)
{
    struct arena *arena = &call->arena;
    struct http_header *headers = arena_alloc(arena, (reply->n_headers + call->n_added + 1) * sizeof *headers);

    for (size_t i = 0; i < reply->n_headers; i++) {
        headers[i].name = arena_strdup(arena, reply->headers[i].name);
        headers[i].value = arena_strdup(arena, reply->headers[i].value);
    }
    for (size_t i = 0; i < call->n_added; i++)
        headers[reply->n_headers + i] = call->added[i];
    call->reply.headers = headers;
    call->reply.n_headers = reply->n_headers + call->n_added;
}

static void copy_reply(struct call *call, const struct http_reply *reply)
{
    struct arena *arena = &call->arena;
    const char *type = reply->content_type != NULL ? reply->content_type : "application/json";

    call->reply = (struct reply){.status = reply->status};
    call->reply.content_type = *type != '\0' ? arena_strdup(arena, type) : NULL;
    copy_headers_of_reply(call, reply);
    call->reply.file = reply->file != NULL ? *reply->file : (struct file_range){.fd = -1};
    if (reply->body != NULL)
        call->reply.body = reply_body_new(reply->body, reply->body_len);
}

void http_reply(struct http_call *pub, const struct http_reply *reply)
{
    struct call *call = H2O_STRUCT_FROM_MEMBER(struct call, pub, pub);

    copy_reply(call, reply);
    if (worker_is_current(call->worker))
        call_answer(&call->answered);
    else
        worker_send(call->worker, &call->answered);
}

void http_take_time(struct http_call *pub)
{
    H2O_STRUCT_FROM_MEMBER(struct call, pub, pub)->takes_time = true;
}

struct posted {
    struct message message;
    void (*fn)(void *arg);
    void *arg;
};

static void run_posted(struct message *message)
{
    struct posted *posted = H2O_STRUCT_FROM_MEMBER(struct posted, message, message);

    posted->fn(posted->arg);
    free(posted);
}

void http_post(struct http_call *pub, void (*fn)(void *arg), void *arg)
{
    struct call *call = H2O_STRUCT_FROM_MEMBER(struct call, pub, pub);
    struct posted *posted = calloc(1, sizeof *posted);

    if (posted == NULL)
        abort();
    *posted = (struct posted){.message = {.run = run_posted}, .fn = fn, .arg = arg};
    worker_send(call->worker, &posted->message);
}
