/* SPDX-License-Identifier: Apache-2.0 */
/* A full disk, and what can be read on one. The first needs to mount a small tmpfs, and is left out where it may not.
 */
#include "base/format.h"
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/secret.h"

struct disk {
    char dir[256], store_dir[300], ballast[300];
    struct store *store;
    uint64_t index;
    struct err err;
};

static void disk_mount(struct disk *disk, const char *options)
{
    *disk = (struct disk){0};
    make_temp_dir(disk->dir, sizeof disk->dir);
    if (mount("tmpfs", disk->dir, "tmpfs", 0, options) != 0) {
        print_message("cannot mount a tmpfs: %s\n", strerror(errno));
        rmdir(disk->dir);
        skip();
    }
    snprintf(disk->store_dir, sizeof disk->store_dir, "%s/state", disk->dir);
    snprintf(disk->ballast, sizeof disk->ballast, "%s/ballast", disk->dir);
}

static void disk_unmount(struct disk *disk)
{
    store_close(disk->store);
    assert_int_equal(umount(disk->dir), 0);
    rmdir(disk->dir);
}

/* Takes all room but `leave` bytes. */
static void fill(struct disk *disk, off_t leave)
{
    static char block[4096];
    int fd = open(disk->ballast, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    off_t size = 0;
    for (ssize_t n; (n = write(fd, block, sizeof block)) > 0;)
        size += n;
    assert_int_equal(errno, ENOSPC);
    assert_int_equal(ftruncate(fd, size > leave ? size - leave : 0), 0);
    close(fd);
}

static int put_one(struct disk *disk, size_t len)
{
    static char value[200000];
    unsigned char key[STORE_KEY_SIZE] = {0};
    memcpy(key, &disk->index, sizeof disk->index);
    int rc = apply_raw(disk->store, disk->index + 1, key, value, len);
    if (rc == OK)
        disk->index++;
    return rc;
}

static void expect_all(struct disk *disk)
{
    struct store_view *view = NULL;
    struct store_stats stats;
    unsigned char digest[32];
    assert_int_equal(store_view_begin(disk->store, &view, NULL), OK);
    assert_int_equal(store_view_index(view), disk->index);
    assert_int_equal(store_digest(view, digest, NULL), OK);
    store_view_end(view);
    assert_int_equal(store_stats(disk->store, &stats), OK);
    assert_int_equal(stats.records, disk->index);
}

static void disk_reopen(struct disk *disk)
{
    store_close(disk->store);
    disk->store = NULL;
    if (store_open(disk->store_dir, true, &disk->store, &disk->err) != OK)
        fail_msg("%s", err_text(&disk->err));
}

static void test_full(void **state)
{
    (void)state;
    struct disk disk;
    disk_mount(&disk, "size=8m");
    assert_int_equal(store_open(disk.store_dir, true, &disk.store, &disk.err), OK);
    for (int round = 0; round < 12; round++) {
        assert_int_equal(put_one(&disk, 100), OK);
        fill(&disk, round * 5000); /* short of room at ever other places in a transaction */
        int rc = OK;
        for (int i = 0; i < 300 && rc == OK; i++)
            rc = put_one(&disk, round % 2 == 0 ? 30000 : 700);
        assert_int_equal(rc, ERR_NOSPACE);
        expect_all(&disk); /* nothing is lost, and it can be read */
        assert_int_equal(put_one(&disk, 100000), ERR_NOSPACE);
        unlink(disk.ballast);
        assert_int_equal(put_one(&disk, 100000), OK); /* there is room again */
        expect_all(&disk);
    }
    disk_reopen(&disk);
    expect_all(&disk);
    disk_unmount(&disk);
}

static void test_reopen_full(void **state)
{
    (void)state;
    struct disk disk;
    disk_mount(&disk, "size=8m");
    assert_int_equal(store_open(disk.store_dir, true, &disk.store, &disk.err), OK);
    assert_int_equal(put_one(&disk, 50000), OK);
    store_close(disk.store);
    disk.store = NULL;
    unlink(strcat(strcpy((char[400]){0}, disk.store_dir), "/lock.mdb"));
    fill(&disk, 0);
    assert_int_equal(store_open(disk.store_dir, true, &disk.store, &disk.err), ERR_NOSPACE);
    unlink(disk.ballast);
    disk_reopen(&disk);
    expect_all(&disk);
    disk_unmount(&disk);
}

static void test_create_full(void **state)
{
    (void)state;
    struct disk disk;
    disk_mount(&disk, "size=8m");
    for (off_t room = 0; room < 400000; room += 12000) {
        fill(&disk, room);
        int rc = store_open(disk.store_dir, true, &disk.store, &disk.err);
        assert_true(rc == OK || rc == ERR_NOSPACE);
        if (rc == OK) {
            assert_int_equal(put_one(&disk, 1), OK);
            break;
        }
    }
    unlink(disk.ballast);
    disk_reopen(&disk);
    assert_int_equal(put_one(&disk, 1), OK);
    disk_unmount(&disk);
}

static int feed(void *arg, const void *chunk, size_t len)
{
    return store_import_chunk(arg, chunk, len, NULL);
}

static void test_import_full(void **state)
{
    (void)state;
    struct disk disk;
    struct store_view *view = NULL;
    struct store_import *import = NULL;
    disk_mount(&disk, "size=16m");
    assert_int_equal(store_open(disk.store_dir, true, &disk.store, &disk.err), OK);
    for (int i = 0; i < 30; i++)
        assert_int_equal(put_one(&disk, 100000), OK);
    fill(&disk, 2 << 20);
    assert_int_equal(store_view_begin(disk.store, &view, NULL), OK);
    assert_int_equal(store_import_begin(disk.store, &import, &disk.err), OK);
    int rc = store_export(view, feed, import, &disk.err);
    if (rc == OK)
        rc = store_import_finish(import, &disk.err);
    else
        store_import_abort(import);
    assert_int_equal(rc, ERR_NOSPACE);
    store_view_end(view);
    assert_int_equal(put_one(&disk, 10), OK); /* what the import took is free again */
    unlink(disk.ballast);
    disk_reopen(&disk);
    expect_all(&disk);
    disk_unmount(&disk);
}

/* ---- Plaintext ---- */

static const char *const planted[] = {"planted-mount", "planted-directory", "planted-name",
                                      "planted-value", "planted-field",     "planted-deleted"};

static void search(const char *dir, const char *file)
{
    char path[400];
    struct buf bytes = BUF_INIT;
    snprintf(path, sizeof path, "%s/%s", dir, file);
    assert_int_equal(file_read(path, 1u << 30, &bytes, NULL), OK);
    assert_true(bytes.len > 0);
    for (size_t i = 0; i < sizeof planted / sizeof planted[0]; i++)
        assert_null(memmem(bytes.data, bytes.len, planted[i], strlen(planted[i])));
    buf_close(&bytes);
}

static int search_chunk(void *arg, const void *chunk, size_t len)
{
    (void)arg;
    for (size_t i = 0; i < sizeof planted / sizeof planted[0]; i++)
        assert_null(memmem(chunk, len, planted[i], strlen(planted[i])));
    return OK;
}

static void test_plaintext(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 50; i++) {
        char path[200], value[5000];
        struct txn *txn = begin(f);
        snprintf(path, sizeof path, "planted-mount/planted-directory-%d/planted-name-%d", i % 7, i);
        snprintf(value, sizeof value, "planted-value %0*d", i * 90, i);
        json_t *object = json_pack("{s:s}", "planted-field", value);
        assert_int_equal(txn_put(txn, path, object), OK);
        json_decref(object);
        put(txn, "planted-deleted/planted-name", "planted-value");
        assert_int_equal(commit(f, txn), OK);
        delete_now(f, "planted-deleted/planted-name");
    }
    struct txn *txn = begin(f);
    struct batch *batch = NULL;
    struct buf entry = BUF_INIT;
    put(txn, "planted-mount/planted-name", "planted-value");
    assert_int_equal(txn_seal(txn, &batch, NULL), OK);
    entry_begin(&entry, FORMAT_FIRST, 1);
    entry_add(&entry, batch);
    search_chunk(NULL, entry.data, entry.len);
    batch_free(batch);
    txn_free(txn);
    buf_close(&entry);
    struct store_view *view = NULL;
    assert_int_equal(store_view_begin(f->store, &view, NULL), OK);
    assert_int_equal(store_export(view, search_chunk, NULL, NULL), OK);
    store_view_end(view);
    reopen(f);
    search(f->dir, "data.mdb");
    search(f->dir, "lock.mdb");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        {"a full disk loses nothing, and writing goes on when there is room", test_full, NULL, NULL, NULL},
        {"a store on a full disk says so at start, and starts when there is room", test_reopen_full, NULL, NULL, NULL},
        {"a store that found no room to be made can be made later", test_create_full, NULL, NULL, NULL},
        {"an import that finds no room leaves the state and the room as they were", test_import_full, NULL, NULL, NULL},
        {"neither values nor names nor directories are found on disk, in the log or in a snapshot", test_plaintext,
         fixture_setup, fixture_teardown, NULL},
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
