/* SPDX-License-Identifier: Apache-2.0 */
/*
 * remount.c — sys/remount: a mount gets another path.
 */
#include <string.h>

#include "core/mount/mount_move.h"
#include "core/request/request.h"
#include "sys/handlers.h"

const struct field sys_remount_fields[] = {
    {"from", FIELD_STRING, "The path of the mount; of an auth method with auth/ before it."},
    {"to", FIELD_STRING, "Where it goes."},
    {0},
};

static const char *mount_path(struct request *req, const char *name)
{
    const char *path = field_str(req, name, "");
    path += strspn(path, "/");
    size_t len = strlen(path);
    return len == 0 || path[len - 1] == '/' ? path : arena_printf(&req->arena, "%s/", path);
}

/* What a request's path could not say, a mount's cannot be. */
static bool is_plain_path(const char *path)
{
    for (const char *at = path; *at != '\0'; at++)
        if (*at <= ' ' || *at > '~' || strchr("%?#*+\\", *at) != NULL)
            return false;
    return strstr(path, "//") == NULL && strstr(path, "./") == NULL && strlen(path) <= REQUEST_PATH_MAX / 2;
}

int sys_remount(struct request *req)
{
    const char *from = mount_path(req, "from"), *to = mount_path(req, "to"), *id;
    if (from[0] == '\0' || to[0] == '\0')
        return fail(req, ERR_INVALID, "both 'from' and 'to' path must be specified as a string");
    if (!is_plain_path(to))
        return fail(req, ERR_INVALID, "cannot remount to destination %.256s", to);
    int rc = mount_move(req, from, to, &id);
    if (rc != OK)
        return rc;
    reply_data(req, json_pack("{s:s}", "migration_id", id));
    reply_warn(req, "What came of the move is told by sys/remount/status/%s", id);
    return OK;
}

int sys_remount_status(struct request *req)
{
    const char *id = capture(req, "migration_id");
    json_t *info;
    int rc = mount_migration(req, id, &info);
    if (rc == OK)
        reply_data(req, json_pack("{s:s, s:o}", "migration_id", id, "migration_info", info));
    return rc;
}
