/* SPDX-License-Identifier: Apache-2.0 */
#include "base/format.h"
#include "fixture.h"

#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"

void make_temp_dir(char *ret_dir, size_t size)
{
    const char *parent = getenv("TMPDIR");
    snprintf(ret_dir, size, "%s/coffer-storage-XXXXXX", parent != NULL ? parent : "/tmp");
    assert_non_null(mkdtemp(ret_dir));
}

struct barrier *open_barrier(void)
{
    const unsigned char root_key[BARRIER_KEY_SIZE] = "an ordinary root key for a test";
    struct buf keyring = BUF_INIT;
    struct barrier *barrier = barrier_new();
    assert_int_equal(barrier_create_keyring(root_key, &keyring, NULL), OK);
    assert_int_equal(barrier_unseal(barrier, root_key, keyring.data, keyring.len, NULL), OK);
    buf_close(&keyring);
    return barrier;
}

int fixture_setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    json_setup();
    make_temp_dir(fixture->dir, sizeof fixture->dir);
    fixture->barrier = open_barrier();
    fixture->window = window_new(0);
    assert_int_equal(store_open(fixture->dir, true, &fixture->store, &fixture->err), OK);
    *state = fixture;
    return 0;
}

int fixture_teardown(void **state)
{
    struct fixture *fixture = *state;
    store_close(fixture->store);
    barrier_free(fixture->barrier);
    window_free(fixture->window);
    file_remove_tree(fixture->dir, NULL);
    free(fixture);
    return 0;
}

void reopen(struct fixture *fixture)
{
    store_close(fixture->store);
    fixture->store = NULL;
    int rc = store_open(fixture->dir, true, &fixture->store, &fixture->err);
    if (rc != OK)
        print_error("%s\n", err_text(&fixture->err));
    assert_int_equal(rc, OK);
}

struct txn *begin(struct fixture *fixture)
{
    struct txn *txn = NULL;
    assert_int_equal(txn_begin(fixture->store, fixture->barrier, &txn, &fixture->err), OK);
    return txn;
}

int apply_batch(struct fixture *fixture, const struct batch *batch)
{
    struct buf entry = BUF_INIT;
    struct store_position position;
    store_position(fixture->store, &position, NULL);
    entry_begin(&entry, FORMAT_FIRST, 1700000000000);
    entry_add(&entry, batch);
    struct store_entry applied = {position.index + 1, 1, STORE_ENTRY_BATCH, entry.data, entry.len};
    window_add(fixture->window, batch, applied.index);
    int rc = store_apply(fixture->store, &applied, 1, &fixture->err);
    buf_close(&entry);
    return rc;
}

int commit(struct fixture *fixture, struct txn *txn)
{
    struct batch *batch = NULL;
    assert_int_equal(txn_seal(txn, &batch, &fixture->err), OK);
    txn_free(txn);
    int rc = window_conflicts(fixture->window, batch) ? ERR_CONFLICT : apply_batch(fixture, batch);
    batch_free(batch);
    return rc;
}

int apply_raw(struct store *store, uint64_t index, const unsigned char *key, const void *value, size_t len)
{
    struct buf entry = BUF_INIT;
    entry_begin(&entry, FORMAT_FIRST, 1);
    entry.data[entry.len - 1] = 1; /* one operation */
    buf_put_u8(&entry, 1);
    buf_put(&entry, key, STORE_KEY_SIZE);
    buf_put_block(&entry, value, len);
    struct store_entry applied = {index, 1, STORE_ENTRY_BATCH, entry.data, entry.len};
    int rc = store_apply(store, &applied, 1, NULL);
    buf_close(&entry);
    return rc;
}

void put(struct txn *txn, const char *path, const char *text)
{
    json_t *value = json_string(text);
    assert_int_equal(txn_put(txn, path, value), OK);
    json_decref(value);
}

void put_now(struct fixture *fixture, const char *path, const char *text)
{
    struct txn *txn = begin(fixture);
    put(txn, path, text);
    assert_int_equal(commit(fixture, txn), OK);
}

void delete_now(struct fixture *fixture, const char *path)
{
    struct txn *txn = begin(fixture);
    assert_int_equal(txn_delete(txn, path), OK);
    assert_int_equal(commit(fixture, txn), OK);
}

const char *text_at(struct txn *txn, const char *path)
{
    static char text[4096];
    json_t *value = NULL;
    int rc = txn_get(txn, path, &value);
    if (rc == ERR_NOTFOUND)
        return NULL;
    assert_int_equal(rc, OK);
    snprintf(text, sizeof text, "%s", json_string_value(value));
    json_decref(value);
    return text;
}

const char *names_in(struct txn *txn, const char *dir)
{
    static char text[4096];
    json_t *names = NULL;
    assert_int_equal(txn_list(txn, dir, NULL, 0, &names), OK);
    *text = '\0';
    for (size_t i = 0; i < json_array_size(names); i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i > 0 ? "," : "",
                 json_string_value(json_array_get(names, i)));
    json_decref(names);
    return text;
}
