/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host_info.c — sys/host-info; processors and memory. host_machine.c has the rest.
 */
#include "sys/host_info.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/clock.h"
#include "core/request/request.h"
#include "sys/handlers.h"

bool host_each_line(const char *path, void (*visit)(void *arg, char *line), void *arg)
{
    FILE *file = fopen(path, "re");
    char *line = NULL;
    size_t size = 0;
    if (file == NULL)
        return false;
    while (getline(&line, &size, file) > 0) {
        line[strcspn(line, "\n")] = '\0';
        visit(arg, line);
    }
    free(line);
    fclose(file);
    return true;
}

/* "model name	: AMD EPYC" → name, value; false when there is no colon. */
static bool split(char *line, char **ret_value)
{
    char *colon = strchr(line, ':');
    if (colon == NULL)
        return false;
    *ret_value = colon + 1 + strspn(colon + 1, " \t");
    while (colon > line && isspace((unsigned char)colon[-1]))
        colon--;
    *colon = '\0';
    return true;
}

/* ---- Processors ---- */

enum kind { TEXT, NUMBER, REAL, WORDS };

static const struct {
    const char *file, *name;
    enum kind kind;
} cpu_fields[] = {
    {"vendor_id", "vendorId", TEXT},
    {"cpu family", "family", TEXT},
    {"model", "model", TEXT},
    {"stepping", "stepping", NUMBER},
    {"physical id", "physicalId", TEXT},
    {"core id", "coreId", TEXT},
    {"model name", "modelName", TEXT},
    {"cpu MHz", "mhz", REAL},
    {"cache size", "cacheSize", NUMBER},
    {"flags", "flags", WORDS},
    {"Features", "flags", WORDS},
    {"microcode", "microcode", TEXT},
};

static json_t *words(char *text)
{
    json_t *list = json_array();
    char *rest = NULL;
    for (char *word = strtok_r(text, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest))
        json_array_append_new(list, json_string(word));
    return list;
}

static json_t *value_of(enum kind kind, char *text)
{
    switch (kind) {
    case NUMBER:
        return json_integer(strtoll(text, NULL, 10));
    case REAL:
        return json_real(strtod(text, NULL));
    case WORDS:
        return words(text);
    default:
        return json_string(text);
    }
}

static json_t *new_cpu(long long number)
{
    return json_pack("{s:I, s:s, s:s, s:s, s:i, s:s, s:s, s:i, s:s, s:f, s:i, s:[], s:s}", "cpu", (json_int_t)number,
                     "vendorId", "", "family", "", "model", "", "stepping", 0, "physicalId", "", "coreId", "", "cores",
                     1, "modelName", "", "mhz", 0.0, "cacheSize", 0, "flags", "microcode", "");
}

static void visit_cpu(void *arg, char *line)
{
    json_t *cpus = arg;
    char *value;
    if (!split(line, &value))
        return;
    if (strcmp(line, "processor") == 0)
        json_array_append_new(cpus, new_cpu(strtoll(value, NULL, 10)));
    json_t *cpu = json_array_get(cpus, json_array_size(cpus) - 1);
    for (size_t i = 0; cpu != NULL && i < sizeof cpu_fields / sizeof cpu_fields[0]; i++)
        if (strcmp(cpu_fields[i].file, line) == 0)
            json_object_set_new(cpu, cpu_fields[i].name, value_of(cpu_fields[i].kind, value));
}

static json_t *or_nothing(json_t *value, bool is_read)
{
    if (is_read)
        return value;
    json_decref(value);
    return NULL;
}

json_t *host_cpus(void)
{
    json_t *cpus = json_array();
    return or_nothing(cpus, host_each_line("/proc/cpuinfo", visit_cpu, cpus));
}

/* In the order of /proc/stat. */
static const char *const time_names[] = {"user", "nice",    "system", "idle",  "iowait",
                                         "irq",  "softirq", "steal",  "guest", "guestNice"};

/* "cpu0 123 …", in ticks; the line "cpu" is of all of them together. */
static void visit_times(void *arg, char *line)
{
    json_t *all = arg;
    if (strncmp(line, "cpu", 3) != 0 || !isdigit((unsigned char)line[3]))
        return;
    char *at = line + strcspn(line, " ");
    json_t *times = json_pack("{s:s%}", "cpu", line, at - line);
    for (size_t i = 0; i < sizeof time_names / sizeof time_names[0]; i++)
        json_object_set_new(times, time_names[i],
                            json_real((double)strtoll(at, &at, 10) / (double)sysconf(_SC_CLK_TCK)));
    json_array_append_new(all, times);
}

json_t *host_cpu_times(void)
{
    json_t *all = json_array();
    return or_nothing(all, host_each_line("/proc/stat", visit_times, all));
}

/* ---- Memory ---- */

static const struct {
    const char *file, *name;
} memory_fields[] = {
    {"MemTotal", "total"},
    {"MemAvailable", "available"},
    {"MemFree", "free"},
    {"Active", "active"},
    {"Inactive", "inactive"},
    {"Buffers", "buffers"},
    {"Cached", "cached"},
    {"Writeback", "writeback"},
    {"Dirty", "dirty"},
    {"WritebackTmp", "writebacktmp"},
    {"Shmem", "shared"},
    {"Slab", "slab"},
    {"SReclaimable", "sreclaimable"},
    {"SUnreclaim", "sunreclaim"},
    {"PageTables", "pagetables"},
    {"SwapCached", "swapcached"},
    {"CommitLimit", "commitlimit"},
    {"Committed_AS", "committedas"},
    {"HighTotal", "hightotal"},
    {"HighFree", "highfree"},
    {"LowTotal", "lowtotal"},
    {"LowFree", "lowfree"},
    {"SwapTotal", "swaptotal"},
    {"SwapFree", "swapfree"},
    {"Mapped", "mapped"},
    {"VmallocTotal", "vmalloctotal"},
    {"VmallocUsed", "vmallocused"},
    {"VmallocChunk", "vmallocchunk"},
    {"HugePages_Total", "hugepagestotal"},
    {"HugePages_Free", "hugepagesfree"},
    {"Hugepagesize", "hugepagesize"},
};

/* Some are counts; the others are in KiB, and told in bytes. */
static void visit_memory(void *arg, char *line)
{
    json_t *memory = arg;
    char *value, *unit;
    if (!split(line, &value))
        return;
    long long number = strtoll(value, &unit, 10);
    for (size_t i = 0; i < sizeof memory_fields / sizeof memory_fields[0]; i++)
        if (strcmp(memory_fields[i].file, line) == 0)
            json_object_set_new(memory, memory_fields[i].name,
                                json_integer(strcmp(unit, " kB") == 0 ? number * 1024 : number));
}

/* As free(1) counts it: what could be had is not used; what is cached can mostly be had. */
json_t *host_memory(void)
{
    json_t *memory = json_object();
    for (size_t i = 0; i < sizeof memory_fields / sizeof memory_fields[0]; i++)
        json_object_set_new(memory, memory_fields[i].name, json_integer(0));
    bool is_read = host_each_line("/proc/meminfo", visit_memory, memory);
    json_int_t total = json_integer_value(json_object_get(memory, "total"));
    json_int_t used = total - json_integer_value(json_object_get(memory, "available"));
    json_object_set_new(memory, "used", json_integer(used));
    json_object_set_new(memory, "usedPercent", json_real(total > 0 ? 100.0 * (double)used / (double)total : 0));
    json_object_set_new(memory, "cached",
                        json_integer(json_integer_value(json_object_get(memory, "cached")) +
                                     json_integer_value(json_object_get(memory, "sreclaimable"))));
    return or_nothing(memory, is_read);
}

/* ---- All of it ---- */

int sys_host_info(struct request *req)
{
    static const struct {
        const char *name;
        json_t *(*read)(void);
    } parts[] = {{"cpu", host_cpus},
                 {"cpu_times", host_cpu_times},
                 {"disk", host_disks},
                 {"host", host_machine},
                 {"memory", host_memory}};
    char now[40];
    clock_format_rfc3339(clock_wall_ns(), now, sizeof now);
    json_t *data = json_pack("{s:s}", "timestamp", now);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        json_t *part = parts[i].read();
        if (part != NULL)
            json_object_set_new(data, parts[i].name, part);
        else
            reply_warn(req, "%s: this machine does not tell it", parts[i].name);
    }
    reply_data(req, data);
    return OK;
}
