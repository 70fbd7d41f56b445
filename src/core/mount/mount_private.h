/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mount_private.h — between mount_admin.c, mount_disable.c and mount_move.c: the record that is the table of mounts.
 */
#ifndef COFFER_CORE_MOUNT_PRIVATE_H
#define COFFER_CORE_MOUNT_PRIVATE_H

#include "core/mount/mount.h"

/* A new reference, which may be changed; an empty table when there is none yet. */
int mount_record_load(struct request *req, json_t **ret_record) MUST_CHECK;
/* Takes over the reference. */
int mount_record_store(struct request *req, json_t *record) MUST_CHECK;
/* The row of a mount, borrowed; NULL for none. ret_at (or NULL): its place in the array. */
json_t *mount_record_row(json_t *record, const char *path, size_t *ret_at);
/* Whether a mount is nobody's to make or to take away. */
bool mount_is_protected(const char *path);
/* The path of a mount, or of one on its way, that lies below or above `path`; NULL for none. Borrowed. */
const char *mount_record_in_the_way(const json_t *record, const char *path);

/* Revokes the leases below a mount's path, or has the tokens of its logins end. */
int mount_revoke_given(struct core *core, uint64_t epoch, const char *path, struct err *err) MUST_CHECK;

/* Takes over the settings that were given (times, visibility, headers …) into the row. ERR_INVALID. */
int mount_read_settings(struct request *req, const json_t *params, json_t *row, bool is_new) MUST_CHECK;
/*
 * Takes over the options that were given into the row: "" takes one away. A version that is raised makes the row one
 * that is being upgraded. ERR_INVALID.
 */
int mount_tune_options(struct request *req, const struct mount *mount, const json_t *given, json_t *row) MUST_CHECK;

/* A mount that is tainted because it goes to another path. */
struct mount_moving {
    const char *from, *to;
    const char *uuid;
    char id[37]; /* of the move */
};

/* Revokes, then gives the mount its new path; or, when it cannot be revoked, lets it stay. */
int mount_finish_moving(struct core *core, uint64_t epoch, const struct mount_moving *job, struct err *err) MUST_CHECK;

#endif
