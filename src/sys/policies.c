/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policies.c — sys/policy (the old form), sys/policies/acl, sys/capabilities.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/encoding.h"
#include "base/json.h"
#include "core/policy/policy.h"
#include "core/request/request.h"
#include "core/token/token.h"
#include "sys/handlers.h"

const struct field sys_policy_fields[] = {
    {"policy", FIELD_STRING, "The rules, in HCL or JSON, or the base64 of them."},
    {"rules", FIELD_STRING, "The old name of `policy`."},
    {0},
};

const struct field sys_capabilities_fields[] = {
    {"token", FIELD_STRING, "The token to ask about."},
    {"accessor", FIELD_STRING, "The accessor of the token to ask about."},
    {"path", FIELD_LIST, "Paths; the old name of `paths`."},
    {"paths", FIELD_LIST, "Paths."},
    {0},
};

int sys_policy_list(struct request *req)
{
    json_t *names;
    int rc = policy_list(req, &names);
    if (rc == OK)
        reply_data(req, json_pack("{s:o, s:O}", "keys", names, "policies", names));
    return rc;
}

int sys_policies_acl_list(struct request *req)
{
    json_t *names, *name;
    const char *prefix = capture(req, "name");
    size_t i;
    int rc = policy_list(req, &names);
    if (rc != OK)
        return rc;
    json_t *below = json_array();
    json_array_foreach(names, i, name)
    {
        if (prefix == NULL || strncmp(json_string_value(name), prefix, strlen(prefix)) == 0)
            json_array_append(below, name);
    }
    json_decref(names);
    return reply_keys(req, below);
}

/* Names are the same in any case of letters. */
static const char *policy_of(struct request *req)
{
    char *name = arena_strdup(&req->arena, capture(req, "name"));
    for (char *c = name; *c != '\0'; c++)
        *c = (char)tolower((unsigned char)*c);
    return name;
}

static int read_as(struct request *req, const char *text_name)
{
    const char *name = policy_of(req), *text;
    int rc = policy_read(req, name, &text);
    if (rc == OK)
        reply_data(req, json_pack("{s:s, s:s}", "name", name, text_name, text));
    return rc;
}

int sys_policy_read(struct request *req)
{
    return read_as(req, "rules");
}

int sys_policies_acl_read(struct request *req)
{
    return read_as(req, "policy");
}

/* A text that is the base64 of a policy stands for it. */
static const char *decoded(struct request *req, const char *text)
{
    size_t size;
    unsigned char *bytes = arena_alloc(&req->arena, strlen(text) + 4);
    if (strpbrk(text, " {\"\n") != NULL || base64_decode(text, bytes, &size) != OK || memchr(bytes, 0, size) != NULL)
        return text;
    bytes[size] = '\0';
    return (const char *)bytes;
}

int sys_policy_write(struct request *req)
{
    const char *name = policy_of(req), *text = field_str(req, "policy", field_str(req, "rules", ""));
    if (text[0] == '\0')
        return fail(req, ERR_INVALID, "'policy' parameter not supplied or empty");
    if (!field_given(req, "policy"))
        reply_warn(req, "'rules' is deprecated, please use 'policy' instead");
    return policy_write(req, name, decoded(req, text));
}

int sys_policy_delete(struct request *req)
{
    return policy_delete(req, policy_of(req));
}

/* ---- Capabilities ---- */

static json_t *capability_names(unsigned capabilities)
{
    static const struct {
        unsigned bit;
        const char *name;
    } names[] = {{CAP_CREATE, "create"}, {CAP_DELETE, "delete"}, {CAP_LIST, "list"},    {CAP_PATCH, "patch"},
                 {CAP_READ, "read"},     {CAP_SUDO, "sudo"},     {CAP_UPDATE, "update"}};
    json_t *list = json_array();
    if (capabilities & CAP_ROOT)
        json_array_append_new(list, json_string("root"));
    for (size_t i = 0; i < sizeof names / sizeof names[0] && !(capabilities & (CAP_ROOT | CAP_DENY)); i++)
        if (capabilities & names[i].bit)
            json_array_append_new(list, json_string(names[i].name));
    if (json_array_size(list) == 0)
        json_array_append_new(list, json_string("deny"));
    return list;
}

static int answer_for(struct request *req, const struct token *token)
{
    json_t *paths = field_given(req, "paths") ? field_json(req, "paths") : field_json(req, "path"), *path;
    size_t i;
    if (json_array_size(paths) == 0)
        return fail(req, ERR_INVALID, "paths must be supplied");
    struct acl *acl;
    int rc = policy_acl(req, token->policies, &acl);
    if (rc != OK)
        return rc;
    json_t *data = json_object();
    json_array_foreach(paths, i, path)
    {
        const char *text = json_string_value(path);
        json_t *names = capability_names(acl_capabilities(acl, text + (text[0] == '/'), true));
        json_object_set_new(data, text, names);
        if (json_array_size(paths) == 1)
            json_object_set(data, "capabilities", names);
    }
    acl_unref(acl);
    reply_data(req, data);
    return OK;
}

int sys_capabilities(struct request *req)
{
    struct token *token;
    int rc = token_lookup(req, field_str(req, "token", ""), &token);
    if (rc == ERR_DENIED)
        return fail(req, ERR_INVALID, "1 error occurred:\n\t* invalid token\n\n");
    return rc == OK ? answer_for(req, token) : rc;
}

int sys_capabilities_self(struct request *req)
{
    return answer_for(req, req->token);
}

int sys_capabilities_accessor(struct request *req)
{
    struct token *token;
    const char *accessor = field_str(req, "accessor", "");
    if (accessor[0] == '\0')
        return fail(req, ERR_INVALID, "missing accessor");
    int rc = token_lookup_accessor(req, accessor, &token);
    return rc == OK ? answer_for(req, token) : rc;
}
