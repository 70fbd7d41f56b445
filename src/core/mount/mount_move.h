/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mount_move.h — a mount gets another path; its data stays where it is, as storage goes by the mount's uuid.
 *
 * What was given out below the old path (leases, and the tokens of logins) is revoked, as their ids and the rules about
 * them begin with that path. Meanwhile the mount answers nothing. A leader that dies in between leaves a tainted mount
 * that says where it is going, which the next one finishes.
 */
#ifndef COFFER_CORE_MOUNT_MOVE_H
#define COFFER_CORE_MOUNT_MOVE_H

#include <jansson.h>

#include "core/mount/mount.h"

/*
 * Paths end in '/'; those of auth methods begin with "auth/". Blocks until it is done, or has failed: what came of it
 * is said by mount_migration(). ERR_INVALID when it cannot begin.
 */
int mount_move(struct request *req, const char *from, const char *to, const char **ret_id) MUST_CHECK;
/* {"source_mount", "target_mount", "status"}, a new reference; ERR_NOTFOUND. The latest moves are kept. */
int mount_migration(struct request *req, const char *id, json_t **ret_info) MUST_CHECK;

#endif
