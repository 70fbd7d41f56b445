/* SPDX-License-Identifier: Apache-2.0 */
/*
 * options.h — options of a command line, as Go programs take them: -name=value, -name value, --name.
 *
 * Options come before the arguments. Later ones are arguments, with a warning, except -format, -detailed,
 * -output-curl-string and -output-policy, which people append out of habit and which are taken wherever they stand.
 */
#ifndef COFFER_CLI_OPTIONS_H
#define COFFER_CLI_OPTIONS_H

#include "cli/cli_private.h"

/* The options that many commands share; each ends with a NULL name. */
extern const struct option_def http_options[];
extern const struct option_def format_option[];
extern const struct option_def field_option[];
extern const struct option_def detailed_option[];

/* Reads argv (without the command's words) into cli->options, cli->argc and cli->argv. ERR_INVALID, with the sentence.
 */
int options_parse(struct cli *cli, int argc, char **argv, struct err *err) MUST_CHECK;
/* Checks -format and sets cli->format. ERR_INVALID, with the sentence. */
int options_set_format(struct cli *cli, struct err *err) MUST_CHECK;

/* Values; the name must be an option of this command. NULL or false when neither given nor in the environment. */
const char *option_text(struct cli *cli, const char *name);
bool option_is_set(struct cli *cli, const char *name);
bool option_flag(struct cli *cli, const char *name);
int64_t option_number(struct cli *cli, const char *name, int64_t fallback);
json_t *option_list(struct cli *cli, const char *name);
json_t *option_map(struct cli *cli, const char *name);

/* Puts the option into the body under the key, if it was given; a key of NULL means the name with '_' for '-'. */
void option_into(struct cli *cli, const char *name, json_t *body, const char *key);

#endif
