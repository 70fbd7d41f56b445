/* SPDX-License-Identifier: Apache-2.0 */
/* What the driver promises beside libraft's rules: order, answers, reads, refusal of nonsense. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/format.h"
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
    rig_end(&rig);
    return 0;
}

static struct driver_standing standing(void)
{
    struct driver_standing ret;
    driver_standing(rig.driver, &ret);
    return ret;
}

static void a_vote_is_on_disk_before_it_is_sent(void **state)
{
    (void)state;
    struct raft_message message = {.type = RAFT_REQUEST_VOTE};
    rig_voters(&rig, 3);
    rig_pass(&rig, 301);
    rig_forget_sent(&rig);
    message.request_vote.term = 7;
    message.request_vote.candidate_id = 3;
    message.request_vote.last_log_index = message.request_vote.last_log_term = 1;
    rig_deliver(&rig, 3, &message, NULL);
    assert_int_equal(rig.term, 7);
    assert_int_equal(rig.vote, 3);
    assert_int_equal(rig.vote_before_sent, 0);
    assert_int_equal(rig_count(&rig, 3, RAFT_REQUEST_VOTE_RESULT), 1);
}

static void nothing_is_confirmed_before_it_is_written(void **state)
{
    (void)state;
    rig_voters(&rig, 3);
    struct entry *entries[] = {rig_command(2, 1)};
    rig_append(&rig, 2, 1, 1, 1, 1, entries, 1);
    const struct raft_message *answer = rig_last(&rig, 2, RAFT_APPEND_ENTRIES_RESULT);
    assert_true(answer == NULL || answer->append_entries_result.last_log_index < 2);
    rig_write(&rig);
    answer = rig_last(&rig, 2, RAFT_APPEND_ENTRIES_RESULT);
    assert_int_equal(answer->append_entries_result.last_log_index, 2);
}

static void a_leader_acknowledges_what_a_quorum_and_it_have_written(void **state)
{
    (void)state;
    int token;
    rig_voters(&rig, 3);
    rig_lead(&rig);
    assert_int_equal(driver_submit(rig.driver, rig.term, rig_command(0, 0), &token), OK);
    rig_confirm(&rig, 2, rig.last);
    rig_confirm(&rig, 3, rig.last);
    rig_apply(&rig);
    assert_int_equal(rig.n_done, 0); /* committed by the others, but not on this disk */
    rig_write(&rig);
    assert_int_equal(rig.n_done, 0);
    rig_apply(&rig);
    assert_int_equal(rig.n_done, 1);
    assert_ptr_equal(rig.done[0].token, &token);
    assert_int_equal(rig.done[0].rc, OK);
    assert_int_equal(rig.done[0].index, rig.last);
}

static void a_lost_leader_answers_each_submission_once(void **state)
{
    (void)state;
    int tokens[2];
    rig_voters(&rig, 3);
    rig_lead(&rig);
    assert_int_equal(driver_submit(rig.driver, rig.term, rig_command(0, 0), &tokens[0]), OK);
    assert_int_equal(driver_submit(rig.driver, rig.term, rig_command(0, 0), &tokens[1]), OK);
    rig_append(&rig, 2, rig.term + 5, 1, 1, 1, NULL, 0);
    assert_int_equal(rig.n_done, 2);
    assert_int_equal(rig.done[0].rc, ERR_UNAVAILABLE);
    assert_int_equal(rig.done[1].rc, ERR_UNAVAILABLE);
    assert_int_equal(driver_submit(rig.driver, rig.term, rig_command(0, 0), &tokens[0]), ERR_NOTLEADER);
    rig_end(&rig);
    assert_int_equal(rig.n_done, 2);
}

static void what_was_committed_is_acknowledged_by_a_lost_leader_too(void **state)
{
    (void)state;
    int token;
    rig_voters(&rig, 3);
    rig_lead(&rig);
    assert_int_equal(driver_submit(rig.driver, rig.term, rig_command(0, 0), &token), OK);
    rig_write(&rig);
    rig_confirm(&rig, 2, rig.last);
    rig_append(&rig, 2, rig.term + 5, 1, 1, 1, NULL, 0);
    assert_int_equal(rig.n_done, 0);
    rig_apply(&rig);
    assert_int_equal(rig.n_done, 1);
    assert_int_equal(rig.done[0].rc, OK);
}

static void an_older_epoch_is_refused(void **state)
{
    (void)state;
    rig_voters(&rig, 1);
    rig_write(&rig);
    rig_apply(&rig);
    assert_int_equal(driver_submit(rig.driver, rig.term - 1, rig_command(0, 0), NULL), ERR_NOTLEADER);
    assert_int_equal(driver_read(rig.driver, rig.term - 1, NULL), ERR_NOTLEADER);
}

static void answer_read(uint64_t from, uint64_t term, uint64_t round)
{
    struct buf answer = BUF_INIT;
    buf_put_u64(&answer, term);
    buf_put_u64(&answer, round);
    buf_put_u64(&answer, 0); /* no promise */
    buf_put_u64(&answer, 0);
    driver_receive(rig.driver, from, FRAME_READ_ANSWER, answer.data, answer.len);
    buf_close(&answer);
}

static void a_read_waits_for_a_majority_of_its_own_term(void **state)
{
    (void)state;
    int token;
    rig_voters(&rig, 3);
    rig_lead(&rig);
    assert_int_equal(driver_read(rig.driver, rig.term, &token), OK);
    assert_int_equal(rig.n_sent, 2);
    assert_int_equal(rig.sent[0].type, FRAME_READ);
    uint64_t round = rig.sent[0].numbers[1];
    answer_read(2, rig.term + 1, round); /* it has heard of a later leader */
    answer_read(2, rig.term, round - 1); /* to an earlier question */
    assert_int_equal(rig.n_done, 0);
    answer_read(3, rig.term, round);
    assert_int_equal(rig.n_done, 1);
    assert_int_equal(rig.done[0].rc, OK);
}

static void reads_that_wait_share_one_question(void **state)
{
    (void)state;
    int tokens[5];
    rig_voters(&rig, 3);
    rig_lead(&rig);
    for (int i = 0; i < 5; i++)
        assert_int_equal(driver_read(rig.driver, rig.term, &tokens[i]), OK);
    assert_int_equal(rig.n_sent, 2);
    answer_read(2, rig.term, rig.sent[0].numbers[1]);
    assert_int_equal(rig.n_done, 1); /* the others came after the question */
    assert_int_equal(rig.n_sent, 4);
    answer_read(2, rig.term, rig.sent[2].numbers[1]);
    assert_int_equal(rig.n_done, 5);
}

static void a_second_leader_in_the_own_term_is_not_listened_to(void **state)
{
    (void)state;
    rig_voters(&rig, 3);
    rig_lead(&rig);
    struct entry *entries[] = {rig_command(2, rig.term)};
    rig_append(&rig, 2, rig.term, 1, 1, 1, entries, 1);
    assert_int_equal(standing().role, CLUSTER_LEADER);
    assert_int_equal(rig.log[2]->type, ENTRY_BARRIER);
}

static void garbage_changes_nothing(void **state)
{
    (void)state;
    unsigned char noise[64];
    rig_voters(&rig, 3);
    uint32_t seed = 1;
    for (int round = 0; round < 5000; round++) {
        for (size_t i = 0; i < sizeof noise; i++)
            noise[i] = (unsigned char)((seed = seed * 1103515245 + 12345) >> 16);
        noise[0] = (unsigned char)(round & 1);
        driver_receive(rig.driver, 2, (uint8_t)(round % 9), noise, noise[1] % sizeof noise);
        rig_forget_sent(&rig);
    }
    assert_int_equal(rig.n_appends, 0);
    assert_string_equal(rig.fatal, "");
}

static void a_log_that_is_behind_the_state_is_emptied(void **state)
{
    (void)state;
    struct entry *members = rig_members(1, 1, 3, 4);
    for (uint64_t index = 20; index <= 25; index++)
        rig_disk(&rig, rig_command(index, 1));
    struct driver_disk disk = {.term = 5,
                               .log_first = 20,
                               .log_last = 25,
                               .applied = 40,
                               .applied_term = 4,
                               .configuration_index = 1,
                               .configuration = members->data,
                               .configuration_len = members->len};
    assert_int_equal(rig_begin_with(&rig, &disk), OK);
    assert_int_equal(rig.first, 41);
    assert_int_equal(standing().applied, 40);
    driver_stop(rig.driver);
    rig.driver = NULL;
    /* And one that lies beyond the state is refused. */
    rig.first = 50;
    rig.last = 49;
    disk.log_first = 50;
    disk.log_last = 49;
    struct entry *stray = rig_command(50, 5);
    rig.log[++rig.last] = stray;
    disk.log_last = 50;
    assert_int_equal(rig_begin_with(&rig, &disk), ERR_CORRUPT);
    entry_unref(members);
}

static void without_room_nothing_is_taken_on(void **state)
{
    (void)state;
    rig_voters(&rig, 3);
    rig_lead(&rig);
    driver_log_stuck(rig.driver, true);
    assert_int_equal(driver_submit(rig.driver, rig.term, rig_command(0, 0), NULL), ERR_NOSPACE);
    assert_int_equal(rig_count(&rig, 2, RAFT_TIMEOUT_NOW) + rig_count(&rig, 3, RAFT_TIMEOUT_NOW), 1);
    rig_pass(&rig, 50);
    driver_log_stuck(rig.driver, false);
    rig_confirm(&rig, 2, rig.last);
    rig_confirm(&rig, 3, rig.last);
    for (int i = 0; i < 8; i++) { /* the successor did not take it: after a while this node goes on */
        rig_pass(&rig, 50);
        rig_confirm(&rig, 2, rig.last);
        rig_confirm(&rig, 3, rig.last);
    }
    assert_int_equal(driver_submit(rig.driver, rig.term, rig_command(0, 0), NULL), OK);
}

static void who_stepped_down_rests(void **state)
{
    (void)state;
    int token;
    rig_voters(&rig, 3);
    rig_lead(&rig);
    assert_int_equal(driver_transfer(rig.driver, 0, 10000, &token, NULL), OK);
    rig_append(&rig, 2, rig.term + 1, 1, 1, 1, NULL, 0);
    assert_int_equal(rig.n_done, 1);
    assert_int_equal(rig.done[0].rc, OK);
    rig_forget_sent(&rig);
    rig_pass(&rig, 9900);
    assert_int_equal(rig_count(&rig, 2, RAFT_REQUEST_VOTE), 0);
    rig_pass(&rig, 1000);
    assert_true(rig_count(&rig, 2, RAFT_REQUEST_VOTE) > 0);
}

static void a_snapshot_that_nobody_needs_is_dropped(void **state)
{
    (void)state;
    bool discarded = false;
    struct buf header = BUF_INIT;
    struct raft_message message = {.type = RAFT_INSTALL_SNAPSHOT};
    struct entry *members = rig_members(1, 1, 3, 4);
    rig_voters(&rig, 3);
    struct entry *entries[] = {rig_command(2, 1), rig_command(3, 1)};
    rig_append(&rig, 2, 1, 1, 1, 3, entries, 2);
    rig_write(&rig);
    message.install_snapshot.term = 1;
    message.install_snapshot.last_index = 3;
    message.install_snapshot.last_term = 1;
    message.install_snapshot.conf_index = 1;
    assert_int_equal(configuration_decode(members->data, members->len, &message.install_snapshot.conf), OK);
    message_encode(&message, NULL, FORMAT_FIRST, &header);
    driver_snapshot_received(rig.driver, 2, header.data, header.len, &discarded);
    assert_true(discarded);
    discarded = false;
    header.data[header.len - 1] ^= 0xff;
    driver_snapshot_received(rig.driver, 2, header.data, header.len - 3, &discarded);
    assert_true(discarded);
    raft_configuration_close(&message.install_snapshot.conf);
    entry_unref(members);
    buf_close(&header);
}

#define TEST(sentence, fn)                                                                                             \
    {                                                                                                                  \
        sentence, fn, set_up, tear_down, NULL                                                                          \
    }

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST("a vote is on disk before it is sent", a_vote_is_on_disk_before_it_is_sent),
        TEST("nothing is confirmed before it is written", nothing_is_confirmed_before_it_is_written),
        TEST("a leader acknowledges what a quorum and it have written",
             a_leader_acknowledges_what_a_quorum_and_it_have_written),
        TEST("a lost leader answers each submission once", a_lost_leader_answers_each_submission_once),
        TEST("what was committed is acknowledged by a lost leader, too",
             what_was_committed_is_acknowledged_by_a_lost_leader_too),
        TEST("an older epoch is refused", an_older_epoch_is_refused),
        TEST("a read waits for a majority of its own term", a_read_waits_for_a_majority_of_its_own_term),
        TEST("reads that wait share one question", reads_that_wait_share_one_question),
        TEST("a second leader in the own term is not listened to", a_second_leader_in_the_own_term_is_not_listened_to),
        TEST("garbage changes nothing", garbage_changes_nothing),
        TEST("a log that is behind the state is emptied, one beyond it refused",
             a_log_that_is_behind_the_state_is_emptied),
        TEST("without room nothing is taken on", without_room_nothing_is_taken_on),
        TEST("who stepped down rests", who_stepped_down_rests),
        TEST("a snapshot that nobody needs is dropped", a_snapshot_that_nobody_needs_is_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
