/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wrapping.c — sys/wrapping/: wrapping what the caller sends, and taking out, looking at and passing on what is
 * wrapped.
 */
#include "core/request/request.h"
#include "core/request/wrapping.h"
#include "sys/handlers.h"

const struct field sys_wrapping_fields[] = {
    {"token", FIELD_STRING, "The wrapping token; none: the calling one."},
    {0},
};

int sys_wrapping_wrap(struct request *req)
{
    if (req->wrap_ttl_s == 0)
        return fail(req, ERR_INVALID, "endpoint requires response wrapping to be used");
    reply_data(req, json_incref(request_data(req)));
    return OK;
}

int sys_wrapping_lookup(struct request *req)
{
    struct wrapped wrapped;
    int rc = wrapping_describe(req, &wrapped);
    if (rc == OK)
        reply_data(req, json_pack("{s:s, s:s, s:I}", "creation_path", wrapped.creation_path, "creation_time",
                                  wrapped.creation_time, "creation_ttl", (json_int_t)wrapped.ttl_s));
    return rc;
}

/* The audit log has the parts of the answer; the client has the text, untouched. */
static void show_parts(struct request *req, const char *body)
{
    json_t *envelope = json_loads(body, 0, NULL);
    json_t *data = json_object_get(envelope, "data"), *auth = json_object_get(envelope, "auth");
    if (data != NULL)
        reply_data(req, json_incref(data));
    if (json_is_object(auth))
        req->auth_reply = json_incref(auth);
    json_decref(envelope);
}

int sys_wrapping_unwrap(struct request *req)
{
    struct wrapped wrapped;
    int rc = wrapping_open(req, &wrapped);
    if (rc != OK || wrapped.body[0] == '\0')
        return rc;
    if (wrapped.content_type == NULL)
        show_parts(req, wrapped.body);
    reply_copy(req, wrapped.status, wrapped.content_type, wrapped.body);
    return OK;
}

int sys_wrapping_rewrap(struct request *req)
{
    struct wrapped wrapped;
    int rc = wrapping_open(req, &wrapped);
    if (rc == OK)
        wrapping_again(req, &wrapped);
    return rc;
}
