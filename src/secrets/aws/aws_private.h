/* SPDX-License-Identifier: Apache-2.0 */
/*
 * aws_private.h — between the files of the AWS engine.
 *
 *   config/root   how AWS is reached       config.c
 *   config/lease  how long users live      config.c
 *   roles/<name>  what a credential may    role.c
 */
#ifndef COFFER_SECRETS_AWS_PRIVATE_H
#define COFFER_SECRETS_AWS_PRIVATE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/engine.h"
#include "core/request/request.h"
#include "secrets/aws/client.h"

/* ---- config.c ---- */

extern const struct field aws_config_root_fields[], aws_config_lease_fields[];
int aws_config_root_read(struct request *req);
int aws_config_root_write(struct request *req);
int aws_config_lease_read(struct request *req);
int aws_config_lease_write(struct request *req);

/* The stored config/root, which the request keeps. ERR_INVALID with a sentence when there is none. */
int aws_config_get(struct request *req, json_t **ret_config) MUST_CHECK;
const char *aws_config_template(const json_t *config);
/* What config/lease says; zeroes when it says nothing. */
int aws_config_terms(struct request *req, int64_t *ret_ttl_s, int64_t *ret_max_ttl_s) MUST_CHECK;
/* A client that goes on only while the request may. Free it. */
int aws_client_open(struct request *req, const json_t *config, struct aws_client **ret_client) MUST_CHECK;

/* The request fails with "Error <doing>: <what AWS said>". */
int aws_fail(struct request *req, const char *doing, const struct err *err);

/* ---- rotate.c ---- */

int aws_rotate_root(struct request *req);
/* Brings the access keys of our own user in line with config/root after a rotation that was cut short. */
int aws_rotate_revoke(struct request *req, const json_t *data) MUST_CHECK;

/* ---- role.c ---- */

extern const struct field aws_role_fields[];
int aws_roles_list(struct request *req);
int aws_role_read(struct request *req);
int aws_role_write(struct request *req);
int aws_role_delete(struct request *req);
int aws_role_exists(struct request *req, bool *ret_exists);
/* The stored role, which the request keeps. ERR_INVALID with a sentence when there is none. */
int aws_role_get(struct request *req, const char *name, json_t **ret_role) MUST_CHECK;
bool aws_role_makes(const json_t *role, const char *credential_type);

/* Why a role cannot be as it is: ERR_INVALID with a sentence. */
int aws_role_check(const json_t *role, struct err *err) MUST_CHECK;
/* Checks that a policy is JSON and drops its blanks; ret is of the arena. */
int aws_policy_compact(struct arena *arena, const char *text, const char **ret_text, struct err *err) MUST_CHECK;

/* ---- creds.c, sts.c ---- */

extern const struct field aws_creds_fields[];
int aws_creds_make(struct request *req);
int aws_sts_make(struct request *req);
/* Temporary credentials of a role: assumed_role, federation_token or session_token. */
int aws_sts_issue(struct request *req, const char *name, const json_t *role, const char *credential_type);
/* A name out of the configured template. type: "IAM" or "STS". */
int aws_name_for(struct request *req, const json_t *config, const char *role_name, const char *type,
                 const char **ret_name) MUST_CHECK;

/* ---- user.c: IAM users, without a request ---- */

struct aws_user_order {
    const char *name, *path, *boundary_arn, *policy_name, *policy_document;
    const json_t *policy_arns, *groups, *tags;
};

struct aws_user_made {
    bool exists;         /* the user was certainly made */
    bool may_come_later; /* a call that makes it may still be on its way */
    const char *doing;   /* what failed: "creating IAM user" */
    struct buf access_key, secret_key;
};

/* Makes the user, gives it its policies and groups, and a key. ret is set whatever is returned; close its buffers. */
int aws_user_make(struct aws_client *client, const struct aws_user_order *order, struct aws_user_made *ret,
                  struct err *err) MUST_CHECK;
/* Removes it with everything that hangs on it; keys first. OK when there is none. */
int aws_user_delete(struct aws_client *client, const char *name, struct err *err) MUST_CHECK;
/* Makes a key for a user, once: when an answer was lost, `forget` removes what it may have made before the next try. */
int aws_key_make(struct aws_client *client, const char *user, int (*forget)(void *arg, struct err *err), void *arg,
                 struct aws_user_made *ret, struct err *err) MUST_CHECK;

#endif
