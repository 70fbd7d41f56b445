/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli.h — the command line: every command but the server speaks to a server over HTTP, as any client does.
 */
#ifndef COFFER_CLI_CLI_H
#define COFFER_CLI_CLI_H

/* A command that lives elsewhere, because it is no client: the server. */
struct cli_foreign {
    const char *name;                  /* its one or two words on the command line; NULL ends a list */
    const char *help;                  /* one line in the list of commands */
    int (*run)(int argc, char **argv); /* argv[0] is the name; returns the exit code */
    const char *usage;                 /* its whole help: options begin a line, after two blanks */
};

/*
 * Runs the command line and returns the exit code: 0, 1 for a local mistake, 2 for an error of the
 * server or on the way to it, 127 for no such command. A list of `foreign` ones (or NULL) is run untouched when their
 * names come first, before anything else is set up; those of one word are listed with the other commands.
 */
int cli_main(int argc, char **argv, const struct cli_foreign *foreign);

#endif
