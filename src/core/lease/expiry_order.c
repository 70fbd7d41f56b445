/* SPDX-License-Identifier: Apache-2.0 */
/*
 * expiry_order.c — the order in which things end, on disk.
 *
 *     lease/expiry/<day>/<minute>/<second><kind><uid>  → {"to": target, "mount": …, "after": …}
 *
 * Days, minutes and seconds have leading zeroes, so that names sort as times do.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "core/core.h"
#include "core/lease/lease_private.h"
#include "core/snapshot/quarantine.h"
#include "storage/txn.h"

#define DAY_S        86400
#define WHEN_S_MAX   ((int64_t)999999 * DAY_S)
#define DAYS_AT_ONCE 64

static int64_t within_order(int64_t when_s)
{
    return when_s < 0 ? 0 : when_s > WHEN_S_MAX ? WHEN_S_MAX : when_s;
}

const char *expiry_entry_path(struct request *req, int64_t when_s, char kind, const char *uid)
{
    int64_t when = within_order(when_s);
    return arena_printf(&req->arena, EXPIRY_DIR "%06lld/%04d/%02d%c%s", (long long)(when / DAY_S),
                        (int)(when % DAY_S / 60), (int)(when % 60), kind, uid);
}

int expiry_outside_quarantine(struct request *req, int64_t when_s, int64_t *ret_when_s)
{
    int64_t until_s;
    int rc = quarantine_until(req, &until_s);
    if (rc == OK)
        *ret_when_s = when_s > until_s ? when_s : until_s + 1;
    return rc;
}

int expiry_file_entry(struct request *req, int64_t when_s, char kind, const char *uid, json_t *value)
{
    int rc = txn_put(req->txn, expiry_entry_path(req, when_s, kind, uid), value);
    json_decref(value);
    if (rc == OK && when_s <= lease_now_s(req) + EXPIRY_SLEEP_S_MAX)
        req->expiry_changed = true;
    return lease_said(req, rc);
}

int expiry_file(struct request *req, int64_t when_s, char kind, const char *uid, const char *target)
{
    return expiry_file_entry(req, when_s, kind, uid, json_pack("{s:s}", "to", target));
}

int expiry_unfile(struct request *req, int64_t when_s, char kind, const char *uid)
{
    return lease_said(req, txn_delete(req->txn, expiry_entry_path(req, when_s, kind, uid)));
}

/* ---- Gathering what is due ---- */

struct due_list *due_list_new(void)
{
    struct due_list *list = calloc(1, sizeof *list);
    if (list == NULL)
        abort();
    return list;
}

bool due_list_seek(struct due_list *list, const char *after)
{
    long long day;
    int minute, len = 0;
    if (sscanf(after, "%6lld/%4d/%n", &day, &minute, &len) != 2 || len == 0 || after[len] == '\0' ||
        strlen(after + len) >= sizeof list->name)
        return false;
    list->day = day;
    list->minute = minute;
    strcpy(list->name, after + len);
    return true;
}

void due_list_clear(struct due_list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        free(list->items[i].entry);
        free(list->items[i].target);
        free(list->items[i].mount);
        free(list->items[i].after);
    }
    list->n = 0;
    list->more = false;
}

void due_list_free(struct due_list *list)
{
    if (list == NULL)
        return;
    due_list_clear(list);
    free(list);
}

static char *copy(const char *text)
{
    char *made = strdup(text);
    if (made == NULL)
        abort();
    return made;
}

static int take_entry(struct request *req, struct due_list *list, const char *dir, const char *name)
{
    json_t *value;
    const char *path = arena_printf(&req->arena, "%s%s", dir, name);
    int rc = txn_get(req->txn, path, &value);
    if (rc != OK)
        return rc == ERR_NOTFOUND ? OK : lease_said(req, rc);
    list->items[list->n++] = (struct due){.kind = name[2],
                                          .entry = copy(path),
                                          .target = copy(json_str(value, "to", "")),
                                          .mount = copy(json_str(value, "mount", "")),
                                          .after = copy(json_str(value, "after", ""))};
    json_decref(value);
    return OK;
}

static bool is_entry_name(const char *name)
{
    return isdigit((unsigned char)name[0]) && isdigit((unsigned char)name[1]) && name[2] != '\0';
}

/* What a walk over the order carries along. */
struct walk {
    struct request *req;
    struct due_list *list;
    int64_t now_s;
    int64_t held_s; /* up to here nothing is gathered */
    bool is_over;   /* the list is full, or the rest is not due */
};

static void stop_before(struct walk *walk, int64_t next_s)
{
    walk->list->next_s = next_s;
    walk->is_over = true;
}

static int walk_minute(struct walk *walk, int64_t day, int minute)
{
    struct due_list *list = walk->list;
    int64_t start_s = day * DAY_S + minute * 60;
    const char *dir = arena_printf(&walk->req->arena, EXPIRY_DIR "%06lld/%04d/", (long long)day, minute);
    json_t *names, *name;
    size_t i;

    if (day != list->day || minute != list->minute)
        list->name[0] = '\0';
    list->day = day;
    list->minute = minute;
    int rc = txn_list(walk->req->txn, dir, list->name[0] != '\0' ? list->name : NULL, DUE_MAX + 1, &names);
    if (rc != OK)
        return lease_said(walk->req, rc);
    json_array_foreach(names, i, name)
    {
        const char *text = json_string_value(name);
        if (!is_entry_name(text) || strlen(text) >= sizeof list->name)
            continue;
        int64_t when_s = start_s + atoi((char[]){text[0], text[1], '\0'});
        if (when_s <= walk->held_s)
            continue;
        if (when_s > walk->now_s) {
            stop_before(walk, when_s);
            break;
        }
        if (list->n == DUE_MAX) {
            list->more = true;
            stop_before(walk, walk->now_s);
            break;
        }
        if ((rc = take_entry(walk->req, list, dir, text)) != OK)
            break;
        strcpy(list->name, text);
    }
    json_decref(names);
    return rc;
}

static int walk_day(struct walk *walk, int64_t day)
{
    const char *dir = arena_printf(&walk->req->arena, EXPIRY_DIR "%06lld/", (long long)day);
    json_t *minutes, *minute;
    size_t i;

    int rc = txn_list(walk->req->txn, dir, NULL, 0, &minutes);
    if (rc != OK)
        return lease_said(walk->req, rc);
    json_array_foreach(minutes, i, minute)
    {
        int number = atoi(json_string_value(minute));
        if ((day == walk->list->day && number < walk->list->minute) || day * DAY_S + number * 60 + 59 <= walk->held_s)
            continue;
        if (day * DAY_S + number * 60 > walk->now_s)
            stop_before(walk, day * DAY_S + number * 60);
        else
            rc = walk_minute(walk, day, number);
        if (rc != OK || walk->is_over)
            break;
    }
    json_decref(minutes);
    return rc;
}

int due_list_fill(struct request *req, void *arg)
{
    struct due_list *list = arg;
    struct walk walk = {.req = req, .list = list, .now_s = core_time_ms(req->core) / 1000};
    char from[32];
    json_t *days, *day;
    size_t i;

    due_list_clear(list);
    list->next_s = INT64_MAX;
    int rc = quarantine_until(req, list->is_of_quarantine ? &walk.now_s : &walk.held_s);
    if (rc != OK)
        return rc;
    int64_t first = walk.held_s / DAY_S > list->day ? walk.held_s / DAY_S : list->day;
    snprintf(from, sizeof from, "%06lld/", (long long)first - 1);
    rc = txn_list(req->txn, EXPIRY_DIR, first > 0 ? from : NULL, DAYS_AT_ONCE, &days);
    if (rc != OK)
        return lease_said(req, rc);
    json_array_foreach(days, i, day)
    {
        int64_t number = atoll(json_string_value(day));
        if (number * DAY_S > walk.now_s)
            stop_before(&walk, number * DAY_S);
        else
            rc = walk_day(&walk, number);
        if (rc != OK || walk.is_over)
            break;
    }
    if (rc == OK && !walk.is_over && json_array_size(days) == DAYS_AT_ONCE)
        list->more = true;
    json_decref(days);
    return rc;
}
