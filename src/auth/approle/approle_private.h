/* SPDX-License-Identifier: Apache-2.0 */
/*
 * approle_private.h — what the files of this method share.
 *
 *   role/<name>                  the role, with an id of its own
 *   role-id/<mac of role_id>     → name of the role
 *   secret/<id>/<mac of secret>  a secret id; the text itself is stored nowhere
 *   accessor/<id>/<accessor>     → the mac
 *
 * Secret ids lie below the role's own id, so that no role's path reaches those of another.
 */
#ifndef COFFER_AUTH_APPROLE_APPROLE_PRIVATE_H
#define COFFER_AUTH_APPROLE_APPROLE_PRIVATE_H

#include <jansson.h>
#include <stdbool.h>

#include "core/engine.h"
#include "core/token/token_params.h"

#define APPROLE_TEXT_MAX 4096 /* of a role_id or secret_id */

extern const struct token_alias approle_aliases[];

/* ---- Roles (approle_role.c). Records are owned by the request. ---- */

/* The role that the path names. ERR_NOTFOUND without a sentence. */
int role_load(struct request *req, json_t **ret_role) MUST_CHECK;
int role_load_named(struct request *req, const char *name, const json_t **ret_role) MUST_CHECK;
/* ERR_NOTFOUND without a sentence when no role has this role_id. */
int role_load_by_id(struct request *req, const char *role_id, const json_t **ret_role) MUST_CHECK;
/* Keyed by the barrier: hex, of the request's arena. NULL when it is sealed. */
const char *approle_mac(struct request *req, const char *scope, const char *text);

int role_list(struct request *req);
int role_exists(struct request *req, bool *ret_exists);
int role_read(struct request *req);
int role_write(struct request *req);
int role_delete(struct request *req);
int role_id_read(struct request *req);
int role_id_write(struct request *req);
/* One parameter of a role, which the route's path ends in. */
int role_field_read(struct request *req);
int role_field_write(struct request *req);
int role_field_reset(struct request *req);

/* ---- Addresses (approle_address.c). ERR_INTERNAL with the sentence, as clients know it. ---- */

/* Whether all are blocks of addresses. what: "CIDR blocks". */
int role_check_blocks(struct request *req, const json_t *blocks, const char *what) MUST_CHECK;
/* Whether those that are given for a secret id are blocks, and within the role's. */
int secret_check_addresses(struct request *req, const json_t *role) MUST_CHECK;

/* ---- Secret ids (approle_secret.c) ---- */

/* The secret id's record. ERR_NOTFOUND without a sentence when there is none, or its time is over. */
int secret_load(struct request *req, const json_t *role, const char *secret_id, const json_t **ret_secret) MUST_CHECK;
/* Takes one of its uses, if they are counted; the last one removes it. */
int secret_use(struct request *req, const json_t *role, const char *secret_id, const json_t *secret) MUST_CHECK;
/* Removes all of a role's. */
int secret_delete_all(struct request *req, const json_t *role) MUST_CHECK;

int secret_list(struct request *req);
int secret_create(struct request *req);
int secret_create_custom(struct request *req);
int secret_lookup(struct request *req);
int secret_destroy(struct request *req);
int secret_accessor_lookup(struct request *req);
int secret_accessor_destroy(struct request *req);
int secret_tidy(struct request *req);

/* ---- approle_login.c ---- */

int approle_login(struct request *req);
int approle_renew(struct request *req, const json_t *data, struct renew_terms *renewal);

#endif
