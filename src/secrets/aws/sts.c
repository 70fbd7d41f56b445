/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sts.c — temporary credentials. Nothing is left in AWS that could be removed: they end by themselves, and their
 * lease only says when. So there is no intent, and revoking is nothing.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "core/lease/lease.h"
#include "secrets/aws/aws_private.h"

#define TTL_DEFAULT_S       3600
#define FEDERATION_NAME_MAX 32

struct sts_call {
    const char *action;
    const char *result; /* the element of the answer that holds everything */
    const char *arn;    /* below it; or NULL */
    const char *doing;
    struct aws_params params;
};

static int64_t wanted_ttl_s(struct request *req, const json_t *role)
{
    int64_t fallback = json_int(role, "default_sts_ttl", 0), most = json_int(role, "max_sts_ttl", 0);
    int64_t ttl = field_int(req, "ttl", fallback > 0 ? fallback : TTL_DEFAULT_S);
    return most > 0 && ttl > most ? most : ttl;
}

static void limit_session(struct sts_call *call, const json_t *role)
{
    aws_param(&call->params, "Policy", json_str(role, "policy_document", ""));
    aws_param_list(&call->params, "PolicyArns", json_list_at(role, "policy_arns"), ".arn");
}

static int choose_arn(struct request *req, const char *name, const json_t *role, const char **ret_arn)
{
    const json_t *arns = json_list_at(role, "role_arns");
    const char *arn = field_str(req, "role_arn", "");
    if (*arn == '\0' && json_array_size(arns) != 1)
        return fail(req, ERR_INVALID, "role \"%s\" has several role_arns; say which one with role_arn", name);
    if (*arn != '\0' && !json_list_has(arns, arn))
        return fail(req, ERR_INVALID, "role_arn \"%s\" is not among the role_arns of role \"%s\"", arn, name);
    *ret_arn = *arn != '\0' ? arn : json_string_value(json_array_get(arns, 0));
    return OK;
}

static int fill_assume_role(struct request *req, const char *name, const json_t *role, const char *session,
                            struct sts_call *call)
{
    const char *arn = NULL;
    int rc = choose_arn(req, name, role, &arn);
    if (rc != OK)
        return rc;
    call->action = "AssumeRole";
    call->result = "AssumeRoleResult";
    call->arn = "AssumedRoleUser/Arn";
    call->doing = "assuming role";
    aws_param(&call->params, "RoleArn", arn);
    aws_param(&call->params, "RoleSessionName", field_str(req, "role_session_name", session));
    aws_param(&call->params, "ExternalId", json_str(role, "external_id", ""));
    aws_param_tags(&call->params, "Tags", json_map_at(role, "session_tags"));
    limit_session(call, role);
    return OK;
}

static int fill_federation_token(struct request *req, const char *name, const json_t *role, const char *session,
                                 struct sts_call *call)
{
    (void)name;
    if (strlen(session) > FEDERATION_NAME_MAX)
        return fail(req, ERR_INVALID, "the username template makes a name of %zu characters; %d are allowed here",
                    strlen(session), FEDERATION_NAME_MAX);
    call->action = "GetFederationToken";
    call->result = "GetFederationTokenResult";
    call->arn = "FederatedUser/Arn";
    call->doing = "generating STS keys";
    aws_param(&call->params, "Name", session);
    limit_session(call, role);
    return OK;
}

static int fill_session_token(struct request *req, const char *name, const json_t *role, const char *session,
                              struct sts_call *call)
{
    const char *serial = json_str(role, "mfa_serial_number", ""), *code = field_str(req, "mfa_code", "");
    (void)session;
    if (*serial != '\0' && *code == '\0')
        return fail(req, ERR_INVALID, "role \"%s\" has an MFA device; give its mfa_code", name);
    call->action = "GetSessionToken";
    call->result = "GetSessionTokenResult";
    call->doing = "generating STS keys";
    aws_param(&call->params, "SerialNumber", serial);
    aws_param(&call->params, "TokenCode", *serial != '\0' ? code : "");
    return OK;
}

static const char *at(struct request *req, const struct aws_answer *answer, const char *result, const char *path)
{
    return aws_xml_text(answer->xml, arena_printf(&req->arena, "%s/%s", result, path));
}

static int reply_session(struct request *req, const struct sts_call *call, const struct aws_answer *answer)
{
    const char *token = at(req, answer, call->result, "Credentials/SessionToken");
    int64_t end_ns = clock_parse_rfc3339(at(req, answer, call->result, "Credentials/Expiration"));
    int64_t ttl_s = end_ns / 1000000000 - request_time_ns(req) / 1000000000;

    if (end_ns < 0 || ttl_s <= 0)
        return fail(req, ERR_UPSTREAM, "Error %s: the answer does not say until when the credentials are valid",
                    call->doing);
    struct lease_terms terms = {.renewable = false};
    int rc = lease_begin(req, &terms, json_pack("{s:s}", "type", "sts"));
    if (rc != OK)
        return rc;
    lease_set_ttl(req, ttl_s);
    rc = lease_activate(req);
    if (rc == OK)
        reply_data(req, json_pack("{s:s, s:s, s:s, s:s, s:s, s:I}", "access_key",
                                  at(req, answer, call->result, "Credentials/AccessKeyId"), "secret_key",
                                  at(req, answer, call->result, "Credentials/SecretAccessKey"), "security_token", token,
                                  "session_token", token, "arn",
                                  call->arn != NULL ? at(req, answer, call->result, call->arn) : "", "ttl",
                                  (json_int_t)ttl_s));
    return rc;
}

static int send(struct request *req, const json_t *config, struct sts_call *call)
{
    struct aws_client *client;
    struct aws_answer answer;
    struct err err = {0};

    int rc = aws_client_open(req, config, &client);
    if (rc != OK)
        return rc;
    rc = aws_call(client, AWS_STS, call->action, &call->params, 0, &answer, &err);
    rc = rc == OK ? reply_session(req, call, &answer) : aws_fail(req, call->doing, &err);
    aws_answer_close(&answer);
    aws_client_free(client);
    return rc;
}

int aws_sts_issue(struct request *req, const char *name, const json_t *role, const char *credential_type)
{
    static const struct {
        const char *type;
        int (*fill)(struct request *req, const char *name, const json_t *role, const char *session,
                    struct sts_call *call);
    } kinds[] = {{"assumed_role", fill_assume_role},
                 {"federation_token", fill_federation_token},
                 {"session_token", fill_session_token}};
    struct sts_call call = {.params = AWS_PARAMS_INIT};
    const char *session = NULL;
    char seconds[32];
    json_t *config;

    int rc = aws_config_get(req, &config);
    if (rc == OK)
        rc = aws_name_for(req, config, name, "STS", &session);
    for (size_t i = 0; rc == OK && i < sizeof kinds / sizeof kinds[0]; i++) {
        if (credential_type != NULL && strcmp(kinds[i].type, credential_type) == 0)
            rc = kinds[i].fill(req, name, role, session, &call);
    }
    if (rc == OK && call.action == NULL)
        rc = fail(req, ERR_INVALID, "role \"%s\" has no credential_type", name);
    if (rc == OK) {
        snprintf(seconds, sizeof seconds, "%lld", (long long)wanted_ttl_s(req, role));
        aws_param(&call.params, "DurationSeconds", seconds);
        rc = send(req, config, &call);
    }
    aws_params_close(&call.params);
    return rc;
}
