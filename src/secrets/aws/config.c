/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/duration.h"
#include "base/json.h"
#include "secrets/aws/aws_private.h"
#include "secrets/aws/template.h"

const struct field aws_config_root_fields[] = {
    {"access_key", FIELD_STRING, "Access key of the IAM user to act as."},
    {"secret_key", FIELD_STRING, "Its secret key; never returned."},
    {"region", FIELD_STRING, "AWS region; us-east-1 when empty."},
    {"iam_endpoint", FIELD_STRING, "URL of IAM, if it is not AWS's own."},
    {"sts_endpoint", FIELD_STRING, "URL of STS, if it is not AWS's own."},
    {"sts_region", FIELD_STRING, "Region of STS, if it is another."},
    {"max_retries", FIELD_INT, "How often a call that failed is repeated; -1 leaves it to the server."},
    {"username_template", FIELD_STRING, "How names of IAM users and STS sessions are made."},
    {0},
};

const struct field aws_config_lease_fields[] = {
    {"lease", FIELD_DURATION, "How long an IAM user lives unless it is renewed."},
    {"lease_max", FIELD_DURATION, "How long it may live however often it is renewed."},
    {0},
};

/* ---- config/root ---- */

int aws_config_get(struct request *req, json_t **ret_config)
{
    int rc = mount_get(req, "config/root", ret_config);
    if (rc == ERR_NOTFOUND)
        return fail(req, ERR_INVALID, "AWS is not configured: write access_key and secret_key to config/root");
    if (rc == OK)
        request_own(req, *ret_config);
    return rc;
}

const char *aws_config_template(const json_t *config)
{
    const char *template = json_str(config, "username_template", "");
    return *template != '\0' ? template : aws_template_default;
}

static struct aws_account account_of(const json_t *config)
{
    return (struct aws_account){
        .access_key = json_str(config, "access_key", ""),
        .secret_key = json_str(config, "secret_key", ""),
        .region = json_str(config, "region", ""),
        .iam_endpoint = json_str(config, "iam_endpoint", ""),
        .sts_endpoint = json_str(config, "sts_endpoint", ""),
        .sts_region = json_str(config, "sts_region", ""),
        .max_retries = json_int(config, "max_retries", -1),
    };
}

static int may_go(void *arg)
{
    return request_still_leading(arg);
}

int aws_client_open(struct request *req, const json_t *config, struct aws_client **ret_client)
{
    struct err err = {0};
    struct aws_account account = account_of(config);
    int rc = aws_client_new(&account, may_go, req, ret_client, &err);
    return rc == OK ? OK : fail_with(req, &err);
}

int aws_fail(struct request *req, const char *doing, const struct err *err)
{
    /* For the caller, what AWS does not find or has already is a wrong request like any other. */
    int code = err->code == ERR_NOTFOUND || err->code == ERR_EXISTS ? ERR_INVALID : err->code;
    return fail(req, code, "Error %s: %s", doing, err_text(err));
}

int aws_config_root_read(struct request *req)
{
    json_t *config;
    int rc = mount_get(req, "config/root", &config);
    if (rc != OK)
        return rc;
    json_object_del(config, "secret_key");
    json_object_set_new(config, "username_template", json_string(aws_config_template(config)));
    reply_data(req, config);
    return OK;
}

static int check_template(struct request *req, const char *template)
{
    static const struct template_vars vars[] = {{"IAM", "token-display-name", "role-name"},
                                                {"STS", "token-display-name", "role-name"}};
    struct err err = {0};
    const char *name;
    for (size_t i = 0; i < 2; i++) {
        if (aws_template_name(template, &vars[i], 64, &req->arena, &name, &err) != OK)
            return fail(req, ERR_INVALID, "username_template: %s", err_text(&err));
    }
    return OK;
}

static int check_targets(struct request *req, const json_t *config)
{
    struct aws_account account = account_of(config);
    struct aws_target target;
    struct err err = {0};
    int rc = aws_target_of(&account, AWS_IAM, &target, &err);
    if (rc == OK)
        rc = aws_target_of(&account, AWS_STS, &target, &err);
    return rc == OK ? OK : fail_with(req, &err);
}

int aws_config_root_write(struct request *req)
{
    static const char *const texts[] = {"access_key",   "secret_key", "region",           "iam_endpoint",
                                        "sts_endpoint", "sts_region", "username_template"};
    json_t *config = json_object();
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        json_object_set_new(config, texts[i], json_string(field_str(req, texts[i], "")));
    json_object_set_new(config, "max_retries", json_integer(field_int(req, "max_retries", -1)));
    request_own(req, config);
    int rc = check_targets(req, config);
    if (rc == OK)
        rc = check_template(req, aws_config_template(config));
    return rc == OK ? mount_put(req, "config/root", config) : rc;
}

/* ---- config/lease ---- */

int aws_config_lease_write(struct request *req)
{
    int64_t lease = field_int(req, "lease", 0), most = field_int(req, "lease_max", 0);
    if (!field_given(req, "lease"))
        return fail(req, ERR_INVALID, "'lease' is a required parameter");
    if (!field_given(req, "lease_max"))
        return fail(req, ERR_INVALID, "'lease_max' is a required parameter");
    if (lease < 0 || most < 0)
        return fail(req, ERR_INVALID, "lease and lease_max must not be negative");
    if (most > 0 && lease > most)
        return fail(req, ERR_INVALID, "lease must not be longer than lease_max");
    return mount_put_new(req, "config/lease",
                         json_pack("{s:I, s:I}", "lease", (json_int_t)lease, "lease_max", (json_int_t)most));
}

int aws_config_terms(struct request *req, int64_t *ret_ttl_s, int64_t *ret_max_ttl_s)
{
    json_t *config;
    *ret_ttl_s = *ret_max_ttl_s = 0;
    int rc = mount_get(req, "config/lease", &config);
    if (rc != OK)
        return rc == ERR_NOTFOUND ? OK : rc;
    *ret_ttl_s = json_int(config, "lease", 0);
    *ret_max_ttl_s = json_int(config, "lease_max", 0);
    json_decref(config);
    return OK;
}

int aws_config_lease_read(struct request *req)
{
    json_t *config;
    char lease[40], most[40];
    int rc = mount_get(req, "config/lease", &config);
    if (rc != OK)
        return rc;
    duration_format_go(json_int(config, "lease", 0) * 1000000000, lease, sizeof lease);
    duration_format_go(json_int(config, "lease_max", 0) * 1000000000, most, sizeof most);
    json_decref(config);
    reply_data(req, json_pack("{s:s, s:s}", "lease", lease, "lease_max", most));
    return OK;
}
