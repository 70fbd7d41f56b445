/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reply.c — what handlers say, and the envelope that clients expect around it.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "core/lease/lease.h"
#include "core/request/request.h"

int fail(struct request *req, int code, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    req->err.code = code;
    vsnprintf(req->err.text, sizeof req->err.text, fmt, args);
    va_end(args);
    return code;
}

int fail_with(struct request *req, const struct err *err)
{
    req->err = *err;
    return err->code;
}

void reply_data(struct request *req, json_t *data)
{
    json_decref(req->reply);
    req->reply = data;
    req->has_reply = true;
}

void reply_text(struct request *req, const char *content_type, char *text)
{
    json_text_free(req->text);
    req->text = text;
    req->content_type = content_type;
}

void reply_copy(struct request *req, int http_status, const char *content_type, const char *text)
{
    struct buf copy = BUF_INIT;
    buf_puts(&copy, text);
    reply_text(req, content_type, buf_detach(&copy));
    reply_status(req, http_status);
}

int reply_keys(struct request *req, json_t *keys)
{
    if (json_array_size(keys) == 0) {
        json_decref(keys);
        return ERR_NOTFOUND;
    }
    reply_data(req, json_pack("{s:o}", "keys", keys));
    return OK;
}

void reply_file(struct request *req, const struct file_range *file, const char *media_type)
{
    req->reply_file = *file;
    req->reply_type = media_type;
}

void reply_status(struct request *req, int http_status)
{
    req->http_status = http_status;
}

void reply_warn(struct request *req, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    if (req->warnings == NULL)
        req->warnings = json_array();
    json_array_append_new(req->warnings, json_string(arena_vprintf(&req->arena, fmt, args)));
    va_end(args);
}

void reply_lease_duration(struct request *req, int64_t seconds)
{
    req->lease_duration_s = seconds;
}

static json_t *or_null(json_t *value)
{
    return value != NULL ? json_incref(value) : json_null();
}

static json_t *envelope(const struct request *req)
{
    bool is_wrapped = req->wrap_info != NULL; /* then nothing else is told, not even which request it was */
    const struct lease *lease = is_wrapped ? NULL : req->lease;
    json_t *body = req->route != NULL && (req->route->flags & ROUTE_INJECT) && json_is_object(req->reply)
                       ? json_copy(req->reply)
                       : json_object();
    json_object_set_new(body, "request_id", json_string(is_wrapped ? "" : req->id));
    json_object_set_new(body, "lease_id", json_string(lease != NULL ? lease->id : ""));
    json_object_set_new(body, "renewable", json_boolean(lease != NULL && lease->renewable));
    json_object_set_new(body, "lease_duration",
                        json_integer(lease != NULL ? lease->ttl_s
                                     : is_wrapped  ? 0
                                                   : req->lease_duration_s));
    json_object_set_new(body, "data", or_null(req->reply));
    json_object_set_new(body, "wrap_info", or_null(req->wrap_info));
    json_object_set_new(body, "warnings", or_null(req->warnings));
    json_object_set_new(body, "auth", or_null(req->auth_reply));
    return body;
}

/* A refusal by policy or token has the form of a list of errors, as clients match on it. */
static json_t *error_body(const struct request *req)
{
    json_t *errors = json_array();
    bool may_be_silent = req->rc == ERR_NOTFOUND || req->rc == ERR_UNSUPPORTED;
    if (!(may_be_silent && req->err.text[0] == '\0'))
        json_array_append_new(errors, json_string(err_text(&req->err)));
    return json_pack("{s:o}", "errors", errors);
}

static char *format_line(json_t *body)
{
    struct buf line = BUF_INIT;
    char *text = json_format(body);
    json_decref(body);
    buf_puts(&line, text);
    buf_puts(&line, "\n");
    json_text_free(text);
    return buf_detach(&line);
}

bool reply_has_body(const struct request *req)
{
    return req->has_reply || req->text != NULL || req->reply_file.fd >= 0 || req->auth_reply != NULL ||
           req->warnings != NULL || req->lease != NULL || req->wrap_info != NULL;
}

char *request_body(struct request *req, int *ret_status)
{
    if (req->redirect != NULL) {
        *ret_status = 307;
        return NULL;
    }
    if (req->rc != OK) {
        *ret_status = req->http_status != 0 ? req->http_status : err_http_status(req->rc);
        return format_line(error_body(req));
    }
    if (req->text != NULL) {
        char *text = req->text;
        req->text = NULL;
        *ret_status = req->http_status != 0 ? req->http_status : 200;
        return text;
    }
    bool has_body = reply_has_body(req);
    *ret_status = req->http_status != 0 ? req->http_status : has_body ? 200 : 204;
    if (!has_body)
        return NULL;
    if (req->wrap_info != NULL)
        return format_line(envelope(req));
    if (req->is_plain || (req->route != NULL && (req->route->flags & ROUTE_PLAIN)))
        return format_line(or_null(req->reply));
    return format_line(envelope(req));
}
