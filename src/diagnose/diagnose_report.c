/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "diagnose/diagnose_private.h"

#define DEPTH_MAX 8

/*
 * Each result is an object as clients of `diagnose -format=json` know it:
 * {"time", "name", "status": "ok" | "warn" | "fail" | "skipped", "message" or "warnings", "children"}.
 */
struct report {
    json_t *open[DEPTH_MAX]; /* from the root to the group that was begun last; borrowed but for the root */
    int depth;
};

static const char *const statuses[] = {"skipped", "ok", "warn", "fail"};

static json_t *new_result(const char *name)
{
    char time[40];
    clock_format_rfc3339(clock_wall_ns(), time, sizeof time);
    return json_pack("{s:s, s:s, s:s}", "time", time, "name", name, "status", statuses[VERDICT_SKIPPED]);
}

static enum verdict verdict_of(const json_t *result)
{
    const char *status = json_str(result, "status", "");
    int verdict = VERDICT_FAIL;
    while (verdict > VERDICT_SKIPPED && strcmp(statuses[verdict], status) != 0)
        verdict--;
    return (enum verdict)verdict;
}

struct report *report_new(const char *name)
{
    struct report *report = calloc(1, sizeof *report);
    if (report == NULL)
        abort();
    report->open[0] = new_result(name);
    return report;
}

void report_free(struct report *report)
{
    json_decref(report->open[0]);
    free(report);
}

static void add_child(struct report *report, json_t *result)
{
    json_t *parent = report->open[report->depth], *children = json_object_get(parent, "children");
    if (children == NULL) {
        children = json_array();
        json_object_set_new(parent, "children", children);
    }
    json_array_append_new(children, result);
}

void report_begin(struct report *report, const char *name)
{
    json_t *group = new_result(name);
    add_child(report, group);
    if (report->depth + 1 < DEPTH_MAX)
        report->open[++report->depth] = group;
}

static void worsen(json_t *group, enum verdict verdict)
{
    if (verdict > verdict_of(group))
        json_object_set_new(group, "status", json_string(statuses[verdict]));
}

void report_end(struct report *report)
{
    enum verdict verdict = verdict_of(report->open[report->depth]);
    worsen(report->open[--report->depth], verdict);
}

void report_add(struct report *report, enum verdict verdict, const char *name, const char *fmt, ...)
{
    char text[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    json_t *result = new_result(name);
    json_object_set_new(result, "status", json_string(statuses[verdict]));
    if (verdict == VERDICT_WARN)
        json_object_set_new(result, "warnings", json_pack("[s]", text));
    else if (text[0] != '\0')
        json_object_set_new(result, "message", json_string(text));
    add_child(report, result);
    worsen(report->open[report->depth], verdict);
}

enum verdict report_verdict(const struct report *report)
{
    return verdict_of(report->open[0]);
}

/* ---- Printing ---- */

static void print_result(const json_t *result, int indent, bool in_colour, FILE *out)
{
    static const char *const words[] = {"skipped", "success", "warning", "failure"};
    static const char *const colours[] = {"90", "32", "33", "31"};
    enum verdict verdict = verdict_of(result);
    const char *message = json_str(result, "message", "");
    const json_t *warning = json_array_get(json_object_get(result, "warnings"), 0);
    if (warning != NULL)
        message = json_string_value(warning);
    fprintf(out, "%*s", indent, "");
    if (in_colour)
        fprintf(out, "\033[%sm[ %s ]\033[0m ", colours[verdict], words[verdict]);
    else
        fprintf(out, "[ %s ] ", words[verdict]);
    fprintf(out, "%s%s%s\n", json_str(result, "name", ""), message[0] != '\0' ? ": " : "", message);
    const json_t *child;
    size_t i;
    json_array_foreach(json_object_get(result, "children"), i, child) print_result(child, indent + 2, in_colour, out);
}

void report_print(const struct report *report, FILE *out)
{
    fputs("\nResults:\n", out);
    print_result(report->open[0], 0, isatty(fileno(out)), out);
}

void report_print_json(const struct report *report, FILE *out)
{
    json_dumpf(report->open[0], out, JSON_INDENT(2));
    fputc('\n', out);
}
