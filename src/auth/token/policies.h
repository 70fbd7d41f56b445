/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policies.h — which policies a new token has: never more than its maker, or the role, may give.
 */
#ifndef COFFER_AUTH_TOKEN_POLICIES_H
#define COFFER_AUTH_TOKEN_POLICIES_H

#include <jansson.h>

#include "core/engine.h"

/*
 * By the request's fields policies and no_default_policy, its token, and the role, if any (else NULL). Sorted, lower
 * case, each once; belongs to the request. ERR_INVALID with Vault's sentences.
 */
int token_choose_policies(struct request *req, const json_t *role, json_t **ret_policies) MUST_CHECK;

#endif
