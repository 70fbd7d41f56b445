/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli_private.h — the running command: what was typed, where answers are kept, how it ends.
 *
 * Everything that a command allocates lives until it ends, in cli->arena and cli->kept, and is wiped then: so nothing
 * here is freed one by one, and JSON values handed out are borrowed.
 */
#ifndef COFFER_CLI_CLI_PRIVATE_H
#define COFFER_CLI_CLI_PRIVATE_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "cli/command.h"

/* What a process returns. */
enum exit_code {
    EXIT_OK = 0,
    EXIT_LOCAL = 1,  /* a mistake on this side: options, arguments, files */
    EXIT_REMOTE = 2, /* the server said no, or could not be reached */
    EXIT_NO_COMMAND = 127,
};

enum format { FORMAT_TABLE, FORMAT_JSON, FORMAT_YAML, FORMAT_RAW };

struct http;

struct cli {
    const struct command *command;
    json_t *options; /* values given, by option name */
    int argc;        /* what follows the options */
    char **argv;
    enum format format;
    struct arena arena;
    json_t *kept;       /* an array that owns the values handed out */
    struct http *http;  /* made by the first call */
    struct buf failure; /* why the last call failed, as printed */
    struct buf body;    /* the last answer as it came */
    long status;        /* its HTTP status; 0 when there was none */
    bool is_dry_run;    /* -output-curl-string: the call was printed instead of made */
    bool stdin_used;
};

/* Owned by the command from now on; returns it. */
json_t *cli_keep(struct cli *cli, json_t *value);
char *cli_printf(struct cli *cli, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* The text of a value that should be one; "" when it is none. */
const char *cli_text(const json_t *value);

/* Prints a line to standard error and returns EXIT_LOCAL. */
int cli_mistake(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* Prints a line to standard error and returns EXIT_REMOTE. */
int cli_refuse(const char *fmt, ...) PRINTF_LIKE(1, 2);
/*
 * Ends a command whose call failed: prints "<doing>: <why>" (only why when doing is NULL) and returns EXIT_REMOTE.
 * Says nothing and returns EXIT_OK when the call was only to be printed.
 */
int cli_fail(struct cli *cli, const char *doing, ...) PRINTF_LIKE(2, 3);
/* Prints a line to standard output, only in table format, and returns EXIT_OK. */
int cli_success(struct cli *cli, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* The value of COFFER_name, BAO_name or VAULT_name, the first that is set and not empty; NULL. */
const char *cli_env(const char *name);
/* The full name of the variable that cli_env() would read; "COFFER_<name>" when none is set. */
const char *cli_env_name(struct cli *cli, const char *name);

/* Without blanks, and characters of `more`, at both ends. */
char *cli_trim(struct cli *cli, const char *text, const char *more);
/* Without blanks and slashes at both ends. */
char *cli_trim_path(struct cli *cli, const char *path);
/* The same, with one slash at the end: how mounts are named. */
char *cli_mount_path(struct cli *cli, const char *path);

#endif
