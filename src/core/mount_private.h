/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mount_private.h — between mount_admin.c and mount_disable.c: the record that is the table of mounts.
 */
#ifndef COFFER_CORE_MOUNT_PRIVATE_H
#define COFFER_CORE_MOUNT_PRIVATE_H

#include "core/mount.h"

/* A new reference, which may be changed; an empty table when there is none yet. */
int mount_record_load(struct request *req, json_t **ret_record) MUST_CHECK;
/* Takes over the reference. */
int mount_record_store(struct request *req, json_t *record) MUST_CHECK;
/* The row of a mount, borrowed; NULL for none. ret_at (or NULL): its place in the array. */
json_t *mount_record_row(json_t *record, const char *path, size_t *ret_at);
/* Whether a mount is nobody's to make or to take away. */
bool mount_is_protected(const char *path);

#endif
