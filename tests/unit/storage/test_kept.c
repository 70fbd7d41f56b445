/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <stdio.h>

#include "storage/kept.h"

static json_t *shared_at(struct fixture *f, const char *path)
{
    json_t *value = NULL;
    struct txn *txn = begin(f);
    int rc = txn_get_shared(txn, path, &value);
    assert_true(rc == OK || rc == ERR_NOTFOUND);
    txn_free(txn);
    return value;
}

static void test_shared(void **state)
{
    struct fixture *f = *state;
    put_now(f, "a/b", "text");
    json_t *first = shared_at(f, "a/b"), *second = shared_at(f, "a/b");
    assert_ptr_equal(first, second);
    assert_string_equal(json_string_value(first), "text");
    json_decref(first);
    json_decref(second);
}

static void test_written(void **state)
{
    struct fixture *f = *state;
    put_now(f, "a/b", "old");
    struct txn *before = begin(f);
    json_t *old = shared_at(f, "a/b"), *now, *then = NULL;
    put_now(f, "a/b", "new");
    now = shared_at(f, "a/b");
    assert_string_equal(json_string_value(now), "new");
    assert_int_equal(txn_get_shared(before, "a/b", &then), OK);
    assert_ptr_equal(then, old);
    txn_free(before);
    delete_now(f, "a/b");
    assert_null(shared_at(f, "a/b"));
    json_decref(old);
    json_decref(now);
    json_decref(then);
}

static void test_own(void **state)
{
    struct fixture *f = *state;
    json_t *value = NULL;
    put_now(f, "a/b", "old");
    struct txn *txn = begin(f);
    put(txn, "a/b", "mine");
    assert_int_equal(txn_get_shared(txn, "a/b", &value), OK);
    assert_string_equal(json_string_value(value), "mine");
    json_decref(value);
    assert_int_equal(txn_delete(txn, "a/b"), OK);
    assert_int_equal(txn_get_shared(txn, "a/b", &value), ERR_NOTFOUND);
    txn_free(txn);
    value = shared_at(f, "a/b");
    assert_string_equal(json_string_value(value), "old");
    json_decref(value);
}

static void test_conflict(void **state)
{
    struct fixture *f = *state;
    json_t *value = NULL;
    put_now(f, "a/b", "old");
    json_decref(shared_at(f, "a/b"));
    struct txn *txn = begin(f);
    assert_int_equal(txn_get_shared(txn, "a/b", &value), OK);
    json_decref(value);
    put(txn, "c", "from what a/b said");
    put_now(f, "a/b", "new");
    assert_int_equal(commit(f, txn), ERR_CONFLICT);
}

static void test_sealing(void **state)
{
    struct fixture *f = *state;
    json_t *value = NULL;
    const unsigned char key[STORE_KEY_SIZE] = {1}, tag[BARRIER_TAG_SIZE] = {2};
    put_now(f, "a/b", "text");
    json_t *kept = shared_at(f, "a/b");
    struct txn *txn = begin(f);
    barrier_seal(f->barrier);
    assert_int_equal(kept->refcount, 1);
    assert_int_equal(txn_get_shared(txn, "a/b", &value), ERR_SEALED);
    kept_put(barrier_kept(f->barrier), key, tag, kept);
    assert_null(kept_get(barrier_kept(f->barrier), key, tag));
    txn_free(txn);
    json_decref(kept);
}

static void test_moved(void **state)
{
    (void)state;
    struct kept *kept = kept_new();
    json_t *value = json_string("x");
    const unsigned char key[STORE_KEY_SIZE] = {1}, other[STORE_KEY_SIZE] = {2}, tag[BARRIER_TAG_SIZE] = {3};
    kept_open(kept, true);
    kept_put(kept, key, tag, value);
    assert_null(kept_get(kept, other, tag));
    json_t *got = kept_get(kept, key, tag);
    assert_ptr_equal(got, value);
    json_decref(got);
    kept_free(kept);
    assert_int_equal(value->refcount, 1);
    json_decref(value);
}

static void test_bound(void **state)
{
    (void)state;
    struct kept *kept = kept_new();
    json_t *value = json_string("x");
    unsigned char key[STORE_KEY_SIZE] = {0}, tag[BARRIER_TAG_SIZE] = {0};
    kept_open(kept, true);
    for (uint32_t i = 0; i < 3 * KEPT_MAX; i++) {
        memcpy(tag, &i, sizeof i);
        kept_put(kept, key, tag, value);
    }
    assert_int_equal(value->refcount, KEPT_MAX + 1);
    kept_free(kept);
    json_decref(value);
}

static void test_long(void **state)
{
    struct fixture *f = *state;
    char text[KEPT_TEXT_MAX + 1];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    put_now(f, "a", text);
    json_t *first = shared_at(f, "a"), *second = shared_at(f, "a");
    assert_ptr_not_equal(first, second);
    assert_true(json_equal(first, second));
    json_decref(first);
    json_decref(second);
}

#define TEST(name, function)                                                                                           \
    {                                                                                                                  \
        name, function, fixture_setup, fixture_teardown, NULL                                                          \
    }

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST("a record that did not change is parsed once for all", test_shared),
        TEST("each snapshot sees its own version of a shared record, and none of a deleted one", test_written),
        TEST("what a transaction itself wrote is seen by it alone", test_own),
        TEST("to rely on a shared record is to rely on the record", test_conflict),
        TEST("sealing forgets everything, and nothing is kept afterwards", test_sealing),
        TEST("a record that was moved on disk is not taken for another", test_moved),
        TEST("so many values are kept and no more", test_bound),
        TEST("a long record is not kept", test_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
