/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command.h — what a command is. Each file of commands ends in one table of these; commands.c lists the tables.
 *
 * Adding a command: 1. write `static int thing_do(struct cli *cli)`; 2. add its line to the table of its file, with an
 * example in the text; 3. add its line to a scene of tests/server/cli_lines.py, or a case to tests/server/cli_compare.py
 * if OpenBao has no such command. Help, completion and manual pages come from the tables.
 */
#ifndef COFFER_CLI_COMMAND_H
#define COFFER_CLI_COMMAND_H

#include <stddef.h>

struct cli;

enum option_kind {
    OPTION_TEXT,
    OPTION_FLAG,     /* -force, -force=false */
    OPTION_NUMBER,   /* a whole number */
    OPTION_DURATION, /* kept as Go prints it: "1h30m0s" */
    OPTION_LIST,     /* may come again */
    OPTION_MAP,      /* key=value; may come again */
};

/* An option of a command. Tables of these end with a NULL name. */
struct option_def {
    const char *name;
    enum option_kind kind;
    const char *help;
    const char *alias; /* a second name, or NULL */
    const char *env;   /* COFFER_<env>, BAO_<env>, VAULT_<env> give the value when the option is absent; or NULL */
};

/* What a command takes beside its own options. */
enum command_flags {
    COMMAND_FORMAT = 1,   /* -format */
    COMMAND_FIELD = 2,    /* -format and -field */
    COMMAND_RAW = 4,      /* -format=raw */
    COMMAND_DETAILED = 8, /* -detailed */
    COMMAND_LOCAL = 16,   /* calls no server: no HTTP options */
};

#define ARGS_ANY (-1)

struct command {
    const char *name; /* all its words: "kv metadata get" */
    /* Returns the exit code. NULL: the name only groups the commands below it. */
    int (*run)(struct cli *cli);
    const char *help;  /* one line, for lists */
    const char *args;  /* what follows the options: "PATH [DATA K=V...]" */
    const char *about; /* what it does, with an example; paragraphs are separated by empty lines, lines of an example
                          begin with '$' */
    const struct option_def *options;
    int args_min;
    int args_max; /* ARGS_ANY: no bound */
    unsigned flags;
};

/* All tables, each ended by a NULL name, and the list itself by NULL. */
extern const struct command *const command_tables[];

extern const struct command audit_commands[];
extern const struct command auth_commands[];
extern const struct command kv_commands[];
extern const struct command kv_metadata_commands[];
extern const struct command lease_commands[];
extern const struct command logical_commands[];
extern const struct command login_commands[];
extern const struct command operator_commands[];
extern const struct command plugin_commands[];
extern const struct command policy_commands[];
extern const struct command raft_commands[];
extern const struct command autopilot_commands[];
extern const struct command rekey_commands[];
extern const struct command generate_root_commands[];
extern const struct command secrets_commands[];
extern const struct command snapshot_commands[];
extern const struct command token_commands[];

/*
 * The command that the first words name, as many words as fit; NULL when there is none.
 * ret_words: how many words it took, set only when one is found.
 */
const struct command *command_find(int argc, char **argv, int *ret_words);

/* The name nearest to what was typed, among those that continue `group` ("" for the first word); NULL: none is near. */
const char *command_nearest(const char *group, const char *typed);

/* Calls visit(command, arg) for each command directly below `group` ("" for the first words), sorted by name. */
void command_each(const char *group, void (*visit)(const struct command *command, void *arg), void *arg);

/* The last word of a command's name. */
const char *command_word(const struct command *command);

#endif
