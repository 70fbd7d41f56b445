/* SPDX-License-Identifier: Apache-2.0 */
/*
 * role_check.c — which parts of a role go together. A table says for which credential types each part has a meaning;
 * a part that would be ignored is refused, because who wrote it believes that it limits something.
 */
#include <string.h>

#include "base/json.h"
#include "secrets/aws/aws_private.h"

enum {
    IAM_USER = 1 << 0,
    ASSUMED_ROLE = 1 << 1,
    FEDERATION_TOKEN = 1 << 2,
    SESSION_TOKEN = 1 << 3,
    STS = ASSUMED_ROLE | FEDERATION_TOKEN | SESSION_TOKEN,
};

static const struct {
    const char *name;
    unsigned bit;
} types[] = {
    {"iam_user", IAM_USER},
    {"assumed_role", ASSUMED_ROLE},
    {"federation_token", FEDERATION_TOKEN},
    {"session_token", SESSION_TOKEN},
};

static const struct {
    const char *part;
    unsigned allowed;
    const char *only; /* as the sentence says it */
} uses[] = {
    {"role_arns", ASSUMED_ROLE, "assumed_role"},
    {"policy_arns", IAM_USER | ASSUMED_ROLE | FEDERATION_TOKEN, "iam_user, assumed_role or federation_token"},
    {"policy_document", IAM_USER | ASSUMED_ROLE | FEDERATION_TOKEN, "iam_user, assumed_role or federation_token"},
    {"iam_groups", IAM_USER, "iam_user"},
    {"iam_tags", IAM_USER, "iam_user"},
    {"user_path", IAM_USER, "iam_user"},
    {"permissions_boundary_arn", IAM_USER, "iam_user"},
    {"default_sts_ttl", STS, "assumed_role, federation_token or session_token"},
    {"max_sts_ttl", STS, "assumed_role, federation_token or session_token"},
    {"session_tags", ASSUMED_ROLE, "assumed_role"},
    {"external_id", ASSUMED_ROLE, "assumed_role"},
    {"mfa_serial_number", SESSION_TOKEN, "session_token"},
};

static bool has(const json_t *role, const char *part)
{
    const json_t *value = json_object_get(role, part);
    return json_array_size(value) + json_object_size(value) + json_string_length(value) > 0 ||
           json_integer_value(value) != 0;
}

static int read_types(const json_t *role, unsigned *ret_bits, struct err *err)
{
    const json_t *list = json_list_at(role, "credential_types");
    *ret_bits = 0;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));
        unsigned bit = 0;
        for (size_t t = 0; t < sizeof types / sizeof types[0]; t++)
            bit |= strcmp(types[t].name, name) == 0 ? types[t].bit : 0;
        if (bit == 0)
            return err_set(err, ERR_INVALID, "unrecognized credential_type: \"%.64s\"", name);
        *ret_bits |= bit;
    }
    if (*ret_bits == 0)
        return err_set(err, ERR_INVALID,
                       "credential_type is required: iam_user, assumed_role, federation_token or session_token");
    return OK;
}

/* arn:partition:service:region:account:resource */
static bool is_arn(const char *text, const char *resource)
{
    int colons = 0;
    for (const char *at = text; *at != '\0'; at++)
        colons += *at == ':';
    return strncmp(text, "arn:", 4) == 0 && colons >= 5 && strlen(text) <= 2048 && strstr(text, resource) != NULL;
}

static int check_arns(const json_t *role, const char *part, const char *resource, struct err *err)
{
    const json_t *list = json_list_at(role, part);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *arn = json_string_value(json_array_get(list, i));
        if (!is_arn(arn, resource))
            return err_set(err, ERR_INVALID, "%s: \"%.200s\" is no ARN of a %s", part, arn,
                           strcmp(resource, ":role/") == 0 ? "role" : "policy");
    }
    return OK;
}

static int check_texts(const json_t *role, struct err *err)
{
    const char *path = json_str(role, "user_path", ""), *boundary = json_str(role, "permissions_boundary_arn", "");
    size_t len = strlen(path);
    if (len > 0 && (path[0] != '/' || path[len - 1] != '/' || len > 512))
        return err_set(err, ERR_INVALID, "user_path must begin and end with a slash");
    if (*boundary != '\0' && !is_arn(boundary, "policy/"))
        return err_set(err, ERR_INVALID, "permissions_boundary_arn is no ARN of a policy");
    int64_t ttl = json_int(role, "default_sts_ttl", 0), most = json_int(role, "max_sts_ttl", 0);
    if (ttl < 0 || most < 0)
        return err_set(err, ERR_INVALID, "default_sts_ttl and max_sts_ttl must not be negative");
    if (most > 0 && ttl > most)
        return err_set(err, ERR_INVALID, "default_sts_ttl must not be longer than max_sts_ttl");
    return OK;
}

static int check_needs(const json_t *role, unsigned bits, struct err *err)
{
    bool has_policy = has(role, "policy_document") || has(role, "policy_arns");
    if ((bits & ASSUMED_ROLE) && !has(role, "role_arns"))
        return err_set(err, ERR_INVALID, "role_arns is required for credential_type assumed_role");
    if ((bits & IAM_USER) && !has_policy && !has(role, "iam_groups"))
        return err_set(err, ERR_INVALID,
                       "credential_type iam_user needs a policy: policy_document, policy_arns or iam_groups");
    if ((bits & FEDERATION_TOKEN) && !has_policy)
        return err_set(err, ERR_INVALID,
                       "credential_type federation_token needs a policy: policy_document or policy_arns");
    return OK;
}

int aws_role_check(const json_t *role, struct err *err)
{
    unsigned bits;
    int rc = read_types(role, &bits, err);
    for (size_t i = 0; rc == OK && i < sizeof uses / sizeof uses[0]; i++) {
        if (has(role, uses[i].part) && (uses[i].allowed & bits) == 0)
            rc = err_set(err, ERR_INVALID, "%s is only valid for credential_type %s", uses[i].part, uses[i].only);
    }
    if (rc == OK)
        rc = check_needs(role, bits, err);
    if (rc == OK)
        rc = check_arns(role, "role_arns", ":role/", err);
    if (rc == OK)
        rc = check_arns(role, "policy_arns", "policy/", err);
    return rc == OK ? check_texts(role, err) : rc;
}
