/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cluster_disk.c — how much room there is left on the disks of log and state, and what comes of it.
 *
 * Below the first mark the core refuses what makes the store grow; below the second this node hands leadership over and
 * lets others lead. Both are far from the end, so that deleting, revoking and handing over still work. For the case
 * that somebody else fills the disk to the last block, a file beside each of the two keeps some room: it is given up
 * when a write finds none, and made again when there is plenty. The same thread has the state's file written anew
 * when it takes too much (cluster_compact.c).
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/log.h"
#include "raft/cluster/cluster_private.h"

#define LOW_MAX      (UINT64_C(1) << 30) /* the marks: so much, or a part of a small disk */
#define LOW_PART     10
#define SCARCE_MAX   (UINT64_C(128) << 20)
#define SCARCE_PART  40
#define RESERVE_PART 4 /* of what is scarce */
#define PATH_SIZE    4200

struct marks {
    struct cluster_marks at;
    uint64_t reserve, free;
};

static uint64_t part_of(uint64_t size, uint64_t part, uint64_t max)
{
    return size / part < max ? size / part : max;
}

void cluster_disk_marks(uint64_t size, struct cluster_marks *ret)
{
    ret->low = part_of(size, LOW_PART, LOW_MAX);
    ret->scarce = part_of(size, SCARCE_PART, SCARCE_MAX);
}

static bool read_marks(const char *dir, struct marks *ret)
{
    struct statvfs fs;
    if (statvfs(dir, &fs) != 0)
        return false;
    cluster_disk_marks((uint64_t)fs.f_blocks * fs.f_frsize, &ret->at);
    ret->free = (uint64_t)fs.f_bavail * fs.f_frsize;
    ret->reserve = ret->at.scarce / RESERVE_PART;
    return true;
}

/* What was said before holds until there is an eighth more than its mark, so that it does not change back and forth. */
static enum cluster_room room_of(const struct marks *marks, enum cluster_room before)
{
    uint64_t scarce = before >= CLUSTER_ROOM_SCARCE ? marks->at.scarce + marks->at.scarce / 8 : marks->at.scarce;
    uint64_t low = before >= CLUSTER_ROOM_LOW ? marks->at.low + marks->at.low / 8 : marks->at.low;
    return marks->free < scarce ? CLUSTER_ROOM_SCARCE : marks->free < low ? CLUSTER_ROOM_LOW : CLUSTER_ROOM_ENOUGH;
}

/* ---- The reserve ---- */

static void reserve_path(const char *dir, char ret[PATH_SIZE])
{
    snprintf(ret, PATH_SIZE, "%s/reserve", dir);
}

static void make_reserve(const char *dir, uint64_t size)
{
    char path[PATH_SIZE];
    reserve_path(dir, path);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return;
    if (posix_fallocate(fd, 0, (off_t)size) != 0)
        unlink(path);
    close(fd);
}

void cluster_disk_give_up(struct cluster *cluster)
{
    const char *dirs[] = {cluster->log_dir, store_dir(cluster->options.store)};
    char path[PATH_SIZE];
    for (size_t i = 0; i < sizeof dirs / sizeof dirs[0]; i++) {
        reserve_path(dirs[i], path);
        if (unlink(path) == 0)
            log_warn("raft", "%s was given up to make room", path);
    }
}

/* ---- Watching ---- */

/* On the loop: whether this node should rather not lead. */
static void run_cramped(struct cluster *cluster, struct task *task)
{
    free(task);
    bool is_cramped = atomic_load(&cluster->is_hindered) || atomic_load(&cluster->room) == CLUSTER_ROOM_SCARCE;
    if (is_cramped == cluster->cramped || cluster->driver == NULL)
        return;
    cluster->cramped = is_cramped;
    cluster_peers_tell(cluster);
    driver_set_cramped(cluster->driver, is_cramped);
}

static void post_cramped(struct cluster *cluster)
{
    struct task *task = calloc(1, sizeof *task);
    if (task == NULL)
        abort();
    task->run = run_cramped;
    cluster_post(cluster, task);
}

void cluster_set_hindered(struct cluster *cluster, bool is_hindered)
{
    atomic_store(&cluster->is_hindered, is_hindered);
    post_cramped(cluster);
}

enum cluster_room cluster_room(struct cluster *cluster)
{
    return (enum cluster_room)atomic_load(&cluster->room);
}

static void tell(struct cluster *cluster, enum cluster_room room, const char *dir, const struct marks *marks)
{
    static const char *const what[] = {
        [CLUSTER_ROOM_ENOUGH] = "there is room again",
        [CLUSTER_ROOM_LOW] = "the disk is nearly full: what needs more room is refused",
        [CLUSTER_ROOM_SCARCE] = "the disk is all but full: another node leads, if one can that has room",
    };
    log_write(room == CLUSTER_ROOM_ENOUGH ? LOG_INFO : LOG_WARN, "raft",
              "%s: %s (%llu MiB free; the marks are %llu and %llu)", dir, what[room],
              (unsigned long long)marks->free >> 20, (unsigned long long)marks->at.low >> 20,
              (unsigned long long)marks->at.scarce >> 20);
    atomic_store(&cluster->room, room);
    post_cramped(cluster);
}

void cluster_disk_check(struct cluster *cluster)
{
    const char *dirs[] = {cluster->log_dir, store_dir(cluster->options.store)};
    enum cluster_room before = (enum cluster_room)atomic_load(&cluster->room), worst = CLUSTER_ROOM_ENOUGH;
    struct marks marks, of_worst = {0};
    const char *dir = dirs[0];
    for (size_t i = 0; i < sizeof dirs / sizeof dirs[0]; i++) {
        if (!read_marks(dirs[i], &marks))
            continue;
        enum cluster_room room = room_of(&marks, before);
        if (room == CLUSTER_ROOM_ENOUGH && marks.free > marks.at.low + marks.reserve)
            make_reserve(dirs[i], marks.reserve);
        if (i == 0 || room > worst) {
            worst = room;
            of_worst = marks;
            dir = dirs[i];
        }
    }
    if (worst != before)
        tell(cluster, worst, dir, &of_worst);
}

/* Where the disk is nearly full already, a file that gets smaller is worth coming near to the second mark. */
bool cluster_disk_has(struct cluster *cluster, uint64_t bytes)
{
    struct marks marks;
    if (!read_marks(store_dir(cluster->options.store), &marks))
        return false;
    uint64_t mark = marks.free < marks.at.low ? 2 * marks.at.scarce : marks.at.low + marks.reserve;
    return marks.free > bytes + mark;
}

/* The watcher's thread: its one task lasts as long as the cluster. */
void cluster_disk_watch(struct cluster *cluster, struct task *tasks)
{
    (void)tasks;
    do {
        cluster_disk_check(cluster);
        cluster_compact_watch(cluster);
    } while (worker_rest(&cluster->watcher, CLUSTER_DISK_MS));
}
