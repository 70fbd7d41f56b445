/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server.h — `coffer server`: from the configuration to a running node, and back down again.
 */
#ifndef COFFER_SERVER_H
#define COFFER_SERVER_H

#include "core/audit/audit.h"
#include "core/engine.h"

/* Runs until SIGTERM or SIGINT; returns the exit code. argv[0] is "server". */
int server_main(int argc, char **argv, const struct engine *const *engines,
                const struct audit_device *const *audit_devices);

#endif
