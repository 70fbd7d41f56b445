/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit_private.h — between audit.c, which writes, and audit_store.c, which keeps what devices there are.
 */
#ifndef COFFER_CORE_AUDIT_PRIVATE_H
#define COFFER_CORE_AUDIT_PRIVATE_H

#include "core/audit/audit.h"
#include "core/audit/audit_entry.h"

struct txn;

/* The devices as stored: an object of path → {"type", "description", "options", "local", "salt"}; a new reference. */
int audit_table_load(struct txn *txn, json_t **ret_table) MUST_CHECK;
/* Which headers stand in the entries: name, in lower case → {"hmac": …}; a new reference. */
int audit_header_rules_load(struct txn *txn, json_t **ret_rules) MUST_CHECK;
/* NULL when this binary has no such device. */
const struct audit_device *audit_device_find(const struct core *core, const char *type);

#endif
