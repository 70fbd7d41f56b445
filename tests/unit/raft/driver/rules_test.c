/* SPDX-License-Identifier: Apache-2.0 */
/* The rules that make libraft's core right, each by itself (driver.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <stdlib.h>

#include "driver_rig.h"

static struct driver_rig rig;

static int set_up(void **state)
{
    (void)state;
    rig = (struct driver_rig){0};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    bool was_good = rig.fatal[0] == '\0';
    if (!was_good)
        print_error("%s\n", rig.fatal);
    rig_end(&rig);
    return was_good ? 0 : -1;
}

static struct driver_standing standing(void)
{
    struct driver_standing ret;
    driver_standing(rig.driver, &ret);
    return ret;
}

static void r1a_no_change_before_an_own_entry_is_committed(void **state)
{
    (void)state;
    rig_voters(&rig, 3);
    rig_elect(&rig);
    assert_int_equal(rig.log[rig.last]->type, ENTRY_BARRIER); /* it writes one by itself */
    assert_int_equal(driver_add_member(rig.driver, 4, &(struct member){"n4", "host:4", false}, NULL, NULL),
                     ERR_NOTLEADER);
    rig_write(&rig);
    rig_confirm(&rig, 2, rig.last);
    rig_apply(&rig);
    assert_int_equal(driver_add_member(rig.driver, 4, &(struct member){"n4", "host:4", false}, NULL, NULL), OK);
    assert_int_equal(rig.log[rig.last]->type, ENTRY_CONFIGURATION);
}

static void r1b_a_vote_is_given_only_when_all_are_there(void **state)
{
    (void)state;
    static const struct cluster_autopilot at_once = {.last_contact_ms = 10000, .max_trailing_logs = 1000};
    rig_disk(&rig, rig_members(1, 1, 4, 4)); /* 4 is a standby */
    rig_begin(&rig);
    driver_set_autopilot(rig.driver, &at_once);
    rig_lead(&rig);
    uint64_t last = rig.last;
    for (int i = 0; i < 20; i++) {
        rig_pass(&rig, 50);
        rig_confirm(&rig, 2, last);
        if (i >= 8) /* 3 was silent for longer than an election timeout by then */
            rig_confirm(&rig, 4, last);
    }
    assert_int_equal(rig.last, last);
    for (int i = 0; i < 4; i++) {
        rig_pass(&rig, 50);
        for (uint64_t id = 2; id <= 4; id++)
            rig_confirm(&rig, id, last);
    }
    assert_int_equal(rig.last, last + 1);
    const struct raft_server *fourth = configuration_find(driver_configuration(rig.driver), 4);
    assert_int_equal(fourth->role, RAFT_VOTER);
}

static void r1b_a_vote_is_taken_when_most_of_the_others_are_there(void **state)
{
    (void)state;
    rig_voters(&rig, 5);
    rig_lead(&rig);
    uint64_t last = rig.last;
    for (int i = 0; i < 16; i++) { /* 4 is silent all the time, 3 at first */
        if (i == 8)
            assert_int_equal(driver_remove_member(rig.driver, 5, NULL, NULL), OK);
        if (i == 12)
            assert_int_equal(rig.last, last);
        rig_pass(&rig, 50);
        rig_confirm(&rig, 2, last);
        rig_confirm(&rig, i < 12 ? 5 : 3, last);
    }
    assert_int_equal(rig.last, last + 1);
    assert_null(configuration_find(driver_configuration(rig.driver), 5));
}

static void r1b_a_standby_votes_for_who_counts_on_it(void **state)
{
    (void)state;
    struct raft_message message = {.type = RAFT_REQUEST_VOTE};
    struct entry *members = rig_members(1, 1, 2, 3);
    struct raft_configuration both;
    assert_int_equal(configuration_decode(members->data, members->len, &both), OK);
    entry_unref(members);
    both.servers[0].role = RAFT_STANDBY; /* by its own log 1 has no vote */
    struct entry *first = configuration_entry(&both);
    first->index = first->term = 1;
    raft_configuration_close(&both);
    rig_disk(&rig, first);
    rig_begin(&rig);
    rig_pass(&rig, 1000);
    message.request_vote.term = 2;
    message.request_vote.candidate_id = 2;
    message.request_vote.last_log_index = 2;
    message.request_vote.last_log_term = 1;
    rig_deliver(&rig, 2, &message, NULL);
    assert_true(rig_last(&rig, 2, RAFT_REQUEST_VOTE_RESULT)->request_vote_result.vote_granted);
    assert_int_equal(rig.vote, 2);
    const struct raft_server *self = configuration_find(driver_configuration(rig.driver), 1);
    assert_int_equal(self->role, RAFT_STANDBY);
}

static void r2_a_change_amid_a_message_is_committed_at_its_index(void **state)
{
    (void)state;
    rig_voters(&rig, 3);
    struct entry *entries[] = {rig_command(2, 1), rig_command(3, 1), rig_members(4, 1, 4, 4), rig_command(5, 1)};
    rig_append(&rig, 2, 1, 1, 1, 5, entries, 4);
    assert_int_equal(rig.n_appends, 2);
    assert_int_equal(rig.appends[0], 2);
    assert_int_equal(rig.appends[1], 4);
    uint64_t index = 0;
    assert_int_equal(driver_committed(rig.driver, &index)->n, 4);
    assert_int_equal(index, 4);
}

static void r3_a_refused_pre_vote_carries_the_own_term(void **state)
{
    (void)state;
    struct raft_message message = {.type = RAFT_REQUEST_VOTE};
    rig_disk(&rig, rig_members(1, 1, 3, 4));
    rig_disk(&rig, rig_command(2, 9));
    rig_begin(&rig);
    rig_pass(&rig, 301);
    message.request_vote.term = 5;
    message.request_vote.candidate_id = 2;
    message.request_vote.last_log_index = message.request_vote.last_log_term = 1;
    message.request_vote.pre_vote = true;
    rig_deliver(&rig, 2, &message, NULL);
    const struct raft_message *answer = rig_last(&rig, 2, RAFT_REQUEST_VOTE_RESULT);
    assert_false(answer->request_vote_result.vote_granted);
    assert_int_equal(answer->request_vote_result.term, 9);
}

static void r4_no_vote_right_after_the_start(void **state)
{
    (void)state;
    struct raft_message message = {.type = RAFT_REQUEST_VOTE};
    rig_voters(&rig, 3);
    message.request_vote.term = 2;
    message.request_vote.candidate_id = 2;
    message.request_vote.last_log_index = message.request_vote.last_log_term = 1;
    rig_pass(&rig, 299);
    rig_deliver(&rig, 2, &message, NULL);
    assert_int_equal(rig.n_sent, 0);
    assert_int_equal(rig.votes_written, 0);
    rig.now += 1;
    rig_deliver(&rig, 2, &message, NULL);
    assert_true(rig_last(&rig, 2, RAFT_REQUEST_VOTE_RESULT)->request_vote_result.vote_granted);
}

static void tell(uint64_t from, uint8_t type, const uint64_t *numbers, size_t n)
{
    struct buf frame = BUF_INIT;
    for (size_t i = 0; i < n; i++)
        buf_put_u64(&frame, numbers[i]);
    driver_receive(rig.driver, from, type, frame.data, frame.len);
    buf_close(&frame);
}

static void promise(uint64_t from, uint64_t asked_at, uint64_t for_ms)
{
    tell(from, FRAME_READ_ANSWER, (uint64_t[]){rig.term, 0, asked_at, for_ms}, 4);
}

static void promises_count_from_when_they_were_asked_for(void **state)
{
    (void)state;
    rig_voters(&rig, 3);
    rig_lead(&rig);
    uint64_t asked_at = rig.now;
    assert_int_equal(driver_lead_until(rig.driver), 0);
    rig.now += 1000; /* this process stood still, with the answer in its buffer */
    promise(2, asked_at, 300);
    assert_int_equal(driver_lead_until(rig.driver), asked_at + 270);
    promise(2, rig.now + 1, 300); /* to a question that was never asked */
    assert_int_equal(driver_lead_until(rig.driver), asked_at + 270);
    promise(3, rig.now, 200);
    assert_int_equal(driver_lead_until(rig.driver), rig.now + 180);
}

static void a_promise_of_who_has_no_vote_is_worth_nothing(void **state)
{
    (void)state;
    rig_voters(&rig, 3);
    rig_lead(&rig);
    promise(7, rig.now, 300);
    assert_int_equal(driver_lead_until(rig.driver), 0);
}

static void who_hands_over_answers_no_more_and_gives_promises_back(void **state)
{
    (void)state;
    rig_voters(&rig, 3);
    rig_lead(&rig);
    promise(2, rig.now, 300);
    assert_int_not_equal(driver_lead_until(rig.driver), 0);
    driver_peer_told(rig.driver, 2, &(struct driver_traits){.sealed = false});
    rig_forget_sent(&rig);
    assert_int_equal(driver_transfer(rig.driver, 2, 0, NULL, NULL), OK);
    assert_int_equal(rig.sent[0].type, FRAME_READ);
    assert_int_equal(rig.sent[0].numbers[3], 1);
    assert_int_equal(driver_lead_until(rig.driver), 0);
    promise(3, rig.now, 300); /* asked for before */
    assert_int_equal(driver_lead_until(rig.driver), 0);
}

static void who_promised_does_not_vote_until_it_is_free(void **state)
{
    (void)state;
    rig_voters(&rig, 3);
    rig.now += 300; /* past R4 */
    rig_append(&rig, 2, 2, 1, 1, 1, NULL, 0);
    rig_forget_sent(&rig);
    tell(2, FRAME_READ, (uint64_t[]){2, 0, 5555, 0}, 4);
    assert_int_equal(rig.sent[0].type, FRAME_READ_ANSWER);
    assert_int_equal(rig.sent[0].numbers[2], 5555);
    assert_int_equal(rig.sent[0].numbers[3], 300);
    struct raft_message vote = {.type = RAFT_REQUEST_VOTE};
    vote.request_vote.term = 3;
    vote.request_vote.candidate_id = 3;
    vote.request_vote.last_log_index = 9;
    vote.request_vote.last_log_term = 2;
    vote.request_vote.disrupt_leader = true;
    rig_forget_sent(&rig);
    rig_deliver(&rig, 3, &vote, NULL);
    assert_int_equal(rig.n_sent, 0);
    tell(2, FRAME_READ, (uint64_t[]){2, 0, 5554, 1}, 4); /* overtaken by the question above */
    rig_deliver(&rig, 3, &vote, NULL);
    assert_null(rig_last(&rig, 3, RAFT_REQUEST_VOTE_RESULT));
    tell(2, FRAME_READ, (uint64_t[]){2, 0, 5556, 1}, 4);
    rig_deliver(&rig, 3, &vote, NULL);
    assert_true(rig_last(&rig, 3, RAFT_REQUEST_VOTE_RESULT)->request_vote_result.vote_granted);
}

static void r5_a_sole_voter_starts_in_a_new_term(void **state)
{
    (void)state;
    rig_voters(&rig, 1);
    assert_int_equal(rig.term, 2);
    assert_int_equal(rig.vote, 1);
    assert_int_equal(rig.log[rig.last]->term, 2);
}

static void r5_a_follower_left_alone_leads_in_a_new_term(void **state)
{
    (void)state;
    rig_voters(&rig, 2);
    struct entry *entries[] = {rig_members(2, 1, 1, 2)};
    rig_append(&rig, 2, 1, 1, 1, 1, entries, 1);
    rig_write(&rig);
    rig_pass(&rig, 700);
    assert_int_equal(standing().term, 2);
    assert_int_equal(rig.vote, 1);
    assert_int_equal(rig.log[rig.last]->term, 2);
}

static void r6_entries_from_before_the_compacted_log_are_not_appended(void **state)
{
    (void)state;
    struct entry *members = rig_members(1, 1, 3, 4);
    for (uint64_t index = 20; index <= 25; index++)
        rig_disk(&rig, rig_command(index, 1));
    const struct driver_disk disk = {.term = 1,
                                     .log_first = 20,
                                     .log_last = 25,
                                     .applied = 24,
                                     .applied_term = 1,
                                     .configuration_index = 1,
                                     .configuration = members->data,
                                     .configuration_len = members->len};
    assert_int_equal(rig_begin_with(&rig, &disk), OK);
    entry_unref(members);
    struct entry *entries[] = {rig_members(1, 1, 3, 4), rig_command(2, 1), rig_command(3, 1)};
    rig_append(&rig, 2, 1, 0, 0, 24, entries, 3);
    assert_int_equal(rig.n_appends, 0);
    const struct raft_message *answer = rig_last(&rig, 2, RAFT_APPEND_ENTRIES_RESULT);
    assert_int_equal(answer->append_entries_result.rejected, 0);
    assert_int_equal(answer->append_entries_result.last_log_index, 24);
}

static void r7_an_overtaken_refusal_does_not_stop_replication(void **state)
{
    (void)state;
    struct raft_message message = {.type = RAFT_APPEND_ENTRIES_RESULT};
    rig_voters(&rig, 3);
    rig_lead(&rig);
    uint64_t match = rig.last;
    for (int i = 0; i < 4; i++) { /* 2 misses some heartbeats: the core goes back to probing it */
        rig_pass(&rig, 50);
        rig_confirm(&rig, 3, match);
    }
    message.append_entries_result.term = rig.term;
    message.append_entries_result.rejected = match; /* as sent before it confirmed that */
    message.append_entries_result.last_log_index = match - 1;
    rig_deliver(&rig, 2, &message, NULL);
    assert_int_equal(driver_submit(rig.driver, rig.term, rig_command(0, 0), &rig), OK);
    const struct raft_message *sent = rig_last(&rig, 2, RAFT_APPEND_ENTRIES);
    assert_int_equal(sent->append_entries.prev_log_index, match);
    assert_int_equal(sent->append_entries.n_entries, 1);
}

static void n2_one_snapshot_to_a_peer_at_a_time(void **state)
{
    (void)state;
    rig_voters(&rig, 3);
    rig_lead(&rig);
    for (int i = 0; i < 40; i++) { /* 3 gets nothing, until the log is trimmed beyond what it has */
        assert_int_equal(driver_submit(rig.driver, rig.term, rig_command(0, 0), NULL), OK);
        rig_write(&rig);
        rig_confirm(&rig, 2, rig.last);
        rig_apply(&rig);
        driver_synced(rig.driver, rig.last);
    }
    assert_true(rig.first > 3);
    struct raft_message message = {.type = RAFT_APPEND_ENTRIES_RESULT};
    for (int i = 0; i < 30; i++) {
        rig_pass(&rig, 50);
        rig_confirm(&rig, 2, rig.last);
        const struct raft_message *sent = rig_last(&rig, 3, RAFT_APPEND_ENTRIES);
        message.append_entries_result.term = rig.term;
        message.append_entries_result.rejected = sent->append_entries.prev_log_index;
        message.append_entries_result.last_log_index = 2;
        rig_deliver(&rig, 3, &message, NULL);
        rig_forget_sent(&rig);
    }
    assert_int_equal(rig.snapshots, 1);
    driver_snapshot_sent(rig.driver, 3);
    for (int i = 0; i < 4; i++) {
        rig_pass(&rig, 50);
        rig_confirm(&rig, 2, rig.last);
        message.append_entries_result.rejected = rig_last(&rig, 3, RAFT_APPEND_ENTRIES)->append_entries.prev_log_index;
        rig_deliver(&rig, 3, &message, NULL);
    }
    assert_int_equal(rig.snapshots, 2);
}

static void n3_the_first_write_after_a_pause_is_sent_at_once(void **state)
{
    (void)state;
    rig_voters(&rig, 3);
    rig_lead(&rig);
    for (int i = 0; i < 4; i++) { /* 3 misses some heartbeats: the core takes it for slow */
        rig_pass(&rig, 50);
        rig_confirm(&rig, 2, rig.last);
    }
    rig_confirm(&rig, 3, rig.last);
    rig_forget_sent(&rig);
    assert_int_equal(driver_submit(rig.driver, rig.term, rig_command(0, 0), NULL), OK);
    for (uint64_t id = 2; id <= 3; id++) {
        const struct raft_message *sent = rig_last(&rig, id, RAFT_APPEND_ENTRIES);
        assert_non_null(sent);
        assert_int_equal(sent->append_entries.n_entries, 1);
    }
}

static void a_large_entry_is_sent_once_while_a_slow_link_carries_it(void **state)
{
    (void)state;
    const size_t size = 40u << 20;
    void *data = calloc(1, size);
    rig_voters(&rig, 3);
    rig_lead(&rig);
    assert_int_equal(driver_submit(rig.driver, rig.term, entry_new(0, 0, ENTRY_COMMAND, data, size), NULL), OK);
    free(data);
    for (int ms = 0; ms < 30000; ms += 50) {
        rig_forget_sent(&rig);
        rig_pass(&rig, 50);
        rig_confirm(&rig, 3, rig.last - 1); /* 2 is not even heard: the core goes back to asking where it is */
        const struct raft_message *sent = rig_last(&rig, 2, RAFT_APPEND_ENTRIES);
        assert_true(sent == NULL || sent->append_entries.n_entries == 0);
    }
}

#define TEST(sentence, fn)                                                                                             \
    {                                                                                                                  \
        sentence, fn, set_up, tear_down, NULL                                                                          \
    }

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST("R1a: no change of members before an entry of the own term is committed",
             r1a_no_change_before_an_own_entry_is_committed),
        TEST("R1b: a vote is given only when all who will vote are there", r1b_a_vote_is_given_only_when_all_are_there),
        TEST("R1b: a vote is taken when most of those who are left are there",
             r1b_a_vote_is_taken_when_most_of_the_others_are_there),
        TEST("R1b: a standby votes for a candidate who counts on it", r1b_a_standby_votes_for_who_counts_on_it),
        TEST("R2: a change amid a message is committed at its own index",
             r2_a_change_amid_a_message_is_committed_at_its_index),
        TEST("R3: a refused pre-vote carries the refuser's term", r3_a_refused_pre_vote_carries_the_own_term),
        TEST("R4: a node that has just started does not vote", r4_no_vote_right_after_the_start),
        TEST("promises count from when they were asked for", promises_count_from_when_they_were_asked_for),
        TEST("a promise of who has no vote is worth nothing", a_promise_of_who_has_no_vote_is_worth_nothing),
        TEST("who hands over answers no more and gives promises back",
             who_hands_over_answers_no_more_and_gives_promises_back),
        TEST("who promised does not vote until it is free", who_promised_does_not_vote_until_it_is_free),
        TEST("R5: a sole voter starts in a new term", r5_a_sole_voter_starts_in_a_new_term),
        TEST("R5: a follower that is left alone leads in a new term", r5_a_follower_left_alone_leads_in_a_new_term),
        TEST("R6: entries from before the compacted log are not appended",
             r6_entries_from_before_the_compacted_log_are_not_appended),
        TEST("R7: a refusal that was overtaken does not stop replication",
             r7_an_overtaken_refusal_does_not_stop_replication),
        TEST("N2: a peer is sent one snapshot at a time", n2_one_snapshot_to_a_peer_at_a_time),
        TEST("a large entry is sent once while a slow link carries it",
             a_large_entry_is_sent_once_while_a_slow_link_carries_it),
        TEST("N3: the first write after a pause is sent at once", n3_the_first_write_after_a_pause_is_sent_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
