/* SPDX-License-Identifier: Apache-2.0 */
#include "api/forward_message.h"

#include <stdio.h>
#include <string.h>

#define VERSION     1
#define HEADERS_MAX 200

/* ---- Writing ---- */

static void put_text(struct buf *buf, const char *text)
{
    buf_put_block(buf, text, strlen(text));
}

static void put_headers(struct buf *buf, const struct http_header *headers, size_t n)
{
    buf_put_u16(buf, (uint16_t)n);
    for (size_t i = 0; i < n; i++) {
        put_text(buf, headers[i].name);
        put_text(buf, headers[i].value);
    }
}

void forward_request_encode(struct buf *buf, const struct http_call *call)
{
    buf_put_u8(buf, VERSION);
    put_text(buf, call->method);
    put_text(buf, call->path);
    buf_put_u8(buf, call->query != NULL);
    put_text(buf, call->query != NULL ? call->query : "");
    put_text(buf, call->remote_addr);
    buf_put_u16(buf, (uint16_t)call->remote_port);
    put_headers(buf, call->headers, call->n_headers);
    buf_put_u32(buf, (uint32_t)call->body_len);
}

void forward_reply_encode(struct buf *buf, enum forward_outcome outcome, const struct http_reply *reply)
{
    buf_put_u8(buf, (uint8_t)outcome);
    buf_put_u16(buf, (uint16_t)reply->status);
    put_text(buf, reply->content_type != NULL ? reply->content_type : "");
    put_headers(buf, reply->headers, reply->n_headers);
    buf_put_u32(buf, (uint32_t)reply->body_len);
}

/* ---- Reading ---- */

/* A text without NUL in it; "" and the reader failed otherwise. */
static const char *get_text(struct reader *reader, struct arena *arena)
{
    size_t len = 0;
    const char *text = reader_block(reader, FORWARD_HEAD_MAX, &len);

    if (text == NULL || memchr(text, '\0', len) != NULL) {
        reader->failed = true;
        return "";
    }
    return arena_strndup(arena, text, len);
}

static const struct http_header *get_headers(struct reader *reader, struct arena *arena, size_t *ret_n)
{
    size_t n = reader_u16(reader);

    *ret_n = 0;
    if (n > HEADERS_MAX) {
        reader->failed = true;
        return NULL;
    }
    struct http_header *headers = arena_alloc(arena, (n + 1) * sizeof *headers);
    for (size_t i = 0; i < n; i++) {
        headers[i].name = get_text(reader, arena);
        headers[i].value = get_text(reader, arena);
    }
    *ret_n = n;
    return headers;
}

static size_t get_body_len(struct reader *reader)
{
    size_t len = reader_u32(reader);

    if (len > FORWARD_BODY_MAX)
        reader->failed = true;
    return len;
}

int forward_request_decode(const void *payload, size_t len, struct arena *arena, struct http_call *ret_call)
{
    struct reader reader = reader_of(payload, len);
    struct http_call call = {.body_file.fd = -1};

    if (reader_u8(&reader) != VERSION)
        return ERR_INVALID;
    call.method = get_text(&reader, arena);
    call.path = get_text(&reader, arena);
    bool has_query = reader_u8(&reader) != 0;
    const char *query = get_text(&reader, arena);
    call.query = has_query ? query : NULL;
    const char *address = get_text(&reader, arena);
    call.remote_port = reader_u16(&reader);
    call.headers = get_headers(&reader, arena, &call.n_headers);
    call.body_len = get_body_len(&reader);
    call.is_head = strcmp(call.method, "HEAD") == 0;
    if (!reader_done(&reader) || strlen(address) >= sizeof call.remote_addr)
        return ERR_INVALID;
    memcpy(call.remote_addr, address, strlen(address) + 1);
    *ret_call = call;
    return OK;
}

int forward_reply_decode(const void *payload, size_t len, struct arena *arena, enum forward_outcome *ret_outcome,
                         struct http_reply *ret_reply)
{
    struct reader reader = reader_of(payload, len);
    struct http_reply reply = {0};
    uint8_t outcome = reader_u8(&reader);

    reply.status = reader_u16(&reader);
    const char *type = get_text(&reader, arena);
    reply.content_type = type[0] != '\0' ? type : NULL;
    reply.headers = get_headers(&reader, arena, &reply.n_headers);
    reply.body_len = get_body_len(&reader);
    bool is_status = reply.status >= 200 && reply.status <= 599;
    if (!reader_done(&reader) || outcome > FORWARD_ANSWERED || (outcome == FORWARD_ANSWERED && !is_status))
        return ERR_INVALID;
    *ret_outcome = (enum forward_outcome)outcome;
    *ret_reply = reply;
    return OK;
}
