/* SPDX-License-Identifier: Apache-2.0 */
/* Flipped bits. A store that LMDB or we would misread must not open; one that opens must be whole. */
#include "base/format.h"
#include "fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/secret.h"

#define PAGE 4096

struct image {
    char path[300];
    unsigned char *bytes;
    size_t size;
    unsigned char digest[32];
};

static void digest_of(struct store *store, unsigned char ret[32])
{
    struct store_view *view = NULL;
    assert_int_equal(store_view_begin(store, &view, NULL), OK);
    assert_int_equal(store_digest(view, ret, NULL), OK);
    store_view_end(view);
}

/* Pages of every kind: leaves and branches of the records, large records over several pages, a long free list. */
static void populate(struct fixture *f)
{
    unsigned char key[STORE_KEY_SIZE];
    static char value[20000];
    uint64_t index = 0;
    for (uint32_t i = 0; i < 400; i++) {
        random_bytes(key, sizeof key);
        random_bytes(value, sizeof value);
        assert_int_equal(apply_raw(f->store, ++index, key, value, i % 40 == 0 ? sizeof value : i % 300), OK);
    }
    const struct store_entry members = {index + 1, 1, STORE_ENTRY_CONFIGURATION, "members", 7};
    assert_int_equal(store_apply(f->store, &members, 1, NULL), OK);
}

static void load(struct fixture *f, struct image *image)
{
    struct stat info;
    snprintf(image->path, sizeof image->path, "%s/data.mdb", f->dir);
    digest_of(f->store, image->digest);
    store_close(f->store);
    f->store = NULL;
    int fd = open(image->path, O_RDONLY);
    assert_int_equal(fstat(fd, &info), 0);
    image->size = (size_t)info.st_size;
    image->bytes = malloc(image->size);
    assert_int_equal(read(fd, image->bytes, image->size), info.st_size);
    close(fd);
}

static void store_image(const struct image *image, size_t size)
{
    int fd = open(image->path, O_WRONLY | O_TRUNC);
    assert_int_equal(write(fd, image->bytes, size), (ssize_t)size);
    close(fd);
}

static void patch(const struct image *image, size_t offset, unsigned char byte)
{
    int fd = open(image->path, O_WRONLY);
    assert_int_equal(pwrite(fd, &byte, 1, (off_t)offset), 1);
    close(fd);
}

/* Opens the store as it is now: refused with the file's name, or whole. True when it was refused. */
static bool is_refused(struct fixture *f, const struct image *image)
{
    unsigned char digest[32];
    f->err = (struct err){0};
    int rc = store_open(f->dir, true, &f->store, &f->err);
    if (rc != OK) {
        assert_int_equal(rc, ERR_CORRUPT);
        assert_non_null(strstr(err_text(&f->err), "data.mdb"));
        return true;
    }
    digest_of(f->store, digest);
    assert_memory_equal(digest, image->digest, sizeof digest);
    store_close(f->store);
    f->store = NULL;
    return false;
}

static bool flip_is_refused(struct fixture *f, const struct image *image, size_t bit)
{
    patch(image, bit / 8, (unsigned char)(image->bytes[bit / 8] ^ 1u << bit % 8));
    bool refused = is_refused(f, image);
    patch(image, bit / 8, image->bytes[bit / 8]);
    return refused;
}

static void finish(struct fixture *f, struct image *image)
{
    store_image(image, image->size);
    assert_false(is_refused(f, image));
    free(image->bytes);
}

static uint16_t u16_at(const struct image *image, size_t offset)
{
    uint16_t value;
    memcpy(&value, image->bytes + offset, sizeof value);
    return value;
}

/* In each page every bit of the head and, spread over the rest, some. Says how many of each kind were refused. */
static void test_every_page(void **state)
{
    struct fixture *f = *state;
    struct image image;
    int heads_refused[16] = {0}, heads[16] = {0};
    populate(f);
    load(f, &image);
    for (size_t page = 0; page < image.size / PAGE; page++) {
        unsigned kind = u16_at(&image, page * PAGE + 10) & 15;
        for (size_t bit = 0; bit < 16 * 8; bit += page % 7 == 0 ? 1 : 5) {
            heads[kind]++;
            heads_refused[kind] += flip_is_refused(f, &image, page * PAGE * 8 + bit);
        }
        for (size_t bit = 16 * 8 + page % 61; bit < PAGE * 8; bit += 1999)
            flip_is_refused(f, &image, page * PAGE * 8 + bit);
    }
    assert_true(heads[1] > 0 && heads[2] > 0 && heads[4] > 0 && heads[8] > 0); /* branch, leaf, overflow, meta */
    assert_int_equal(heads_refused[8], heads[8]);
    finish(f, &image);
}

static void test_meta(void **state)
{
    struct fixture *f = *state;
    struct image image;
    populate(f);
    load(f, &image);
    uint64_t txnids[2];
    memcpy(&txnids[0], image.bytes + 16 + 128, 8);
    memcpy(&txnids[1], image.bytes + PAGE + 16 + 128, 8);
    size_t newest = txnids[1] > txnids[0];
    for (size_t bit = 0; bit < 16 * 8 + 136 * 8; bit++) {
        bool refused = flip_is_refused(f, &image, newest * PAGE * 8 + bit);
        bool is_last_page = bit / 8 >= 16 + 120 && bit / 8 < 16 + 128; /* a higher one only wastes space */
        if (!refused && !is_last_page)
            fail_msg("bit %zu of the newest meta page", bit);
    }
    for (size_t bit = (16 + 136) * 8; bit < PAGE * 8; bit += 97)
        assert_true(flip_is_refused(f, &image, newest * PAGE * 8 + bit));
    finish(f, &image);
}

/* The pages that the newest state uses are all those whose contents, when wiped, are missed. */
static void test_used_page(void **state)
{
    struct fixture *f = *state;
    struct image image;
    int missed = 0;
    populate(f);
    load(f, &image);
    for (size_t page = 2; page < image.size / PAGE; page++) {
        unsigned char zero[PAGE] = {0};
        int fd = open(image.path, O_WRONLY);
        assert_int_equal(pwrite(fd, zero, PAGE, (off_t)(page * PAGE)), PAGE);
        if (is_refused(f, &image))
            missed++;
        assert_int_equal(pwrite(fd, image.bytes + page * PAGE, PAGE, (off_t)(page * PAGE)), PAGE);
        close(fd);
    }
    assert_true(missed > 50);
    finish(f, &image);
}

static void test_records(void **state)
{
    struct fixture *f = *state;
    struct image image;
    unsigned char key[STORE_KEY_SIZE];
    static char small[64], large[30000];
    memset(key, 0xa5, sizeof key);
    memset(small, 0x5a, sizeof small);
    memset(large, 0x3c, sizeof large);
    assert_int_equal(apply_raw(f->store, 1, key, small, sizeof small), OK);
    key[0]++;
    assert_int_equal(apply_raw(f->store, 2, key, large, sizeof large), OK);
    load(f, &image);
    /* The newest copy of the leaf is the one whose damage matters. */
    int refused = 0;
    for (size_t at = 0; at + sizeof small <= image.size; at++)
        if (memcmp(image.bytes + at, small, sizeof small) == 0) {
            refused += flip_is_refused(f, &image, (at + 10) * 8 + 3);
            at += sizeof small;
        }
    assert_int_equal(refused, 1);
    unsigned char *in_file = memmem(image.bytes, image.size, large, sizeof large);
    assert_non_null(in_file);
    for (size_t bit = 0; bit < sizeof large * 8; bit += 1601)
        assert_true(flip_is_refused(f, &image, (size_t)(in_file - image.bytes) * 8 + bit));
    finish(f, &image);
}

static void test_cut(void **state)
{
    struct fixture *f = *state;
    struct image image;
    populate(f);
    load(f, &image);
    size_t sizes[] = {0, 1, 15, 151, PAGE - 1, PAGE, 2 * PAGE - 1, 2 * PAGE, image.size / 2, image.size / 4};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        store_image(&image, sizes[i]);
        assert_true(is_refused(f, &image));
    }
    finish(f, &image);
}

static void test_garbage(void **state)
{
    struct fixture *f = *state;
    struct image image;
    populate(f);
    load(f, &image);
    unsigned char *sound = malloc(image.size);
    memcpy(sound, image.bytes, image.size);
    for (int round = 0; round < 300; round++) {
        for (int i = 0; i < 1 + round % 50; i++) {
            uint32_t at;
            random_bytes(&at, sizeof at);
            random_bytes(image.bytes + at % image.size, 1);
        }
        store_image(&image, image.size);
        is_refused(f, &image);
        memcpy(image.bytes, sound, image.size);
    }
    random_bytes(image.bytes, image.size);
    store_image(&image, image.size);
    assert_true(is_refused(f, &image));
    memcpy(image.bytes, sound, image.size);
    free(sound);
    finish(f, &image);
}

/* What the check believes of LMDB's files must hold after any use: or a sound store would be refused. */
static void test_sound_after_use(void **state)
{
    struct fixture *f = *state;
    static char value[60000];
    uint64_t index = 0;
    struct store_view *old = NULL;
    for (int round = 0; round < 40; round++) {
        for (int i = 0; i < 60; i++) {
            uint32_t r[3];
            random_bytes(r, sizeof r);
            unsigned char key[STORE_KEY_SIZE] = {(unsigned char)(r[0] % 5)};
            memcpy(key + STORE_DIR_SIZE, &(uint32_t){r[1] % 300}, 4);
            struct buf entry = BUF_INIT;
            entry_begin(&entry, FORMAT_FIRST, 1);
            entry.data[entry.len - 1] = 1;
            buf_put_u8(&entry, r[2] % 3 == 0 ? 2 : 1);
            buf_put(&entry, key, sizeof key);
            if (r[2] % 3 != 0)
                buf_put_block(&entry, value, r[2] % 10 == 1 ? r[2] % sizeof value : r[2] % 200);
            const struct store_entry applied = {++index, 1, STORE_ENTRY_BATCH, entry.data, entry.len};
            assert_int_equal(store_apply(f->store, &applied, 1, NULL), OK);
            buf_close(&entry);
            if (i == 20 && round % 3 == 0)
                assert_int_equal(store_view_begin(f->store, &old, NULL), OK);
        }
        store_view_end(old);
        old = NULL;
        reopen(f);
    }
}

#define TEST(name, function)                                                                                           \
    {                                                                                                                  \
        name, function, fixture_setup, fixture_teardown, NULL                                                          \
    }

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST("a flipped bit in any page is refused or does no harm", test_every_page),
        TEST("a flipped bit in the newest meta page is refused", test_meta),
        TEST("a page that is wiped is missed or was free", test_used_page),
        TEST("a flipped bit in a record is refused", test_records),
        TEST("a file that was cut is refused", test_cut),
        TEST("garbage is refused or does no harm", test_garbage),
        TEST("a sound store is never refused, whatever was done with it", test_sound_after_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
