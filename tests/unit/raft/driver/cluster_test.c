/* SPDX-License-Identifier: Apache-2.0 */
/* The real thing: loop, journal, store and TLS, in one process. */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "cluster_rig.h"

static struct rig rig;

static int set_up(void **state)
{
    (void)state;
    rig_open(&rig);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    rig_close(&rig);
    return 0;
}

static void put(int i, uint64_t number)
{
    assert_int_equal(rig_put(&rig, i, rig_epoch(&rig, i), number, 100, NULL), OK);
}

static void a_cluster_of_one_keeps_what_it_acknowledged(void **state)
{
    (void)state;
    rig_form(&rig, 1);
    for (uint64_t n = 1; n <= 20; n++)
        put(0, n);
    uint64_t epoch = rig_epoch(&rig, 0);
    rig_stop(&rig, 0);
    rig_start(&rig, 0);
    assert_int_equal(rig_leader(&rig), 0);
    assert_true(rig_epoch(&rig, 0) > epoch); /* R5 */
    for (uint64_t n = 1; n <= 20; n++)
        assert_true(rig_has(&rig, 0, n));
    put(0, 21);
}

static void a_write_is_on_all_nodes_with_equal_state(void **state)
{
    (void)state;
    rig_form(&rig, 3);
    int leader = rig_leader(&rig);
    for (uint64_t n = 1; n <= 200; n++)
        put(leader, n);
    rig_wait_equal(&rig);
    for (int i = 0; i < 3; i++)
        assert_true(rig_has(&rig, i, 200));
}

static void a_write_of_an_older_epoch_is_refused(void **state)
{
    (void)state;
    rig_form(&rig, 1);
    assert_int_equal(rig_put(&rig, 0, rig_epoch(&rig, 0) - 1, 1, 10, NULL), ERR_NOTLEADER);
    assert_false(rig_has(&rig, 0, 1));
}

static void the_largest_entry_is_replicated(void **state)
{
    (void)state;
    rig_form(&rig, 3);
    int leader = rig_leader(&rig);
    assert_int_equal(rig_put(&rig, leader, rig_epoch(&rig, leader), 1, (47u << 20), NULL), OK);
    assert_int_equal(rig_put(&rig, leader, rig_epoch(&rig, leader), 2, (49u << 20), NULL), ERR_TOO_LARGE);
    rig_wait_equal(&rig);
}

/* It knows no leader, or not even the term, when the first part of the entry comes. */
static void who_was_away_gets_a_large_entry(void **state)
{
    (void)state;
    rig_form(&rig, 3);
    for (uint64_t n = 1; n <= 2; n++) {
        int leader = rig_leader(&rig), away = (leader + 1) % 3, other = (leader + 2) % 3;
        rig_stop(&rig, away);
        if (n == 2)
            assert_int_equal(cluster_step_down(rig.nodes[leader].cluster, rig.nodes[other].node_id, NULL), OK);
        leader = rig_leader(&rig);
        assert_int_equal(rig_put(&rig, leader, rig_epoch(&rig, leader), n, (23u << 20), NULL), OK);
        rig_start(&rig, away);
        rig_wait_equal(&rig);
        assert_true(rig_has(&rig, away, n));
    }
}

static void another_leads_when_the_leader_is_gone(void **state)
{
    (void)state;
    rig_form(&rig, 3);
    int first = rig_leader(&rig);
    put(first, 1);
    rig_stop(&rig, first);
    int64_t began = clock_steady_ms();
    int second = rig_leader(&rig);
    print_message("a new leader after %lld ms\n", (long long)(clock_steady_ms() - began));
    assert_int_not_equal(first, second);
    assert_true(rig_has(&rig, second, 1));
    put(second, 2);
    rig_start(&rig, first);
    rig_wait_equal(&rig);
    assert_true(rig_has(&rig, first, 2));
}

static void a_leader_alone_does_not_acknowledge_nor_read(void **state)
{
    (void)state;
    struct err err = {0};
    rig_form(&rig, 3);
    int leader = rig_leader(&rig);
    uint64_t epoch = rig_epoch(&rig, leader);
    assert_int_equal(cluster_read_barrier(rig.nodes[leader].cluster, epoch, &err), OK);
    for (int i = 0; i < 3; i++)
        if (i != leader)
            rig_stop(&rig, i);
    assert_int_not_equal(rig_put(&rig, leader, epoch, 7, 10, NULL), OK);
    assert_int_not_equal(cluster_read_barrier(rig.nodes[leader].cluster, epoch, &err), OK);
    assert_false(cluster_leads(rig.nodes[leader].cluster, epoch));
}

static void who_steps_down_is_followed_by_another(void **state)
{
    (void)state;
    struct err err = {0};
    rig_form(&rig, 3);
    int first = rig_leader(&rig);
    put(first, 1);
    assert_int_equal(cluster_step_down(rig.nodes[first].cluster, NULL, &err), OK);
    int second = rig_leader(&rig);
    assert_int_not_equal(first, second);
    put(second, 2);
    assert_int_equal(cluster_step_down(rig.nodes[first].cluster, NULL, &err), ERR_NOTLEADER);
}

static void a_sealed_leader_hands_over_to_an_unsealed_voter(void **state)
{
    (void)state;
    rig_form(&rig, 3);
    int first = rig_leader(&rig), other = (first + 1) % 3;
    cluster_set_sealed(rig.nodes[(first + 2) % 3].cluster, true);
    usleep(200000);
    cluster_set_sealed(rig.nodes[first].cluster, true);
    for (int64_t end = clock_steady_ms() + 10000; rig_epoch(&rig, other) == 0; usleep(2000))
        assert_true(clock_steady_ms() < end);
    put(other, 1);
}

static void a_removed_member_is_a_member_no_more(void **state)
{
    (void)state;
    struct err err = {0};
    struct cluster_member members[CLUSTER_MEMBERS_MAX];
    uint64_t index;
    rig_form(&rig, 3);
    int leader = rig_leader(&rig), other = (leader + 1) % 3;
    assert_int_equal(cluster_remove_member(rig.nodes[leader].cluster, "nobody", &err), ERR_NOTFOUND);
    assert_int_equal(cluster_remove_member(rig.nodes[leader].cluster, rig.nodes[other].node_id, &err), OK);
    assert_int_equal(cluster_members(rig.nodes[leader].cluster, members, &index), 2);
    put(leader, 1);
    /* The leader itself: it hands over first. */
    assert_int_equal(cluster_remove_member(rig.nodes[leader].cluster, rig.nodes[leader].node_id, &err), OK);
    rig_stop(&rig, leader);
    int last = rig_leader(&rig);
    assert_int_equal(cluster_members(rig.nodes[last].cluster, members, &index), 1);
    assert_int_equal(cluster_remove_member(rig.nodes[last].cluster, rig.nodes[last].node_id, &err), ERR_INVALID);
    put(last, 2);
}

static void a_member_with_a_new_disk_is_replaced(void **state)
{
    (void)state;
    struct err err = {0};
    rig_form(&rig, 3);
    int leader = rig_leader(&rig), other = (leader + 1) % 3;
    put(leader, 1);
    rig_stop(&rig, other);
    char command[300];
    snprintf(command, sizeof command, "rm -r '%s'", rig.nodes[other].dir);
    assert_int_equal(system(command), 0);
    put(leader, 2);
    rig_start(&rig, other);
    rig_join(&rig, other, false);
    rig_wait_voters(&rig, 3);
    rig_wait_equal(&rig);
    assert_true(rig_has(&rig, other, 1));
    assert_int_equal(cluster_add_member(rig.nodes[other].cluster, "x", "127.0.0.1:1", false, &err), ERR_NOTLEADER);
}

static void a_member_that_lags_too_far_gets_the_state(void **state)
{
    (void)state;
    rig_form(&rig, 3);
    int leader = rig_leader(&rig), other = (leader + 1) % 3;
    rig_stop(&rig, other);
    /* More than the log keeps: 64 MiB. */
    for (uint64_t n = 1; n <= 90; n++)
        assert_int_equal(rig_put(&rig, leader, rig_epoch(&rig, leader), n, 1u << 20, NULL), OK);
    rig_start(&rig, other);
    rig_wait_equal(&rig);
    assert_true(rig_has(&rig, other, 1));
    /* And a new member, who has nothing. */
    rig_start(&rig, 3);
    rig_join(&rig, 3, false);
    rig_wait_voters(&rig, 4);
    rig_wait_equal(&rig);
    assert_true(rig_has(&rig, 3, 90));
}

/* Leaves so many bytes of the file system at a path. */
static void fill(const char *path, off_t leave)
{
    struct statvfs info;
    char name[300];
    snprintf(name, sizeof name, "%s/filler", path);
    assert_int_equal(statvfs(path, &info), 0);
    int fd = open(name, O_RDWR | O_CREAT, 0600);
    assert_int_equal(posix_fallocate(fd, 0, (off_t)(info.f_bavail * info.f_frsize) - leave), 0);
    close(fd);
}

static void make_room(const char *path)
{
    char name[300];
    snprintf(name, sizeof name, "%s/filler", path);
    assert_int_equal(unlink(name), 0);
}

/* What node i holds lies in a small file system of its own. False where one cannot be had. */
static bool mount_small(int i)
{
    assert_int_equal(mkdir(rig.nodes[i].dir, 0700), 0);
    return mount("tmpfs", rig.nodes[i].dir, "tmpfs", 0, "size=48m") == 0;
}

static void a_full_disk_acknowledges_nothing_and_goes_on_when_there_is_room(void **state)
{
    (void)state;
    if (!mount_small(0)) {
        skip();
        return;
    }
    rig_form(&rig, 1);
    put(0, 1);
    uint64_t epoch = rig_epoch(&rig, 0), number = 2;
    fill(rig.nodes[0].dir, 1 << 20);
    int rc = OK;
    while (rc == OK && number < 100)
        rc = rig_put(&rig, 0, epoch, number++, 200000, NULL);
    assert_int_equal(rc, ERR_UNAVAILABLE); /* it may still take effect */
    assert_int_equal(rig_put(&rig, 0, epoch, 1000, 10, NULL), ERR_NOSPACE);
    make_room(rig.nodes[0].dir);
    for (int64_t end = clock_steady_ms() + 10000; (rc = rig_put(&rig, 0, epoch, 1001, 10, NULL)) != OK; usleep(20000))
        assert_true(clock_steady_ms() < end);
    rig_stop(&rig, 0);
    rig_start(&rig, 0);
    rig_leader(&rig);
    for (uint64_t n = 1; n + 1 < number; n++)
        assert_true(rig_has(&rig, 0, n));
    assert_true(rig_has(&rig, 0, 1001));
    assert_false(rig_has(&rig, 0, 1000));
}

static void a_leader_whose_disk_is_full_hands_over(void **state)
{
    (void)state;
    if (!mount_small(0)) {
        skip();
        return;
    }
    rig_form(&rig, 3);
    int leader = rig_leader(&rig);
    if (leader != 0) { /* the one with the small disk is to lead */
        struct err err = {0};
        assert_int_equal(cluster_step_down(rig.nodes[leader].cluster, rig.nodes[0].node_id, &err), OK);
        assert_int_equal(rig_leader(&rig), 0);
    }
    uint64_t epoch = rig_epoch(&rig, 0);
    fill(rig.nodes[0].dir, 1 << 20);
    int rc = OK;
    for (uint64_t n = 1; rc == OK && n < 100; n++)
        rc = rig_put(&rig, 0, epoch, n, 200000, NULL);
    assert_int_not_equal(rc, OK);
    int64_t end = clock_steady_ms() + 10000;
    while ((leader = rig_leader(&rig)) == 0 && clock_steady_ms() < end)
        usleep(5000);
    assert_int_not_equal(leader, 0);
    put(leader, 2000);
    make_room(rig.nodes[0].dir);
    rig_wait_equal(&rig);
}

static void *join_one(void *arg)
{
    rig_join(&rig, (int)(intptr_t)arg, false);
    return NULL;
}

static void several_who_join_at_once_all_become_members(void **state)
{
    (void)state;
    pthread_t threads[RIG_NODES];
    for (int i = 0; i < RIG_NODES; i++)
        rig_start(&rig, i);
    rig_bootstrap(&rig);
    for (int i = 1; i < RIG_NODES; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, join_one, (void *)(intptr_t)i), 0);
    for (int i = 1; i < RIG_NODES; i++)
        pthread_join(threads[i], NULL);
    rig_wait_voters(&rig, RIG_NODES);
    put(rig_leader(&rig), 1);
    rig_wait_equal(&rig);
}

struct writer {
    pthread_t thread;
    int number;
};

static atomic_int written;
static atomic_bool ends;

static void *write_on(void *arg)
{
    struct writer *writer = arg;
    for (uint64_t n = 0; !atomic_load(&ends); n++) {
        int leader = rig_leader(&rig);
        if (rig_put(&rig, leader, rig_epoch(&rig, leader), (uint64_t)writer->number << 32 | n, 64, NULL) == OK)
            atomic_fetch_add(&written, 1);
    }
    return NULL;
}

static void writers_and_readers_at_once_get_along(void **state)
{
    (void)state;
    struct writer writers[16];
    struct err err = {0};
    rig_form(&rig, 3);
    int leader = rig_leader(&rig);
    for (int i = 0; i < 16; i++) {
        writers[i].number = i + 1;
        assert_int_equal(pthread_create(&writers[i].thread, NULL, write_on, &writers[i]), 0);
    }
    int reads = 0;
    for (int64_t end = clock_steady_ms() + 1500; clock_steady_ms() < end; reads++)
        assert_int_equal(cluster_read_barrier(rig.nodes[leader].cluster, rig_epoch(&rig, leader), &err), OK);
    atomic_store(&ends, true);
    for (int i = 0; i < 16; i++)
        pthread_join(writers[i].thread, NULL);
    print_message("%d writes and %d reads in 1.5 s\n", atomic_load(&written), reads);
    rig_wait_equal(&rig);
}

static void commits_in_a_row(void **state)
{
    (void)state;
    rig_form(&rig, 3);
    int leader = rig_leader(&rig);
    uint64_t epoch = rig_epoch(&rig, leader);
    double worst = 0, sum = 0;
    for (int n = 0; n < 300; n++) {
        int64_t began = clock_wall_ns();
        assert_int_equal(rig_put(&rig, leader, epoch, (uint64_t)n, 512, NULL), OK);
        double ms = (double)(clock_wall_ns() - began) / 1e6;
        sum += ms;
        worst = ms > worst ? ms : worst;
    }
    print_message("a commit takes %.2f ms, at most %.2f ms\n", sum / 300, worst);
    usleep(400000); /* N3: the first write after a pause must not wait for a heartbeat */
    int64_t began = clock_wall_ns();
    assert_int_equal(rig_put(&rig, leader, epoch, 1000, 512, NULL), OK);
    print_message("after a pause: %.2f ms\n", (double)(clock_wall_ns() - began) / 1e6);
}

#define TEST(sentence, fn)                                                                                             \
    {                                                                                                                  \
        sentence, fn, set_up, tear_down, NULL                                                                          \
    }

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        TEST("a cluster of one keeps what it acknowledged", a_cluster_of_one_keeps_what_it_acknowledged),
        TEST("a write is on all nodes, with equal state", a_write_is_on_all_nodes_with_equal_state),
        TEST("a write of an older epoch is refused", a_write_of_an_older_epoch_is_refused),
        TEST("the largest entry is replicated", the_largest_entry_is_replicated),
        TEST("who was away gets a large entry", who_was_away_gets_a_large_entry),
        TEST("another leads when the leader is gone", another_leads_when_the_leader_is_gone),
        TEST("a leader alone does not acknowledge, nor read", a_leader_alone_does_not_acknowledge_nor_read),
        TEST("who steps down is followed by another", who_steps_down_is_followed_by_another),
        TEST("a sealed leader hands over to an unsealed voter", a_sealed_leader_hands_over_to_an_unsealed_voter),
        TEST("a removed member is a member no more", a_removed_member_is_a_member_no_more),
        TEST("a member with a new disk is replaced", a_member_with_a_new_disk_is_replaced),
        TEST("a member that lags too far gets the state", a_member_that_lags_too_far_gets_the_state),
        TEST("a full disk acknowledges nothing, and goes on when there is room",
             a_full_disk_acknowledges_nothing_and_goes_on_when_there_is_room),
        TEST("a leader whose disk is full hands over", a_leader_whose_disk_is_full_hands_over),
        TEST("several who join at once all become members", several_who_join_at_once_all_become_members),
        TEST("writers and readers at once get along", writers_and_readers_at_once_get_along),
        TEST("each of many commits in a row is acknowledged, and one after a pause", commits_in_a_row),
    };
    if (argc > 1) /* one of them: its sentence, or with * a part of it */
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
