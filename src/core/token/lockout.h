/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lockout.h — whoever is tried with wrong secrets too often is locked out for a while, right secret or not.
 *
 * A login's handler says who is asked for (login_as() of engine.h), and when the secret is wrong (login_refuse()); the
 * pipeline counts. The count is a record like any other, in the storage of the method's mount:
 *
 *   lockout/user/<mac of alias>     {"alias", "failed", "last"}: how often in a row, and when last (ms)
 *   lockout/nobody/<00 to ff>       the same with "mac", of names that nobody has
 *
 * So it is exact: of any number of logins at the same time no more are let to guess than the threshold says, and a new
 * leader goes on counting. Names that nobody has are counted too, or it would show that nobody has them; as anybody can
 * think of any number of names, they share a fixed number of records, in which a new name takes an old one's place.
 */
#ifndef COFFER_CORE_LOCKOUT_H
#define COFFER_CORE_LOCKOUT_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"
#include "core/mount/mount.h"
#include "core/request/request.h"

/* Whether there is such a thing at all for an auth method of this type: userpass, approle, ldap. */
bool lockout_has(const char *type);

/*
 * Takes over into a mount's row ("type", "config") what a client says of it, as what is kept and shown: user_lockout_…,
 * counts and seconds. given: "lockout_threshold": "5", …; NULL for nothing. ERR_INVALID with Vault's sentences.
 */
int lockout_tune(struct request *req, const json_t *given, json_t *row) MUST_CHECK;

/* ---- The pipeline's ---- */

/* After a refused login, in a transaction of its own: one more. */
int lockout_count(struct request *req) MUST_CHECK;
/* After a good one, in its transaction: forgotten. */
int lockout_forget(struct request *req) MUST_CHECK;

/* ---- sys/locked-users ---- */

/* The names that somebody has and that are locked out of a mount now: an array, a new reference. */
int lockout_list(struct request *req, const struct mount *mount, json_t **ret_aliases) MUST_CHECK;
/* Lets an alias try again at once. OK when it was not locked out. */
int lockout_unlock(struct request *req, const struct mount *mount, const char *alias) MUST_CHECK;

#endif
