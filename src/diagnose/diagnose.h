/* SPDX-License-Identifier: Apache-2.0 */
/*
 * diagnose.h — `coffer operator diagnose`: looks at all that a server needs before it can start, and at what it needs
 * to go on. Changes nothing, and may run beside the server.
 */
#ifndef COFFER_DIAGNOSE_H
#define COFFER_DIAGNOSE_H

/* Returns the exit code: 0 all is well, 1 something fails, 2 something should be looked at, 3 wrong use. */
int diagnose_main(int argc, char **argv);

/* Its whole help. */
extern const char diagnose_usage[];

#endif
