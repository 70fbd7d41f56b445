/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lease_walk.c — leases by prefix: finding one after the other, and revoking them all.
 */
#include <string.h>

#include "core/core_private.h"

/* Any one lease below a directory, by walking down the first names; "" for none. */
int lease_first_below(struct request *req, const char *prefix, const char **ret_id)
{
    const char *dir = arena_printf(&req->arena, "lease/id/%s", prefix);
    for (;;) {
        json_t *names;
        int rc = txn_list(req->txn, dir, NULL, 1, &names);
        if (rc != OK)
            return rc;
        const char *name = json_string_value(json_array_get(names, 0));
        bool is_lease = name != NULL && name[strlen(name) - 1] != '/';
        dir = name != NULL ? arena_printf(&req->arena, "%s%s", dir, name) : NULL;
        json_decref(names);
        if (dir == NULL || is_lease) {
            *ret_id = dir != NULL ? dir + strlen("lease/id/") : "";
            return OK;
        }
    }
}

struct walk {
    const char *prefix;
    char id[REQUEST_PATH_MAX + 1];
};

static int find_next(struct request *req, void *arg)
{
    struct walk *walk = arg;
    const char *id;
    int rc = lease_first_below(req, walk->prefix, &id);
    if (rc == OK)
        snprintf(walk->id, sizeof walk->id, "%s", id);
    return rc;
}

int lease_revoke_below(struct core *core, uint64_t epoch, const char *prefix, bool force, struct err *err)
{
    struct walk walk = {.prefix = prefix};
    char last[sizeof walk.id] = "";
    for (;;) {
        int rc = request_run_internal(core, epoch, find_next, &walk, err);
        if (rc != OK || walk.id[0] == '\0')
            return rc;
        if (strcmp(last, walk.id) == 0)
            return err_set(err, ERR_UNAVAILABLE, "the lease %s is still being revoked; it is tried again", walk.id);
        if ((rc = lease_revoke_now(core, walk.id, force, err)) != OK)
            return rc;
        snprintf(last, sizeof last, "%s", walk.id);
    }
}
