/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kv.h — secrets as they were written: plain (version 1), or with their history (version 2).
 * https://developer.hashicorp.com/vault/api-docs/secret/kv
 */
#ifndef COFFER_SECRETS_KV_KV_H
#define COFFER_SECRETS_KV_KV_H

#include "core/engine.h"

extern const struct engine kv_engine;

#endif
