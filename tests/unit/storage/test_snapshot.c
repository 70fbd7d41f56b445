/* SPDX-License-Identifier: Apache-2.0 */
/* Export and import: what a node that lags too far is sent. */
#include "fixture.h"

#include <stdio.h>

#include "base/file.h"
#include "base/secret.h"

#define CHUNKS_MAX 256

struct chunks {
    struct buf items[CHUNKS_MAX];
    int count;
};

static int collect(void *arg, const void *chunk, size_t len)
{
    struct chunks *chunks = arg;
    assert_true(chunks->count < CHUNKS_MAX);
    buf_put(&chunks->items[chunks->count++], chunk, len);
    return OK;
}

static void chunks_close(struct chunks *chunks)
{
    for (int i = 0; i < CHUNKS_MAX; i++)
        buf_close(&chunks->items[i]);
}

static void populate(struct store *store, uint64_t entries, size_t large)
{
    static char value[2000000];
    struct store_position position;
    store_position(store, &position, NULL);
    for (uint64_t i = position.index + 1; i <= position.index + entries; i++) {
        unsigned char key[STORE_KEY_SIZE];
        random_bytes(key, sizeof key);
        random_bytes(value, 2000);
        assert_int_equal(apply_raw(store, i, key, value, i % 50 == 7 ? large : i % 1500), OK);
    }
    const struct store_entry members = {position.index + entries + 1, 3, STORE_ENTRY_CONFIGURATION, "members", 7};
    assert_int_equal(store_apply(store, &members, 1, NULL), OK);
}

static void export_all(struct store *store, struct chunks *ret_chunks, unsigned char ret_digest[32])
{
    struct store_view *view = NULL;
    assert_int_equal(store_view_begin(store, &view, NULL), OK);
    assert_int_equal(store_export(view, collect, ret_chunks, NULL), OK);
    assert_int_equal(store_digest(view, ret_digest, NULL), OK);
    store_view_end(view);
}

static void expect_digest(struct store *store, const unsigned char expected[32])
{
    unsigned char digest[32];
    struct store_view *view = NULL;
    assert_int_equal(store_view_begin(store, &view, NULL), OK);
    assert_int_equal(store_digest(view, digest, NULL), OK);
    store_view_end(view);
    assert_memory_equal(digest, expected, 32);
}

/* A second store beside the fixture's. */
struct target {
    char dir[256];
    struct store *store;
};

static void target_open(struct target *target)
{
    make_temp_dir(target->dir, sizeof target->dir);
    assert_int_equal(store_open(target->dir, true, &target->store, NULL), OK);
}

static void target_reopen(struct target *target)
{
    struct err err = {0};
    store_close(target->store);
    if (store_open(target->dir, true, &target->store, &err) != OK)
        fail_msg("%s", err_text(&err));
}

static void target_close(struct target *target)
{
    char import_dir[300];
    snprintf(import_dir, sizeof import_dir, "%s/import", target->dir);
    assert_false(file_exists(import_dir));
    store_close(target->store);
    file_remove_tree(target->dir, NULL);
}

static int import_chunks(struct store *store, const struct chunks *chunks, struct err *err)
{
    struct store_import *import = NULL;
    assert_int_equal(store_import_begin(store, &import, err), OK);
    for (int i = 0; i < chunks->count; i++) {
        int rc = store_import_chunk(import, chunks->items[i].data, chunks->items[i].len, err);
        if (rc != OK) {
            store_import_abort(import);
            return rc;
        }
    }
    return store_import_finish(import, err);
}

static void test_round_trip(void **state)
{
    struct fixture *f = *state;
    struct chunks chunks = {0};
    struct target target;
    unsigned char digest[32];
    populate(f->store, 1000, 1900000);
    export_all(f->store, &chunks, digest);
    for (int i = 0; i < chunks.count; i++)
        assert_true(chunks.items[i].len <= (256u << 10) + 64);
    assert_true(chunks.count > 20);
    target_open(&target);
    populate(target.store, 10, 1);
    assert_int_equal(import_chunks(target.store, &chunks, &f->err), OK);
    for (int round = 0; round < 2; round++) {
        struct store_position position;
        struct buf members = BUF_INIT;
        store_position(target.store, &position, &members);
        assert_int_equal(position.index, 1001);
        assert_int_equal(position.term, 3);
        assert_int_equal(position.configuration_index, 1001);
        assert_string_equal(buf_str(&members), "members");
        assert_int_equal(store_durable_index(target.store), 1001);
        expect_digest(target.store, digest);
        buf_close(&members);
        target_reopen(&target);
    }
    populate(f->store, 5, 1);
    populate(target.store, 5, 1);
    target_reopen(&target);
    target_close(&target);
    chunks_close(&chunks);
}

static void test_empty(void **state)
{
    struct fixture *f = *state;
    struct chunks chunks = {0};
    struct target target;
    unsigned char digest[32];
    export_all(f->store, &chunks, digest);
    assert_int_equal(chunks.count, 2);
    target_open(&target);
    populate(target.store, 10, 1);
    assert_int_equal(import_chunks(target.store, &chunks, &f->err), OK);
    expect_digest(target.store, digest);
    target_close(&target);
    chunks_close(&chunks);
}

static void test_open_views(void **state)
{
    struct fixture *f = *state;
    struct chunks chunks = {0};
    struct target target;
    unsigned char digest[32], before[32], again[32];
    struct store_view *view = NULL;
    populate(f->store, 100, 5000);
    export_all(f->store, &chunks, digest);
    target_open(&target);
    populate(target.store, 50, 1);
    assert_int_equal(store_view_begin(target.store, &view, NULL), OK);
    assert_int_equal(store_digest(view, before, NULL), OK);
    assert_int_equal(import_chunks(target.store, &chunks, &f->err), OK);
    assert_int_equal(store_digest(view, again, NULL), OK);
    assert_memory_equal(before, again, 32);
    assert_int_equal(store_view_index(view), 51);
    expect_digest(target.store, digest);
    store_view_end(view);
    expect_digest(target.store, digest);
    for (int round = 0; round < 3; round++) /* and once more, over what was imported */
        assert_int_equal(import_chunks(target.store, &chunks, &f->err), OK);
    target_reopen(&target);
    expect_digest(target.store, digest);
    target_close(&target);
    chunks_close(&chunks);
}

/* Imports a changed list of chunks; the store must keep what it had. */
static void expect_refused(struct target *target, const struct chunks *chunks, const unsigned char digest[32])
{
    struct err err = {0};
    assert_int_equal(import_chunks(target->store, chunks, &err), ERR_CORRUPT);
    assert_non_null(strstr(err_text(&err), "snapshot"));
    expect_digest(target->store, digest);
}

static void test_bad_chunks(void **state)
{
    struct fixture *f = *state;
    struct chunks chunks = {0};
    struct target target;
    unsigned char digest[32], kept[32];
    populate(f->store, 1500, 5000);
    export_all(f->store, &chunks, digest);
    assert_true(chunks.count >= 4);
    target_open(&target);
    populate(target.store, 10, 1);
    struct chunks none = {0};
    export_all(target.store, &none, kept);
    chunks_close(&none);

    struct chunks changed = chunks;
    changed.count--; /* the end is missing */
    expect_refused(&target, &changed, kept);
    changed.count = 0;
    expect_refused(&target, &changed, kept);
    changed = chunks; /* one is missing, two are swapped, one comes twice, one after the end */
    changed.items[1] = chunks.items[2];
    expect_refused(&target, &changed, kept);
    changed.items[2] = chunks.items[1];
    expect_refused(&target, &changed, kept);
    changed = chunks;
    changed.items[2] = chunks.items[1];
    expect_refused(&target, &changed, kept);
    changed = chunks;
    changed.items[changed.count] = chunks.items[changed.count - 1];
    changed.count++;
    expect_refused(&target, &changed, kept);
    for (int i = 0; i < chunks.count; i++)
        for (size_t at = 0; at < chunks.items[i].len; at += at < 40 ? 1 : 40009) {
            chunks.items[i].data[at] ^= 4;
            expect_refused(&target, &chunks, kept);
            chunks.items[i].data[at] ^= 4;
        }
    assert_int_equal(import_chunks(target.store, &chunks, &f->err), OK);
    expect_digest(target.store, digest);
    target_close(&target);
    chunks_close(&chunks);
}

static void test_abort(void **state)
{
    struct fixture *f = *state;
    struct chunks chunks = {0};
    struct target target;
    struct store_import *import = NULL, *second = NULL;
    unsigned char digest[32];
    populate(f->store, 100, 5000);
    export_all(f->store, &chunks, digest);
    target_open(&target);
    assert_int_equal(store_import_begin(target.store, &import, &f->err), OK);
    assert_int_equal(store_import_chunk(import, chunks.items[0].data, chunks.items[0].len, &f->err), OK);
    assert_int_equal(store_import_begin(target.store, &second, &f->err), ERR_BUSY);
    assert_int_equal(apply_raw(target.store, 1, (const unsigned char[STORE_KEY_SIZE]){1}, "x", 1), OK);
    store_import_abort(import);
    assert_int_equal(import_chunks(target.store, &chunks, &f->err), OK);
    target_close(&target);
    chunks_close(&chunks);
}

static int stop(void *arg, const void *chunk, size_t len)
{
    (void)chunk, (void)len;
    return ++*(int *)arg == 2 ? ERR_TIMEOUT : OK;
}

static void test_emit_fails(void **state)
{
    struct fixture *f = *state;
    struct store_view *view = NULL;
    int count = 0;
    populate(f->store, 1000, 5000);
    assert_int_equal(store_view_begin(f->store, &view, NULL), OK);
    assert_int_equal(store_export(view, stop, &count, &f->err), ERR_TIMEOUT);
    store_view_end(view);
}

static void test_leftover(void **state)
{
    struct fixture *f = *state;
    struct store_import *import = NULL;
    char path[300];
    populate(f->store, 10, 1);
    snprintf(path, sizeof path, "%s/import", f->dir);
    assert_int_equal(store_import_begin(f->store, &import, &f->err), OK);
    store_import_abort(import);
    assert_int_equal(file_make_dir(path, 0700, NULL), OK); /* as if it had been killed meanwhile */
    snprintf(path, sizeof path, "%s/import/data.mdb", f->dir);
    assert_int_equal(file_replace(path, "half", 4, 0600, NULL), OK);
    reopen(f);
    assert_false(file_exists(path));
}

#define TEST(name, function)                                                                                           \
    {                                                                                                                  \
        name, function, fixture_setup, fixture_teardown, NULL                                                          \
    }

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST("an imported state has the digest, position and members of the exported one", test_round_trip),
        TEST("an empty state travels, too", test_empty),
        TEST("views that are open keep the state from before the import", test_open_views),
        TEST("chunks that are damaged, missing or out of order are refused, and the state is kept", test_bad_chunks),
        TEST("an import that is given up leaves nothing, and only one runs at a time", test_abort),
        TEST("an export ends when the receiver fails", test_emit_fails),
        TEST("what is left of an import is removed at start", test_leftover),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
