/* SPDX-License-Identifier: Apache-2.0 */
/*
 * storage_bench.c — what storage costs, in nanoseconds a call: storage_bench [directory [records]]. Not a test.
 *
 * "On the processor" is of all threads, without waiting. The directory should be on the disk that is to be measured:
 * what is applied is synced.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/format.h"
#include "base/json.h"
#include "storage/barrier.h"
#include "storage/batch.h"
#include "storage/store.h"
#include "storage/txn.h"

static struct store *store;
static struct barrier *barrier;
static int records = 100000;
static json_t *value;
static uint64_t next_index = 1;

static void must(int rc)
{
    if (rc == OK)
        return;
    fprintf(stderr, "%s\n", err_name(rc));
    exit(1);
}

static struct txn *begin(void)
{
    struct txn *txn = NULL;
    must(txn_begin(store, barrier, &txn, NULL));
    return txn;
}

static const char *path_of(int n)
{
    static char path[64];
    snprintf(path, sizeof path, "logical/3f0c/data/%d/secret-%d", n % 100, n);
    return path;
}

static void apply(const struct buf *entry)
{
    const struct store_entry applied = {next_index++, 1, STORE_ENTRY_BATCH, entry->data, entry->len};
    must(store_apply(store, &applied, 1, NULL));
}

/* `n` transactions of one put each, `group` of them in an entry. */
static void write_records(int from, int n, int group, bool is_applied)
{
    struct buf entry = BUF_INIT;
    for (int i = 0; i < n; i++) {
        struct batch *batch = NULL;
        struct txn *txn = begin();
        must(txn_put(txn, path_of(from + i), value));
        must(txn_seal(txn, &batch, NULL));
        txn_free(txn);
        if (entry.len == 0)
            entry_begin(&entry, FORMAT_FIRST, 1);
        entry_add(&entry, batch);
        batch_free(batch);
        if ((i + 1) % group != 0 && i + 1 < n)
            continue;
        if (is_applied)
            apply(&entry);
        buf_clear(&entry);
    }
    buf_close(&entry);
}

static void run_begin(int n)
{
    for (int i = 0; i < n; i++)
        txn_free(begin());
}

static void run_key(int n)
{
    unsigned char key[STORE_KEY_SIZE];
    for (int i = 0; i < n; i++)
        must(barrier_record_key(barrier, "logical/3f0c/data/17/", "secret-17", key));
}

static void run_tag(int n)
{
    unsigned char tag[BARRIER_TAG_SIZE];
    struct txn *txn = begin();
    for (int i = 0; i < n; i++)
        must(txn_tag(txn, path_of(i % records), tag));
    txn_free(txn);
}

static void run_get(int n)
{
    for (int i = 0; i < n; i++) {
        json_t *read = NULL;
        struct txn *txn = begin();
        must(txn_get(txn, path_of((int)(i * 7919LL % records)), &read));
        json_decref(read);
        txn_free(txn);
    }
}

static void run_parse(int n)
{
    char *text = json_dumps(value, JSON_COMPACT);
    size_t len = strlen(text);
    for (int i = 0; i < n; i++)
        json_decref(json_loadb(text, len, 0, NULL));
    free(text);
}

static void run_list(int n)
{
    for (int i = 0; i < n; i++) {
        json_t *names = NULL;
        struct txn *txn = begin();
        must(txn_list(txn, "logical/3f0c/data/17/", NULL, 10, &names));
        json_decref(names);
        txn_free(txn);
    }
}

static void run_seal(int n)
{
    write_records(0, n, 1, false);
}

static void run_apply(int n)
{
    write_records(0, n, 1, true);
}

static void run_apply_group(int n)
{
    write_records(0, n, 64, true);
}

static int64_t cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static void report(const char *what, int n, int64_t start_ns, int64_t start_cpu_ns)
{
    printf("%10.0f %10.0f  %s\n", (double)(cpu_ns() - start_cpu_ns) / n, (double)(clock_wall_ns() - start_ns) / n,
           what);
}

static void measure(const char *what, int n, void (*run)(int n))
{
    run(n / 10 + 1);
    int64_t start_ns = clock_wall_ns(), start_cpu_ns = cpu_ns();
    run(n);
    report(what, n, start_ns, start_cpu_ns);
}

static void open_all(const char *dir)
{
    const unsigned char root_key[BARRIER_KEY_SIZE] = {1};
    struct buf keyring = BUF_INIT;
    struct err err = {0};
    json_setup();
    barrier = barrier_new();
    must(barrier_create_keyring(root_key, &keyring, NULL));
    must(barrier_unseal(barrier, root_key, keyring.data, keyring.len, NULL));
    buf_close(&keyring);
    if (store_open(dir, true, &store, &err) != OK) {
        fprintf(stderr, "%s\n", err_text(&err));
        exit(1);
    }
    value = json_pack("{s:{s:s, s:s, s:s}, s:{s:i, s:s}}", "data", "username", "application", "password",
                      "correct horse battery staple", "host", "database.example.com", "metadata", "version", 3,
                      "created", "2024-01-02T03:04:05.678901234Z");
}

static void close_all(void)
{
    json_decref(value);
    store_close(store);
    barrier_free(barrier);
}

int main(int argc, char **argv)
{
    char dir[4096];
    snprintf(dir, sizeof dir, "%s/storage-bench-XXXXXX", argc > 1 ? argv[1] : ".");
    records = argc > 2 ? atoi(argv[2]) : records;
    if (records < 1 || mkdtemp(dir) == NULL) {
        fprintf(stderr, "usage: storage_bench [directory [records]]\n");
        return 1;
    }
    open_all(dir);
    write_records(0, records, 1000, true);
    printf("ns: on the processor, and in all\n");
    measure("a transaction's begin and end", 1000000, run_begin);
    measure("the key of a path", 1000000, run_key);
    measure("txn_tag, of ever another path", 500000, run_tag);
    measure("begin, txn_get, end, of ever another path", 300000, run_get);
    measure("   of that, to parse the value", 300000, run_parse);
    measure("begin, txn_list, the first 10 of a hundredth of all, end", 100, run_list);
    measure("begin, txn_put, txn_seal, end", 100000, run_seal);
    measure("   and store_apply, one in an entry", 1000, run_apply);
    measure("   and store_apply, 64 in an entry", 64000, run_apply_group);
    int64_t start_ns = clock_wall_ns(), start_cpu_ns = cpu_ns();
    store_close(store);
    must(store_open(dir, true, &store, NULL));
    report("a record, to verify the store at start", records, start_ns, start_cpu_ns);
    close_all();
    file_remove_tree(dir, NULL);
    return 0;
}
