/* SPDX-License-Identifier: Apache-2.0 */
/*
 * data_args.h — data on the command line: key=value, key=@file, key=- (standard input), key=\@text, @file.json, -.
 */
#ifndef COFFER_CLI_DATA_ARGS_H
#define COFFER_CLI_DATA_ARGS_H

#include "cli/cli_private.h"

/*
 * The arguments from `first` on as one object (a new reference). A key given twice becomes a list. Standard input can
 * be taken once. Errors, with the sentence: ERR_INVALID, or what reading a file gives.
 */
int data_args_parse(struct cli *cli, int first, json_t **ret_data, struct err *err) MUST_CHECK;

/* The same for a command whose only trouble this is: prints the sentence. True when it went well. */
bool data_args_take(struct cli *cli, int first, json_t **ret_data);

/* Reads a whole file, or standard input for "-". Appends to ret. */
int data_args_read_file(struct cli *cli, const char *path, struct buf *ret, struct err *err) MUST_CHECK;

#endif
