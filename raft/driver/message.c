/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/driver/message.h"

#include <stdlib.h>
#include <string.h>

#include "base/format.h"
#include "raft/driver/member.h"

/* What libraft itself puts into the `version` of these, where it looks at them. */
#define VOTE_VERSION        2
#define VOTE_RESULT_VERSION 2

static void put_append(const struct raft_append_entries *args, struct entry *const *entries, struct buf *ret)
{
    size_t bytes = 64;
    for (unsigned i = 0; i < args->n_entries; i++)
        bytes += 13 + entries[i]->len;
    buf_reserve(ret, bytes);
    buf_put_u64(ret, args->term);
    buf_put_u64(ret, args->prev_log_index);
    buf_put_u64(ret, args->prev_log_term);
    buf_put_u64(ret, args->leader_commit);
    buf_put_u32(ret, args->n_entries);
    for (unsigned i = 0; i < args->n_entries; i++) {
        buf_put_u64(ret, entries[i]->term);
        buf_put_u8(ret, entries[i]->type);
        buf_put_block(ret, entries[i]->data, entries[i]->len);
    }
}

static void put_snapshot(const struct raft_install_snapshot *args, struct buf *ret)
{
    struct entry *configuration = configuration_entry(&args->conf);
    buf_put_u64(ret, args->term);
    buf_put_u64(ret, args->last_index);
    buf_put_u64(ret, args->last_term);
    buf_put_u64(ret, args->conf_index);
    buf_put_block(ret, configuration->data, configuration->len);
    entry_unref(configuration);
}

void message_encode(const struct raft_message *message, struct entry *const *entries, uint8_t version, struct buf *ret)
{
    buf_put_u8(ret, version);
    buf_put_u8(ret, (uint8_t)message->type);
    switch (message->type) {
    case RAFT_APPEND_ENTRIES:
        put_append(&message->append_entries, entries, ret);
        break;
    case RAFT_APPEND_ENTRIES_RESULT:
        buf_put_u64(ret, message->append_entries_result.term);
        buf_put_u64(ret, message->append_entries_result.rejected);
        buf_put_u64(ret, message->append_entries_result.last_log_index);
        break;
    case RAFT_REQUEST_VOTE:
        buf_put_u64(ret, message->request_vote.term);
        buf_put_u64(ret, message->request_vote.candidate_id);
        buf_put_u64(ret, message->request_vote.last_log_index);
        buf_put_u64(ret, message->request_vote.last_log_term);
        buf_put_u8(ret, message->request_vote.disrupt_leader);
        buf_put_u8(ret, message->request_vote.pre_vote);
        break;
    case RAFT_REQUEST_VOTE_RESULT:
        buf_put_u64(ret, message->request_vote_result.term);
        buf_put_u8(ret, message->request_vote_result.vote_granted);
        buf_put_u8(ret, message->request_vote_result.pre_vote);
        break;
    case RAFT_INSTALL_SNAPSHOT:
        put_snapshot(&message->install_snapshot, ret);
        break;
    case RAFT_TIMEOUT_NOW:
        buf_put_u64(ret, message->timeout_now.term);
        buf_put_u64(ret, message->timeout_now.last_log_index);
        buf_put_u64(ret, message->timeout_now.last_log_term);
        break;
    }
}

static uint64_t get_number(struct reader *reader)
{
    uint64_t value = reader_u64(reader);
    if (value > MESSAGE_NUMBER_MAX)
        reader->failed = true;
    return value;
}

static uint64_t get_term(struct reader *reader)
{
    uint64_t term = get_number(reader);
    if (term == 0)
        reader->failed = true;
    return term;
}

static bool get_flag(struct reader *reader)
{
    uint8_t value = reader_u8(reader);
    if (value > 1)
        reader->failed = true;
    return value == 1;
}

/* An index and the term of the entry there: both or neither. */
static void get_position(struct reader *reader, raft_index *ret_index, raft_term *ret_term)
{
    *ret_index = get_number(reader);
    *ret_term = get_number(reader);
    if ((*ret_index == 0) != (*ret_term == 0))
        reader->failed = true;
}

static struct entry *get_entry(struct reader *reader, uint64_t index, uint64_t min_term, uint64_t max_term)
{
    uint64_t term = get_term(reader);
    uint8_t type = reader_u8(reader);
    size_t len = 0;
    const void *data = reader_block(reader, ENTRY_DATA_MAX, &len);
    if (reader->failed || data == NULL || type < ENTRY_COMMAND || type > ENTRY_CONFIGURATION || term < min_term ||
        term > max_term)
        return NULL;
    if (type == ENTRY_CONFIGURATION) {
        struct raft_configuration configuration;
        if (configuration_decode(data, len, &configuration) != OK)
            return NULL;
        raft_configuration_close(&configuration);
    }
    return entry_new(index, term, type, data, len);
}

static void get_entries(struct reader *reader, struct message *message)
{
    struct raft_append_entries *args = &message->raft.append_entries;
    uint32_t n = reader_u32(reader);
    if (reader->failed || n > MESSAGE_ENTRIES_MAX) {
        reader->failed = true;
        return;
    }
    message->entries = n == 0 ? NULL : calloc(n, sizeof(struct entry *));
    if (n > 0 && message->entries == NULL)
        abort();
    uint64_t term = args->prev_log_term;
    for (uint32_t i = 0; i < n; i++) {
        struct entry *entry = get_entry(reader, args->prev_log_index + 1 + i, term, args->term);
        if (entry == NULL) {
            reader->failed = true;
            return;
        }
        message->entries[args->n_entries++] = entry;
        term = entry->term;
    }
}

static void get_append(struct reader *reader, struct message *message)
{
    struct raft_append_entries *args = &message->raft.append_entries;
    args->term = get_term(reader);
    get_position(reader, &args->prev_log_index, &args->prev_log_term);
    args->leader_commit = get_number(reader);
    if (args->prev_log_term > args->term)
        reader->failed = true;
    get_entries(reader, message);
}

static void get_append_result(struct reader *reader, struct raft_append_entries_result *ret)
{
    ret->version = MESSAGE_APPEND_RESULT_VERSION;
    ret->term = get_number(reader);
    ret->rejected = get_number(reader);
    ret->last_log_index = get_number(reader);
    if (ret->rejected > 0 && ret->last_log_index >= ret->rejected)
        reader->failed = true;
}

static void get_vote(struct reader *reader, struct raft_request_vote *ret)
{
    ret->version = VOTE_VERSION;
    ret->term = get_term(reader);
    ret->candidate_id = reader_u64(reader);
    get_position(reader, &ret->last_log_index, &ret->last_log_term);
    ret->disrupt_leader = get_flag(reader);
    ret->pre_vote = get_flag(reader);
    if (ret->candidate_id == 0 || ret->last_log_term > ret->term)
        reader->failed = true;
}

static void get_snapshot(struct reader *reader, struct raft_install_snapshot *ret)
{
    ret->term = get_term(reader);
    get_position(reader, &ret->last_index, &ret->last_term);
    ret->conf_index = get_number(reader);
    size_t len = 0;
    const void *data = reader_block(reader, 1u << 20, &len);
    if (reader->failed || data == NULL || ret->last_index == 0 || ret->last_term > ret->term || ret->conf_index == 0 ||
        ret->conf_index > ret->last_index || configuration_decode(data, len, &ret->conf) != OK) {
        raft_configuration_init(&ret->conf);
        reader->failed = true;
    }
}

static void get_body(struct reader *reader, struct message *message)
{
    struct raft_message *raft = &message->raft;
    switch (raft->type) {
    case RAFT_APPEND_ENTRIES:
        get_append(reader, message);
        break;
    case RAFT_APPEND_ENTRIES_RESULT:
        get_append_result(reader, &raft->append_entries_result);
        break;
    case RAFT_REQUEST_VOTE:
        get_vote(reader, &raft->request_vote);
        break;
    case RAFT_REQUEST_VOTE_RESULT:
        raft->request_vote_result.version = VOTE_RESULT_VERSION;
        raft->request_vote_result.term = get_number(reader);
        raft->request_vote_result.vote_granted = get_flag(reader);
        raft->request_vote_result.pre_vote = get_flag(reader);
        break;
    case RAFT_INSTALL_SNAPSHOT:
        get_snapshot(reader, &raft->install_snapshot);
        break;
    case RAFT_TIMEOUT_NOW:
        raft->timeout_now.term = get_term(reader);
        get_position(reader, &raft->timeout_now.last_log_index, &raft->timeout_now.last_log_term);
        break;
    default:
        reader->failed = true;
    }
}

int message_decode(const void *data, size_t len, struct message *ret)
{
    struct reader reader = reader_of(data, len);
    struct message message;
    memset(&message, 0, sizeof message);
    uint8_t version = reader_u8(&reader);
    message.raft.type = (enum raft_message_type)reader_u8(&reader);
    if (reader.failed)
        return ERR_CORRUPT;
    if (version < FORMAT_FIRST || version > format_newest())
        return ERR_UNSUPPORTED;
    get_body(&reader, &message);
    if (!reader_done(&reader)) {
        message_close(&message);
        return ERR_CORRUPT;
    }
    *ret = message;
    return OK;
}

void message_close(struct message *message)
{
    if (message->raft.type == RAFT_APPEND_ENTRIES) {
        for (unsigned i = 0; i < message->raft.append_entries.n_entries; i++)
            entry_unref(message->entries[i]);
        free(message->entries);
        message->entries = NULL;
        message->raft.append_entries.n_entries = 0;
    } else if (message->raft.type == RAFT_INSTALL_SNAPSHOT) {
        configuration_clear(&message->raft.install_snapshot.conf);
    }
}
