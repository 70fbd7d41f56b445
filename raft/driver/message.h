/* SPDX-License-Identifier: Apache-2.0 */
/*
 * message.h — libraft's messages as bytes, between nodes and at the head of a snapshot.
 *
 * Form: version u8 (base/format.h) ‖ type u8 ‖ the fields of the type, big endian. Decoding is of hostile bytes: beyond
 * their form, it checks all that libraft only asserts (terms that run backwards, entries of no term, configurations
 * that do not parse), so that what comes out can be handed to raft_step().
 */
#ifndef COFFER_RAFT_MESSAGE_H
#define COFFER_RAFT_MESSAGE_H

#include <raft.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "raft/driver/entry.h"

#define MESSAGE_ENTRIES_MAX 4096
#define MESSAGE_NUMBER_MAX  (UINT64_C(1) << 60) /* of terms and indexes: sums of them do not overflow */

/* What libraft itself puts into an AppendEntries result's `version`. */
#define MESSAGE_APPEND_RESULT_VERSION 2

/* Appends the message; entries are those of RAFT_APPEND_ENTRIES, as many as it says, and may be NULL for none. */
void message_encode(const struct raft_message *message, struct entry *const *entries, uint8_t version, struct buf *ret);

struct message {
    struct raft_message raft; /* entries, server_id and server_address are not set */
    struct entry **entries;   /* of RAFT_APPEND_ENTRIES; owned */
};

/* ERR_CORRUPT for anything but a whole, sane message; ERR_UNSUPPORTED for a newer version. */
int message_decode(const void *data, size_t len, struct message *ret) MUST_CHECK;
/* Frees the entries, and the configuration of RAFT_INSTALL_SNAPSHOT. */
void message_close(struct message *message);

#endif
