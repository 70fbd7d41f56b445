/* SPDX-License-Identifier: Apache-2.0 */
/* Any path: refused, or without empty, "." and ".." segments, and the same again when it is encoded and read once more.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/path.h"

#define PATH_SIZE 256

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_segments(const char *path)
{
    for (const char *p = path;;) {
        size_t n = strcspn(p, "/");
        assert(n > 0 || p[n] == '\0');
        assert(!(n == 1 && p[0] == '.') && !(n == 2 && p[0] == '.' && p[1] == '.'));
        if (p[n] == '\0')
            return;
        p += n + 1;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[PATH_SIZE], encoded[3 * PATH_SIZE], again[PATH_SIZE];
    struct err err = {0};
    char *raw = strndup((const char *)data, size);
    int rc = path_canonical(raw, path, sizeof path, &err);

    free(raw);
    if (rc != OK)
        return 0;
    check_segments(path);
    char *at = encoded;
    for (const char *p = path; *p != '\0'; p++)
        at += sprintf(at, "%%%02x", (unsigned char)*p);
    *at = '\0';
    assert(path_canonical(encoded, again, sizeof again, &err) == OK);
    assert(strcmp(path, again) == 0);
    return 0;
}
