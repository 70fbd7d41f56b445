/* SPDX-License-Identifier: Apache-2.0 */
/* seal_status.h — the state of one server: sealed or not, and its part in the cluster. */
#ifndef COFFER_CLI_SEAL_STATUS_H
#define COFFER_CLI_SEAL_STATUS_H

#include "cli/cli_private.h"

/* Prints an answer of sys/seal-status (borrowed) together with what sys/leader says. */
int seal_status_print(struct cli *cli, const json_t *seal);

#endif
