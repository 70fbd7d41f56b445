/* SPDX-License-Identifier: Apache-2.0 */
/* Entries of the log, and the window of late changes. */
#include "base/format.h"
#include "fixture.h"

#include "storage/batch_private.h"

static struct batch *batch_at(uint64_t index)
{
    struct batch *batch = calloc(1, sizeof *batch);
    assert_non_null(batch);
    batch->index = index;
    return batch;
}

static const unsigned char *id(unsigned n)
{
    static unsigned char bytes[ID_SIZE];
    memcpy(bytes, &(uint64_t){n * UINT64_C(0x9e3779b97f4a7c15)}, sizeof(uint64_t));
    memcpy(bytes + 8, &(uint64_t){n}, sizeof(uint64_t));
    return bytes;
}

/* ---- Entries ---- */

static void make_entry(struct buf *entry)
{
    unsigned char key[STORE_KEY_SIZE] = "a key, of thirty-two bytes size";
    struct batch *batch = batch_at(0);
    entry_begin(entry, FORMAT_FIRST, 1234567890123);
    size_t start = batch_begin_put(batch, key);
    buf_puts(&batch->ops, "value");
    batch_end_put(batch, start);
    batch_put_delete(batch, key);
    entry_add(entry, batch);
    entry_add(entry, batch);
    batch_free(batch);
}

static int log_op(void *arg, const struct entry_op *op)
{
    buf_printf(arg, "%s%.*s ", op->is_delete ? "-" : "+", (int)op->len, op->len > 0 ? (const char *)op->value : "");
    return OK;
}

static void test_walk(void **state)
{
    (void)state;
    struct buf entry = BUF_INIT, log = BUF_INIT;
    make_entry(&entry);
    assert_int_equal(entry_walk(entry.data, entry.len, log_op, &log), OK);
    assert_string_equal(buf_str(&log), "+value - +value - ");
    assert_int_equal(entry_time_ms(entry.data, entry.len), 1234567890123);
    buf_close(&entry);
    buf_close(&log);
}

static void test_cut(void **state)
{
    (void)state;
    struct buf entry = BUF_INIT, log = BUF_INIT;
    make_entry(&entry);
    for (size_t len = 0; len < entry.len; len++) {
        assert_int_equal(entry_walk(entry.data, len, log_op, &log), ERR_CORRUPT);
        assert_true(len >= 9 || entry_time_ms(entry.data, len) == 0);
    }
    buf_put_u8(&entry, 0);
    assert_int_equal(entry_walk(entry.data, entry.len, log_op, &log), ERR_CORRUPT);
    assert_int_equal(log.len, 0); /* nobody saw a part */
    buf_close(&entry);
}

static void test_garbled(void **state)
{
    (void)state;
    struct buf entry = BUF_INIT, log = BUF_INIT;
    make_entry(&entry);
    for (size_t i = 0; i < entry.len; i++) {
        unsigned char byte = entry.data[i];
        for (int value = 0; value < 256; value++) {
            entry.data[i] = (unsigned char)value;
            (void)!entry_walk(entry.data, entry.len, log_op, &log);
        }
        entry.data[i] = byte;
    }
    buf_close(&entry);
    buf_close(&log);
}

static int stop_at_first(void *arg, const struct entry_op *op)
{
    (void)op;
    return ++*(int *)arg == 1 ? ERR_NOSPACE : OK;
}

static void test_visit_fails(void **state)
{
    (void)state;
    int visits = 0;
    struct buf entry = BUF_INIT;
    make_entry(&entry);
    assert_int_equal(entry_walk(entry.data, entry.len, stop_at_first, &visits), ERR_NOSPACE);
    assert_int_equal(visits, 1);
    buf_close(&entry);
}

/* ---- The window ---- */

static bool conflicts(const struct window *window, uint64_t snapshot, const unsigned char *read)
{
    struct batch *batch = batch_at(snapshot);
    buf_put(&batch->reads, read, ID_SIZE);
    bool result = window_conflicts(window, batch);
    batch_free(batch);
    return result;
}

static void change(struct window *window, uint64_t index, const unsigned char *changed)
{
    struct batch *batch = batch_at(0);
    buf_put(&batch->changes, changed, ID_SIZE);
    window_add(window, batch, index);
    batch_free(batch);
}

static void test_window(void **state)
{
    (void)state;
    struct window *window = window_new(10);
    change(window, 12, id(1));
    assert_true(conflicts(window, 11, id(1)));
    assert_false(conflicts(window, 12, id(1)));
    assert_false(conflicts(window, 11, id(2)));
    change(window, 15, id(1));
    assert_true(conflicts(window, 14, id(1)));
    assert_false(conflicts(window, 15, id(1)));
    window_free(window);
}

static void test_unknown(void **state)
{
    (void)state;
    struct window *window = window_new(10);
    assert_true(conflicts(window, 9, id(1)));
    assert_false(conflicts(window, 10, id(1)));
    window_free(window);
}

static void test_forgetting(void **state)
{
    (void)state;
    struct window *window = window_new(0);
    for (unsigned i = 1; i <= 300000; i++)
        change(window, i, id(i));
    assert_true(conflicts(window, 1, id(1)));           /* forgotten counts as changed */
    assert_true(conflicts(window, 1, id(500000)));      /* and so does what never was */
    assert_true(conflicts(window, 299999, id(300000))); /* the latest are known */
    assert_false(conflicts(window, 300000, id(300000)));
    assert_false(conflicts(window, 299000, id(298999)));
    for (unsigned i = 240000; i <= 300000; i++)
        assert_true(conflicts(window, i - 1, id(i)));
    window_free(window);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        {"an entry gives back the operations of its batches in order", test_walk, NULL, NULL, NULL},
        {"an entry that was cut or lengthened is refused before anybody sees a part", test_cut, NULL, NULL, NULL},
        {"an entry with any byte changed does no harm", test_garbled, NULL, NULL, NULL},
        {"what the visitor returns ends the walk", test_visit_fails, NULL, NULL, NULL},
        {"a read conflicts with a later change of the same, and only that", test_window, NULL, NULL, NULL},
        {"a snapshot from before the window conflicts", test_unknown, NULL, NULL, NULL},
        {"what the window has forgotten counts as changed", test_forgetting, NULL, NULL, NULL},
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
