/* SPDX-License-Identifier: Apache-2.0 */
/* Whose word for the time a node takes: the loop's part of a cluster, with what its peers have told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/clock.h"
#include "driver_rig.h"
#include "raft/cluster/cluster_private.h"

#define SECOND INT64_C(1000000000)
#define HOUR   (3600 * SECOND)

static struct driver_rig rig;
static struct cluster cluster;
static int64_t now_ns; /* what the wall clock of this node says, and so does the cluster's time */

/* This node is n1, of three voters; n2 and n3 have not told anything yet. */
static int set_up(void **state)
{
    (void)state;
    rig = (struct driver_rig){0};
    cluster = (struct cluster){.id = 1, .node_id = "n1"};
    rig_voters(&rig, 3);
    cluster.driver = rig.driver;
    now_ns = clock_wall_ns();
    for (unsigned i = 0; i < 2; i++) {
        struct cluster_peer *peer = &cluster.peers[cluster.n_peers++];
        *peer = (struct cluster_peer){.id = i + 2, .is_member = true};
        snprintf(peer->node_id, sizeof peer->node_id, "n%u", i + 2);
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    rig_end(&rig);
    return 0;
}

static void tell_clock(unsigned peer, int64_t ahead_ns)
{
    cluster.peers[peer].has_clock = true;
    cluster.peers[peer].clock_ns = now_ns + ahead_ns - clock_boot_ns();
}

static void tell_time(unsigned peer, int64_t ahead_ns)
{
    cluster.peers[peer].knows_time = true;
    cluster.peers[peer].time_ns = now_ns + ahead_ns - clock_boot_ns();
    cluster_time_heard(&cluster, &cluster.peers[peer]);
}

static bool knows_time(void)
{
    return atomic_load(&cluster.time.is_known);
}

static void assert_time(int64_t ahead_ns)
{
    int64_t off_ns = cluster_time_ns(&cluster) - now_ns - ahead_ns;
    assert_true(knows_time());
    assert_true(off_ns >= 0 && off_ns < 60 * SECOND);
}

/* The others' clocks are wrong by so much; they told the time before this node had the list of members. */
static void join_and_lead(int64_t clocks_ns)
{
    for (unsigned i = 0; i < 2; i++) {
        cluster.peers[i].is_member = false;
        tell_clock(i, clocks_ns);
        tell_time(i, 0);
    }
    assert_false(knows_time());
    for (unsigned i = 0; i < 2; i++)
        cluster.peers[i].is_member = true;
    rig_lead(&rig);
    cluster_time_settle(&cluster);
    assert_time(0);
}

static void a_joiner_that_leads_at_once_takes_the_time_not_clocks_that_are_ahead(void **state)
{
    (void)state;
    join_and_lead(HOUR);
}

static void a_joiner_that_leads_at_once_takes_the_time_not_clocks_that_are_behind(void **state)
{
    (void)state;
    join_and_lead(-HOUR);
}

static void who_does_not_know_the_time_takes_it_from_any_member(void **state)
{
    (void)state;
    tell_clock(1, HOUR);
    tell_time(1, -HOUR);
    assert_time(-HOUR);
}

static void who_knows_the_time_takes_it_from_the_leader_alone(void **state)
{
    (void)state;
    tell_time(0, 0);
    tell_time(1, HOUR);
    assert_time(0);
    rig_append(&rig, 3, 1, 1, 1, 1, NULL, 0); /* n3 leads */
    tell_time(1, HOUR);
    assert_time(HOUR);
}

static void a_stranger_is_not_believed(void **state)
{
    (void)state;
    cluster.peers[0].is_member = false;
    tell_time(0, HOUR);
    assert_false(knows_time());
}

static void a_leader_who_can_ask_nobody_takes_what_a_majority_of_the_clocks_has_reached(void **state)
{
    (void)state;
    rig_lead(&rig);
    cluster_time_settle(&cluster);
    assert_false(knows_time());
    tell_clock(0, -HOUR);
    cluster_time_settle(&cluster);
    assert_time(-HOUR);
}

static void one_clock_of_three_that_is_ahead_changes_nothing(void **state)
{
    (void)state;
    rig_lead(&rig);
    tell_clock(0, HOUR);
    tell_clock(1, 0);
    cluster_time_settle(&cluster);
    assert_time(0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_joiner_that_leads_at_once_takes_the_time_not_clocks_that_are_ahead),
        TEST(a_joiner_that_leads_at_once_takes_the_time_not_clocks_that_are_behind),
        TEST(who_does_not_know_the_time_takes_it_from_any_member),
        TEST(who_knows_the_time_takes_it_from_the_leader_alone),
        TEST(a_stranger_is_not_believed),
        TEST(a_leader_who_can_ask_nobody_takes_what_a_majority_of_the_clocks_has_reached),
        TEST(one_clock_of_three_that_is_ahead_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
