/* SPDX-License-Identifier: Apache-2.0 */
/* help.h — help texts, made from the table of commands. */
#ifndef COFFER_CLI_HELP_H
#define COFFER_CLI_HELP_H

#include <stdio.h>

#include "base/buf.h"
#include "cli/cli.h"
#include "cli/command.h"

/* All commands of one word, and the foreign one (or NULL). */
void help_put_overview(FILE *out, const struct cli_foreign *foreign);
/* What a command does, with an example, then its options; of a group, the commands below it. */
void help_put_command(FILE *out, const struct command *command);

/* "=<text>", or "" of a flag. */
const char *help_value_name(enum option_kind kind);
/* What an option is for, its other name and the environment that stands for it, in one line. */
void help_describe_option(const struct option_def *def, struct buf *out);

#endif
