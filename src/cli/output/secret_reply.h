/* SPDX-License-Identifier: Apache-2.0 */
/*
 * secret_reply.h — the envelope of an answer (request_id, lease, data, auth, wrap_info, warnings): fields and rows.
 */
#ifndef COFFER_CLI_SECRET_REPLY_H
#define COFFER_CLI_SECRET_REPLY_H

#include "cli/cli_private.h"
#include "cli/output/text.h"

/* The answer as an envelope: one that has none becomes the data of a new one. NULL stays NULL. */
json_t *secret_reply(struct cli *cli, json_t *reply);

/* The envelope with its fields in the order in which Vault's clients print them. */
json_t *secret_in_order(struct cli *cli, const json_t *secret);

/* What -field=name prints; NULL when there is no such field. Borrowed. */
json_t *secret_field(struct cli *cli, json_t *secret, const char *name);

/* Rows of key and value: lease, token, wrapping, then data. */
void secret_put_rows(struct cli *cli, const json_t *secret, struct table *table);

/* Rows of a map, sorted by key; numbers in fields named like durations as durations. */
void secret_put_map_rows(struct cli *cli, const json_t *map, struct table *table);

/* "1h30m"; for tables. */
char *secret_duration(struct cli *cli, int64_t seconds);
/* A value as a cell of a table. */
char *secret_value(struct cli *cli, const json_t *value);

#endif
