/* SPDX-License-Identifier: Apache-2.0 */
/*
 * token_auth.h — the auth method that every cluster has: auth/token.
 */
#ifndef COFFER_AUTH_TOKEN_TOKEN_AUTH_H
#define COFFER_AUTH_TOKEN_TOKEN_AUTH_H

#include "core/engine.h"

extern const struct engine token_engine;

#endif
