/* SPDX-License-Identifier: Apache-2.0 */
/*
 * failpoint.h — places where a test makes this process die, stop or fail.
 *
 * Built only with -DCOFFER_FAILPOINTS=ON (presets test, asan, tsan); a release has none. The environment names them:
 * COFFER_FAILPOINTS="aws.after_create_user=kill,raft.before_append=sleep:500,log.append=error@3"
 * kill: SIGKILL to itself; stop: SIGSTOP; sleep:MS; error: failpoint() returns true; @N: at the Nth time only.
 * Those whose name begins with "bug." are mistakes that the chaos suite must notice: run.py --self-test
 * (tests/cluster).
 */
#ifndef COFFER_BASE_FAILPOINT_H
#define COFFER_BASE_FAILPOINT_H

#include <stdbool.h>

#ifdef COFFER_FAILPOINTS
bool failpoint(const char *name);
#else
static inline bool failpoint(const char *name)
{
    (void)name;
    return false;
}
#endif

#endif
