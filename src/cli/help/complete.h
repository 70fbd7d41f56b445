/* SPDX-License-Identifier: Apache-2.0 */
/*
 * complete.h — what the Tab key offers in bash, zsh and fish. The shells ask the program itself, with what was typed in
 * COMP_LINE, as those of Vault do; so what is offered is what the tables of commands have.
 */
#ifndef COFFER_CLI_COMPLETE_H
#define COFFER_CLI_COMPLETE_H

#include <stdio.h>

#include "base/err.h"
#include "cli/cli.h"

/* Prints what the last word of the line may become, one a line. */
void complete_line(FILE *out, const char *line, const struct cli_foreign *foreign);

/*
 * Adds what is needed to the start files of the user's shells (those that there are), or takes it out again, and says
 * so. `program` is its path. ERR_INVALID when the path cannot stand in a shell's file, ERR_NOTFOUND when there is no
 * such file; ERR_IO.
 */
int complete_install(const char *program, struct err *err) MUST_CHECK;
int complete_uninstall(const char *program, struct err *err) MUST_CHECK;

/* Writes bash/coffer, zsh/_coffer and fish/coffer.fish for a package to install. ERR_IO. */
int complete_write_files(const char *dir, struct err *err) MUST_CHECK;

#endif
