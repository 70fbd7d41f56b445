/* SPDX-License-Identifier: Apache-2.0 */
#include "base/glob.h"

#include <stddef.h>

/* Where it stops fitting, the last star takes one character more; those before it need not be tried again. */
bool glob_fits(const char *pattern, const char *text)
{
    const char *star = NULL, *from = NULL;
    while (*text != '\0') {
        if (*pattern == '*') {
            star = ++pattern;
            from = text;
        } else if (*pattern == *text) {
            pattern++;
            text++;
        } else if (star != NULL) {
            pattern = star;
            text = ++from;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}

bool glob_list_fits(const json_t *patterns, const char *text)
{
    const json_t *pattern;
    size_t i;
    json_array_foreach(patterns, i, pattern)
    {
        if (json_is_string(pattern) && glob_fits(json_string_value(pattern), text))
            return true;
    }
    return false;
}
