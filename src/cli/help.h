/* SPDX-License-Identifier: Apache-2.0 */
/* help.h — help texts, made from the table of commands. */
#ifndef COFFER_CLI_HELP_H
#define COFFER_CLI_HELP_H

#include <stdio.h>

#include "cli/cli.h"
#include "cli/command.h"

/* All commands of one word, and the foreign one (or NULL). */
void help_put_overview(FILE *out, const struct cli_foreign *foreign);
/* What a command does, with an example, then its options; of a group, the commands below it. */
void help_put_command(FILE *out, const struct command *command);

#endif
