/* SPDX-License-Identifier: Apache-2.0 */
/* digest.c — "coffer_digest FOLDER…": for each folder of a node that is down, its applied index and its state's digest.
 */
#include <stdio.h>

#include "storage/store.h"

static int print_digest(const char *folder, struct err *err)
{
    char path[4096];
    struct store *store = NULL;
    struct store_view *view = NULL;
    unsigned char digest[32];

    snprintf(path, sizeof path, "%s/state", folder);
    int rc = store_open(path, true, &store, err);
    if (rc == OK)
        rc = store_view_begin(store, &view, err);
    if (rc == OK)
        rc = store_digest(view, digest, err);
    if (rc == OK) {
        printf("%llu ", (unsigned long long)store_view_index(view));
        for (size_t i = 0; i < sizeof digest; i++)
            printf("%02x", digest[i]);
        putchar('\n');
    }
    store_view_end(view);
    store_close(store);
    return rc;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        struct err err = {0};
        if (print_digest(argv[i], &err) != OK) {
            fprintf(stderr, "%s: %s\n", argv[i], err_text(&err));
            return 1;
        }
    }
    return 0;
}
