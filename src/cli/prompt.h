/* SPDX-License-Identifier: Apache-2.0 */
/* prompt.h — asks a person for a secret, without showing what is typed. */
#ifndef COFFER_CLI_PROMPT_H
#define COFFER_CLI_PROMPT_H

#include "cli/cli_private.h"

/*
 * Prints the question on standard error and reads a line from the terminal. The answer is borrowed.
 * ERR_UNAVAILABLE, with the sentence, when standard input is no terminal or -non-interactive was given.
 */
int prompt_secret(struct cli *cli, const char *question, const char **ret_answer, struct err *err) MUST_CHECK;

#endif
