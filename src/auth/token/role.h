/* SPDX-License-Identifier: Apache-2.0 */
/*
 * role.h — auth/token/roles: what tokens made by a role may and must be.
 *
 * Stored in the mount as "role/<name>", by the names that clients know; what was never given is not in it. Lists of
 * policies are lower case, sorted, each once.
 * https://developer.hashicorp.com/vault/api-docs/auth/token
 */
#ifndef COFFER_AUTH_TOKEN_ROLE_H
#define COFFER_AUTH_TOKEN_ROLE_H

#include <jansson.h>
#include <stdint.h>

#include "core/engine.h"

/* The record belongs to the request. ERR_NOTFOUND without a sentence. */
int token_role_load(struct request *req, const char *name, json_t **ret_role) MUST_CHECK;

int token_role_list(struct request *req);
int token_role_read(struct request *req);
int token_role_write(struct request *req);
int token_role_delete(struct request *req);
int token_role_exists(struct request *req, bool *ret_exists);
extern const struct field token_role_fields[];

/* engine.renew: what holds now is what the role says now, or what was asked for at the creation, if that is less. */
int token_role_renew(struct request *req, const json_t *data, struct renew_terms *renewal);

#endif
