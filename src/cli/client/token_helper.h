/* SPDX-License-Identifier: Apache-2.0 */
/*
 * token_helper.h — the token between commands: the file ~/.vault-token (or TOKEN_PATH), as Vault and OpenBao keep it,
 * so that all three can share a login.
 */
#ifndef COFFER_CLI_TOKEN_HELPER_H
#define COFFER_CLI_TOKEN_HELPER_H

#include "cli/cli_private.h"

/* The stored token without blanks around it; "" when there is none. Borrowed. */
const char *token_helper_load(struct cli *cli);
/* Replaces it; the file is readable by its owner alone. */
int token_helper_store(struct cli *cli, const char *token, struct err *err) MUST_CHECK;

#endif
