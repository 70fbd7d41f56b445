/* SPDX-License-Identifier: Apache-2.0 */
/* A restore through the log: what is collected, what swaps the states, and what has no effect. */
#include "fixture.h"

#include "base/file.h"
#include "base/format.h"
#include "storage/restore.h"

static const unsigned char key_a[STORE_KEY_SIZE] = {1}, key_b[STORE_KEY_SIZE] = {2}, key_c[STORE_KEY_SIZE] = {3};

static uint64_t last_index(struct store *store)
{
    struct store_position position;
    store_position(store, &position, NULL);
    return position.index;
}

/* Applies it as the next entry, frees it, and returns its index. */
static uint64_t apply(struct store *store, struct buf *entry)
{
    uint64_t index = last_index(store) + 1;
    const struct store_entry applied = {index, 3, STORE_ENTRY_BATCH, entry->data, entry->len};
    assert_int_equal(store_apply(store, &applied, 1, NULL), OK);
    buf_close(entry);
    return index;
}

static uint64_t begin_restore(struct store *store)
{
    struct buf entry = BUF_INIT;
    restore_put_begin(&entry);
    return apply(store, &entry);
}

static void add_record(struct store *store, uint64_t begin, uint32_t number, const unsigned char *key,
                       const char *value)
{
    struct buf entry = BUF_INIT;
    restore_put_records(&entry, begin, number);
    restore_put_record(&entry, key, value, strlen(value));
    apply(store, &entry);
}

static uint64_t end_restore(struct store *store, uint64_t begin, uint32_t number, uint64_t count)
{
    struct buf entry = BUF_INIT;
    restore_put_end(&entry, begin, number, count);
    restore_put_record(&entry, key_c, "on top", 6);
    return apply(store, &entry);
}

static void expect(struct store *store, const unsigned char *key, const char *expected)
{
    struct store_view *view = NULL;
    const void *value;
    size_t len;
    assert_int_equal(store_view_begin(store, &view, NULL), OK);
    int rc = store_view_get(view, key, &value, &len);
    assert_int_equal(rc, expected != NULL ? OK : ERR_NOTFOUND);
    if (expected != NULL) {
        assert_int_equal(len, strlen(expected));
        assert_memory_equal(value, expected, len);
    }
    store_view_end(view);
}

static uint64_t restoring(struct store *store)
{
    struct store_view *view = NULL;
    uint64_t begin;
    assert_int_equal(store_view_begin(store, &view, NULL), OK);
    assert_int_equal(store_view_restoring(view, &begin), OK);
    store_view_end(view);
    return begin;
}

static void test_a_restore_swaps_the_state_in_one_entry(void **state)
{
    struct fixture *f = *state;
    struct store_view *old = NULL;
    const void *value;
    size_t len;
    assert_int_equal(apply_raw(f->store, last_index(f->store) + 1, key_a, "old", 3), OK);
    uint64_t begin = begin_restore(f->store);
    assert_int_equal(restoring(f->store), begin);
    add_record(f->store, begin, 0, key_b, "new");
    expect(f->store, key_a, "old");
    expect(f->store, key_b, NULL);
    assert_int_equal(store_view_begin(f->store, &old, NULL), OK);
    uint64_t end = end_restore(f->store, begin, 1, 1);
    assert_int_equal(store_restored_index(f->store), end);
    assert_int_equal(restoring(f->store), 0);
    expect(f->store, key_a, NULL);
    expect(f->store, key_b, "new");
    expect(f->store, key_c, "on top");
    assert_int_equal(store_view_get(old, key_a, &value, &len), OK); /* who reads the old one still does */
    store_view_end(old);
    assert_int_equal(apply_raw(f->store, last_index(f->store) + 1, key_a, "later", 5), OK);
    reopen(f);
    expect(f->store, key_a, "later");
    expect(f->store, key_b, "new");
}

static void test_a_restart_amid_a_restore_loses_nothing_of_it(void **state)
{
    struct fixture *f = *state;
    uint64_t begin = begin_restore(f->store);
    add_record(f->store, begin, 0, key_a, "one");
    reopen(f);
    assert_int_equal(restoring(f->store), begin);
    add_record(f->store, begin, 1, key_b, "two");
    reopen(f);
    end_restore(f->store, begin, 2, 2);
    reopen(f);
    expect(f->store, key_a, "one");
    expect(f->store, key_b, "two");
}

static void test_what_does_not_continue_the_restore_has_no_effect(void **state)
{
    struct fixture *f = *state;
    struct buf abandon = BUF_INIT;
    assert_int_equal(apply_raw(f->store, last_index(f->store) + 1, key_a, "old", 3), OK);
    uint64_t given_up = begin_restore(f->store);
    add_record(f->store, given_up, 0, key_b, "given up");
    uint64_t begin = begin_restore(f->store);
    add_record(f->store, given_up, 1, key_b, "late");
    add_record(f->store, begin, 1, key_b, "a gap");
    end_restore(f->store, given_up, 2, 2);
    end_restore(f->store, begin, 1, 1);
    expect(f->store, key_a, "old");
    expect(f->store, key_b, NULL);
    assert_int_equal(store_restored_index(f->store), 0);
    restore_put_abandon(&abandon, begin);
    apply(f->store, &abandon);
    assert_int_equal(restoring(f->store), 0);
    end_restore(f->store, begin, 0, 0);
    expect(f->store, key_a, "old");
}

static void test_malformed_entries_are_refused_whole(void **state)
{
    struct fixture *f = *state;
    uint64_t begin = begin_restore(f->store), index = last_index(f->store);
    struct buf entry = BUF_INIT;
    restore_put_records(&entry, begin, 0);
    restore_put_record(&entry, key_a, "value", 5);
    for (size_t len = 1; len < entry.len; len++) {
        if (len == 26) /* an entry without records is none, but well formed */
            continue;
        const struct store_entry cut = {index + 1, 3, STORE_ENTRY_BATCH, entry.data, len};
        assert_int_equal(store_apply(f->store, &cut, 1, NULL), ERR_CORRUPT);
    }
    buf_close(&entry);
    assert_int_equal(last_index(f->store), index);
}

struct copy {
    struct store_import *import;
};

static int copy_chunk(void *arg, const void *chunk, size_t len)
{
    return store_import_chunk(((struct copy *)arg)->import, chunk, len, NULL);
}

static void digest_of(struct store *store, unsigned char ret[32])
{
    struct store_view *view = NULL;
    assert_int_equal(store_view_begin(store, &view, NULL), OK);
    assert_int_equal(store_digest(view, ret, NULL), OK);
    store_view_end(view);
}

static void test_a_node_that_gets_the_state_amid_a_restore_ends_with_the_same(void **state)
{
    struct fixture *f = *state;
    char dir[256];
    struct store *other = NULL;
    struct store_view *view = NULL;
    struct copy copy;
    unsigned char mine[32], theirs[32];
    make_temp_dir(dir, sizeof dir);
    assert_int_equal(store_open(dir, true, &other, NULL), OK);
    assert_int_equal(apply_raw(f->store, last_index(f->store) + 1, key_a, "old", 3), OK);
    uint64_t begin = begin_restore(f->store);
    add_record(f->store, begin, 0, key_a, "new");
    assert_int_equal(store_view_begin(f->store, &view, NULL), OK);
    assert_int_equal(store_import_begin(other, &copy.import, NULL), OK);
    assert_int_equal(store_export(view, copy_chunk, &copy, NULL), OK);
    store_view_end(view);
    assert_int_equal(store_import_finish(copy.import, NULL), OK);
    expect(other, key_a, "old");
    assert_int_equal(restoring(other), begin);
    struct store *const both[] = {f->store, other};
    for (int i = 0; i < 2; i++) {
        add_record(both[i], begin, 1, key_b, "too");
        end_restore(both[i], begin, 2, 2);
        expect(both[i], key_a, "new");
        expect(both[i], key_b, "too");
    }
    digest_of(f->store, mine);
    digest_of(other, theirs);
    assert_memory_equal(mine, theirs, sizeof mine);
    store_close(other);
    assert_int_equal(store_open(dir, true, &other, NULL), OK);
    expect(other, key_b, "too");
    store_close(other);
    file_remove_tree(dir, NULL);
}

static void test_a_step_bears_form_and_time_like_every_entry(void **state)
{
    struct fixture *f = *state;
    struct buf entry = BUF_INIT;
    struct err err = {0};
    struct store_position position;
    restore_put_begin(&entry);
    restore_stamp(&entry, FORMAT_NEWEST, 123456);
    uint64_t begin = apply(f->store, &entry);
    store_position(f->store, &position, NULL);
    assert_int_equal(position.time_ms, 123456);
    assert_int_equal(position.format, FORMAT_NEWEST);
    restore_put_abandon(&entry, begin);
    restore_stamp(&entry, FORMAT_NEWEST + 1, 123457);
    const struct store_entry newer = {begin + 1, 3, STORE_ENTRY_BATCH, entry.data, entry.len};
    assert_int_equal(store_apply(f->store, &newer, 1, &err), ERR_UNSUPPORTED);
    assert_non_null(strstr(err_text(&err), "start a newer one"));
    assert_int_equal(restoring(f->store), begin);
    buf_close(&entry);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_restore_swaps_the_state_in_one_entry, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_a_restart_amid_a_restore_loses_nothing_of_it, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(test_what_does_not_continue_the_restore_has_no_effect, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(test_a_step_bears_form_and_time_like_every_entry, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(test_malformed_entries_are_refused_whole, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_a_node_that_gets_the_state_amid_a_restore_ends_with_the_same,
                                        fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
