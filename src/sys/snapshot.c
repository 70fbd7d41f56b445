/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snapshot.c — sys/storage/raft/snapshot…: saving, checking and restoring.
 */
#include "core/snapshot/snapshot.h"

#include <unistd.h>

#include "core/core.h"
#include "core/request/request.h"
#include "storage/txn.h"
#include "sys/handlers.h"

int sys_snapshot_save(struct request *req)
{
    struct err err = {0};
    struct file_range file;
    int rc = snapshot_save(req->core, NULL, &file, &err);
    if (rc != OK)
        return fail_with(req, &err);
    reply_file(req, &file, "application/gzip");
    return OK;
}

/* ---- What was sent ---- */

static int write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n < 0)
            return ERR_NOSPACE;
        data += n;
        len -= (size_t)n;
    }
    return OK;
}

/* A small one came in memory: it is put into a file too, and closed by the caller; a large one is the front's. */
static int sent_file(struct request *req, struct file_range *ret, bool *ret_is_own)
{
    struct err err = {0};
    *ret_is_own = req->body_file.fd < 0;
    if (!*ret_is_own) {
        *ret = req->body_file;
        return OK;
    }
    if (req->raw_body_len == 0)
        return fail(req, ERR_INVALID, "send the snapshot's file as the body");
    *ret = (struct file_range){.size = req->raw_body_len};
    int rc = file_make_nameless(core_options(req->core)->data_dir, &ret->fd, &err);
    if (rc != OK)
        return fail_with(req, &err);
    rc = write_all(ret->fd, req->raw_body, req->raw_body_len);
    if (rc == OK)
        return OK;
    close(ret->fd);
    return fail(req, rc, "the snapshot cannot be put on the disk: it has no room");
}

static int with_sent_file(struct request *req, int (*use)(struct request *req, const struct file_range *file))
{
    struct file_range file;
    bool is_own;
    int rc = sent_file(req, &file, &is_own);
    if (rc != OK)
        return rc;
    rc = use(req, &file);
    if (is_own)
        close(file.fd);
    return rc;
}

/* ---- Checking and restoring ---- */

static int verify(struct request *req, const struct file_range *file)
{
    struct err err = {0};
    uint64_t records;
    if (snapshot_verify(req->core, file, false, &records, &err) != OK)
        return fail_with(req, &err);
    reply_data(req, json_pack("{s:b, s:I}", "valid", 1, "records", (json_int_t)records));
    return OK;
}

/* The old state is let go first: as long as somebody reads it, its pages cannot be used again. */
static int restore(struct request *req, const struct file_range *file, bool force)
{
    struct err err = {0};
    txn_free(req->txn);
    req->txn = NULL;
    return snapshot_restore(req->core, req->epoch, file, force, &err) == OK ? OK : fail_with(req, &err);
}

static int restore_own(struct request *req, const struct file_range *file)
{
    return restore(req, file, false);
}

static int restore_any(struct request *req, const struct file_range *file)
{
    return restore(req, file, true);
}

int sys_snapshot_verify(struct request *req)
{
    return with_sent_file(req, verify);
}

int sys_snapshot_restore(struct request *req)
{
    return with_sent_file(req, restore_own);
}

int sys_snapshot_restore_force(struct request *req)
{
    return with_sent_file(req, restore_any);
}
