/* SPDX-License-Identifier: Apache-2.0 */
/* Writing the state's file anew while it is in use. */
#include "fixture.h"

#include <endian.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/file.h"
#include "base/format.h"
#include "storage/compact.h"
#include "storage/restore.h"

#define RECORDS 6000
#define SIZE    700

/* Keys far apart from each other, as encrypted names are. */
static void make_key(uint64_t number, unsigned char ret[STORE_KEY_SIZE])
{
    uint64_t mixed = number * UINT64_C(0x9e3779b97f4a7c15);
    memset(ret, 0, STORE_KEY_SIZE);
    for (int i = 0; i < 8; i++)
        ret[i] = (unsigned char)(mixed >> (8 * (7 - i)));
    memcpy(ret + STORE_DIR_SIZE, &number, sizeof number);
}

static uint64_t last_index(struct store *store)
{
    struct store_position position;
    store_position(store, &position, NULL);
    return position.index;
}

enum { PUT = 1, DELETE = 2 }; /* entry.c */

/* A record whose value is of one byte, again and again; fill 0: delete it. */
static void add_op(struct buf *entry, uint64_t number, char fill)
{
    unsigned char key[STORE_KEY_SIZE];
    char value[SIZE];
    make_key(number, key);
    memset(value, fill, sizeof value);
    buf_put_u8(entry, fill != 0 ? PUT : DELETE);
    buf_put(entry, key, STORE_KEY_SIZE);
    if (fill != 0)
        buf_put_block(entry, value, sizeof value);
}

/* One entry: each step-th record from first to below end. */
static void change_records(struct store *store, uint64_t first, uint64_t end, uint64_t step, char fill)
{
    struct buf entry = BUF_INIT;
    entry_begin(&entry, FORMAT_FIRST, 1);
    uint32_t count = htobe32((uint32_t)((end - first + step - 1) / step));
    memcpy(entry.data + entry.len - sizeof count, &count, sizeof count);
    for (uint64_t number = first; number < end; number += step)
        add_op(&entry, number, fill);
    const struct store_entry applied = {last_index(store) + 1, 1, STORE_ENTRY_BATCH, entry.data, entry.len};
    assert_int_equal(store_apply(store, &applied, 1, NULL), OK);
    buf_close(&entry);
}

static void write_record(struct store *store, uint64_t number, char fill)
{
    change_records(store, number, number + 1, 1, fill);
}

static void delete_record(struct store *store, uint64_t number)
{
    write_record(store, number, 0);
}

static void fill(struct fixture *f, uint64_t n)
{
    for (uint64_t first = 0; first < n; first += 200)
        change_records(f->store, first, first + 200 < n ? first + 200 : n, 1, 'a');
}

/* What the first byte of a record is; 0 when there is none. */
static char read_record(struct store *store, uint64_t number)
{
    unsigned char key[STORE_KEY_SIZE];
    struct store_view *view = NULL;
    const void *value;
    size_t len;
    make_key(number, key);
    assert_int_equal(store_view_begin(store, &view, NULL), OK);
    int rc = store_view_get(view, key, &value, &len);
    char fill = rc == OK ? *(const char *)value : '\0';
    assert_true(rc == OK || rc == ERR_NOTFOUND);
    store_view_end(view);
    return fill;
}

static void digest(struct store *store, unsigned char ret[32])
{
    struct store_view *view = NULL;
    assert_int_equal(store_view_begin(store, &view, NULL), OK);
    assert_int_equal(store_digest(view, ret, NULL), OK);
    store_view_end(view);
}

static void must_compact(struct fixture *f, const struct store_patience *patience)
{
    int rc = store_compact(f->store, patience, &f->err);
    if (rc != OK)
        print_error("%s\n", err_text(&f->err));
    assert_int_equal(rc, OK);
}

static bool exists_in(struct fixture *f, const char *name)
{
    char path[300];
    snprintf(path, sizeof path, "%s/%s", f->dir, name);
    return file_exists(path);
}

static void the_file_gets_smaller_and_the_state_stays(void **state)
{
    struct fixture *f = *state;
    unsigned char before[32], after[32];
    struct store_stats stats;
    uint64_t live;
    fill(f, RECORDS);
    for (uint64_t i = 1; i < 4; i++)
        change_records(f->store, i, RECORDS, 4, 0);
    digest(f->store, before);
    assert_int_equal(store_measure(f->store, NULL, &live, NULL), OK);
    assert_int_equal(live, RECORDS / 4 * (SIZE + STORE_KEY_SIZE));
    assert_int_equal(store_stats(f->store, &stats), OK);
    assert_true(stats.bytes_file > 3 * live);
    must_compact(f, NULL);
    assert_int_equal(store_stats(f->store, &stats), OK);
    assert_true(stats.bytes_file < live + live / 3);
    digest(f->store, after);
    assert_memory_equal(before, after, 32);
    assert_int_equal(store_durable_index(f->store), last_index(f->store));
    assert_false(exists_in(f, "compact"));
    reopen(f);
    digest(f->store, after);
    assert_memory_equal(before, after, 32);
}

struct meanwhile {
    struct fixture *f;
    unsigned turn;
    void (*act)(struct fixture *f, unsigned turn);
    bool stops;
};

static bool act(void *arg)
{
    struct meanwhile *meanwhile = arg;
    meanwhile->act(meanwhile->f, meanwhile->turn++);
    return !meanwhile->stops;
}

/* One that is copied already, one that is not yet, one that is new and one that goes. */
static void change(struct fixture *f, unsigned turn)
{
    write_record(f->store, turn, 'b');
    write_record(f->store, RECORDS - 1 - turn, 'c');
    write_record(f->store, RECORDS + turn, 'd');
    delete_record(f->store, 100 + turn);
}

static void what_is_applied_meanwhile_is_there_afterwards(void **state)
{
    struct fixture *f = *state;
    unsigned char before[32], after[32];
    struct meanwhile meanwhile = {.f = f, .act = change};
    fill(f, RECORDS);
    must_compact(f, &(struct store_patience){act, &meanwhile});
    assert_true(meanwhile.turn > RECORDS / 1024);
    for (unsigned turn = 0; turn < meanwhile.turn; turn++) {
        assert_int_equal(read_record(f->store, turn), 'b');
        assert_int_equal(read_record(f->store, RECORDS - 1 - turn), 'c');
        assert_int_equal(read_record(f->store, RECORDS + turn), 'd');
        assert_int_equal(read_record(f->store, 100 + turn), '\0');
    }
    assert_int_equal(read_record(f->store, RECORDS / 2), 'a');
    digest(f->store, before);
    reopen(f);
    digest(f->store, after);
    assert_memory_equal(before, after, 32);
    write_record(f->store, 1, 'e');
    assert_int_equal(read_record(f->store, 1), 'e');
}

static void a_view_keeps_the_state_that_it_was_begun_with(void **state)
{
    struct fixture *f = *state;
    struct store_view *view = NULL;
    unsigned char key[STORE_KEY_SIZE];
    const void *value;
    size_t len;
    fill(f, 100);
    assert_int_equal(store_view_begin(f->store, &view, NULL), OK);
    write_record(f->store, 5, 'z');
    must_compact(f, NULL);
    write_record(f->store, 5, 'y');
    make_key(5, key);
    assert_int_equal(store_view_get(view, key, &value, &len), OK);
    assert_int_equal(*(const char *)value, 'a');
    store_view_end(view);
    assert_int_equal(read_record(f->store, 5), 'y');
}

static void begin_restore(struct fixture *f, unsigned turn)
{
    struct buf entry = BUF_INIT;
    if (turn > 0)
        return;
    restore_put_begin(&entry);
    const struct store_entry applied = {last_index(f->store) + 1, 1, STORE_ENTRY_BATCH, entry.data, entry.len};
    assert_int_equal(store_apply(f->store, &applied, 1, NULL), OK);
    buf_close(&entry);
}

static void a_restore_goes_first(void **state)
{
    struct fixture *f = *state;
    struct meanwhile meanwhile = {.f = f, .act = begin_restore};
    struct store_view *view = NULL;
    uint64_t begun = 0;
    fill(f, 10);
    assert_int_equal(store_compact(f->store, &(struct store_patience){act, &meanwhile}, &f->err), ERR_BUSY);
    assert_int_equal(store_compact(f->store, NULL, &f->err), ERR_BUSY); /* it is still under way */
    assert_int_equal(store_view_begin(f->store, &view, NULL), OK);
    assert_int_equal(store_view_restoring(view, &begun), OK);
    store_view_end(view);
    assert_int_equal(begun, last_index(f->store));
    assert_int_equal(read_record(f->store, 9), 'a');
}

static void who_is_stopped_leaves_nothing_behind(void **state)
{
    struct fixture *f = *state;
    unsigned char before[32], after[32];
    struct meanwhile meanwhile = {.f = f, .act = change, .stops = true};
    fill(f, 2000);
    assert_int_equal(store_compact(f->store, &(struct store_patience){act, &meanwhile}, &f->err), ERR_UNAVAILABLE);
    assert_false(exists_in(f, "compact"));
    assert_int_equal(read_record(f->store, 0), 'b');
    digest(f->store, before);
    must_compact(f, NULL);
    digest(f->store, after);
    assert_memory_equal(before, after, 32);
}

static void what_a_crash_left_is_removed(void **state)
{
    struct fixture *f = *state;
    char path[300];
    fill(f, 10);
    snprintf(path, sizeof path, "%s/compact", f->dir);
    assert_int_equal(file_make_dir(path, 0700, NULL), OK);
    reopen(f);
    assert_false(exists_in(f, "compact"));
    assert_int_equal(read_record(f->store, 9), 'a');
}

/* ---- With threads ---- */

#define BUSY 3000

struct busy {
    struct store *store;
    atomic_bool ends;
    atomic_uint done;
    char expected[BUSY]; /* the applier's */
};

static void *apply_on(void *arg)
{
    struct busy *busy = arg;
    for (uint64_t n = 0; !atomic_load(&busy->ends); n++) {
        uint64_t number = (n * 7) % BUSY;
        busy->expected[number] = n % 3 == 0 ? '\0' : (char)('b' + n % 20);
        write_record(busy->store, number, busy->expected[number]);
        atomic_fetch_add(&busy->done, 1);
    }
    return NULL;
}

static void *read_on(void *arg)
{
    struct busy *busy = arg;
    for (uint64_t n = 0; !atomic_load(&busy->ends); n++)
        read_record(busy->store, n % BUSY);
    return NULL;
}

static void expect_all(struct busy *busy, struct store *store)
{
    for (uint64_t number = 0; number < BUSY; number++)
        assert_int_equal(read_record(store, number), busy->expected[number]);
}

static void nothing_is_lost_beside_appliers_and_readers(void **state)
{
    struct fixture *f = *state;
    struct busy busy = {.store = f->store};
    pthread_t threads[3];
    fill(f, BUSY);
    memset(busy.expected, 'a', sizeof busy.expected);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, i == 0 ? apply_on : read_on, &busy), 0);
    for (int i = 0; i < 5; i++) {
        unsigned done = atomic_load(&busy.done);
        must_compact(f, NULL);
        while (atomic_load(&busy.done) < done + 10)
            sched_yield();
    }
    atomic_store(&busy.ends, true);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    expect_all(&busy, f->store);
    reopen(f);
    expect_all(&busy, f->store);
}

#define TEST(sentence, fn)                                                                                             \
    {                                                                                                                  \
        sentence, fn, fixture_setup, fixture_teardown, NULL                                                            \
    }

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST("the file gets smaller and the state stays", the_file_gets_smaller_and_the_state_stays),
        TEST("what is applied meanwhile is there afterwards", what_is_applied_meanwhile_is_there_afterwards),
        TEST("a view keeps the state that it was begun with", a_view_keeps_the_state_that_it_was_begun_with),
        TEST("a restore goes first", a_restore_goes_first),
        TEST("who is stopped leaves nothing behind", who_is_stopped_leaves_nothing_behind),
        TEST("what a crash left is removed", what_a_crash_left_is_removed),
        TEST("nothing is lost beside appliers and readers", nothing_is_lost_beside_appliers_and_readers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
