/* SPDX-License-Identifier: Apache-2.0 */
/*
 * approle.h — machines log in with a role's id and a secret id that was handed to them.
 * https://developer.hashicorp.com/vault/api-docs/auth/approle
 */
#ifndef COFFER_AUTH_APPROLE_APPROLE_H
#define COFFER_AUTH_APPROLE_APPROLE_H

#include "core/engine.h"

extern const struct engine approle_engine;

#endif
