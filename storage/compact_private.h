/* SPDX-License-Identifier: Apache-2.0 */
/*
 * compact_private.h — what changes the state tells a compaction that is under way; with apply_lock held.
 */
#ifndef COFFER_STORAGE_COMPACT_PRIVATE_H
#define COFFER_STORAGE_COMPACT_PRIVATE_H

#include "storage/compact.h"
#include "storage/store_private.h"

/* A record was written or deleted. NULL is fine: none is under way. */
void compaction_note(struct compaction *compaction, const unsigned char key[STORE_KEY_SIZE]);
/* More has changed than single records: what was copied so far is of no use. NULL is fine. */
void compaction_void(struct compaction *compaction);

#endif
