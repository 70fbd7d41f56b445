/* SPDX-License-Identifier: Apache-2.0 */
#include "api/upload.h"

#include <string.h>
#include <sys/statvfs.h>

#include "api/call_request.h"
#include "core/core.h"
#include "core/request/request.h"

#define RESERVE (UINT64_C(64) << 20) /* of the disk, which is not for uploads */

/* The next room that is made for a body is as large as all before. */
static bool has_room(struct core *core, size_t size)
{
    struct statvfs disk;
    if (statvfs(core_options(core)->data_dir, &disk) != 0)
        return true; /* then writing will tell */
    return (uint64_t)disk.f_bavail * disk.f_frsize >= size + RESERVE;
}

int upload_ask(struct core *core, const struct http_upload *upload, struct arena *arena, const char **ret_location)
{
    bool is_write = strcmp(upload->method, "POST") == 0 || strcmp(upload->method, "PUT") == 0;
    if (!is_write || strncmp(upload->path, "/v1/", 4) != 0 || !call_has_raw_body(upload->path + 4) ||
        upload->token == NULL)
        return 413;
    int status =
        request_preview(core, OP_UPDATE, upload->path + 4, upload->token, upload->remote_addr, arena, ret_location);
    if (status != 0)
        return status;
    return has_room(core, upload->size) ? 0 : 503;
}
