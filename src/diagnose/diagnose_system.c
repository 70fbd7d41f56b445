/* SPDX-License-Identifier: Apache-2.0 */
/* diagnose_system.c — the limits that the operating system sets. */
#include <sys/resource.h>

#include "diagnose/diagnose_private.h"

#define FILES_WANTED  (UINT64_C(16) << 10)
#define FILES_NEEDED  1024
#define LOCKED_WANTED (UINT64_C(64) << 20)

static void check_files(struct report *report)
{
    const char *name = "Check Open File Limits";
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        report_add(report, VERDICT_WARN, name, "the limit cannot be read");
    else if (limit.rlim_cur < FILES_NEEDED)
        report_add(report, VERDICT_FAIL, name, "%llu files may be open; each connection is one: raise it (ulimit -n)",
                   (unsigned long long)limit.rlim_cur);
    else if (limit.rlim_cur < FILES_WANTED)
        report_add(report, VERDICT_WARN, name, "%llu files may be open; %llu are better for many clients (ulimit -n)",
                   (unsigned long long)limit.rlim_cur, (unsigned long long)FILES_WANTED);
    else
        report_add(report, VERDICT_OK, name, "Open file limits are set to %llu.", (unsigned long long)limit.rlim_cur);
}

static void check_locked_memory(struct report *report, bool is_disabled)
{
    const char *name = "Check Locked Memory Limits";
    struct rlimit limit;
    if (is_disabled)
        report_add(report, VERDICT_SKIPPED, name, "disable_mlock is set: what is in memory may reach the swap");
    else if (getrlimit(RLIMIT_MEMLOCK, &limit) != 0 || limit.rlim_cur < LOCKED_WANTED)
        report_add(report, VERDICT_WARN, name,
                   "less than %llu MiB may be locked: secrets may reach the swap. Raise it (ulimit -l, LimitMEMLOCK=), "
                   "or do without swap and set disable_mlock",
                   (unsigned long long)LOCKED_WANTED >> 20);
    else
        report_add(report, VERDICT_OK, name, "%llu MiB may be locked", (unsigned long long)limit.rlim_cur >> 20);
}

void diagnose_system(struct diagnosis *diagnosis)
{
    report_begin(diagnosis->report, "Check Operating System");
    check_files(diagnosis->report);
    check_locked_memory(diagnosis->report, diagnosis->config->disable_mlock);
    report_end(diagnosis->report);
}
