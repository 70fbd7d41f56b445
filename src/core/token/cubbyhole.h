/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cubbyhole.h — what a token keeps for itself alone. It is gone with the token, in the same transaction.
 *
 * Stored as "token/cubbyhole/<token hash>/<path>". Errors as in storage/txn.h, already said; ERR_NOTFOUND is not.
 */
#ifndef COFFER_CORE_CUBBYHOLE_H
#define COFFER_CORE_CUBBYHOLE_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"
#include "core/request/request.h"

/* ret_value is a new reference. */
int cubbyhole_get(struct request *req, const char *token_hash, const char *path, json_t **ret_value) MUST_CHECK;
/* ERR_INTERNAL, said, for a value that is longer than 1 MiB as JSON. */
int cubbyhole_put(struct request *req, const char *token_hash, const char *path, const json_t *value) MUST_CHECK;
int cubbyhole_delete(struct request *req, const char *token_hash, const char *path) MUST_CHECK;
/* dir: "" or "a/b/". ret_names is a new reference to an array; directories end in '/'. */
int cubbyhole_list(struct request *req, const char *token_hash, const char *dir, json_t **ret_names) MUST_CHECK;
/* Deletes some of it; ret_more: call again, in another transaction. */
int cubbyhole_clear(struct request *req, const char *token_hash, bool *ret_more) MUST_CHECK;

#endif
