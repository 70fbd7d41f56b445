/* SPDX-License-Identifier: Apache-2.0 */
/*
 * token_private.h — between the files of tokens.
 */
#ifndef COFFER_CORE_TOKEN_PRIVATE_H
#define COFFER_CORE_TOKEN_PRIVATE_H

#include "core/token/token.h"

/* "token/<kind>/<name>", of the request's arena. */
const char *token_path(struct request *req, const char *kind, const char *name);

/* The token's record in a copy of its own, which may be changed; it is the request's. */
json_t *token_change(struct request *req, struct token *token);

/* As token_revoke(), but for its cubbyhole: token_leave() is to follow. */
int token_remove(struct request *req, const struct token *token) MUST_CHECK;

/* Whether a token made at a path counts as a lease. */
bool token_has_lease(const char *path);

#endif
