/* SPDX-License-Identifier: Apache-2.0 */
#include "base/failpoint.h"

#ifdef COFFER_FAILPOINTS

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static atomic_int hits[64]; /* one for each entry of the list, in its order */

static bool act(const char *action)
{
    if (strncmp(action, "kill", 4) == 0)
        kill(getpid(), SIGKILL);
    else if (strncmp(action, "stop", 4) == 0)
        kill(getpid(), SIGSTOP);
    else if (strncmp(action, "sleep:", 6) == 0)
        usleep((useconds_t)atoi(action + 6) * 1000);
    else
        return strncmp(action, "error", 5) == 0;
    return false;
}

bool failpoint(const char *name)
{
    const char *at = getenv("COFFER_FAILPOINTS");
    size_t len = strlen(name);
    for (int i = 0; at != NULL && *at != '\0' && i < 64; i++) {
        const char *end = strchrnul(at, ',');
        if (strncmp(at, name, len) == 0 && at[len] == '=') {
            const char *nth = memchr(at, '@', (size_t)(end - at));
            int hit = atomic_fetch_add(&hits[i], 1) + 1;
            if (nth == NULL || atoi(nth + 1) == hit)
                return act(at + len + 1);
        }
        at = *end == ',' ? end + 1 : end;
    }
    return false;
}

#else

/* A release has no fault injection; ISO C wants a file not to be empty. */
extern const char failpoint_is_not_built;
const char failpoint_is_not_built = 1;

#endif
