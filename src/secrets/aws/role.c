/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "secrets/aws/aws_private.h"

const struct field aws_role_fields[] = {
    {"credential_type", FIELD_STRING, "iam_user, assumed_role, federation_token or session_token."},
    {"role_arns", FIELD_LIST, "ARNs of the roles that may be assumed (assumed_role)."},
    {"policy_arns", FIELD_LIST, "ARNs of managed policies to attach, or to limit a session by."},
    {"policy_document", FIELD_STRING, "A policy as JSON."},
    {"iam_groups", FIELD_LIST, "Groups that the user joins (iam_user)."},
    {"iam_tags", FIELD_KV, "Tags of the user (iam_user)."},
    {"default_sts_ttl", FIELD_DURATION, "How long a session lasts unless another time is asked for."},
    {"max_sts_ttl", FIELD_DURATION, "How long a session may last."},
    {"user_path", FIELD_STRING, "IAM path of the user (iam_user)."},
    {"permissions_boundary_arn", FIELD_STRING, "ARN of the policy that bounds what the user may (iam_user)."},
    {"session_tags", FIELD_KV, "Tags of the session (assumed_role)."},
    {"external_id", FIELD_STRING, "External id that the assumed role asks for (assumed_role)."},
    {"mfa_serial_number", FIELD_STRING, "MFA device of our own user (session_token)."},
    {"policy", FIELD_STRING, "Old name of policy_document."},
    {"arn", FIELD_STRING, "Old form of role_arns and policy_arns."},
    {0},
};

/* How a role is stored, and what stands where nothing was given. Reading it back shows the same. */
static const struct {
    const char *name;
    enum field_type type;
} parts[] = {
    {"policy_arns", FIELD_LIST},     {"role_arns", FIELD_LIST},
    {"iam_groups", FIELD_LIST},      {"iam_tags", FIELD_KV},
    {"session_tags", FIELD_KV},      {"default_sts_ttl", FIELD_DURATION},
    {"max_sts_ttl", FIELD_DURATION}, {"policy_document", FIELD_STRING},
    {"user_path", FIELD_STRING},     {"permissions_boundary_arn", FIELD_STRING},
    {"external_id", FIELD_STRING},   {"mfa_serial_number", FIELD_STRING},
};

static json_t *role_new(void)
{
    json_t *role = json_object();
    json_object_set_new(role, "credential_types", json_array());
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        json_t *nothing = parts[i].type == FIELD_STRING     ? json_string("")
                          : parts[i].type == FIELD_DURATION ? json_integer(0)
                                                            : json_null();
        json_object_set_new(role, parts[i].name, nothing);
    }
    return role;
}

static const char *role_path(struct request *req, const char *name)
{
    return arena_printf(&req->arena, "roles/%s", name);
}

bool aws_role_makes(const json_t *role, const char *credential_type)
{
    return json_list_has(json_list_at(role, "credential_types"), credential_type);
}

int aws_role_get(struct request *req, const char *name, json_t **ret_role)
{
    int rc = mount_get(req, role_path(req, name), ret_role);
    if (rc == ERR_NOTFOUND)
        return fail(req, ERR_INVALID, "Role '%s' not found", name);
    if (rc == OK)
        request_own(req, *ret_role);
    return rc;
}

int aws_role_exists(struct request *req, bool *ret_exists)
{
    json_t *role;
    int rc = mount_get(req, role_path(req, capture(req, "name")), &role);
    *ret_exists = rc == OK;
    if (rc == OK)
        json_decref(role);
    return rc == ERR_NOTFOUND ? OK : rc;
}

int aws_roles_list(struct request *req)
{
    json_t *names;
    int rc = mount_list(req, "roles/", &names);
    return rc == OK ? reply_keys(req, names) : rc;
}

static json_t *joined(const json_t *list)
{
    char text[256] = "";
    for (size_t i = 0; i < json_array_size(list); i++) {
        size_t len = strlen(text);
        snprintf(text + len, sizeof text - len, "%s%s", i > 0 ? "," : "", json_string_value(json_array_get(list, i)));
    }
    return json_string(text);
}

int aws_role_read(struct request *req)
{
    json_t *role;
    int rc = mount_get(req, role_path(req, capture(req, "name")), &role);
    if (rc != OK)
        return rc;
    json_object_set_new(role, "credential_type", joined(json_list_at(role, "credential_types")));
    json_object_del(role, "credential_types");
    reply_data(req, role);
    return OK;
}

int aws_role_delete(struct request *req)
{
    return mount_delete(req, role_path(req, capture(req, "name")));
}

/* ---- Writing ---- */

static json_t *value_given(struct request *req, size_t part)
{
    const char *name = parts[part].name;
    if (parts[part].type == FIELD_STRING)
        return json_string(field_str(req, name, ""));
    if (parts[part].type == FIELD_DURATION)
        return json_integer(field_int(req, name, 0));
    json_t *value = field_json(req, name);
    return json_array_size(value) + json_object_size(value) > 0 ? json_incref(value) : json_null();
}

/* What Vault's first version took: `policy`, or one `arn`, and no credential type. */
static void take_old_form(struct request *req, json_t *role)
{
    const char *policy = field_str(req, "policy", ""), *arn = field_str(req, "arn", "");
    json_t *types = NULL;

    if (*policy != '\0') {
        json_object_set_new(role, "policy_document", json_string(policy));
        types = json_pack("[s, s]", "iam_user", "federation_token");
    } else if (strstr(arn, ":role/") != NULL) {
        json_object_set_new(role, "role_arns", json_pack("[s]", arn));
        types = json_pack("[s]", "assumed_role");
    } else if (*arn != '\0') {
        json_object_set_new(role, "policy_arns", json_pack("[s]", arn));
        types = json_pack("[s]", "iam_user");
    }
    if (types != NULL)
        json_object_set_new(role, "credential_types", types);
}

static int take_policy_document(struct request *req, json_t *role)
{
    const char *document = json_str(role, "policy_document", ""), *compact;
    struct err err = {0};
    if (*document == '\0')
        return OK;
    if (aws_policy_compact(&req->arena, document, &compact, &err) != OK)
        return fail_with(req, &err);
    json_object_set_new(role, "policy_document", json_string(compact));
    return OK;
}

int aws_role_write(struct request *req)
{
    const char *path = role_path(req, capture(req, "name"));
    struct err err = {0};
    json_t *role;

    int rc = mount_get(req, path, &role);
    if (rc == ERR_NOTFOUND)
        role = role_new();
    else if (rc != OK)
        return rc;
    request_own(req, role);
    take_old_form(req, role);
    if (field_given(req, "credential_type"))
        json_object_set_new(role, "credential_types", json_pack("[s]", field_str(req, "credential_type", "")));
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (field_given(req, parts[i].name))
            json_object_set_new(role, parts[i].name, value_given(req, i));
    }
    rc = take_policy_document(req, role);
    if (rc != OK)
        return rc;
    if (aws_role_check(role, &err) != OK)
        return fail_with(req, &err);
    return mount_put(req, path, role);
}
