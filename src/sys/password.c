/* SPDX-License-Identifier: Apache-2.0 */
/*
 * password.c — sys/policies/password: policies by which passwords are made.
 */
#include "core/policy/password.h"

#include <string.h>

#include "base/encoding.h"
#include "base/json.h"
#include "core/request/request.h"
#include "sys/handlers.h"

#define POLICY_DIR "password-policy/" /* of sys/'s own storage */

const struct field sys_password_fields[] = {
    {"policy", FIELD_STRING, "The policy, in HCL or JSON, or the base64 of it."},
    {0},
};

/* As the reference words a failure of these paths. */
static int refuse(struct request *req, int code, const char *what)
{
    return fail(req, code, "1 error occurred:\n\t* %s\n\n", what);
}

static const char *path_of(struct request *req)
{
    return arena_printf(&req->arena, POLICY_DIR "%s", capture(req, "name"));
}

/* Of the arena. */
static int load(struct request *req, const char **ret_text)
{
    json_t *record;
    int rc = mount_get(req, path_of(req), &record);
    if (rc == ERR_NOTFOUND)
        return refuse(req, ERR_NOTFOUND, "policy does not exist");
    if (rc != OK)
        return rc;
    *ret_text = arena_strdup(&req->arena, json_str(record, "policy", ""));
    json_decref(record);
    return OK;
}

int sys_password_list(struct request *req)
{
    json_t *names;
    int rc = mount_list(req, POLICY_DIR, &names);
    return rc == OK ? reply_keys(req, names) : rc;
}

int sys_password_read(struct request *req)
{
    const char *text;
    int rc = load(req, &text);
    if (rc == OK)
        reply_data(req, json_pack("{s:s}", "policy", text));
    return rc;
}

/* A text that is the base64 of a policy stands for it. */
static const char *decoded(struct request *req, const char *text)
{
    size_t size;
    unsigned char *bytes = arena_alloc(&req->arena, strlen(text) + 4);
    if (base64_decode(text, bytes, &size) != OK || memchr(bytes, 0, size) != NULL)
        return text;
    return arena_strndup(&req->arena, (const char *)bytes, size);
}

int sys_password_write(struct request *req)
{
    const char *text = decoded(req, field_str(req, "policy", ""));
    struct err err = {0};
    if (text[0] == '\0')
        return refuse(req, ERR_INVALID, "missing policy");
    if (password_policy_check(text, &err) != OK)
        return refuse(req, ERR_INVALID, err_text(&err));
    return mount_put_new(req, path_of(req), json_pack("{s:s}", "policy", text));
}

int sys_password_delete(struct request *req)
{
    return mount_delete(req, path_of(req));
}

int sys_password_generate(struct request *req)
{
    struct buf password = BUF_INIT;
    struct err err = {0};
    const char *text;
    int rc = load(req, &text);
    if (rc != OK)
        return rc;
    rc = password_generate(text, &password, &err);
    if (rc == OK)
        reply_data(req, json_pack("{s:s}", "password", buf_str(&password)));
    buf_close(&password);
    return rc == OK ? OK : refuse(req, rc, err_text(&err));
}
