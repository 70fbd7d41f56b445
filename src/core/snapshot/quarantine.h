/* SPDX-License-Identifier: Apache-2.0 */
/*
 * quarantine.h — what had ended by the time a snapshot was restored is left alone until the operator has chosen.
 *
 * The restored state does not know of what was renewed after the snapshot was taken: leases that it takes for ended may
 * be in use. So until the quarantine is over nothing is revoked, and nothing is cleared away, that stands in the order
 * of expiry at or before its beginning. What ends later, and what somebody revokes by name, is not touched by it. A
 * token that has ended cannot be used all the same.
 *
 * The record is one in clear, and is put in place by the same entry of the log that ends the restore: so there is no
 * moment at which the restored state is without it. It holds times, nothing secret.
 */
#ifndef COFFER_CORE_QUARANTINE_H
#define COFFER_CORE_QUARANTINE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct core;
struct request;

/* Puts the record on top of an entry that ends a restore: a quarantine as of now. */
void quarantine_put_begin(struct core *core, struct buf *entry);

/* The time up to which nothing ends by itself, in seconds of the cluster's time; 0 when there is no quarantine. */
int quarantine_until(struct request *req, int64_t *ret_until_s) MUST_CHECK;
/* The same, of any node that is initialized, for health and status; also 0 when it cannot be read. */
int64_t quarantine_of_state(struct core *core);

/*
 * What is in quarantine, in the order of its ends. after: a cursor that an earlier call gave, or "". ret_data (a new
 * reference): since, leases, tokens (how many had ended), next (a cursor, when there are more).
 */
int quarantine_list(struct request *req, const char *after, size_t limit, json_t **ret_data) MUST_CHECK;
/* What is in it ends now, by the worker; the quarantine is over. */
int quarantine_revoke(struct request *req) MUST_CHECK;
/*
 * Leases that are in it get a new end, so many seconds from now, however long they had; then it is over. Those that
 * were being revoked, tokens that had ended and what hangs on them end all the same. Commits, many times; waits.
 */
int quarantine_extend(struct request *req, int64_t ttl_s, size_t *ret_n) MUST_CHECK;

#endif
