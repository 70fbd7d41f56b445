/* SPDX-License-Identifier: Apache-2.0 */
/* diagnose_storage.c — the data directory: who may read it, how much room it has, and which members it knows. */
#include <errno.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/file.h"
#include "diagnose/diagnose_private.h"
#include "raft/cluster.h"

static void check_directory(struct report *report, const char *dir)
{
    const char *name = "Check Folder Permissions";
    struct stat info;
    if (stat(dir, &info) != 0 && errno == ENOENT)
        report_add(report, VERDICT_WARN, name, "%s is not there yet: the server makes it, if it may", dir);
    else if (stat(dir, &info) != 0)
        report_add(report, VERDICT_FAIL, name, "%s cannot be looked at: %s", dir, strerror(errno));
    else if (!S_ISDIR(info.st_mode))
        report_add(report, VERDICT_FAIL, name, "%s is no directory", dir);
    else if (access(dir, R_OK | W_OK | X_OK) != 0)
        report_add(report, VERDICT_FAIL, name, "%s: this user may not write there", dir);
    else if ((info.st_mode & 077) != 0)
        report_add(report, VERDICT_WARN, name, "%s is open to others (mode %03o): chmod 700", dir, info.st_mode & 0777);
    else if (info.st_uid != geteuid())
        report_add(report, VERDICT_WARN, name, "%s belongs to user %u, this is user %u: run this as the server's user",
                   dir, (unsigned)info.st_uid, (unsigned)geteuid());
    else
        report_add(report, VERDICT_OK, name, "%s", dir);
}

/* The file system of a directory that may not be there yet: that of the nearest one above it. */
static void nearest(const char *dir, char *ret, size_t size)
{
    snprintf(ret, size, "%s", dir);
    for (char *slash; !file_exists(ret) && (slash = strrchr(ret, '/')) != NULL && slash != ret;)
        *slash = '\0';
}

static void check_room(struct report *report, const char *name, const char *dir)
{
    char place[4200];
    struct statvfs fs;
    nearest(dir, place, sizeof place);
    if (statvfs(place, &fs) != 0) {
        report_add(report, VERDICT_WARN, name, "%s: %s", place, strerror(errno));
        return;
    }
    struct cluster_marks marks;
    cluster_disk_marks((uint64_t)fs.f_blocks * fs.f_frsize, &marks);
    uint64_t free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
    enum verdict verdict = free_bytes < marks.scarce ? VERDICT_FAIL
                           : free_bytes < marks.low  ? VERDICT_WARN
                                                     : VERDICT_OK;
    report_add(report, verdict, name, "%s: %llu MiB free%s", dir, (unsigned long long)free_bytes >> 20,
               verdict == VERDICT_OK     ? ""
               : verdict == VERDICT_WARN ? "; what makes the store grow is refused"
                                         : "; this node will not lead while another can");
}

/* Whether a server has the store open. */
static bool is_in_use(const char *state_dir)
{
    char path[4300];
    snprintf(path, sizeof path, "%s/lock", state_dir);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return false;
    bool in_use = flock(fileno(file), LOCK_EX | LOCK_NB) != 0;
    fclose(file);
    return in_use;
}

static void check_use(struct diagnosis *diagnosis)
{
    const char *name = "Check Storage Use";
    bool in_use = is_in_use(diagnosis->state_dir);
    if (in_use && diagnosis->health == NULL)
        report_add(diagnosis->report, VERDICT_WARN, name,
                   "a process has the storage open, but no server answers at %s: another one cannot be started here",
                   diagnosis->api_addr);
    else
        report_add(diagnosis->report, VERDICT_OK, name, "%s",
                   in_use ? "the server that runs has it open" : "not in use");
}

static void check_quorum(struct report *report, const char *state_dir)
{
    const char *name = "Check For Raft Quorum";
    struct cluster_member members[CLUSTER_MEMBERS_MAX];
    struct err err = {0};
    int n = 0, voters = 0;
    int rc = cluster_peek_members(state_dir, members, &n, &err);
    for (int i = 0; i < n; i++)
        voters += members[i].voter;
    if (rc == ERR_NOTFOUND || (rc == OK && n == 0))
        report_add(report, VERDICT_SKIPPED, name, "this node belongs to no cluster yet");
    else if (rc != OK)
        report_add(report, VERDICT_FAIL, name, "%s", err_text(&err));
    else if (voters < 3 || voters % 2 == 0)
        report_add(report, VERDICT_WARN, name,
                   "%d voters of %d members; %d must be there. Three or five voters survive the loss of one or two",
                   voters, n, voters / 2 + 1);
    else
        report_add(report, VERDICT_OK, name, "%d voters of %d members; %d must be there", voters, n, voters / 2 + 1);
}

void diagnose_storage(struct diagnosis *diagnosis)
{
    struct report *report = diagnosis->report;
    char log_dir[4300];
    report_begin(report, "Check Storage");
    if (diagnosis->data_dir[0] == '\0') {
        report_add(report, VERDICT_WARN, "Create Storage Backend", "nothing is kept: storage \"%s\"",
                   diagnosis->config->storage_type);
    } else {
        snprintf(log_dir, sizeof log_dir, "%s/log", diagnosis->raft_dir);
        check_directory(report, diagnosis->data_dir);
        check_room(report, "Check Disk Usage Of The Log", log_dir);
        check_room(report, "Check Disk Usage Of The State", diagnosis->state_dir);
        check_use(diagnosis);
        check_quorum(report, diagnosis->state_dir);
    }
    report_end(report);
}
