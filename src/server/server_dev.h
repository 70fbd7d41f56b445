/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server_dev.h — `coffer server -dev`: a node to try things out on, initialized and unsealed by itself.
 */
#ifndef COFFER_SERVER_DEV_H
#define COFFER_SERVER_DEV_H

#include "base/err.h"
#include "config/config.h"
#include "core/core.h"
#include "server/server_options.h"

int server_dev_config(const struct server_options *options, struct config **ret_config, struct err *err) MUST_CHECK;
/* Initializes, unseals, mounts kv at secret/, prints what is needed to use it, and stores the root token. */
int server_dev_prepare(const struct server_options *options, struct core *core, const char *api_addr,
                       struct err *err) MUST_CHECK;

#endif
