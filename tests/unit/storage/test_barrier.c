/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "base/secret.h"
#include "storage/keyring.h"

static const unsigned char root_key[BARRIER_KEY_SIZE] = "the root key of these tests, ok";
static const unsigned char other_key[BARRIER_KEY_SIZE] = "not the root key of these tests";

static struct barrier *barrier;
static struct buf keyring;

static int setup(void **state)
{
    (void)state;
    barrier = barrier_new();
    assert_int_equal(barrier_create_keyring(root_key, &keyring, NULL), OK);
    return barrier_unseal(barrier, root_key, keyring.data, keyring.len, NULL);
}

static int teardown(void **state)
{
    (void)state;
    barrier_free(barrier);
    buf_close(&keyring);
    return 0;
}

struct sample {
    unsigned char key[STORE_KEY_SIZE];
    struct buf value, name, data;
};

static void encrypt(struct sample *sample, const char *dir, const char *name, const char *data)
{
    *sample = (struct sample){0};
    assert_int_equal(barrier_record_key(barrier, dir, name, sample->key), OK);
    assert_int_equal(barrier_encrypt(barrier, sample->key, name, data, strlen(data), &sample->value), OK);
}

static int decrypt(struct sample *sample)
{
    buf_clear(&sample->name);
    buf_clear(&sample->data);
    return barrier_decrypt(barrier, sample->key, sample->value.data, sample->value.len, &sample->name, &sample->data);
}

static void sample_close(struct sample *sample)
{
    buf_close(&sample->value);
    buf_close(&sample->name);
    buf_close(&sample->data);
}

static void test_round_trip(void **state)
{
    (void)state;
    struct sample sample;
    encrypt(&sample, "a/b/", "name", "some data");
    assert_int_equal(decrypt(&sample), OK);
    assert_string_equal(buf_str(&sample.name), "name");
    assert_string_equal(buf_str(&sample.data), "some data");
    sample_close(&sample);
    encrypt(&sample, "", "dir/", "");
    assert_int_equal(decrypt(&sample), OK);
    assert_string_equal(buf_str(&sample.name), "dir/");
    assert_int_equal(sample.data.len, 0);
    sample_close(&sample);
}

static void test_appends(void **state)
{
    (void)state;
    struct sample sample;
    encrypt(&sample, "", "name", "data");
    buf_puts(&sample.data, "before ");
    assert_int_equal(barrier_decrypt(barrier, sample.key, sample.value.data, sample.value.len, NULL, &sample.data), OK);
    assert_string_equal(buf_str(&sample.data), "before data");
    sample_close(&sample);
}

/* N-121 of tests/server/cves.md: swapped records. */
static void test_moved(void **state)
{
    (void)state;
    struct sample sample;
    encrypt(&sample, "a/", "name", "data");
    assert_int_equal(barrier_record_key(barrier, "b/", "name", sample.key), OK);
    assert_int_equal(decrypt(&sample), ERR_CORRUPT);
    assert_int_equal(barrier_record_key(barrier, "b/", "other", sample.key), OK);
    assert_int_equal(decrypt(&sample), ERR_CORRUPT);
    assert_int_equal(barrier_decrypt_name(barrier, "b/", sample.key, sample.value.data, sample.value.len, &sample.name),
                     ERR_CORRUPT);
    sample_close(&sample);
}

/* N-077 */
static void test_flipped(void **state)
{
    (void)state;
    struct sample sample;
    encrypt(&sample, "a/", "name", "data");
    for (size_t bit = 0; bit < sample.value.len * 8; bit++) {
        sample.value.data[bit / 8] ^= (unsigned char)(1u << bit % 8);
        assert_int_equal(decrypt(&sample), ERR_CORRUPT);
        assert_int_equal(sample.data.len, 0);
        sample.value.data[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    assert_int_equal(decrypt(&sample), OK);
    sample_close(&sample);
}

static void test_cut(void **state)
{
    (void)state;
    struct sample sample;
    encrypt(&sample, "a/", "name", "data");
    size_t len = sample.value.len;
    for (sample.value.len = 0; sample.value.len < len; sample.value.len++) {
        assert_int_equal(decrypt(&sample), ERR_CORRUPT);
        assert_int_equal(
            barrier_decrypt_name(barrier, "a/", sample.key, sample.value.data, sample.value.len, &sample.name),
            sample.value.len < len - 4 ? ERR_CORRUPT : OK); /* the name does not need the data's end */
    }
    sample_close(&sample);
}

static void test_name_alone(void **state)
{
    (void)state;
    char names[3][BARRIER_NAME_MAX + 1] = {"n", "exactly-sixty-two-bytes-make-a-name-that-just-fits-the-peek-xx"};
    memset(names[2], 'x', BARRIER_NAME_MAX);
    for (int i = 0; i < 3; i++) {
        struct sample sample;
        encrypt(&sample, "dir/", names[i], "data");
        assert_int_equal(
            barrier_decrypt_name(barrier, "dir/", sample.key, sample.value.data, sample.value.len, &sample.name), OK);
        assert_string_equal(buf_str(&sample.name), names[i]);
        sample_close(&sample);
    }
}

static void test_flipped_name(void **state)
{
    (void)state;
    struct sample sample;
    encrypt(&sample, "a/", "name", "data");
    for (size_t bit = 0; bit < (5 + 12 + 2 + 4) * 8; bit++) {
        sample.value.data[bit / 8] ^= (unsigned char)(1u << bit % 8);
        assert_int_equal(
            barrier_decrypt_name(barrier, "a/", sample.key, sample.value.data, sample.value.len, &sample.name),
            ERR_CORRUPT);
        sample.value.data[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    sample_close(&sample);
}

static void test_fresh(void **state)
{
    (void)state;
    struct sample a, b;
    unsigned char tag_a[BARRIER_TAG_SIZE], tag_b[BARRIER_TAG_SIZE];
    encrypt(&a, "a/", "name", "data");
    encrypt(&b, "a/", "name", "data");
    assert_memory_equal(a.key, b.key, STORE_KEY_SIZE);
    assert_memory_not_equal(a.value.data + 5, b.value.data + 5, 12);
    assert_int_equal(barrier_value_tag(a.value.data, a.value.len, tag_a), OK);
    assert_int_equal(barrier_value_tag(b.value.data, b.value.len, tag_b), OK);
    assert_memory_not_equal(tag_a, tag_b, sizeof tag_a);
    assert_int_equal(barrier_value_tag("short", 5, tag_a), ERR_CORRUPT);
    sample_close(&a);
    sample_close(&b);
}

static int compare_nonces(const void *a, const void *b)
{
    return memcmp(a, b, 12);
}

/* N-076 */
static void test_nonces(void **state)
{
    (void)state;
    enum { COUNT = 200000 }; /* several runs */
    unsigned char(*nonces)[12] = calloc(COUNT, sizeof *nonces), key[STORE_KEY_SIZE] = {1};
    struct buf value = BUF_INIT;
    for (int i = 0; i < COUNT; i++) {
        buf_clear(&value);
        assert_int_equal(barrier_encrypt(barrier, key, "", "", 0, &value), OK);
        memcpy(nonces[i], value.data + 5, 12);
    }
    assert_true(barrier_term_records(barrier) >= COUNT);
    qsort(nonces, COUNT, sizeof *nonces, compare_nonces);
    for (int i = 1; i < COUNT; i++)
        assert_memory_not_equal(nonces[i - 1], nonces[i], sizeof *nonces);
    free(nonces);
    buf_close(&value);
}

static void test_keys_differ(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {{"", "a"},     {"", "a/"},    {"a/", ""},  {"a/", "a"},  {"a/", "b"},
                                           {"a/b/", "c"}, {"a/b", "/c"}, {"b/", "a"}, {"a/", "bc"}, {"a/b", "c"}};
    enum { COUNT = sizeof pairs / sizeof pairs[0] };
    unsigned char keys[COUNT][STORE_KEY_SIZE], dir[STORE_DIR_SIZE];
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(barrier_record_key(barrier, pairs[i][0], pairs[i][1], keys[i]), OK);
        assert_int_equal(barrier_dir_key(barrier, pairs[i][0], dir), OK);
        assert_memory_equal(keys[i], dir, sizeof dir);
        for (int j = 0; j < i; j++)
            assert_memory_not_equal(keys[i] + STORE_DIR_SIZE, keys[j] + STORE_DIR_SIZE, STORE_DIR_SIZE);
    }
}

static void test_path_key(void **state)
{
    (void)state;
    unsigned char expected[STORE_KEY_SIZE], key[STORE_KEY_SIZE];
    assert_int_equal(barrier_record_key(barrier, "a/b/", "c", expected), OK);
    assert_int_equal(barrier_path_key(barrier, "a/b/c/d", 4, 1, NULL, key), OK);
    assert_memory_equal(key, expected, sizeof key);
    assert_int_equal(barrier_path_key(barrier, "a/b/c/d", 4, 1, expected, key), OK);
    assert_memory_equal(key, expected, sizeof key);
}

static bool contains(const void *haystack, size_t len, const char *needle)
{
    return memmem(haystack, len, needle, strlen(needle)) != NULL;
}

static void test_no_plaintext(void **state)
{
    (void)state;
    struct sample sample;
    encrypt(&sample, "directory-in-clear/", "name-in-clear", "data-in-clear");
    assert_false(contains(sample.value.data, sample.value.len, "name-in"));
    assert_false(contains(sample.value.data, sample.value.len, "data-in"));
    assert_false(contains(sample.key, sizeof sample.key, "clear"));
    assert_null(memmem(keyring.data, keyring.len, root_key, 16));
    sample_close(&sample);
}

static void test_sealed(void **state)
{
    (void)state;
    struct sample sample;
    unsigned char key[STORE_KEY_SIZE], mac[32];
    encrypt(&sample, "a/", "name", "data");
    assert_false(barrier_is_sealed(barrier));
    barrier_seal(barrier);
    assert_true(barrier_is_sealed(barrier));
    assert_int_equal(barrier_term(barrier), 0);
    assert_int_equal(decrypt(&sample), ERR_SEALED);
    assert_int_equal(barrier_encrypt(barrier, sample.key, "n", "d", 1, &sample.data), ERR_SEALED);
    assert_int_equal(barrier_decrypt_name(barrier, "a/", sample.key, "", 0, &sample.name), ERR_SEALED);
    assert_int_equal(barrier_record_key(barrier, "a/", "n", key), ERR_SEALED);
    assert_int_equal(barrier_dir_key(barrier, "a/", key), ERR_SEALED);
    assert_int_equal(barrier_mac(barrier, "token", "x", 1, mac), ERR_SEALED);
    assert_int_equal(barrier_rotate(barrier, keyring.data, keyring.len, 1, &sample.data, NULL), ERR_SEALED);
    assert_int_equal(barrier_unseal(barrier, root_key, keyring.data, keyring.len, NULL), OK);
    assert_int_equal(decrypt(&sample), OK);
    sample_close(&sample);
}

static bool is_complement(const unsigned char *data, const unsigned char complement[16])
{
    int same = 0;
    while (same < 16 && (data[same] ^ complement[same]) == 0xff)
        same++;
    return same == 16;
}

/* How often the bytes, of which only the complement is given, are in this process's memory. */
static int count_in_memory(const unsigned char complement[16])
{
    enum { CHUNK = 1 << 20 };
    static unsigned char chunk[CHUNK];
    char line[512];
    int count = 0, mem = open("/proc/self/mem", O_RDONLY);
    FILE *maps = fopen("/proc/self/maps", "r");
    assert_non_null(maps);
    while (fgets(line, sizeof line, maps) != NULL) {
        unsigned long from, to;
        char mode[8];
        if (sscanf(line, "%lx-%lx %7s", &from, &to, mode) != 3 || strncmp(mode, "rw", 2) != 0 ||
            to - from > (1ul << 30))
            continue;
        for (unsigned long at = from; at < to; at += CHUNK - 16) {
            ssize_t n = pread(mem, chunk, to - at < CHUNK ? to - at : CHUNK, (off_t)at);
            const unsigned char *data = chunk, *end = n >= 16 ? chunk + n - 15 : chunk;
            while ((data = memchr(data, complement[0] ^ 0xff, (size_t)(end - data))) != NULL)
                count += is_complement(data++, complement);
        }
    }
    fclose(maps);
    close(mem);
    memset(chunk, 0, sizeof chunk);
    return count;
}

static void complement_of(const unsigned char *key, unsigned char ret[16])
{
    for (int i = 0; i < 16; i++)
        ret[i] = key[i] ^ 0xff;
}

static void test_memory(void **state)
{
    (void)state;
    unsigned char complements[3][16], mac[32];
    struct keyring *opened = NULL;
    assert_int_equal(keyring_open(keyring.data, keyring.len, root_key, &opened, NULL), OK);
    complement_of(opened->terms[0].key, complements[0]);
    complement_of(opened->names_key, complements[1]);
    complement_of(opened->mac_key, complements[2]);
    keyring_free(opened);
    struct sample sample;
    encrypt(&sample, "a/", "name", "data");
    assert_int_equal(decrypt(&sample), OK);
    assert_int_equal(barrier_mac(barrier, "token", "x", 1, mac), OK);
    assert_true(count_in_memory(complements[0]) > 0);
    barrier_seal(barrier);
    for (int i = 0; i < 3; i++)
        assert_int_equal(count_in_memory(complements[i]), 0);
    sample_close(&sample);
}

static void test_wrong_root_key(void **state)
{
    (void)state;
    barrier_seal(barrier);
    assert_int_equal(barrier_unseal(barrier, other_key, keyring.data, keyring.len, NULL), ERR_DENIED);
    assert_true(barrier_is_sealed(barrier));
}

static void test_damaged_keyring(void **state)
{
    (void)state;
    for (size_t bit = 0; bit < keyring.len * 8; bit++) {
        keyring.data[bit / 8] ^= (unsigned char)(1u << bit % 8);
        assert_int_equal(barrier_unseal(barrier, root_key, keyring.data, keyring.len, NULL), ERR_CORRUPT);
        keyring.data[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    for (size_t len = 0; len < keyring.len; len++)
        assert_int_equal(barrier_unseal(barrier, root_key, keyring.data, len, NULL), ERR_CORRUPT);
}

static int read_buf(void *arg, struct buf *ret)
{
    const struct buf *stored = arg;
    buf_put(ret, stored->data, stored->len);
    return OK;
}

/* The stored keyring gets one term more. */
static void rotate(void)
{
    struct buf next = BUF_INIT;
    assert_int_equal(barrier_rotate(barrier, keyring.data, keyring.len, 4711, &next, NULL), OK);
    buf_close(&keyring);
    keyring = next;
}

static void test_rotation(void **state)
{
    (void)state;
    struct sample before[8];
    for (uint32_t term = 1; term <= 8; term++) {
        assert_int_equal(barrier_term(barrier), term);
        assert_true(barrier_term_installed_ms(barrier) > 0);
        encrypt(&before[term - 1], "a/", "name", "data");
        uint64_t generation = barrier_generation(barrier);
        rotate();
        assert_int_equal(barrier_term(barrier), term); /* in use only once it was followed */
        assert_int_equal(barrier_follow(barrier, read_buf, &keyring, NULL), OK);
        assert_true(barrier_generation(barrier) != generation);
    }
    assert_int_equal(barrier_term_installed_ms(barrier), 4711);
    assert_int_equal(barrier_term_records(barrier), 0);
    for (int i = 0; i < 8; i++) { /* more terms than are kept ready */
        assert_int_equal(before[i].value.data[3], i + 1);
        assert_memory_equal(before[i].key, before[0].key, STORE_KEY_SIZE);
        assert_int_equal(decrypt(&before[i]), OK);
        assert_string_equal(buf_str(&before[i].data), "data");
    }
    before[0].value.data[3] = 99;
    assert_int_equal(decrypt(&before[0]), ERR_CORRUPT);
    for (int i = 0; i < 8; i++)
        sample_close(&before[i]);
}

static void test_following(void **state)
{
    (void)state;
    uint64_t generation = barrier_generation(barrier);
    assert_int_equal(barrier_follow(barrier, read_buf, &keyring, NULL), OK);
    assert_int_equal(barrier_generation(barrier), generation); /* it is the one in use */

    struct buf foreign = BUF_INIT;
    assert_int_equal(barrier_create_keyring(other_key, &foreign, NULL), OK);
    assert_int_equal(barrier_follow(barrier, read_buf, &foreign, NULL), ERR_DENIED);
    assert_int_equal(barrier_rotate(barrier, foreign.data, foreign.len, 1, &foreign, NULL), ERR_DENIED);
    foreign.len = 3;
    assert_int_equal(barrier_follow(barrier, read_buf, &foreign, NULL), ERR_CORRUPT);
    assert_int_equal(barrier_term(barrier), 1);
    buf_close(&foreign);

    barrier_seal(barrier);
    assert_int_equal(barrier_follow(barrier, read_buf, &keyring, NULL), ERR_SEALED);
}

static void test_mac(void **state)
{
    (void)state;
    unsigned char first[32], again[32], other[32];
    assert_int_equal(barrier_mac(barrier, "token", "data", 4, first), OK);
    for (char i = 0; i < 20; i++) /* more purposes than are kept ready */
        assert_int_equal(barrier_mac(barrier, (char[]){'p', (char)('a' + i), '\0'}, "data", 4, other), OK);
    assert_int_equal(barrier_mac(barrier, "token", "data", 4, again), OK);
    assert_memory_equal(first, again, 32);
    assert_memory_not_equal(first, other, 32);
}

static void test_names_too_long(void **state)
{
    (void)state;
    unsigned char key[STORE_KEY_SIZE] = {0};
    char name[BARRIER_NAME_MAX + 2] = "";
    struct buf value = BUF_INIT;
    memset(name, 'x', BARRIER_NAME_MAX + 1);
    assert_int_equal(barrier_encrypt(barrier, key, name, "", 0, &value), ERR_INVALID);
    assert_int_equal(barrier_encrypt(barrier, key, "n", name, STORE_VALUE_MAX, &value), ERR_TOO_LARGE);
    assert_int_equal(value.len, 0);
}

static atomic_bool stop;

static void *work(void *arg)
{
    (void)arg;
    while (!atomic_load(&stop)) {
        struct buf value = BUF_INIT, data = BUF_INIT;
        unsigned char key[STORE_KEY_SIZE];
        int rc = barrier_record_key(barrier, "a/", "b", key);
        if (rc == OK)
            rc = barrier_encrypt(barrier, key, "b", "data", 4, &value);
        if (rc == OK)
            rc = barrier_decrypt(barrier, key, value.data, value.len, NULL, &data);
        if (rc != ERR_SEALED && (rc != OK || memcmp(data.data, "data", 4) != 0))
            abort();
        buf_close(&value);
        buf_close(&data);
    }
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    pthread_t threads[4];
    atomic_store(&stop, false);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work, NULL), 0);
    for (int round = 0; round < 12; round++) {
        rotate();
        assert_int_equal(barrier_follow(barrier, read_buf, &keyring, NULL), OK);
        barrier_seal(barrier);
        assert_int_equal(barrier_unseal(barrier, root_key, keyring.data, keyring.len, NULL), OK);
    }
    atomic_store(&stop, true);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        {"what was encrypted is decrypted, name and data", test_round_trip, setup, teardown, NULL},
        {"decryption appends", test_appends, setup, teardown, NULL},
        {"a value that was moved to another key does not open", test_moved, setup, teardown, NULL},
        {"a value with any bit flipped does not open", test_flipped, setup, teardown, NULL},
        {"a value that was cut does not open", test_cut, setup, teardown, NULL},
        {"a name of any length is decrypted alone", test_name_alone, setup, teardown, NULL},
        {"a flipped bit in a name is found without the tag", test_flipped_name, setup, teardown, NULL},
        {"the same data is encrypted anew each time, with another tag", test_fresh, setup, teardown, NULL},
        {"no nonce is used twice", test_nonces, setup, teardown, NULL},
        {"different places have different keys", test_keys_differ, setup, teardown, NULL},
        {"a path's key is that of its directory and name", test_path_key, setup, teardown, NULL},
        {"nothing that is stored shows plaintext", test_no_plaintext, setup, teardown, NULL},
        {"a sealed barrier does nothing, and opens again", test_sealed, setup, teardown, NULL},
        {"no key is in memory after sealing", test_memory, setup, teardown, NULL},
        {"a wrong root key is denied", test_wrong_root_key, setup, teardown, NULL},
        {"a damaged keyring is told from a wrong root key", test_damaged_keyring, setup, teardown, NULL},
        {"after rotations all older records stay readable", test_rotation, setup, teardown, NULL},
        {"only a keyring under the same root key is followed, and none while sealed", test_following, setup, teardown,
         NULL},
        {"a MAC is bound to its purpose", test_mac, setup, teardown, NULL},
        {"names and data that are too long are refused", test_names_too_long, setup, teardown, NULL},
        {"sealing and rotating wait for the calls of other threads", test_threads, setup, teardown, NULL},
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
