/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host_machine.c — the machine's name, system and disks, for sys/host-info.
 */
#include <ctype.h>
#include <dirent.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>

#include "sys/host_info.h"

/* ---- Disks ---- */

static void visit_file_system(void *arg, char *line)
{
    if (*line == '\t') /* others are "nodev": not on a disk */
        json_object_set_new(arg, line + 1, json_true());
}

static json_t *describe_disk(const struct mntent *entry)
{
    struct statvfs fs;
    if (statvfs(entry->mnt_dir, &fs) != 0)
        return NULL;
    double used = (double)(fs.f_blocks - fs.f_bfree), usable = used + (double)fs.f_bavail;
    double inodes = (double)fs.f_files, inodes_used = (double)(fs.f_files - fs.f_ffree);
    return json_pack(
        "{s:s, s:s, s:I, s:I, s:I, s:f, s:I, s:I, s:I, s:f}", "path", entry->mnt_dir, "fstype", entry->mnt_type,
        "total", (json_int_t)(fs.f_blocks * fs.f_frsize), "free", (json_int_t)(fs.f_bavail * fs.f_frsize), "used",
        (json_int_t)((fs.f_blocks - fs.f_bfree) * fs.f_frsize), "usedPercent", usable > 0 ? 100 * used / usable : 0.0,
        "inodesTotal", (json_int_t)fs.f_files, "inodesUsed", (json_int_t)(fs.f_files - fs.f_ffree), "inodesFree",
        (json_int_t)fs.f_ffree, "inodesUsedPercent", inodes > 0 ? 100 * inodes_used / inodes : 0.0);
}

json_t *host_disks(void)
{
    json_t *disks = json_array(), *kinds = json_object();
    FILE *mounts = setmntent("/proc/self/mounts", "re");
    struct mntent entry;
    char buf[4096];
    (void)host_each_line("/proc/filesystems", visit_file_system, kinds);
    while (mounts != NULL && getmntent_r(mounts, &entry, buf, sizeof buf) != NULL) {
        json_t *disk = json_object_get(kinds, entry.mnt_type) != NULL ? describe_disk(&entry) : NULL;
        if (disk != NULL)
            json_array_append_new(disks, disk);
    }
    if (mounts != NULL)
        endmntent(mounts);
    json_decref(kinds);
    return disks;
}

/* ---- The machine ---- */

/* ID=debian, VERSION_ID="12" */
static void visit_release(void *arg, char *line)
{
    static const struct {
        const char *file, *name;
    } fields[] = {{"ID", "platform"}, {"ID_LIKE", "platformFamily"}, {"VERSION_ID", "platformVersion"}};
    char *value = strchr(line, '=');
    if (value == NULL)
        return;
    *value++ = '\0';
    value += *value == '"';
    value[strcspn(value, "\"")] = '\0';
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        if (strcmp(fields[i].file, line) == 0)
            json_object_set_new(arg, fields[i].name, json_string(value));
}

static void visit_boot_time(void *arg, char *line)
{
    if (strncmp(line, "btime ", 6) == 0)
        json_object_set_new(arg, "bootTime", json_integer(strtoll(line + 6, NULL, 10)));
}

static void visit_uptime(void *arg, char *line)
{
    json_object_set_new(arg, "uptime", json_integer(strtoll(line, NULL, 10)));
}

/* 32 digits, told as a UUID. */
static void visit_machine_id(void *arg, char *line)
{
    char id[48];
    if (strlen(line) != 32)
        return;
    snprintf(id, sizeof id, "%.8s-%.4s-%.4s-%.4s-%.12s", line, line + 8, line + 12, line + 16, line + 20);
    json_object_set_new(arg, "hostid", json_string(id));
}

static json_int_t count_processes(void)
{
    DIR *proc = opendir("/proc");
    const struct dirent *entry;
    json_int_t n = 0;
    while (proc != NULL && (entry = readdir(proc)) != NULL)
        n += isdigit((unsigned char)entry->d_name[0]) != 0;
    if (proc != NULL)
        closedir(proc);
    return n;
}

json_t *host_machine(void)
{
    struct utsname name;
    if (uname(&name) != 0)
        return NULL;
    json_t *host =
        json_pack("{s:s, s:i, s:i, s:I, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "hostname", name.nodename, "uptime", 0,
                  "bootTime", 0, "procs", count_processes(), "os", "linux", "platform", "", "platformFamily", "",
                  "platformVersion", "", "kernelVersion", name.release, "kernelArch", name.machine, "hostid", "");
    (void)host_each_line("/etc/os-release", visit_release, host);
    (void)host_each_line("/proc/stat", visit_boot_time, host);
    (void)host_each_line("/proc/uptime", visit_uptime, host);
    (void)host_each_line("/etc/machine-id", visit_machine_id, host);
    if (json_string_length(json_object_get(host, "platformFamily")) == 0)
        json_object_set(host, "platformFamily", json_object_get(host, "platform"));
    return host;
}
