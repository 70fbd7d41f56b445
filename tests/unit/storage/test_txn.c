/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <stdio.h>

/* ---- Reading and writing ---- */

static void test_read_back(void **state)
{
    struct fixture *f = *state;
    struct txn *txn = begin(f);
    json_t *value = json_pack("{s:i, s:[b,n,f], s:s}", "number", 42, "list", 1, 1.5, "text", "ä\"\\\n"), *read = NULL;
    assert_int_equal(txn_put(txn, "a/b/c", value), OK);
    assert_int_equal(commit(f, txn), OK);
    txn = begin(f);
    assert_int_equal(txn_get(txn, "a/b/c", &read), OK);
    assert_true(json_equal(value, read));
    assert_null(text_at(txn, "a/b/d"));
    assert_int_equal(txn_index(txn), 1);
    txn_free(txn);
    json_decref(value);
    json_decref(read);
}

static void test_own_writes(void **state)
{
    struct fixture *f = *state;
    unsigned char tag[BARRIER_TAG_SIZE], none[BARRIER_TAG_SIZE] = {0}, own[BARRIER_TAG_SIZE];
    memset(own, 0xff, sizeof own);
    put_now(f, "a/old", "old");
    struct txn *txn = begin(f);
    put(txn, "a/new", "new");
    put(txn, "a/old", "changed");
    assert_string_equal(text_at(txn, "a/new"), "new");
    assert_string_equal(text_at(txn, "a/old"), "changed");
    assert_string_equal(names_in(txn, "a/"), "new,old");
    assert_int_equal(txn_tag(txn, "a/old", tag), OK);
    assert_memory_equal(tag, own, sizeof tag);
    assert_int_equal(txn_delete(txn, "a/old"), OK);
    assert_null(text_at(txn, "a/old"));
    assert_int_equal(txn_tag(txn, "a/old", tag), OK);
    assert_memory_equal(tag, none, sizeof tag);
    assert_string_equal(names_in(txn, "a/"), "new");
    assert_int_equal(txn_delete(txn, "a/new"), OK);
    assert_int_equal(txn_tag(txn, "a/new", tag), OK);
    assert_memory_equal(tag, none, sizeof tag);
    assert_string_equal(names_in(txn, "a/"), "");
    assert_string_equal(names_in(txn, ""), "");
    put(txn, "a/old", "again");
    assert_string_equal(names_in(txn, ""), "a/");
    assert_int_equal(commit(f, txn), OK);
    txn = begin(f);
    assert_string_equal(text_at(txn, "a/old"), "again");
    assert_string_equal(names_in(txn, "a/"), "old");
    txn_free(txn);
}

static void test_isolation(void **state)
{
    struct fixture *f = *state;
    put_now(f, "a", "one");
    struct txn *before = begin(f);
    put_now(f, "a", "two");
    put_now(f, "b", "new");
    assert_string_equal(text_at(before, "a"), "one");
    assert_string_equal(names_in(before, ""), "a");
    txn_free(before);
}

static void test_tag(void **state)
{
    struct fixture *f = *state;
    unsigned char first[BARRIER_TAG_SIZE], second[BARRIER_TAG_SIZE];
    put_now(f, "a", "same");
    struct txn *txn = begin(f);
    assert_int_equal(txn_tag(txn, "a", first), OK);
    assert_int_equal(txn_tag(txn, "a", second), OK);
    assert_memory_equal(first, second, sizeof first);
    txn_free(txn);
    put_now(f, "a", "same");
    txn = begin(f);
    assert_int_equal(txn_tag(txn, "a", second), OK);
    assert_memory_not_equal(first, second, sizeof first);
    txn_free(txn);
}

static void test_bad_paths(void **state)
{
    struct fixture *f = *state;
    char long_name[BARRIER_NAME_MAX + 2], long_dir[BARRIER_NAME_MAX + 3], long_path[TXN_PATH_MAX + 2];
    memset(long_name, 'x', sizeof long_name);
    long_name[sizeof long_name - 1] = '\0';
    snprintf(long_dir, sizeof long_dir, "%.*s/y", BARRIER_NAME_MAX, long_name);
    memset(long_path, '/', sizeof long_path);
    for (size_t i = 0; i < sizeof long_path; i += 2)
        long_path[i] = 'x';
    long_path[sizeof long_path - 1] = '\0';
    const char *const bad[] = {"",        "/",      "/a",     "a//b", "a/",    ".",    "..",      "a/../b",
                               "./a",     "a/..",   "a/./b",  "a\nb", "a\x7f", "\xff", "a\xc3/b", "\xed\xa0\x80",
                               long_name, long_dir, long_path};
    struct txn *txn = begin(f);
    json_t *value = json_null();
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        unsigned char tag[BARRIER_TAG_SIZE];
        assert_int_equal(txn_put(txn, bad[i], value), ERR_INVALID);
        assert_int_equal(txn_get(txn, bad[i], &value), ERR_INVALID);
        assert_int_equal(txn_tag(txn, bad[i], tag), ERR_INVALID);
        assert_int_equal(txn_delete(txn, bad[i]), ERR_INVALID);
    }
    bool more;
    assert_int_equal(txn_list(txn, "a", NULL, 0, &value), ERR_INVALID);
    assert_int_equal(txn_list(txn, "/", NULL, 0, &value), ERR_INVALID);
    assert_int_equal(txn_delete_tree(txn, "a/b", 1, &more), ERR_INVALID);
    assert_false(txn_has_writes(txn));
    txn_free(txn);
}

static void test_odd_paths(void **state)
{
    struct fixture *f = *state;
    char name[BARRIER_NAME_MAX + 1], deep[TXN_PATH_MAX + 1];
    memset(name, 'x', BARRIER_NAME_MAX);
    name[BARRIER_NAME_MAX] = '\0';
    memset(deep, '/', TXN_PATH_MAX);
    for (size_t i = 0; i < TXN_PATH_MAX; i += 2)
        deep[i] = 'd';
    deep[TXN_PATH_MAX - 1] = '\0';
    const char *const odd[] = {"...", "a b", "..a", "ä/ö/日本", "a%2fb", "\\", name, deep};
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++)
        put_now(f, odd[i], odd[i]);
    struct txn *txn = begin(f);
    for (size_t i = 0; i < sizeof odd / sizeof odd[0] - 1; i++)
        assert_string_equal(text_at(txn, odd[i]), odd[i]);
    txn_free(txn);
    delete_now(f, deep);
    txn = begin(f);
    assert_string_equal(names_in(txn, "d/"), "");
    txn_free(txn);
}

/* ---- Directories ---- */

static void test_listing(void **state)
{
    struct fixture *f = *state;
    struct txn *txn = begin(f);
    put(txn, "m/b", "");
    put(txn, "m/a", "");
    put(txn, "m/a/x", "");
    put(txn, "m/c/y/z", "");
    assert_string_equal(names_in(txn, "m/"), "a,a/,b,c/");
    assert_int_equal(commit(f, txn), OK);
    txn = begin(f);
    assert_string_equal(names_in(txn, "m/"), "a,a/,b,c/");
    assert_string_equal(names_in(txn, ""), "m/");
    assert_string_equal(names_in(txn, "m/a/"), "x");
    assert_string_equal(names_in(txn, "m/c/"), "y/");
    assert_string_equal(names_in(txn, "m/nothing/"), "");
    txn_free(txn);
}

static void expect_page(struct txn *txn, const char *after, size_t limit, int first, int count)
{
    json_t *names = NULL;
    assert_int_equal(txn_list(txn, "m/", after, limit, &names), OK);
    assert_int_equal(json_array_size(names), count);
    for (int i = 0; i < count; i++) {
        char name[16];
        snprintf(name, sizeof name, "n%03d", first + i);
        assert_string_equal(json_string_value(json_array_get(names, (size_t)i)), name);
    }
    json_decref(names);
}

static void test_pages(void **state)
{
    struct fixture *f = *state;
    struct txn *txn = begin(f);
    for (int i = 0; i < 500; i++) {
        char path[16];
        snprintf(path, sizeof path, "m/n%03d", i * 7 % 500);
        put(txn, path, "");
        if (i == 250) {
            assert_int_equal(commit(f, txn), OK);
            txn = begin(f);
        }
    }
    expect_page(txn, NULL, 0, 0, 500);
    expect_page(txn, NULL, 10, 0, 10);
    expect_page(txn, NULL, 1, 0, 1);
    expect_page(txn, "n009", 10, 10, 10);
    expect_page(txn, "n0095", 3, 10, 3);
    expect_page(txn, "n495", 10, 496, 4);
    expect_page(txn, "n499", 10, 500, 0);
    expect_page(txn, "n250", 0, 251, 249);
    expect_page(txn, "", 500, 0, 500);
    txn_free(txn);
}

static size_t count_in(struct txn *txn, const char *dir)
{
    size_t n = 0;
    assert_int_equal(txn_count(txn, dir, &n), OK);
    return n;
}

static void test_count(void **state)
{
    struct fixture *f = *state;
    struct txn *txn = begin(f);
    for (const char *const *path = (const char *const[]){"m/a", "m/b", "m/d/x", "m/d/y", NULL}; *path != NULL; path++)
        put(txn, *path, "");
    assert_int_equal(count_in(txn, "m/"), 3);
    assert_int_equal(commit(f, txn), OK);
    txn = begin(f);
    put(txn, "m/a", "again");
    put(txn, "m/new", "");
    assert_int_equal(txn_delete(txn, "m/b"), OK);
    assert_int_equal(count_in(txn, "m/"), 3);
    assert_int_equal(count_in(txn, "m/d/"), 2);
    assert_int_equal(count_in(txn, "m/nothing/"), 0);
    txn_free(txn);
}

static void test_list_some(void **state)
{
    struct fixture *f = *state;
    json_t *names;
    struct txn *txn = begin(f);
    for (int i = 0; i < 20; i++) {
        char path[16];
        snprintf(path, sizeof path, "m/%d", i);
        put(txn, path, "");
    }
    assert_int_equal(commit(f, txn), OK);
    txn = begin(f);
    for (size_t max = 1; max <= 25; max += 4) {
        assert_int_equal(txn_list_some(txn, "m/", max, &names), OK);
        assert_int_equal(json_array_size(names), max < 20 ? max : 20);
        json_decref(names);
    }
    txn_free(txn);
}

static void test_markers(void **state)
{
    struct fixture *f = *state;
    put_now(f, "a/b/c", "1");
    put_now(f, "a/b/d", "2");
    delete_now(f, "a/b/c");
    struct txn *txn = begin(f);
    assert_string_equal(names_in(txn, "a/"), "b/");
    txn_free(txn);
    delete_now(f, "a/b/nothing");
    delete_now(f, "a/b/d");
    txn = begin(f);
    assert_string_equal(names_in(txn, "a/"), "");
    assert_string_equal(names_in(txn, ""), "");
    txn_free(txn);
    struct store_stats stats;
    assert_int_equal(store_stats(f->store, &stats), OK);
    assert_int_equal(stats.records, 0);
}

static void test_markers_in_one(void **state)
{
    struct fixture *f = *state;
    put_now(f, "a/b/c", "1");
    struct txn *txn = begin(f);
    assert_int_equal(txn_delete(txn, "a/b/c"), OK);
    put(txn, "a/b/d", "2"); /* the markers, deleted, are put again */
    assert_int_equal(txn_delete(txn, "a/b/d"), OK);
    put(txn, "a/e", "3");
    assert_string_equal(names_in(txn, ""), "a/");
    assert_string_equal(names_in(txn, "a/"), "e");
    assert_int_equal(commit(f, txn), OK);
    txn = begin(f);
    assert_string_equal(names_in(txn, "a/"), "e");
    assert_string_equal(names_in(txn, "a/b/"), "");
    txn_free(txn);
}

static void test_blind_overwrite(void **state)
{
    struct fixture *f = *state;
    put_now(f, "a/b/c", "1");
    struct txn *txn = begin(f);
    struct batch *batch = NULL;
    put(txn, "a/b/d", "2");
    assert_int_equal(txn_seal(txn, &batch, NULL), OK);
    assert_true(batch_size(batch) < 150); /* one put: markers that are there are not written again */
    batch_free(batch);
    txn_free(txn);
}

/* ---- Deleting a tree ---- */

static void plant_tree(struct fixture *f)
{
    static const char *const paths[] = {"t/a", "t/b", "t/s/a", "t/s/b", "t/s/deep/er/x", "t/u/v/w", "other"};
    struct txn *txn = begin(f);
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        put(txn, paths[i], "x");
    assert_int_equal(commit(f, txn), OK);
}

static void test_delete_tree(void **state)
{
    struct fixture *f = *state;
    bool more = true;
    plant_tree(f);
    struct txn *txn = begin(f);
    put(txn, "t/s/own", "x");
    assert_int_equal(txn_delete_tree(txn, "t/", 100, &more), OK);
    assert_false(more);
    assert_string_equal(names_in(txn, ""), "other");
    assert_int_equal(commit(f, txn), OK);
    struct store_stats stats;
    assert_int_equal(store_stats(f->store, &stats), OK);
    assert_int_equal(stats.records, 1);
}

static void test_delete_tree_in_steps(void **state)
{
    struct fixture *f = *state;
    bool more = true;
    int steps = 0;
    plant_tree(f);
    for (; more; steps++) {
        struct txn *txn = begin(f);
        assert_int_equal(txn_delete_tree(txn, "t/", 2, &more), OK);
        assert_int_equal(commit(f, txn), OK);
    }
    assert_in_range(steps, 3, 4);
    struct txn *txn = begin(f);
    assert_string_equal(names_in(txn, ""), "other");
    txn_free(txn);
}

static void test_delete_everything(void **state)
{
    struct fixture *f = *state;
    bool more = true;
    plant_tree(f);
    struct txn *txn = begin(f);
    assert_int_equal(txn_delete_tree(txn, "", 100, &more), OK);
    assert_int_equal(txn_delete_tree(txn, "nothing/", 100, &more), OK);
    assert_false(more);
    assert_int_equal(commit(f, txn), OK);
    struct store_stats stats;
    assert_int_equal(store_stats(f->store, &stats), OK);
    assert_int_equal(stats.records, 0);
}

/* ---- Conflicts: two transactions on one snapshot, one after the other ---- */

enum act { READ, MISS, TAG, LIST, LIST_PARENT, OVERWRITE, CREATE, CREATE_OTHER, DELETE, DELETE_LAST, TREE, ACTS };

/* What is there: d/x, d/y and e/z. Every second act also writes, so that it has something to commit. */
static void act(struct txn *txn, enum act what)
{
    json_t *value = NULL;
    unsigned char tag[BARRIER_TAG_SIZE];
    bool more;
    switch (what) {
    case READ:
        assert_non_null(text_at(txn, "d/x"));
        break;
    case MISS:
        assert_null(text_at(txn, "d/new"));
        break;
    case TAG:
        assert_int_equal(txn_tag(txn, "d/x", tag), OK);
        break;
    case LIST:
    case LIST_PARENT:
        assert_int_equal(txn_list(txn, what == LIST ? "d/" : "", NULL, 0, &value), OK);
        json_decref(value);
        break;
    case OVERWRITE:
        put(txn, "d/x", "2");
        break;
    case CREATE:
    case CREATE_OTHER:
        put(txn, what == CREATE ? "d/new" : "e/new", "1");
        break;
    case DELETE:
    case DELETE_LAST:
        assert_int_equal(txn_delete(txn, what == DELETE ? "d/x" : "e/z"), OK);
        break;
    case TREE:
        assert_int_equal(txn_delete_tree(txn, "d/", 100, &more), OK);
        break;
    case ACTS:
        break;
    }
}

/* Rows: what was committed first; columns: what comes after it, from the same snapshot. C: it must run again. */
static const char *const expected[ACTS] = {
    /*                  READ MISS TAG LIST PARENT OVERWRITE CREATE OTHER DELETE LAST TREE */
    [READ] = "...........", /* who reads disturbs nobody */
    [MISS] = "...........",         [TAG] = "...........",       [LIST] = "...........",
    [LIST_PARENT] = "...........",  [OVERWRITE] = "C.C........", [CREATE] = ".C.C..C...C",
    [CREATE_OTHER] = ".......C.C.", [DELETE] = "C.CC.C..C.C",    [DELETE_LAST] = "....C..C.C.",
    [TREE] = "C.CCCCC.C.C",
};

static bool runs_again(struct fixture *f, enum act first, enum act second)
{
    struct txn *a = begin(f), *b = begin(f);
    act(a, first);
    act(b, second);
    put(a, "log/a", "x"); /* the readers too have something to commit */
    put(b, "log/b", "x");
    assert_int_equal(commit(f, a), OK);
    int rc = commit(f, b);
    assert_true(rc == OK || rc == ERR_CONFLICT);
    return rc == ERR_CONFLICT;
}

static void test_conflicts(void **state)
{
    struct fixture *f = *state;
    for (int first = 0; first < ACTS; first++)
        for (int second = 0; second < ACTS; second++) {
            struct txn *txn = begin(f);
            bool more;
            assert_int_equal(txn_delete_tree(txn, "", 100, &more), OK);
            put(txn, "d/x", "1");
            put(txn, "d/y", "1");
            put(txn, "e/z", "1");
            put(txn, "log/a", "1");
            put(txn, "log/b", "1");
            assert_int_equal(commit(f, txn), OK);
            bool found = runs_again(f, (enum act)first, (enum act)second);
            if (found != (expected[first][second] == 'C'))
                fail_msg("act %d after act %d: %s", second, first, found ? "ran again" : "was let through");
        }
}

static void test_witnesses(void **state)
{
    struct fixture *f = *state;
    enum { COUNT = 200 };
    struct txn *txn = begin(f), *txns[COUNT];
    char path[32];
    for (int i = 0; i < 1000; i++) {
        snprintf(path, sizeof path, "leases/%d", i);
        put(txn, path, "x");
    }
    assert_int_equal(commit(f, txn), OK);
    for (int i = 0; i < COUNT; i++) {
        txns[i] = begin(f);
        snprintf(path, sizeof path, "leases/%d", i);
        assert_int_equal(txn_delete(txns[i], path), OK);
    }
    int conflicts = 0;
    for (int i = 0; i < COUNT; i++)
        conflicts += commit(f, txns[i]) == ERR_CONFLICT;
    assert_in_range(conflicts, 0, COUNT / 4); /* about a tenth: who relied on one that went before */
}

static void test_last_two(void **state)
{
    struct fixture *f = *state;
    put_now(f, "d/x", "1");
    put_now(f, "d/y", "1");
    struct txn *a = begin(f), *b = begin(f);
    assert_int_equal(txn_delete(a, "d/x"), OK);
    assert_int_equal(txn_delete(b, "d/y"), OK);
    assert_int_equal(commit(f, a), OK);
    assert_int_equal(commit(f, b), ERR_CONFLICT); /* else the marker would stay without anything in it */
    delete_now(f, "d/y");
    struct txn *txn = begin(f);
    assert_string_equal(names_in(txn, ""), "");
    txn_free(txn);
}

/* ---- The rest ---- */

static void test_clear(void **state)
{
    struct fixture *f = *state;
    struct buf bytes = BUF_INIT;
    struct txn *txn = begin(f);
    assert_int_equal(txn_get_clear(txn, TXN_CLEAR_SEAL, &bytes), ERR_NOTFOUND);
    assert_int_equal(txn_put_clear(txn, TXN_CLEAR_SEAL, "first", 5), OK);
    assert_int_equal(txn_put_clear(txn, TXN_CLEAR_SEAL, "seal", 4), OK);
    assert_int_equal(txn_put_clear(txn, TXN_CLEAR_CLUSTER, "cluster", 7), OK);
    assert_int_equal(txn_get_clear(txn, TXN_CLEAR_SEAL, &bytes), OK);
    assert_string_equal(buf_str(&bytes), "seal");
    barrier_seal(f->barrier);
    assert_int_equal(commit(f, txn), OK); /* needs no key */
    txn = begin(f);
    buf_clear(&bytes);
    assert_int_equal(txn_get_clear(txn, TXN_CLEAR_CLUSTER, &bytes), OK);
    assert_string_equal(buf_str(&bytes), "cluster");
    assert_int_equal(txn_get_clear(txn, TXN_CLEAR_ROOT_KEY, &bytes), ERR_NOTFOUND);
    txn_free(txn);
    buf_close(&bytes);
}

static void test_clear_hidden(void **state)
{
    struct fixture *f = *state;
    bool more;
    struct buf bytes = BUF_INIT;
    struct txn *txn = begin(f);
    assert_int_equal(txn_put_clear(txn, TXN_CLEAR_KEYRING, "keyring", 7), OK);
    assert_int_equal(commit(f, txn), OK);
    txn = begin(f);
    assert_string_equal(names_in(txn, ""), "");
    assert_int_equal(txn_delete_tree(txn, "", 10, &more), OK);
    assert_int_equal(txn_get_clear(txn, TXN_CLEAR_KEYRING, &bytes), OK);
    txn_free(txn);
    buf_close(&bytes);
}

static void test_sealed(void **state)
{
    struct fixture *f = *state;
    json_t *value = json_true();
    struct batch *batch = NULL;
    put_now(f, "a", "x");
    struct txn *txn = begin(f);
    put(txn, "b", "y");
    barrier_seal(f->barrier);
    assert_int_equal(txn_get(txn, "a", &value), ERR_SEALED);
    assert_int_equal(txn_put(txn, "c", value), ERR_SEALED);
    assert_int_equal(txn_list(txn, "", NULL, 0, &value), ERR_SEALED);
    assert_int_equal(txn_seal(txn, &batch, &f->err), ERR_SEALED);
    txn_free(txn);
}

static void test_too_large(void **state)
{
    struct fixture *f = *state;
    char *text = malloc(20u << 20);
    memset(text, 'x', 20u << 20);
    json_t *value = json_stringn(text, 20u << 20);
    struct batch *batch = NULL;
    struct txn *txn = begin(f);
    assert_int_equal(txn_put(txn, "a", value), OK);
    assert_int_equal(txn_put(txn, "b", value), OK);
    assert_int_equal(txn_seal(txn, &batch, &f->err), OK);
    batch_free(batch);
    assert_int_equal(txn_put(txn, "c", value), OK);
    assert_int_equal(txn_seal(txn, &batch, &f->err), ERR_TOO_LARGE);
    txn_free(txn);
    json_decref(value);
    free(text);
}

/* Somebody else's write comes while the snapshot is let go. */
static void check_release(struct fixture *f, const char *path, bool reads_before, int outcome)
{
    struct txn *txn = begin(f);
    uint64_t index = txn_index(txn);
    if (reads_before)
        assert_string_equal(text_at(txn, "a/x"), "old");
    put(txn, "a/own", "own");
    txn_release(txn);
    put_now(f, path, "new");
    txn_release(txn);
    assert_string_equal(text_at(txn, "a/own"), "own");
    assert_string_equal(text_at(txn, path), "new");
    assert_int_equal(txn_index(txn), index);
    assert_int_equal(commit(f, txn), outcome);
}

static void test_release(void **state)
{
    struct fixture *f = *state;
    put_now(f, "a/x", "old");
    put_now(f, "a/y", "old");
    check_release(f, "b/unread", false, ERR_CONFLICT); /* read later, but changed since the first snapshot */
    put_now(f, "a/x", "old");
    check_release(f, "a/x", true, ERR_CONFLICT);
    struct txn *txn = begin(f);
    assert_string_equal(text_at(txn, "a/y"), "old");
    txn_release(txn);
    put_now(f, "c/other", "new");
    put(txn, "a/own", "own");
    assert_string_equal(text_at(txn, "a/y"), "old");
    assert_int_equal(commit(f, txn), OK);
}

static void test_nothing_to_write(void **state)
{
    struct fixture *f = *state;
    struct txn *txn = begin(f);
    assert_false(txn_has_writes(txn));
    put(txn, "a/b", "x");
    assert_true(txn_has_writes(txn));
    assert_int_equal(txn_delete(txn, "a/b"), OK);
    assert_int_equal(txn_delete(txn, "a/c"), OK);
    assert_false(txn_has_writes(txn));
    txn_free(txn);
    txn_free(NULL);
}

#define TEST(name, function)                                                                                           \
    {                                                                                                                  \
        name, function, fixture_setup, fixture_teardown, NULL                                                          \
    }

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST("a value is read back as it was put", test_read_back),
        TEST("a transaction sees its own writes", test_own_writes),
        TEST("a transaction sees nothing that came after its snapshot", test_isolation),
        TEST("a tag changes with every write, even of the same value", test_tag),
        TEST("paths that are not canonical, too long or no text are refused", test_bad_paths),
        TEST("paths that only look odd are fine", test_odd_paths),
        TEST("a listing is sorted, and directories end in a slash", test_listing),
        TEST("a listing can be had in pages", test_pages),
        TEST("a directory exists while something is in it", test_markers),
        TEST("a directory that is emptied and filled again in one transaction exists", test_markers_in_one),
        TEST("a new name in a directory that exists costs one record", test_blind_overwrite),
        TEST("names are counted as they are listed", test_count),
        TEST("some names are as many as were asked for, if there are so many", test_list_some),
        TEST("a tree is deleted with all that is below it", test_delete_tree),
        TEST("a tree is deleted in steps of so many records", test_delete_tree_in_steps),
        TEST("everything can be deleted, and nothing, too", test_delete_everything),
        TEST("a transaction runs again exactly when what it relied on has changed", test_conflicts),
        TEST("deletions in one directory seldom disturb each other", test_witnesses),
        TEST("two that delete the last two names of a directory do disturb each other", test_last_two),
        TEST("records in clear need no barrier", test_clear),
        TEST("records in clear are in no directory", test_clear_hidden),
        TEST("a sealed barrier is found out at every call that needs it", test_sealed),
        TEST("a batch that no entry could hold is refused", test_too_large),
        TEST("a snapshot that was let go is replaced by a newer one, and conflicts are still found", test_release),
        TEST("what was made and deleted again leaves nothing to write", test_nothing_to_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
