/* SPDX-License-Identifier: Apache-2.0 */
/* pgp_keys.h — PGP public keys that stand in files: -pgp-keys of operator init, operator rekey, and the like.
 *
 * A file holds the key binary, armored, or in base64; to the server goes base64, which is all that others than Coffer
 * take. "keybase:NAME" is refused: that would be to ask a service on the internet whom to give the keys to.
 */
#ifndef COFFER_CLI_PGP_KEYS_H
#define COFFER_CLI_PGP_KEYS_H

#include "cli/cli_private.h"

/* Puts the keys in the files that a list option names into the body, in their order. What is wrong is printed; returns
 * the exit code. */
int pgp_keys_into(struct cli *cli, const char *option, json_t *body, const char *key);
/* The same for an option that names one file. */
int pgp_key_into(struct cli *cli, const char *option, json_t *body, const char *key);

#endif
