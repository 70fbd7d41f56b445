/* SPDX-License-Identifier: Apache-2.0 */
/* snapshot_auto.c — the records of snapshots that are taken by schedule; snapshot_auto_work.c takes them. */
#include "core/snapshot/snapshot_auto.h"

#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "core/request/request.h"
#include "core/snapshot/snapshot_auto_private.h"
#include "storage/txn.h"

#define FILE_PREFIX_MAX 128
#define RETAIN_MAX      10000
#define INTERVAL_S_MIN  1
#define INTERVAL_S_MAX  (366 * 86400)
#define NEVER           "0001-01-01T00:00:00Z" /* how Go writes a time that is not */

static const struct auto_place *const places[] = {&auto_place_local, &auto_place_s3};

const struct auto_place *auto_place_find(const char *type)
{
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
        if (strcmp(places[i]->type, type) == 0)
            return places[i];
    return NULL;
}

static int said(struct request *req, int rc)
{
    return rc == OK || rc == ERR_NOTFOUND ? rc : fail(req, rc, "%s", err_default_text(rc));
}

int snapshot_auto_list(struct request *req, json_t **ret_names)
{
    return said(req, txn_list(req->txn, AUTO_CONFIG_DIR, NULL, 0, ret_names));
}

int snapshot_auto_read(struct request *req, const char *name, json_t **ret_config)
{
    return said(req, txn_get(req->txn, arena_printf(&req->arena, AUTO_CONFIG_DIR "%s", name), ret_config));
}

/* ---- Writing ---- */

static int check_file_prefix(struct request *req, const char *prefix)
{
    size_t len = strlen(prefix);
    if (len > 0 && len <= FILE_PREFIX_MAX && prefix[0] != '.' &&
        strspn(prefix, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") == len)
        return OK;
    return fail(req, ERR_INVALID,
                "file_prefix must be 1 to %d letters, digits, '.', '_' or '-', not beginning with '.'",
                FILE_PREFIX_MAX);
}

static int check(struct request *req, const json_t *config)
{
    const struct auto_place *place = auto_place_find(json_str(config, "storage_type", ""));
    int64_t interval_s = json_int(config, "interval", 0), retain = json_int(config, "retain", 0);
    if (place == NULL)
        return fail(req, ERR_INVALID, "storage_type must be local or aws-s3; others are not supported");
    if (interval_s < INTERVAL_S_MIN || interval_s > INTERVAL_S_MAX)
        return fail(req, ERR_INVALID, "interval must be given, from one second to a year");
    if (retain < 1 || retain > RETAIN_MAX)
        return fail(req, ERR_INVALID, "retain must be 1 to %d", RETAIN_MAX);
    int rc = check_file_prefix(req, json_str(config, "file_prefix", ""));
    return rc == OK ? place->check(req, config) : rc;
}

/* It is due from now on: what it says of the next time is forgotten, not what it says of the last one. */
static int make_due(struct request *req, const char *name)
{
    json_t *status = NULL;
    const char *path = arena_printf(&req->arena, AUTO_STATUS_DIR "%s", name);
    int rc = txn_get(req->txn, path, &status);
    if (rc == ERR_NOTFOUND)
        return OK;
    if (rc != OK)
        return said(req, rc);
    json_object_del(status, "next_ms");
    rc = said(req, txn_put(req->txn, path, status));
    json_decref(status);
    return rc;
}

int snapshot_auto_write(struct request *req, const char *name, const json_t *config)
{
    int rc = check(req, config);
    if (rc == OK)
        rc = said(req, txn_put(req->txn, arena_printf(&req->arena, AUTO_CONFIG_DIR "%s", name), config));
    if (rc == OK)
        rc = make_due(req, name);
    return rc;
}

int snapshot_auto_delete(struct request *req, const char *name)
{
    int rc = txn_delete(req->txn, arena_printf(&req->arena, AUTO_CONFIG_DIR "%s", name));
    if (rc == OK)
        rc = txn_delete(req->txn, arena_printf(&req->arena, AUTO_STATUS_DIR "%s", name));
    return said(req, rc);
}

/* ---- How it went ---- */

static json_t *time_of(const json_t *status, const char *key, int64_t usual_ms)
{
    char text[40] = NEVER;
    int64_t ms = json_int(status, key, usual_ms);
    if (ms > 0)
        clock_format_rfc3339(ms * 1000000, text, sizeof text);
    return json_string(text);
}

int snapshot_auto_status(struct request *req, const char *name, json_t **ret_status)
{
    json_t *config, *status = NULL;
    int rc = snapshot_auto_read(req, name, &config);
    if (rc != OK)
        return rc;
    json_decref(config);
    rc = said(req, txn_get(req->txn, arena_printf(&req->arena, AUTO_STATUS_DIR "%s", name), &status));
    if (rc != OK && rc != ERR_NOTFOUND)
        return rc;
    int64_t now_ms = request_time_ns(req) / 1000000;
    *ret_status = json_pack(
        "{s:I, s:o, s:s, s:o, s:s, s:o, s:o, s:s}", "consecutive_errors", (json_int_t)json_int(status, "errors", 0),
        "last_snapshot_end", time_of(status, "last_end_ms", 0), "last_snapshot_error", json_str(status, "error", ""),
        "last_snapshot_start", time_of(status, "last_start_ms", 0), "last_snapshot_url",
        json_str(status, "last_url", ""), "next_snapshot_start", time_of(status, "next_ms", now_ms), "snapshot_start",
        time_of(status, "start_ms", 0), "snapshot_url", json_str(status, "url", ""));
    json_decref(status);
    return OK;
}
