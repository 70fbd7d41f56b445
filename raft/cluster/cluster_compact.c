/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cluster_compact.c — when the state's file is written anew (storage/compact.h). Each node does it for itself, whoever
 * leads: when the file takes much more than what is live in it, and the disk has room for both.
 */
#include "base/failpoint.h"
#include "base/log.h"
#include "raft/cluster/cluster_private.h"
#include "storage/compact.h"

#define CHECK_MS   10000
#define ROOM_MS    600000 /* after there was no room for it, or it could not be read */
#define REST_TIMES 20 /* so much longer than it took it rests: a twentieth of a core, when all is changed for ever */
#define SIZE_MIN   (UINT64_C(32) << 20)
#define FACTOR     1.9 /* random names alone make it 1.8; full pages, 1.2 */

static bool is_wasteful(const struct store_stats *stats, double mean)
{
    return stats->bytes_file >= SIZE_MIN && (double)stats->bytes_file > FACTOR * mean * (double)stats->records;
}

/* For tests of what may go wrong while it happens: at each look at the disk. */
static bool is_forced(void)
{
    return failpoint("store.compact_always");
}

/* Not where the disk is all but full: what it would need is kept for handing over and for what frees room. */
static bool goes_on(void *arg)
{
    struct cluster *cluster = arg;
    if (cluster_now() >= cluster->compacting.looked + CLUSTER_DISK_MS) {
        cluster->compacting.looked = cluster_now();
        cluster_disk_check(cluster);
    }
    return worker_is_open(&cluster->watcher) && cluster_room(cluster) != CLUSTER_ROOM_SCARCE;
}

/* Why nothing came of it; ending is a reason of its own. */
static void tell_failure(struct cluster *cluster, const struct err *err)
{
    if (worker_is_open(&cluster->watcher))
        log_info("raft", "the state's file was not written anew: %s",
                 cluster_room(cluster) == CLUSTER_ROOM_SCARCE ? "the disk is all but full" : err_text(err));
}

static void compact(struct cluster *cluster, uint64_t before)
{
    struct store *store = cluster->options.store;
    const struct store_patience patience = {goes_on, cluster};
    struct store_stats stats;
    struct err err = {0};
    uint64_t began = cluster_now();
    int rc = store_compact(store, &patience, &err);
    uint64_t took = cluster_now() - began;
    cluster->compacting.next = is_forced() ? 0 : cluster_now() + REST_TIMES * took + CHECK_MS;
    if (rc != OK)
        tell_failure(cluster, &err);
    else if (store_stats(store, &stats) == OK)
        log_info("raft", "the state's file was written anew in %llu ms: it took %llu MiB, and takes %llu now",
                 (unsigned long long)took, (unsigned long long)before >> 20,
                 (unsigned long long)stats.bytes_file >> 20);
}

/* How long a record is does not change fast: so only who seems wasteful is measured, which reads all of the state. */
static bool measure(struct cluster *cluster, const struct store_stats *stats, uint64_t *ret_live)
{
    const struct store_patience patience = {goes_on, cluster};
    struct err err = {0};
    if (store_measure(cluster->options.store, &patience, ret_live, &err) != OK) {
        cluster->compacting.next = cluster_now() + ROOM_MS;
        tell_failure(cluster, &err);
        return false;
    }
    cluster->compacting.mean = stats->records > 0 ? (double)*ret_live / (double)stats->records : 0;
    return is_forced() || is_wasteful(stats, cluster->compacting.mean);
}

void cluster_compact_watch(struct cluster *cluster)
{
    struct cluster_compacting *compacting = &cluster->compacting;
    struct store_stats stats;
    uint64_t live;
    if (cluster_now() < compacting->next || cluster_room(cluster) == CLUSTER_ROOM_SCARCE)
        return;
    compacting->next = cluster_now() + CHECK_MS;
    if (store_stats(cluster->options.store, &stats) != OK)
        return;
    if ((!is_forced() && !is_wasteful(&stats, compacting->mean)) || !measure(cluster, &stats, &live))
        return;
    if (cluster_disk_has(cluster, live + live / 4)) {
        compact(cluster, stats.bytes_file);
        return;
    }
    compacting->next = cluster_now() + ROOM_MS;
    log_warn("raft", "the state's file takes %llu MiB, for %llu MiB of records; there is no room to write it anew",
             (unsigned long long)stats.bytes_file >> 20, (unsigned long long)live >> 20);
}
