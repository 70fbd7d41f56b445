/* SPDX-License-Identifier: Apache-2.0 */
/*
 * creds.c — creds/<role> and sts/<role>; and for an IAM user the order of things that leaves none without a lease:
 *
 *     intent     a pending lease that names the user                      commit
 *     outside    the user, its policies and groups, its key
 *     active     the lease counts, and is answered                        the request's own commit
 *
 * What fails in between leaves a pending lease, which is revoked. If every call was answered, the handler cleans up
 * itself, and no lease is left.
 */
#include <string.h>

#include "base/failpoint.h"
#include "base/json.h"
#include "base/log.h"
#include "core/lease/lease.h"
#include "core/token/token.h"
#include "secrets/aws/aws_private.h"
#include "secrets/aws/template.h"

#define USER_NAME_MAX    64
#define SESSION_NAME_MAX 64

const struct field aws_creds_fields[] = {
    {"ttl", FIELD_DURATION, "How long temporary credentials last."},
    {"role_arn", FIELD_STRING, "Which of the role's ARNs to assume, when it has several."},
    {"role_session_name", FIELD_STRING, "Name of the session of an assumed role."},
    {"mfa_code", FIELD_STRING, "Code of the role's MFA device, for a session token."},
    {0},
};

int aws_name_for(struct request *req, const json_t *config, const char *role_name, const char *type,
                 const char **ret_name)
{
    const struct template_vars vars = {
        .type = type, .display_name = req->token != NULL ? req->token->display_name : "", .policy_name = role_name};
    size_t max = strcmp(type, "STS") == 0 ? SESSION_NAME_MAX : USER_NAME_MAX;
    struct err err = {0};
    if (aws_template_name(aws_config_template(config), &vars, max, &req->arena, ret_name, &err) != OK)
        return fail_with(req, &err);
    return OK;
}

static struct aws_user_order order_of(const json_t *role, const char *role_name, const char *user)
{
    return (struct aws_user_order){
        .name = user,
        .path = json_str(role, "user_path", ""),
        .boundary_arn = json_str(role, "permissions_boundary_arn", ""),
        .policy_name = role_name,
        .policy_document = json_str(role, "policy_document", ""),
        .policy_arns = json_list_at(role, "policy_arns"),
        .groups = json_list_at(role, "iam_groups"),
        .tags = json_map_at(role, "iam_tags"),
    };
}

/*
 * Nothing is left to chance where it need not be: if every call was answered, what was made is removed here and now,
 * and so is the lease. Otherwise the worker revokes it, once now and once when nothing can come any more.
 */
static void undo(struct request *req, struct aws_client *client, const struct aws_user_made *made, const char *user)
{
    struct err said = req->err, err = {0};
    int rc = made->may_come_later ? ERR_UPSTREAM : OK;
    if (rc == OK && made->exists)
        rc = aws_user_delete(client, user, &err);
    rc = rc == OK ? lease_cancel(req) : lease_abandon(req);
    if (rc != OK)
        log_info("aws", "what a failed request has made in AWS is left to the next leader: %s", err_text(&req->err));
    req->err = said;
}

static int begin(struct request *req, const char *user)
{
    struct lease_terms terms = {.renewable = true};
    (void)failpoint("aws.before_intent");
    int rc = aws_config_terms(req, &terms.ttl_s, &terms.max_ttl_s);
    if (rc == OK)
        rc = lease_begin(req, &terms, json_pack("{s:s, s:s}", "type", "iam_user", "user", user));
    if (rc == OK && !failpoint("bug.dropped_intent"))
        rc = request_commit(req);
    if (rc == OK)
        (void)failpoint("aws.after_intent");
    return rc;
}

static void reply_key(struct request *req, struct aws_user_made *made)
{
    reply_data(req, json_pack("{s:s, s:s, s:n, s:n}", "access_key", buf_str(&made->access_key), "secret_key",
                              buf_str(&made->secret_key), "security_token", "session_token"));
}

/* After the intent: whatever this returns, no user is left without a lease. */
static int make_user(struct request *req, struct aws_client *client, const struct aws_user_order *order)
{
    struct aws_user_made made;
    struct err err = {0};

    int rc = aws_user_make(client, order, &made, &err);
    if (rc == OK) {
        (void)failpoint("aws.before_activate");
        rc = lease_activate(req);
        if (rc == OK)
            reply_key(req, &made);
    } else {
        rc = aws_fail(req, made.doing, &err);
        undo(req, client, &made, order->name);
    }
    buf_close(&made.access_key);
    buf_close(&made.secret_key);
    return rc;
}

static int issue_user(struct request *req, const char *name, const json_t *role)
{
    struct aws_client *client = NULL;
    const char *user;
    json_t *config;

    int rc = aws_config_get(req, &config);
    if (rc == OK)
        rc = aws_name_for(req, config, name, "IAM", &user);
    if (rc == OK)
        rc = aws_client_open(req, config, &client);
    if (rc == OK)
        rc = begin(req, user);
    if (rc == OK) {
        struct aws_user_order order = order_of(role, name, user);
        rc = make_user(req, client, &order);
    }
    aws_client_free(client);
    return rc;
}

/* A role of the old form makes both; then the path says which. */
static const char *temporary_type(const json_t *role)
{
    static const char *const names[] = {"assumed_role", "federation_token", "session_token"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (aws_role_makes(role, names[i]))
            return names[i];
    }
    return NULL;
}

int aws_creds_make(struct request *req)
{
    const char *name = capture(req, "name");
    json_t *role;
    int rc = aws_role_get(req, name, &role);
    if (rc != OK)
        return rc;
    if (aws_role_makes(role, "iam_user"))
        return issue_user(req, name, role);
    return aws_sts_issue(req, name, role, temporary_type(role));
}

int aws_sts_make(struct request *req)
{
    const char *name = capture(req, "name");
    json_t *role;
    int rc = aws_role_get(req, name, &role);
    if (rc != OK)
        return rc;
    const char *type = temporary_type(role);
    if (type == NULL)
        return fail(req, ERR_INVALID, "role \"%s\" makes IAM users, not temporary credentials; read creds/%s", name,
                    name);
    return aws_sts_issue(req, name, role, type);
}
