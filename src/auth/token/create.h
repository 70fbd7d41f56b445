/* SPDX-License-Identifier: Apache-2.0 */
/*
 * create.h — auth/token/create, create-orphan, and create/:role.
 */
#ifndef COFFER_AUTH_TOKEN_CREATE_H
#define COFFER_AUTH_TOKEN_CREATE_H

#include "core/engine.h"

extern const struct field token_create_fields[];
int token_create_child(struct request *req);
int token_create_no_parent(struct request *req);
int token_create_by_role(struct request *req);

#endif
