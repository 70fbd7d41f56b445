/* SPDX-License-Identifier: Apache-2.0 */
#include "secrets/aws/aws.h"

#include <string.h>

#include "base/json.h"
#include "secrets/aws/aws_private.h"

static const struct route aws_routes[] = {
    {"config/root", OP_READ, aws_config_root_read, 0, "Read how AWS is reached, without the secret key.", NULL, NULL},
    {"config/root", OP_UPDATE, aws_config_root_write, 0, "Set the credentials that are used to reach AWS.",
     aws_config_root_fields, NULL},
    {"config/lease", OP_READ, aws_config_lease_read, 0, "Read how long IAM users live.", NULL, NULL},
    {"config/lease", OP_UPDATE, aws_config_lease_write, 0, "Set how long IAM users live.", aws_config_lease_fields,
     NULL},
    {"config/rotate-root", OP_UPDATE, aws_rotate_root, ROUTE_BLOCKS,
     "Replace the access key that is used to reach AWS by a new one that nobody else knows.", NULL, NULL},
    {"roles/", OP_LIST, aws_roles_list, 0, "List the roles.", NULL, NULL},
    {"roles/:name", OP_READ, aws_role_read, 0, "Read a role.", NULL, NULL},
    {"roles/:name", OP_UPDATE, aws_role_write, 0, "Make or change a role.", aws_role_fields, aws_role_exists},
    {"roles/:name", OP_DELETE, aws_role_delete, 0, "Delete a role; credentials that were made with it stay.", NULL,
     NULL},
    {"creds/:name", OP_READ, aws_creds_make, ROUTE_BLOCKS, "Make credentials for a role.", aws_creds_fields, NULL},
    {"creds/:name", OP_UPDATE, aws_creds_make, ROUTE_BLOCKS, "Make credentials for a role.", aws_creds_fields, NULL},
    {"sts/:name", OP_READ, aws_sts_make, ROUTE_BLOCKS, "Make temporary credentials for a role.", aws_creds_fields,
     NULL},
    {"sts/:name", OP_UPDATE, aws_sts_make, ROUTE_BLOCKS, "Make temporary credentials for a role.", aws_creds_fields,
     NULL},
    {0},
};

static int revoke_user(struct request *req, const char *name)
{
    struct aws_client *client;
    struct err err = {0};
    json_t *config;

    int rc = aws_config_get(req, &config);
    if (rc == OK)
        rc = aws_client_open(req, config, &client);
    if (rc != OK)
        return rc;
    rc = aws_user_delete(client, name, &err);
    aws_client_free(client);
    return rc == OK ? OK : aws_fail(req, "deleting IAM user", &err);
}

static int aws_revoke(struct request *req, const json_t *data)
{
    const char *type = json_str(data, "type", "");
    if (strcmp(type, "iam_user") == 0)
        return revoke_user(req, json_str(data, "user", ""));
    if (strcmp(type, "rotate_root") == 0)
        return aws_rotate_revoke(req, data);
    return OK; /* what STS gave out ends by itself, and not before */
}

static int aws_renew(struct request *req, const json_t *data, struct renew_terms *renewal)
{
    int64_t ttl = 0, max = 0;
    (void)data;
    int rc = aws_config_terms(req, &ttl, &max);
    if (rc == OK && ttl > 0)
        renewal->ttl_s = ttl;
    if (rc == OK && max > 0)
        renewal->max_ttl_s = max;
    return rc;
}

const struct engine aws_engine = {
    .type = "aws",
    .kind = ENGINE_SECRET,
    .description = "Credentials for AWS, made when they are asked for",
    .routes = aws_routes,
    .revoke = aws_revoke,
    .renew = aws_renew,
};
