/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_blocks.h — the blocks of a configuration file, each read by a function of its own. Private to src/config.
 */
#ifndef COFFER_CONFIG_CONFIG_BLOCKS_H
#define COFFER_CONFIG_CONFIG_BLOCKS_H

#include "base/err.h"
#include "config/config.h"
#include "config/hcl.h"

/* The one label of a block that has a type: `listener "tcp" { … }`. NULL, and the sentence, when it has none. */
const char *config_block_type(const char *file, const struct hcl_item *item, struct err *err);

/* Adds a listener. */
int config_read_listener(const char *file, const struct hcl_item *item, struct config *config,
                         struct err *err) MUST_CHECK;
/* Sets the storage; what an earlier file said of it is forgotten. */
int config_read_storage(const char *file, const struct hcl_item *item, struct config *config,
                        struct err *err) MUST_CHECK;
int config_read_telemetry(const char *file, const struct hcl_item *item, struct config *config,
                          struct err *err) MUST_CHECK;
int config_read_opening(const char *file, const struct hcl_item *item, const char *flag, bool *ret_is_open,
                        struct err *err) MUST_CHECK;
/* Adds to user_lockout; what an earlier stanza said of the same type is forgotten. */
int config_read_lockout(const char *file, const struct hcl_item *item, struct config *config,
                        struct err *err) MUST_CHECK;
/* Sets the seal; a second one is refused. */
int config_read_seal(const char *file, const struct hcl_item *item, struct config *config, struct err *err) MUST_CHECK;

#endif
