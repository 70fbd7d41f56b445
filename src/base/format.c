/* SPDX-License-Identifier: Apache-2.0 */
#include "base/format.h"

#include <stdlib.h>

uint8_t format_newest(void)
{
#ifdef COFFER_FAILPOINTS
    const char *pretended = getenv("COFFER_TEST_FORMAT");
    if (pretended != NULL)
        return (uint8_t)atoi(pretended);
#endif
    return FORMAT_NEWEST;
}
