/* SPDX-License-Identifier: Apache-2.0 */
/*
 * userpass.h — people log in with a name and a password that are kept here.
 * https://developer.hashicorp.com/vault/api-docs/auth/userpass
 */
#ifndef COFFER_AUTH_USERPASS_USERPASS_H
#define COFFER_AUTH_USERPASS_USERPASS_H

#include "core/engine.h"

extern const struct engine userpass_engine;

#endif
