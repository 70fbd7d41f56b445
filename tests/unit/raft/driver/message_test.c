/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/format.h"
#include "driver_rig.h"

static void encode(struct raft_message *message, struct entry *const *entries, struct buf *ret)
{
    message_encode(message, entries, FORMAT_FIRST, ret);
}

static void each_message_comes_back_as_it_was(void **state)
{
    (void)state;
    struct buf bytes = BUF_INIT, again = BUF_INIT;
    struct entry *members = rig_members(5, 3, 3, 3);
    struct raft_message messages[6] = {0};
    struct entry *entries[] = {rig_command(4, 2), rig_members(5, 3, 2, 3)};
    messages[0].type = RAFT_APPEND_ENTRIES;
    messages[0].append_entries = (struct raft_append_entries){
        .term = 3, .prev_log_index = 3, .prev_log_term = 2, .leader_commit = 3, .n_entries = 2};
    messages[1].type = RAFT_APPEND_ENTRIES_RESULT;
    messages[1].append_entries_result =
        (struct raft_append_entries_result){.term = 3, .rejected = 9, .last_log_index = 8};
    messages[2].type = RAFT_REQUEST_VOTE;
    messages[2].request_vote = (struct raft_request_vote){
        .term = 4, .candidate_id = 7, .last_log_index = 6, .last_log_term = 3, .disrupt_leader = true};
    messages[3].type = RAFT_REQUEST_VOTE_RESULT;
    messages[3].request_vote_result =
        (struct raft_request_vote_result){.term = 4, .vote_granted = true, .pre_vote = true};
    messages[4].type = RAFT_INSTALL_SNAPSHOT;
    messages[4].install_snapshot =
        (struct raft_install_snapshot){.term = 4, .last_index = 9, .last_term = 3, .conf_index = 5};
    assert_int_equal(configuration_decode(members->data, members->len, &messages[4].install_snapshot.conf), OK);
    messages[5].type = RAFT_TIMEOUT_NOW;
    messages[5].timeout_now = (struct raft_timeout_now){.term = 4, .last_log_index = 9, .last_log_term = 3};
    for (int i = 0; i < 6; i++) {
        struct message decoded;
        encode(&messages[i], entries, &bytes);
        assert_int_equal(message_decode(bytes.data, bytes.len, &decoded), OK);
        encode(&decoded.raft, decoded.entries, &again);
        assert_int_equal(bytes.len, again.len);
        assert_memory_equal(bytes.data, again.data, bytes.len);
        message_close(&decoded);
        buf_clear(&bytes);
        buf_clear(&again);
    }
    raft_configuration_close(&messages[4].install_snapshot.conf);
    entry_unref(members);
    entry_unref(entries[0]);
    entry_unref(entries[1]);
    buf_close(&bytes);
    buf_close(&again);
}

static void no_part_of_a_message_passes_for_one(void **state)
{
    (void)state;
    struct buf bytes = BUF_INIT;
    struct entry *entries[] = {rig_members(5, 3, 2, 3)};
    struct raft_message message = {.type = RAFT_APPEND_ENTRIES};
    message.append_entries =
        (struct raft_append_entries){.term = 3, .prev_log_index = 4, .prev_log_term = 2, .n_entries = 1};
    encode(&message, entries, &bytes);
    for (size_t len = 0; len < bytes.len; len++) {
        struct message decoded;
        unsigned char *part = malloc(len + 1); /* at the end of its memory, so that a sanitizer sees a step over it */
        memcpy(part, bytes.data, len);
        assert_int_not_equal(message_decode(part, len, &decoded), OK);
        free(part);
    }
    entry_unref(entries[0]);
    buf_close(&bytes);
}

static int decode_append(uint64_t term, uint64_t prev, uint64_t prev_term, struct entry *entry)
{
    struct buf bytes = BUF_INIT;
    struct message decoded;
    struct raft_message message = {.type = RAFT_APPEND_ENTRIES};
    message.append_entries =
        (struct raft_append_entries){.term = term, .prev_log_index = prev, .prev_log_term = prev_term, .n_entries = 1};
    encode(&message, &entry, &bytes);
    int rc = message_decode(bytes.data, bytes.len, &decoded);
    if (rc == OK)
        message_close(&decoded);
    buf_close(&bytes);
    entry_unref(entry);
    return rc;
}

static void what_libraft_only_asserts_is_refused(void **state)
{
    (void)state;
    assert_int_equal(decode_append(3, 4, 2, rig_command(5, 3)), OK);
    assert_int_equal(decode_append(0, 4, 2, rig_command(5, 3)), ERR_CORRUPT); /* no term */
    assert_int_equal(decode_append(3, 4, 0, rig_command(5, 3)), ERR_CORRUPT); /* a position without a term */
    assert_int_equal(decode_append(3, 0, 2, rig_command(1, 3)), ERR_CORRUPT);
    assert_int_equal(decode_append(3, 4, 4, rig_command(5, 4)), ERR_CORRUPT); /* from the future */
    assert_int_equal(decode_append(3, 4, 2, rig_command(5, 1)), ERR_CORRUPT); /* terms run backwards */
    assert_int_equal(decode_append(3, 4, 2, entry_new(5, 3, 9, "", 0)), ERR_CORRUPT);
    assert_int_equal(decode_append(UINT64_MAX, 4, 2, rig_command(5, 3)), ERR_CORRUPT);
    assert_int_equal(decode_append(3, UINT64_MAX - 1, 2, rig_command(5, 3)), ERR_CORRUPT);
    assert_int_equal(decode_append(3, 4, 2, entry_new(5, 3, ENTRY_CONFIGURATION, "x", 1)), ERR_CORRUPT);
}

static void a_list_of_members_is_checked_before_libraft_reads_it(void **state)
{
    (void)state;
    struct raft_configuration members;
    struct entry *good = rig_members(1, 1, 3, 4);
    assert_int_equal(configuration_decode(good->data, good->len, &members), OK);
    assert_int_equal(members.n, 3);
    raft_configuration_close(&members);
    for (size_t len = 0; len < good->len - 8; len++) {
        unsigned char *part = malloc(len + 1);
        memcpy(part, good->data, len);
        assert_int_equal(configuration_decode(part, len, &members), ERR_CORRUPT);
        free(part);
    }
    unsigned char many[16] = {1, 0xff, 0xff, 0xff, 0xff};
    assert_int_equal(configuration_decode(many, sizeof many, &members), ERR_CORRUPT);
    entry_unref(good);
}

static void an_address_names_node_and_host(void **state)
{
    (void)state;
    char address[MEMBER_ADDRESS_MAX];
    struct member member;
    assert_int_equal(member_make("node-1", "[::1]:8201", true, &member, NULL), OK);
    member_format(&member, address);
    member = (struct member){0};
    assert_int_equal(member_parse(address, &member), OK);
    assert_string_equal(member.node_id, "node-1");
    assert_string_equal(member.cluster_addr, "[::1]:8201");
    assert_true(member.non_voter);
    static const char *const bad_addrs[] = {"", "host", "host:", ":1", "host:x", "host:1x", "ho st:1", "host:123456"};
    for (size_t i = 0; i < sizeof bad_addrs / sizeof bad_addrs[0]; i++)
        assert_int_equal(member_make("node", bad_addrs[i], false, &member, NULL), ERR_INVALID);
    static const char *const bad_ids[] = {"", "a b", "a/b", "é"};
    for (size_t i = 0; i < sizeof bad_ids / sizeof bad_ids[0]; i++)
        assert_int_equal(member_make(bad_ids[i], "host:1", false, &member, NULL), ERR_INVALID);
    assert_int_equal(member_parse("node host:1 voter", &member), ERR_CORRUPT);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        {"each message comes back as it was", each_message_comes_back_as_it_was, NULL, NULL, NULL},
        {"no part of a message passes for one", no_part_of_a_message_passes_for_one, NULL, NULL, NULL},
        {"what libraft only asserts is refused", what_libraft_only_asserts_is_refused, NULL, NULL, NULL},
        {"a list of members is checked before libraft reads it", a_list_of_members_is_checked_before_libraft_reads_it,
         NULL, NULL, NULL},
        {"an address names node and host, and nothing else passes", an_address_names_node_and_host, NULL, NULL, NULL},
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
