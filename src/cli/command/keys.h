/* SPDX-License-Identifier: Apache-2.0 */
/* keys.h — one share of a key for an operation that several people carry out: operator rekey, operator generate-root.
 */
#ifndef COFFER_CLI_KEYS_H
#define COFFER_CLI_KEYS_H

#include "cli/cli_private.h"

/*
 * The share and the nonce that goes with it, as the body of an update: from the argument or ("-") standard input, when
 * -nonce must be given; else it is asked for, after the nonce in `status` was shown. What is wrong is printed; returns
 * the exit code. Borrowed.
 */
int keys_take_share(struct cli *cli, const json_t *status, const char *kind, json_t **ret_body);

#endif
