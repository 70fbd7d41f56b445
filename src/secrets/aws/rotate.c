/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rotate.c — config/rotate-root: a new key for the user that we act as, and the end of the old one.
 *
 * Between "the new key exists" and "the new key is stored" the leader may die: then a key exists that nobody knows.
 * Between "it is stored" and "the old one is deleted" too: then an old key stays alive. So this is done under a
 * pending lease, like any other credential, whose revocation sets right whatever was left: it compares the keys that
 * the user has with those it had at the beginning and with the one that is configured now.
 */
#include <string.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/json.h"
#include "base/log.h"
#include "core/lease/lease.h"
#include "secrets/aws/aws_private.h"

#define USABLE_MS_MAX   30000 /* by when IAM must know a new key */
#define USABLE_MS_STEP  500
#define WINDOW_BEFORE_S 60 /* AWS's clock is not ours */
#define WINDOW_AFTER_S  (REQUEST_MS_MAX / 1000 + 60)

static const char keys_path[] = "ListAccessKeysResult/AccessKeyMetadata";

/* ---- What a rotation begins with ---- */

static int find_own_user(struct request *req, struct aws_client *client, const char **ret_user, struct err *err)
{
    struct aws_answer answer;
    int rc = aws_call(client, AWS_IAM, "GetUser", NULL, 0, &answer, err);
    if (rc == OK) {
        *ret_user = arena_strdup(&req->arena, aws_xml_text(answer.xml, "GetUserResult/User/UserName"));
        if (**ret_user == '\0')
            rc = err_set(err, ERR_INVALID, "the configured key belongs to no IAM user");
    }
    aws_answer_close(&answer);
    return rc;
}

static int list_known(struct aws_client *client, const char *user, json_t **ret_ids, struct err *err)
{
    struct aws_answer answer;
    const char *id;
    int rc = aws_call_user(client, "ListAccessKeys", user, NULL, NULL, &answer, err);
    if (rc == OK) {
        *ret_ids = json_array();
        for (size_t i = 0; (id = aws_xml_member(answer.xml, keys_path, i, "AccessKeyId")) != NULL; i++)
            json_array_append_new(*ret_ids, json_string(id));
    }
    aws_answer_close(&answer);
    return rc;
}

/* The intent: all that aws_rotate_revoke() needs, whoever calls it. */
static int begin(struct request *req, struct aws_client *client, const json_t *config, const char **ret_user)
{
    struct lease_terms terms = {.renewable = false};
    struct err err = {0};
    json_t *known;

    int rc = find_own_user(req, client, ret_user, &err);
    if (rc == OK)
        rc = list_known(client, *ret_user, &known, &err);
    if (rc != OK)
        return aws_fail(req, "looking up our own IAM user", &err);
    rc = lease_begin(req, &terms,
                     json_pack("{s:s, s:s, s:s, s:o, s:I}", "type", "rotate_root", "user", *ret_user, "old",
                               json_str(config, "access_key", ""), "known", known, "begun",
                               (json_int_t)(request_time_ns(req) / 1000000000)));
    return rc == OK ? request_commit(req) : rc;
}

/* ---- The rotation ---- */

static int forget_nothing(void *arg, struct err *err)
{
    bool *lost = arg;
    *lost = true;
    /* Which key an unanswered call made can be told only when it is certainly over: the lease's revocation does it. */
    return err_set(err, ERR_UPSTREAM, "the answer to creating the new key was lost; the old key stays in use");
}

/* The configuration must still be the one that was read: the commit fails if it is not. */
static int store_key(struct request *req, const char *old, struct aws_user_made *made)
{
    json_t *config;
    int rc = aws_config_get(req, &config);
    if (rc == OK && strcmp(json_str(config, "access_key", ""), old) != 0)
        rc = fail(req, ERR_INVALID, "config/root was changed while its key was being rotated");
    if (rc != OK)
        return rc;
    json_object_set_new(config, "access_key", json_string(buf_str(&made->access_key)));
    json_object_set_new(config, "secret_key", json_string(buf_str(&made->secret_key)));
    rc = mount_put(req, "config/root", config);
    return rc == OK ? request_commit(req) : rc;
}

/* With the new key: which proves that it works before the old one is gone. */
static int delete_old(struct aws_client *client, const char *user, const char *old, struct err *err)
{
    int64_t until_ms = clock_steady_ms() + USABLE_MS_MAX;
    for (;;) {
        struct aws_answer answer;
        int rc = aws_call_user(client, "DeleteAccessKey", user, "AccessKeyId", old, &answer, err);
        bool unknown = aws_answer_is(&answer, "InvalidClientTokenId");
        aws_answer_close(&answer);
        if (!unknown || clock_steady_ms() >= until_ms)
            return rc == ERR_NOTFOUND ? OK : rc;
        if ((rc = aws_client_sleep(client, USABLE_MS_STEP)) != OK)
            return err_set(err, rc, "%s", err_default_text(rc));
    }
}

/* The new key is in use whatever becomes of the old one: that is seen to until it is done. */
static int leave_to_worker(struct request *req, const struct err *err)
{
    reply_warn(req, "the new key is in use, but the old one could not be deleted yet; it is tried again: %s",
               err_text(err));
    return lease_abandon(req);
}

/* Returns rc, with its sentence, whatever becomes of the lease: if it cannot be ended here, the next leader does. */
static int give_up(struct request *req, bool may_have_made_one, int rc)
{
    struct err said = req->err;
    if ((may_have_made_one ? lease_abandon(req) : lease_cancel(req)) != OK)
        log_info("aws", "what a failed rotation has left is seen to by the next leader");
    req->err = said;
    return rc;
}

static int rotate(struct request *req, struct aws_client *client, const char *user, const char *old,
                  struct aws_user_made *made)
{
    struct err err = {0};
    bool lost = false;
    int rc = aws_key_make(client, user, forget_nothing, &lost, made, &err);
    if (rc != OK)
        return give_up(req, lost, aws_fail(req, "creating the new access key", &err));
    (void)failpoint("aws.after_create_key");
    rc = store_key(req, old, made);
    if (rc != OK)
        return give_up(req, true, rc);
    aws_client_set_keys(client, buf_str(&made->access_key), buf_str(&made->secret_key));
    reply_data(req, json_pack("{s:s}", "access_key", buf_str(&made->access_key)));
    rc = delete_old(client, user, old, &err);
    return rc == OK ? lease_cancel(req) : leave_to_worker(req, &err);
}

int aws_rotate_root(struct request *req)
{
    struct aws_user_made made = {0};
    struct aws_client *client = NULL;
    const char *user = NULL;
    json_t *config;

    int rc = aws_config_get(req, &config);
    if (rc == OK)
        rc = aws_client_open(req, config, &client);
    if (rc == OK)
        rc = begin(req, client, config, &user);
    if (rc == OK)
        rc = rotate(req, client, user, json_str(config, "access_key", ""), &made);
    aws_client_free(client);
    buf_close(&made.access_key);
    buf_close(&made.secret_key);
    return rc;
}

/* ---- Setting right what was left ---- */

/* A key that appeared while the rotation was under way is its own; one that appeared later is somebody else's. */
static bool is_of_rotation(const json_t *data, const char *created)
{
    int64_t at_ns = clock_parse_rfc3339(created), begun_s = json_int(data, "begun", 0);
    return at_ns < 0 ||
           (at_ns / 1000000000 >= begun_s - WINDOW_BEFORE_S && at_ns / 1000000000 <= begun_s + WINDOW_AFTER_S);
}

static bool is_to_go(const json_t *data, const char *current, const char *id, const char *created)
{
    if (strcmp(id, current) == 0)
        return false;
    if (strcmp(id, json_str(data, "old", "")) == 0)
        return true;
    return !json_list_has(json_list_at(data, "known"), id) && is_of_rotation(data, created);
}

static int delete_leftovers(struct aws_client *client, const json_t *data, const char *current, struct err *err)
{
    const char *user = json_str(data, "user", ""), *id;
    struct aws_answer answer;

    int rc = aws_call_user(client, "ListAccessKeys", user, NULL, NULL, &answer, err);
    for (size_t i = 0; rc == OK && (id = aws_xml_member(answer.xml, keys_path, i, "AccessKeyId")) != NULL; i++) {
        if (is_to_go(data, current, id, aws_xml_member(answer.xml, keys_path, i, "CreateDate")))
            rc = aws_call_user(client, "DeleteAccessKey", user, "AccessKeyId", id, NULL, err);
        if (rc == ERR_NOTFOUND)
            rc = OK;
    }
    aws_answer_close(&answer);
    return rc == ERR_NOTFOUND ? OK : rc;
}

int aws_rotate_revoke(struct request *req, const json_t *data)
{
    struct aws_client *client;
    struct err err = {0};
    json_t *config;

    int rc = aws_config_get(req, &config);
    if (rc == OK)
        rc = aws_client_open(req, config, &client);
    if (rc != OK)
        return rc;
    rc = delete_leftovers(client, data, json_str(config, "access_key", ""), &err);
    aws_client_free(client);
    return rc == OK ? OK : aws_fail(req, "removing an access key of our own", &err);
}
