/* SPDX-License-Identifier: Apache-2.0 */
/*
 * password.h — passwords by a policy: how long, out of which characters, and how many of which at least.
 *
 *   length = 20
 *   rule "charset" { charset = "abcdefghijklmnopqrstuvwxyz" }
 *   rule "charset" { charset = "0123456789" min-chars = 2 }
 *
 * Form: https://developer.hashicorp.com/vault/docs/concepts/password-policies
 * The text is hostile; sentences of errors name no character of a password. Threads: any.
 */
#ifndef COFFER_CORE_PASSWORD_H
#define COFFER_CORE_PASSWORD_H

#include "base/buf.h"
#include "base/err.h"

/* ERR_INVALID when a text is no policy, or no password could follow it. */
int password_policy_check(const char *text, struct err *err) MUST_CHECK;
/* Appends a password: first what each rule asks for, then the rest out of all characters alike, all of it shuffled. */
int password_generate(const char *text, struct buf *ret_password, struct err *err) MUST_CHECK;

#endif
