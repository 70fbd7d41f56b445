/* SPDX-License-Identifier: Apache-2.0 */
/* man.h — manual pages, made from the tables of commands: coffer(1), and one for each first word, as coffer-kv(1). */
#ifndef COFFER_CLI_MAN_H
#define COFFER_CLI_MAN_H

#include "base/err.h"
#include "cli/cli.h"

/* Writes the pages into the directory, which is there. ERR_IO. */
int man_write_pages(const char *dir, const struct cli_foreign *foreign, struct err *err) MUST_CHECK;

#endif
