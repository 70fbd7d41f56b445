/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"

static const unsigned char *key_of(uint32_t n)
{
    static _Thread_local unsigned char key[STORE_KEY_SIZE];
    memcpy(key, "directory.......", STORE_DIR_SIZE);
    for (int i = 0; i < 4; i++)
        key[STORE_DIR_SIZE + i] = (unsigned char)(n >> (24 - 8 * i));
    return key;
}

static int put_number(struct store *store, uint64_t index, uint32_t n, const char *value)
{
    return apply_raw(store, index, key_of(n), value, strlen(value));
}

static void expect_stored(struct store *store, uint32_t n, const char *expected)
{
    struct store_view *view = NULL;
    const void *value;
    size_t len;
    assert_int_equal(store_view_begin(store, &view, NULL), OK);
    int rc = store_view_get(view, key_of(n), &value, &len);
    if (expected == NULL) {
        assert_int_equal(rc, ERR_NOTFOUND);
    } else {
        assert_int_equal(rc, OK);
        assert_int_equal(len, strlen(expected));
        assert_memory_equal(value, expected, len);
    }
    store_view_end(view);
}

static struct store_position position_of(struct store *store)
{
    struct store_position position;
    store_position(store, &position, NULL);
    return position;
}

static void test_empty(void **state)
{
    struct fixture *f = *state;
    struct store_position position = position_of(f->store);
    assert_int_equal(position.index, 0);
    assert_int_equal(position.configuration_index, 0);
    reopen(f);
    assert_int_equal(position_of(f->store).index, 0);
    assert_int_equal(put_number(f->store, 1, 1, "x"), OK);
}

static void test_applied(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(put_number(f->store, 1, 1, "one"), OK);
    assert_int_equal(put_number(f->store, 2, 2, ""), OK);
    assert_int_equal(put_number(f->store, 3, 1, "changed"), OK);
    reopen(f);
    expect_stored(f->store, 1, "changed");
    expect_stored(f->store, 2, "");
    expect_stored(f->store, 3, NULL);
    assert_int_equal(position_of(f->store).index, 3);
    assert_int_equal(position_of(f->store).term, 1);
}

static void test_replay(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(put_number(f->store, 1, 1, "one"), OK);
    assert_int_equal(put_number(f->store, 2, 1, "two"), OK);
    assert_int_equal(put_number(f->store, 1, 1, "one"), OK);
    expect_stored(f->store, 1, "two");
    assert_int_equal(position_of(f->store).index, 2);
}

static void test_gap(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(put_number(f->store, 2, 1, "two"), ERR_CORRUPT);
    const struct store_entry entries[] = {{1, 1, STORE_ENTRY_NOTHING, NULL, 0}, {3, 1, STORE_ENTRY_NOTHING, NULL, 0}};
    assert_int_equal(store_apply(f->store, entries, 2, &f->err), ERR_CORRUPT);
    assert_int_equal(position_of(f->store).index, 0);
    assert_int_equal(store_apply(f->store, entries, 1, &f->err), OK);
}

static void test_malformed(void **state)
{
    struct fixture *f = *state;
    const struct store_entry entries[] = {{1, 1, STORE_ENTRY_NOTHING, NULL, 0},
                                          {2, 1, STORE_ENTRY_BATCH, "garbage", 7}};
    assert_int_equal(store_apply(f->store, entries, 2, &f->err), ERR_CORRUPT);
    assert_int_equal(position_of(f->store).index, 0);
    assert_int_equal(put_number(f->store, 1, 1, "fine"), OK);
}

static void test_configuration(void **state)
{
    struct fixture *f = *state;
    const struct store_entry entries[] = {{1, 5, STORE_ENTRY_CONFIGURATION, "members", 7},
                                          {2, 6, STORE_ENTRY_NOTHING, NULL, 0}};
    assert_int_equal(store_apply(f->store, entries, 2, &f->err), OK);
    for (int round = 0; round < 2; round++) {
        struct store_position position;
        struct buf members = BUF_INIT;
        store_position(f->store, &position, &members);
        assert_int_equal(position.index, 2);
        assert_int_equal(position.term, 6);
        assert_int_equal(position.configuration_index, 1);
        assert_string_equal(buf_str(&members), "members");
        buf_close(&members);
        reopen(f);
    }
}

static void test_isolation(void **state)
{
    struct fixture *f = *state;
    struct store_view *view = NULL;
    const void *value;
    size_t len;
    assert_int_equal(put_number(f->store, 1, 1, "one"), OK);
    assert_int_equal(store_view_begin(f->store, &view, NULL), OK);
    for (uint32_t i = 2; i < 200; i++)
        assert_int_equal(put_number(f->store, i, i % 3, "later"), OK);
    assert_int_equal(store_view_index(view), 1);
    assert_int_equal(store_view_get(view, key_of(1), &value, &len), OK);
    assert_memory_equal(value, "one", 3);
    assert_int_equal(store_view_get(view, key_of(2), &value, &len), ERR_NOTFOUND);
    store_view_end(view);
    assert_int_equal(store_view_begin(f->store, &view, NULL), OK);
    assert_int_equal(store_view_index(view), 199); /* a view that is used again sees the newest */
    store_view_end(view);
}

static void test_many_views(void **state)
{
    struct fixture *f = *state;
    enum { COUNT = 4000 };
    struct store_view **views = calloc(COUNT, sizeof *views);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(store_view_begin(f->store, &views[i], NULL), OK);
    for (int i = 0; i < COUNT; i++)
        store_view_end(views[i]);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(store_view_begin(f->store, &views[i], NULL), OK);
    struct store_view *more[200];
    int n = 0;
    while (n < 200 && store_view_begin(f->store, &more[n], &f->err) == OK)
        n++;
    assert_in_range(n, 90, 199);
    assert_int_equal(f->err.code, ERR_UNAVAILABLE);
    while (n > 0)
        store_view_end(more[--n]);
    for (int i = 0; i < COUNT; i++)
        store_view_end(views[i]);
    free(views);
}

static int count_record(void *arg, const unsigned char *key, const void *value, size_t len)
{
    (void)key, (void)value, (void)len;
    return ++*(int *)arg == 5 ? ERR_BUSY : OK;
}

static void test_scan(void **state)
{
    struct fixture *f = *state;
    struct store_view *view = NULL;
    unsigned char dir[STORE_DIR_SIZE], key[STORE_KEY_SIZE];
    int count = 0;
    for (uint32_t i = 1; i <= 10; i++)
        assert_int_equal(put_number(f->store, i, i, "x"), OK);
    assert_int_equal(store_view_begin(f->store, &view, NULL), OK);
    memcpy(dir, key_of(0), sizeof dir);
    assert_int_equal(store_view_scan(view, dir, count_record, &count), ERR_BUSY);
    assert_int_equal(count, 5);
    assert_int_equal(store_view_next(view, dir, NULL, key), OK);
    assert_memory_equal(key, key_of(1), sizeof key);
    assert_int_equal(store_view_next(view, dir, key, key), OK);
    assert_memory_equal(key, key_of(2), sizeof key);
    assert_int_equal(store_view_next(view, dir, key_of(0), key), OK);
    assert_memory_equal(key, key_of(1), sizeof key);
    assert_int_equal(store_view_next(view, dir, key_of(10), key), ERR_NOTFOUND);
    dir[0]++;
    count = 10;
    assert_int_equal(store_view_scan(view, dir, count_record, &count), OK);
    assert_int_equal(store_view_next(view, dir, NULL, key), ERR_NOTFOUND);
    store_view_end(view);
}

static void test_durable(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(put_number(f->store, 1, 1, "one"), OK);
    assert_int_equal(put_number(f->store, 2, 1, "two"), OK);
    assert_int_equal(store_durable_index(f->store), 1);
    assert_int_equal(store_sync(f->store, &f->err), OK);
    assert_int_equal(store_durable_index(f->store), 2);
    reopen(f);
    assert_int_equal(store_durable_index(f->store), 2);
}

static void test_locked(void **state)
{
    struct fixture *f = *state;
    struct store *second = NULL;
    assert_int_equal(store_open(f->dir, true, &second, &f->err), ERR_IO);
    assert_non_null(strstr(err_text(&f->err), "in use"));
}

static void test_digest(void **state)
{
    struct fixture *f = *state;
    unsigned char digests[4][32];
    for (uint32_t i = 1; i <= 4; i++) {
        struct store_view *view = NULL;
        assert_int_equal(put_number(f->store, i, 1, i < 4 ? "same" : "other"), OK);
        assert_int_equal(store_view_begin(f->store, &view, NULL), OK);
        assert_int_equal(store_digest(view, digests[i - 1], &f->err), OK);
        store_view_end(view);
        for (uint32_t j = 1; j < i; j++)
            assert_memory_not_equal(digests[i - 1], digests[j - 1], 32); /* the index is part of it */
    }
}

static void test_stats(void **state)
{
    struct fixture *f = *state;
    struct store_stats stats;
    for (uint32_t i = 1; i <= 10; i++)
        assert_int_equal(put_number(f->store, i, i, "x"), OK);
    assert_int_equal(store_stats(f->store, &stats), OK);
    assert_int_equal(stats.records, 10);
    assert_true(stats.bytes_used > 0 && stats.bytes_file > stats.bytes_used);
}

static atomic_bool stop;

static void *read_all_the_time(void *arg)
{
    struct store *store = arg;
    uint64_t last = 0;
    while (!atomic_load(&stop)) {
        struct store_view *view = NULL;
        const void *value;
        size_t len;
        if (store_view_begin(store, &view, NULL) != OK)
            abort();
        uint64_t index = store_view_index(view), number = 0;
        if (index > 0) {
            if (store_view_get(view, key_of(0), &value, &len) != OK || len != sizeof number)
                abort();
            memcpy(&number, value, sizeof number);
        }
        if (number != index || index < last) /* a snapshot is of one index, and they only grow */
            abort();
        last = index;
        store_view_end(view);
    }
    return NULL;
}

static void test_threads(void **state)
{
    struct fixture *f = *state;
    pthread_t threads[4];
    unsigned char key[STORE_KEY_SIZE];
    memcpy(key, key_of(0), sizeof key);
    atomic_store(&stop, false);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_all_the_time, f->store), 0);
    for (uint64_t i = 1; i <= 500; i++)
        assert_int_equal(apply_raw(f->store, i, key, &i, sizeof i), OK);
    atomic_store(&stop, true);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
}

/* ---- kill -9 ---- */

static void apply_until_killed(const char *dir, int report)
{
    struct store *store = NULL;
    if (store_open(dir, true, &store, NULL) != OK)
        _exit(1);
    for (uint64_t i = position_of(store).index + 1;; i++) {
        char value[3000];
        memset(value, (int)(i % 256), sizeof value);
        if (apply_raw(store, i, key_of((uint32_t)(i * 7919 % 500)), value, i * 37 % sizeof value) != OK ||
            write(report, &i, sizeof i) != sizeof i)
            _exit(1);
    }
}

static void test_killed(void **state)
{
    struct fixture *f = *state;
    store_close(f->store);
    for (int round = 0; round < 20; round++) {
        int report[2];
        assert_int_equal(pipe(report), 0);
        pid_t child = fork();
        if (child == 0)
            apply_until_killed(f->dir, report[1]);
        close(report[1]);
        uint64_t index = 0, n;
        for (int i = 0; i < 20 + round * 3 && read(report[0], &n, sizeof n) == sizeof n; i++)
            index = n;
        assert_true(index > 0);
        kill(child, SIGKILL);
        while (read(report[0], &n, sizeof n) == sizeof n)
            index = n;
        waitpid(child, NULL, 0);
        close(report[0]);
        int rc = store_open(f->dir, true, &f->store, &f->err);
        if (rc != OK)
            fail_msg("%s", err_text(&f->err));
        assert_in_range(position_of(f->store).index, index, index + 1);
        store_close(f->store);
    }
    assert_int_equal(store_open(f->dir, true, &f->store, &f->err), OK);
}

#define TEST(name, function)                                                                                           \
    {                                                                                                                  \
        name, function, fixture_setup, fixture_teardown, NULL                                                          \
    }

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST("a new store is empty, also when opened again", test_empty),
        TEST("what was applied is there when the store is opened again", test_applied),
        TEST("entries that were applied are skipped", test_replay),
        TEST("a gap in the log is refused, and nothing of the call applied", test_gap),
        TEST("a malformed entry is refused, and nothing of the call applied", test_malformed),
        TEST("the members are kept with the index they came at", test_configuration),
        TEST("a view sees nothing that is applied after it began", test_isolation),
        TEST("4000 views may be open, and too many are told so", test_many_views),
        TEST("a scan sees its directory only, in order, until told to stop", test_scan),
        TEST("all but the last transaction is durable, and a sync makes that so, too", test_durable),
        TEST("a directory that is open cannot be opened again", test_locked),
        TEST("the digest tells values and indexes apart", test_digest),
        TEST("the statistics count records", test_stats),
        TEST("every view of every thread is a snapshot of one index", test_threads),
        TEST("what was applied survives kill -9", test_killed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
