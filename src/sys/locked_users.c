/* SPDX-License-Identifier: Apache-2.0 */
/*
 * locked_users.c — sys/locked-users: who is locked out for having been tried with wrong secrets, and letting them in.
 */
#include <string.h>

#include "base/json.h"
#include "core/request/request.h"
#include "core/token/lockout.h"
#include "sys/handlers.h"

const struct field sys_locked_users_fields[] = {
    {"mount_accessor", FIELD_STRING, "The auth mount; without, all of them."},
    {"alias_identifier", FIELD_STRING, "Whom: a user's name, or a role_id."},
    {0},
};

/* Adds a mount's to the list, if it has any or was asked for. */
static int add_mount(struct request *req, const struct mount *mount, bool is_asked, json_t *accessors, size_t *total)
{
    json_t *aliases;
    int rc = lockout_list(req, mount, &aliases);
    if (rc != OK)
        return rc;
    size_t n = json_array_size(aliases);
    if (n > 0 || is_asked)
        json_array_append_new(accessors, json_pack("{s:s, s:I, s:O}", "mount_accessor", mount->accessor, "counts",
                                                   (json_int_t)n, "alias_identifiers", aliases));
    json_decref(aliases);
    *total += n;
    return OK;
}

int sys_locked_users_read(struct request *req)
{
    const char *asked = field_str(req, "mount_accessor", "");
    json_t *accessors = json_array();
    size_t total = 0;
    int rc = OK;
    for (size_t i = 0; rc == OK && i < mount_table_count(req->mounts); i++) {
        const struct mount *mount = mount_table_at(req->mounts, i);
        if (lockout_has(mount->type) && (asked[0] == '\0' || strcmp(asked, mount->accessor) == 0))
            rc = add_mount(req, mount, asked[0] != '\0', accessors, &total);
    }
    if (rc != OK) {
        json_decref(accessors);
        return rc;
    }
    reply_data(req,
               json_pack("{s:[{s:s, s:s, s:I, s:o}], s:I}", "by_namespace", "namespace_id", "root", "namespace_path",
                         "", "counts", (json_int_t)total, "mount_accessors", accessors, "total", (json_int_t)total));
    return OK;
}

/* An accessor of no mount has nobody locked out: as for a name that is not, there is nothing to do. */
int sys_locked_users_unlock(struct request *req)
{
    const char *accessor = capture(req, "mount_accessor");
    for (size_t i = 0; i < mount_table_count(req->mounts); i++) {
        const struct mount *mount = mount_table_at(req->mounts, i);
        if (lockout_has(mount->type) && strcmp(accessor, mount->accessor) == 0)
            return lockout_unlock(req, mount, capture(req, "alias_identifier"));
    }
    return OK;
}
