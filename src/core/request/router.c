/* SPDX-License-Identifier: Apache-2.0 */
#include "core/request/router.h"

#include <ctype.h>
#include <string.h>

const char *operation_name(enum operation operation)
{
    static const char *const names[] = {
        [OP_READ] = "read",     [OP_LIST] = "list",     [OP_CREATE] = "create",
        [OP_UPDATE] = "update", [OP_PATCH] = "patch",   [OP_DELETE] = "delete",
        [OP_HELP] = "help",     [OP_REVOKE] = "revoke", [OP_RENEW] = "renew",
    };
    return names[operation];
}

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

/* The length of a name at `at` that one segment may be captured as; 0 when it is none. */
static size_t name_length(const char *at)
{
    size_t len = strcspn(at, "/");
    if (len == 0 || !is_word(at[0]) || !is_word(at[len - 1]))
        return 0;
    for (size_t i = 0; i < len; i++)
        if (!is_word(at[i]) && at[i] != '-' && at[i] != '.')
            return 0;
    return len;
}

static void keep(json_t *captures, const char *name, size_t name_len, const char *value, size_t value_len)
{
    if (captures == NULL)
        return;
    char key[64];
    snprintf(key, sizeof key, "%.*s", (int)name_len, name);
    json_object_set_new(captures, key, json_stringn(value, value_len));
}

enum fit { FITS_NOT, FITS, FITS_AS_DIR }; /* the last: but for the slash at the pattern's end */

static enum fit fit(const char *pattern, const char *path, json_t *captures)
{
    while (*pattern != '\0') {
        if (*path == '\0')
            return strcmp(pattern, "/") == 0 ? FITS_AS_DIR : FITS_NOT;
        if (*pattern == '*') {
            keep(captures, pattern + 1, strlen(pattern + 1), path, strlen(path));
            return FITS;
        }
        if (*pattern == ':') {
            size_t name_len = strcspn(pattern + 1, "/"), len = name_length(path);
            if (len == 0)
                return FITS_NOT;
            keep(captures, pattern + 1, name_len, path, len);
            pattern += 1 + name_len;
            path += len;
        } else if (*pattern++ != *path++) {
            return FITS_NOT;
        }
    }
    return *path == '\0' ? FITS : FITS_NOT;
}

bool router_fits(const char *pattern, const char *path, json_t *captures)
{
    return fit(pattern, path, captures) == FITS;
}

static bool does(const struct route *route, enum operation operation)
{
    return route->operation == operation || (operation == OP_CREATE && route->operation == OP_UPDATE) ||
           (operation == OP_UPDATE && route->operation == OP_CREATE);
}

int router_match(const struct route *routes, const char *path, enum operation operation, const struct route **ret_route,
                 json_t **ret_captures)
{
    bool path_known = false;
    for (const struct route *route = routes; route != NULL && route->path != NULL; route++) {
        if (!does(route, operation) && path_known)
            continue;
        enum fit fits = fit(route->path, path, NULL);
        path_known = path_known || fits != FITS_NOT;
        if (fits != FITS || !does(route, operation))
            continue;
        *ret_captures = json_object();
        router_fits(route->path, path, *ret_captures);
        *ret_route = route;
        return OK;
    }
    return path_known ? ERR_UNSUPPORTED : ERR_NOTFOUND;
}
