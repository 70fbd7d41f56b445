/* SPDX-License-Identifier: Apache-2.0 */
#include "storage/path.h"

#include <assert.h>
#include <jansson.h>
#include <string.h>

#include "storage/txn.h"

/* One segment without its slash. */
static bool segment_fits(const char *segment, size_t len, bool is_dir)
{
    bool is_dots = segment[0] == '.' && (len == 1 || (len == 2 && segment[1] == '.'));
    return len > 0 && len + is_dir <= BARRIER_NAME_MAX && !is_dots;
}

static bool is_utf8(const char *text, size_t len)
{
    json_t *string = json_stringn(text, len); /* NULL when it is not */
    json_decref(string);
    return string != NULL;
}

static int parse(const char *text, struct path *ret_path)
{
    size_t segment = 0, at = 0;
    bool is_ascii = true;
    for (; text[at] != '\0' && at <= TXN_PATH_MAX; at++) {
        unsigned char c = (unsigned char)text[at];
        if (c < 0x20 || c == 0x7f)
            return ERR_INVALID;
        if (c >= 0x80)
            is_ascii = false;
        if (c != '/')
            continue;
        if (!segment_fits(text + segment, at - segment, true))
            return ERR_INVALID;
        segment = at + 1;
    }
    if (at > TXN_PATH_MAX || (!is_ascii && !is_utf8(text, at)))
        return ERR_INVALID;
    *ret_path = (struct path){text, segment, at - segment};
    return OK;
}

int path_parse(const char *text, struct path *ret_path)
{
    struct path path;
    int rc = parse(text, &path);
    if (rc != OK || !segment_fits(text + path.dir_len, path.name_len, false))
        return ERR_INVALID;
    *ret_path = path;
    return OK;
}

int path_parse_dir(const char *text, struct path *ret_path)
{
    struct path path;
    int rc = parse(text, &path);
    if (rc != OK || path.name_len != 0)
        return ERR_INVALID;
    *ret_path = path;
    return OK;
}

struct path path_marker(struct path path)
{
    assert(path.dir_len > 0);
    size_t start = path.dir_len - 1; /* of the last directory's name: after the slash before */
    while (start > 0 && path.text[start - 1] != '/')
        start--;
    return (struct path){path.text, start, path.dir_len - start};
}
