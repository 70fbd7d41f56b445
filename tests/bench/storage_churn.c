/* SPDX-License-Identifier: Apache-2.0 */
/*
 * storage_churn.c — what the state's file takes after very many writes and deletes:
 *
 *     storage_churn [directory [writes [live]]]
 *
 * First `live` records are written; then, `writes` times, one is written anew under another name and one is deleted, in
 * random order; at last all but a tenth go and come back. As a node does (raft/cluster/cluster_compact.c), it writes
 * the file anew when that takes 1.9 times the live bytes. Prints bytes of live records (key and encrypted value), of
 * the pages that they lie in, and of the file, and how much was spent on writing it anew. Fails when the file takes
 * more than twice the live bytes after the churn.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/format.h"
#include "base/json.h"
#include "storage/barrier.h"
#include "storage/batch.h"
#include "storage/compact.h"
#include "storage/store.h"
#include "storage/txn.h"

#define GROUP     256 /* requests in an entry */
#define VALUE_MAX 1500
#define FACTOR    2
#define WASTEFUL  1.9

static struct store *store;
static struct barrier *barrier;
static uint64_t next_index = 1, seed = 88172645463325252u, live_bytes, next_name;

/* What is live: which name, and how many bytes it takes. */
struct record {
    uint64_t name;
    uint32_t bytes;
};
static struct record *records;
static size_t n_records;

static void must(int rc)
{
    if (rc == OK)
        return;
    fprintf(stderr, "%s\n", err_name(rc));
    exit(1);
}

/* xorshift: the same in every run */
static uint64_t next_random(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    return seed ^= seed << 17;
}

static const char *path_of(uint64_t name)
{
    static char path[64];
    snprintf(path, sizeof path, "logical/3f0c/data/%d/secret-%llu", (int)(name % 100), (unsigned long long)name);
    return path;
}

/* ---- Entries ---- */

static struct buf entry = BUF_INIT;
static int n_in_entry;

static void apply(void)
{
    if (n_in_entry == 0)
        return;
    const struct store_entry applied = {next_index++, 1, STORE_ENTRY_BATCH, entry.data, entry.len};
    must(store_apply(store, &applied, 1, NULL));
    buf_clear(&entry);
    n_in_entry = 0;
}

/* Takes over the transaction; returns the size of its batch. */
static uint32_t add(struct txn *txn)
{
    struct batch *batch = NULL;
    must(txn_seal(txn, &batch, NULL));
    txn_free(txn);
    if (n_in_entry++ == 0)
        entry_begin(&entry, FORMAT_FIRST, 1);
    entry_add(&entry, batch);
    uint32_t size = (uint32_t)batch_size(batch);
    batch_free(batch);
    if (n_in_entry == GROUP)
        apply();
    return size;
}

static struct txn *begin(void)
{
    struct txn *txn = NULL;
    must(txn_begin(store, barrier, &txn, NULL));
    return txn;
}

/* ---- Writing and deleting ---- */

static void write_one(void)
{
    char text[VALUE_MAX + 1];
    size_t len = 50 + next_random() % (VALUE_MAX - 50);
    memset(text, 'x', len);
    text[len] = '\0';
    json_t *value = json_pack("{s:s}", "data", text);
    struct txn *txn = begin();
    struct record record = {.name = next_name++};
    must(txn_put(txn, path_of(record.name), value));
    record.bytes = add(txn);
    json_decref(value);
    live_bytes += record.bytes;
    records[n_records++] = record;
}

static void delete_one(void)
{
    size_t at = next_random() % n_records;
    struct txn *txn = begin();
    must(txn_delete(txn, path_of(records[at].name)));
    add(txn);
    live_bytes -= records[at].bytes;
    records[at] = records[--n_records];
}

/* ---- The run ---- */

static unsigned compactions;
static int64_t compacting_ms;

static void compact_if_due(void)
{
    struct store_stats stats;
    apply();
    must(store_stats(store, &stats));
    if ((double)stats.bytes_file <= WASTEFUL * (double)live_bytes || stats.bytes_file < 32u << 20)
        return;
    int64_t began_ms = clock_steady_ms();
    must(store_compact(store, NULL, NULL));
    compacting_ms += clock_steady_ms() - began_ms;
    compactions++;
}

static double report(const char *what)
{
    struct store_stats stats;
    apply();
    must(store_stats(store, &stats));
    double factor = (double)stats.bytes_file / (double)live_bytes;
    printf("%-44s %9zu %8.1f %8.1f %8.1f %6.2f\n", what, n_records, (double)live_bytes / 1e6,
           (double)stats.bytes_used / 1e6, (double)stats.bytes_file / 1e6, factor);
    fflush(stdout);
    return factor;
}

static void churn(uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        /* What a transaction deletes must be in its snapshot. */
        if (i % GROUP == 0)
            apply();
        delete_one();
        write_one();
        if (i % (64 * GROUP) == 0)
            compact_if_due();
    }
}

static double run(uint64_t writes, size_t live)
{
    printf("%-44s %9s %8s %8s %8s %6s\n", "MB (10^6)", "records", "live", "pages", "file", "factor");
    while (n_records < live)
        write_one();
    report("written");
    int64_t began_ms = clock_steady_ms();
    double factor = 0;
    for (int part = 0; part < 5; part++) {
        churn(writes / 5);
        compact_if_due();
        factor = report("a fifth of the writes and deletes");
    }
    int64_t took_ms = clock_steady_ms() - began_ms;
    printf("%.0f writes and deletes a second; written anew %u times, which took %.1f of %.1f s\n",
           2.0 * (double)writes * 1000 / (double)took_ms, compactions, (double)compacting_ms / 1000,
           (double)took_ms / 1000);
    apply();
    while (n_records > live / 10)
        delete_one();
    report("all but a tenth deleted");
    compact_if_due();
    report("and written anew");
    while (n_records < live)
        write_one();
    report("and written again");
    return factor;
}

static void open_all(const char *dir)
{
    const unsigned char root_key[BARRIER_KEY_SIZE] = {1};
    struct buf keyring = BUF_INIT;
    json_setup();
    barrier = barrier_new();
    must(barrier_create_keyring(root_key, &keyring, NULL));
    must(barrier_unseal(barrier, root_key, keyring.data, keyring.len, NULL));
    buf_close(&keyring);
    must(store_open(dir, true, &store, NULL));
}

int main(int argc, char **argv)
{
    char dir[4096];
    snprintf(dir, sizeof dir, "%s/storage-churn-XXXXXX", argc > 1 ? argv[1] : ".");
    uint64_t writes = argc > 2 ? strtoull(argv[2], NULL, 10) : 500000;
    size_t live = argc > 3 ? strtoull(argv[3], NULL, 10) : writes / 10;
    if (live < 10 || mkdtemp(dir) == NULL) {
        fprintf(stderr, "usage: storage_churn [directory [writes [live]]]\n");
        return 1;
    }
    if ((records = calloc(live + 1, sizeof *records)) == NULL)
        abort();
    open_all(dir);
    double factor = run(writes, live);
    store_close(store);
    barrier_free(barrier);
    buf_close(&entry);
    free(records);
    file_remove_tree(dir, NULL);
    return factor <= FACTOR ? 0 : 1;
}
