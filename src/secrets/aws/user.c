/* SPDX-License-Identifier: Apache-2.0 */
/*
 * user.c — IAM users: made so that doing it twice is harmless, removed so that nothing is left.
 *
 * IAM is consistent only after a while: right after CreateUser, a call about the user may be told that there is none.
 */
#include <string.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "secrets/aws/aws_private.h"

#define VISIBLE_MS_MAX  10000 /* by when a new user must have become visible */
#define VISIBLE_MS_STEP 500
#define KEY_TRIES       3
#define DRAIN_ROUNDS    20 /* pages of what hangs on a user */

/* ---- Making ---- */

static int create_user(struct aws_client *client, const struct aws_user_order *order, struct aws_user_made *ret,
                       struct err *err)
{
    struct aws_params params = AWS_PARAMS_INIT;
    struct aws_answer answer;

    aws_param(&params, "UserName", order->name);
    aws_param(&params, "Path", order->path);
    aws_param(&params, "PermissionsBoundary", order->boundary_arn);
    aws_param_tags(&params, "Tags", order->tags);
    int rc = aws_call(client, AWS_IAM, "CreateUser", &params, 0, &answer, err);
    /* Ours only if it may be the work of an attempt whose answer was lost: names are random. */
    if (rc == ERR_EXISTS && answer.maybe_done)
        rc = OK;
    ret->exists = rc == OK;
    ret->may_come_later = answer.maybe_done;
    aws_answer_close(&answer);
    aws_params_close(&params);
    return rc;
}

/* Whether AWS does not see the user itself (yet), rather than the policy or group that the call is about. */
static bool is_not_visible(int rc, const char *user, const struct err *err)
{
    return rc == ERR_NOTFOUND && strstr(err_text(err), user) != NULL;
}

static int call_when_visible(struct aws_client *client, const char *action, const char *user, const char *name,
                             const char *value, struct err *err)
{
    int64_t until_ms = clock_steady_ms() + VISIBLE_MS_MAX;
    for (;;) {
        int rc = aws_call_user(client, action, user, name, value, NULL, err);
        if (!is_not_visible(rc, user, err) || clock_steady_ms() >= until_ms)
            return rc;
        if ((rc = aws_client_sleep(client, VISIBLE_MS_STEP)) != OK)
            return err_set(err, rc, "%s", err_default_text(rc));
    }
}

static int put_inline_policy(struct aws_client *client, const struct aws_user_order *order, struct err *err)
{
    int64_t until_ms = clock_steady_ms() + VISIBLE_MS_MAX;
    struct aws_params params = AWS_PARAMS_INIT;
    int rc;

    if (*order->policy_document == '\0')
        return OK;
    aws_param(&params, "UserName", order->name);
    aws_param(&params, "PolicyName", order->policy_name);
    aws_param(&params, "PolicyDocument", order->policy_document);
    do {
        struct aws_answer answer;
        rc = aws_call(client, AWS_IAM, "PutUserPolicy", &params, 0, &answer, err);
        aws_answer_close(&answer);
    } while (is_not_visible(rc, order->name, err) && clock_steady_ms() < until_ms &&
             aws_client_sleep(client, VISIBLE_MS_STEP) == OK);
    aws_params_close(&params);
    return rc;
}

static int call_for_each(struct aws_client *client, const char *action, const char *user, const char *name,
                         const json_t *values, struct err *err)
{
    int rc = OK;
    for (size_t i = 0; rc == OK && i < json_array_size(values); i++)
        rc = call_when_visible(client, action, user, name, json_string_value(json_array_get(values, i)), err);
    return rc;
}

static int create_key(struct aws_client *client, const char *user, struct aws_user_made *ret, bool *ret_maybe_done,
                      struct err *err)
{
    struct aws_params params = AWS_PARAMS_INIT;
    struct aws_answer answer;

    aws_param(&params, "UserName", user);
    int rc = aws_call(client, AWS_IAM, "CreateAccessKey", &params, AWS_ONCE, &answer, err);
    if (rc == OK) {
        buf_clear(&ret->access_key);
        buf_clear(&ret->secret_key);
        buf_puts(&ret->access_key, aws_xml_text(answer.xml, "CreateAccessKeyResult/AccessKey/AccessKeyId"));
        buf_puts(&ret->secret_key, aws_xml_text(answer.xml, "CreateAccessKeyResult/AccessKey/SecretAccessKey"));
        if (ret->access_key.len == 0 || ret->secret_key.len == 0)
            rc = err_set(err, ERR_UPSTREAM, "the answer has no key in it");
    }
    *ret_maybe_done = answer.maybe_done || (rc != OK && answer.xml != NULL);
    aws_answer_close(&answer);
    aws_params_close(&params);
    return rc;
}

int aws_key_make(struct aws_client *client, const char *user, int (*forget)(void *arg, struct err *err), void *arg,
                 struct aws_user_made *ret, struct err *err)
{
    int64_t until_ms = clock_steady_ms() + VISIBLE_MS_MAX;
    for (int lost = 0;;) {
        bool maybe_done;
        int rc = create_key(client, user, ret, &maybe_done, err);
        bool invisible = is_not_visible(rc, user, err) && clock_steady_ms() < until_ms;
        if (rc == OK || (!invisible && (!maybe_done || ++lost == KEY_TRIES)))
            return rc;
        rc = invisible ? aws_client_sleep(client, VISIBLE_MS_STEP) : forget(arg, err);
        if (rc != OK)
            return invisible ? err_set(err, rc, "%s", err_default_text(rc)) : rc;
    }
}

struct owner {
    struct aws_client *client;
    const char *user;
};

static int delete_all_keys(void *arg, struct err *err);

static int give_rights(struct aws_client *client, const struct aws_user_order *order, const char **ret_doing,
                       struct err *err)
{
    *ret_doing = "putting the user's policy";
    int rc = put_inline_policy(client, order, err);
    if (rc != OK)
        return rc;
    *ret_doing = "attaching a policy to the user";
    rc = call_for_each(client, "AttachUserPolicy", order->name, "PolicyArn", order->policy_arns, err);
    if (rc != OK)
        return rc;
    *ret_doing = "adding the user to a group";
    return call_for_each(client, "AddUserToGroup", order->name, "GroupName", order->groups, err);
}

int aws_user_make(struct aws_client *client, const struct aws_user_order *order, struct aws_user_made *ret,
                  struct err *err)
{
    struct owner owner = {.client = client, .user = order->name};

    *ret = (struct aws_user_made){.doing = "creating IAM user"};
    int rc = create_user(client, order, ret, err);
    if (rc != OK)
        return rc;
    (void)failpoint("aws.after_create_user");
    rc = give_rights(client, order, &ret->doing, err);
    if (rc != OK)
        return rc;
    (void)failpoint("aws.after_policy");
    ret->doing = "creating access keys";
    rc = aws_key_make(client, order->name, delete_all_keys, &owner, ret, err);
    if (rc == OK)
        (void)failpoint("aws.after_create_key");
    return rc;
}

/* ---- Removing ---- */

struct hanger {                      /* something that hangs on a user */
    const char *list, *members, *id; /* how to find it: the action, the list in its answer, what names a member */
    const char *remove, *param;
};

static const struct hanger keys = {"ListAccessKeys", "ListAccessKeysResult/AccessKeyMetadata", "AccessKeyId",
                                   "DeleteAccessKey", "AccessKeyId"};

/* What we gave it ourselves. */
static const struct hanger ours[] = {
    {"ListUserPolicies", "ListUserPoliciesResult/PolicyNames", NULL, "DeleteUserPolicy", "PolicyName"},
    {"ListAttachedUserPolicies", "ListAttachedUserPoliciesResult/AttachedPolicies", "PolicyArn", "DetachUserPolicy",
     "PolicyArn"},
    {"ListGroupsForUser", "ListGroupsForUserResult/Groups", "GroupName", "RemoveUserFromGroup", "GroupName"},
};

/* What somebody may have given it since; only looked for when the user cannot be deleted. */
static const struct hanger others[] = {
    {"ListSigningCertificates", "ListSigningCertificatesResult/Certificates", "CertificateId",
     "DeleteSigningCertificate", "CertificateId"},
    {"ListSSHPublicKeys", "ListSSHPublicKeysResult/SSHPublicKeys", "SSHPublicKeyId", "DeleteSSHPublicKey",
     "SSHPublicKeyId"},
    {"ListServiceSpecificCredentials", "ListServiceSpecificCredentialsResult/ServiceSpecificCredentials",
     "ServiceSpecificCredentialId", "DeleteServiceSpecificCredential", "ServiceSpecificCredentialId"},
    {"ListMFADevices", "ListMFADevicesResult/MFADevices", "SerialNumber", "DeactivateMFADevice", "SerialNumber"},
};

static int remove_members(struct aws_client *client, const char *user, const struct hanger *hanger,
                          const struct aws_xml *xml, struct err *err)
{
    const char *id;
    for (size_t i = 0; (id = aws_xml_member(xml, hanger->members, i, hanger->id)) != NULL; i++) {
        int rc = aws_call_user(client, hanger->remove, user, hanger->param, id, NULL, err);
        if (rc != OK && rc != ERR_NOTFOUND)
            return rc;
    }
    return OK;
}

static bool is_truncated(const struct aws_xml *xml, const struct hanger *hanger)
{
    char path[128] = "";
    size_t len = strcspn(hanger->members, "/");
    memcpy(path, hanger->members, len);
    strcpy(path + len, "/IsTruncated");
    return strcmp(aws_xml_text(xml, path), "true") == 0;
}

/* Removes all of one kind. ERR_NOTFOUND: there is no such user. */
static int drain(struct aws_client *client, const char *user, const struct hanger *hanger, struct err *err)
{
    bool more = true;
    int rc = OK;
    for (int round = 0; rc == OK && more && round < DRAIN_ROUNDS; round++) {
        struct aws_answer answer;
        rc = aws_call_user(client, hanger->list, user, NULL, NULL, &answer, err);
        if (rc == OK) {
            rc = remove_members(client, user, hanger, answer.xml, err);
            more = is_truncated(answer.xml, hanger); /* the next page moves up as this one is removed */
        }
        aws_answer_close(&answer);
    }
    return rc;
}

static int delete_all_keys(void *arg, struct err *err)
{
    const struct owner *owner = arg;
    return drain(owner->client, owner->user, &keys, err);
}

/* Failures here are told by the DeleteUser that follows, but for those that end everything. */
static int remove_others(struct aws_client *client, const char *user, struct err *err)
{
    int rc = aws_call_user(client, "DeleteLoginProfile", user, NULL, NULL, NULL, err);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (rc != OK && rc != ERR_NOTFOUND && rc != ERR_INVALID)
            return rc;
        rc = drain(client, user, &others[i], err);
    }
    return OK;
}

static int delete_user(struct aws_client *client, const char *user, struct err *err)
{
    struct aws_answer answer;
    int rc = aws_call_user(client, "DeleteUser", user, NULL, NULL, &answer, err);
    if (rc == ERR_INVALID && aws_answer_is(&answer, "DeleteConflict")) {
        rc = remove_others(client, user, err);
        if (rc == OK)
            rc = aws_call_user(client, "DeleteUser", user, NULL, NULL, NULL, err);
    }
    aws_answer_close(&answer);
    return rc;
}

int aws_user_delete(struct aws_client *client, const char *name, struct err *err)
{
    int rc = drain(client, name, &keys, err);
    if (rc == OK)
        (void)failpoint("revoke.after_delete_keys");
    for (size_t i = 0; rc == OK && i < sizeof ours / sizeof ours[0]; i++)
        rc = drain(client, name, &ours[i], err);
    if (rc == OK)
        rc = delete_user(client, name, err);
    if (rc == OK)
        (void)failpoint("revoke.after_delete_user");
    return rc == ERR_NOTFOUND ? OK : rc;
}
