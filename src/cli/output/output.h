/* SPDX-License-Identifier: Apache-2.0 */
/*
 * output.h — how commands print answers, as -format and -field ask. Each function returns the exit code.
 */
#ifndef COFFER_CLI_OUTPUT_H
#define COFFER_CLI_OUTPUT_H

#include "cli/cli_private.h"
#include "cli/output/text.h"

/* A secret: its field, or the whole of it. Warnings go to standard error first. NULL prints nothing. */
int output_secret(struct cli *cli, json_t *secret);
/* The same, but `success` in place of an empty answer (in table format). */
int output_secret_or(struct cli *cli, json_t *secret, const char *success);
/* data.keys as a list, or that nothing is at the path. */
int output_list(struct cli *cli, const char *path, json_t *secret);
/* Any value, as JSON, YAML, or, where a command has no table of its own, as JSON too. */
int output_value(struct cli *cli, const json_t *value);
/* One value bare; a field that is NULL is a mistake: `where` says in what it was looked for. */
int output_field(struct cli *cli, const json_t *value, const char *name, const char *where);
int output_table(const struct table *table);
/* Table format: the rows; else the value. */
int output_table_or_value(struct cli *cli, const struct table *table, const json_t *value);
/* A map under a banner, "=== Title ===", then its rows. */
void output_map_block(struct cli *cli, const char *title, const json_t *map);
void output_warnings(const json_t *secret);

/* The value of -field, if the command takes one and it was given; NULL. */
const char *output_wanted_field(struct cli *cli);

/* "No value found at PATH"; for a list in JSON or YAML {} instead, as scripts expect. */
int output_no_value(struct cli *cli, const char *path);

#endif
