/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit.c — the devices that are open on this node, and the writing to them.
 *
 * Whoever logs holds the lock for reading; opening and closing hold it for writing. A stored device that cannot be
 * opened stays in the list: it counts as enabled, and opening it is tried again with each entry.
 */
#include "core/audit/audit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "core/audit/audit_private.h"
#include "core/audit/audit_writer.h"
#include "core/core_private.h"
#include "storage/txn.h"

struct open_device {
    struct open_device *next;
    char *path;
    const struct audit_device *device; /* NULL: not in this binary */
    json_t *record;
    struct audit_format *format;
    pthread_mutex_t mutex;       /* guards state while it is opened late */
    void *state;                 /* NULL: not open, or the writer's */
    struct audit_writer *writer; /* of a device that may hang; NULL: not open, or written to at once */
};

struct audit {
    struct core *core;
    pthread_rwlock_t lock;
    struct open_device *devices;
    json_t *header_rules; /* audit_header_rules_load() */
    atomic_int n_devices; /* so that without any, nobody takes the lock */
};

struct audit *audit_new(struct core *core)
{
    struct audit *audit = calloc(1, sizeof *audit);
    if (audit == NULL)
        abort();
    audit->core = core;
    audit->header_rules = json_object();
    pthread_rwlock_init(&audit->lock, NULL);
    return audit;
}

void audit_free(struct audit *audit)
{
    if (audit == NULL)
        return;
    audit_close_all(audit);
    json_decref(audit->header_rules);
    pthread_rwlock_destroy(&audit->lock);
    free(audit);
}

/* ---- Opening and closing: with the lock held for writing ---- */

static void close_device(struct open_device *open)
{
    if (open->writer != NULL)
        audit_writer_stop(open->writer);
    if (open->state != NULL)
        open->device->close(open->state);
    audit_format_free(open->format);
    pthread_mutex_destroy(&open->mutex);
    json_decref(open->record);
    free(open->path);
    free(open);
}

/* Under the device's mutex, or before anybody else knows of it. */
static void try_open(struct open_device *open)
{
    struct err err = {0};
    void *state;
    if (open->device == NULL || open->state != NULL || open->writer != NULL)
        return;
    if (open->device->open(json_map_at(open->record, "options"), &state, &err) != OK)
        log_error("audit", "the audit device %s cannot be opened: %s", open->path, err_text(&err));
    else if (open->device->bound_ms != NULL)
        open->writer = audit_writer_start(open->device, state);
    else
        open->state = state;
}

static struct open_device *open_device(struct audit *audit, const char *path, json_t *record)
{
    struct open_device *open = calloc(1, sizeof *open);
    if (open == NULL || (open->path = strdup(path)) == NULL)
        abort();
    pthread_mutex_init(&open->mutex, NULL);
    open->record = json_incref(record);
    open->format = audit_format_new(json_str(record, "salt", ""), json_map_at(record, "options"));
    open->device = audit_device_find(audit->core, json_str(record, "type", ""));
    try_open(open);
    return open;
}

/* Those that are stored no more, or were made anew under the same path. */
static void close_stale(struct audit *audit, const json_t *table)
{
    struct open_device **at = &audit->devices;
    while (*at != NULL) {
        struct open_device *open = *at;
        if (json_equal(json_object_get(table, open->path), open->record)) {
            at = &open->next;
            continue;
        }
        *at = open->next;
        atomic_fetch_sub(&audit->n_devices, 1);
        close_device(open);
    }
}

static bool has_device(const struct audit *audit, const char *path)
{
    for (const struct open_device *open = audit->devices; open != NULL; open = open->next)
        if (strcmp(open->path, path) == 0)
            return true;
    return false;
}

/* Takes over the rules. */
static void set_devices(struct audit *audit, json_t *table, json_t *header_rules)
{
    const char *path;
    json_t *record;
    pthread_rwlock_wrlock(&audit->lock);
    json_decref(audit->header_rules);
    audit->header_rules = header_rules;
    close_stale(audit, table);
    json_object_foreach(table, path, record)
    {
        if (has_device(audit, path))
            continue;
        struct open_device *open = open_device(audit, path, record);
        open->next = audit->devices;
        audit->devices = open;
        atomic_fetch_add(&audit->n_devices, 1);
    }
    pthread_rwlock_unlock(&audit->lock);
}

static int sync_with(struct audit *audit, struct txn *txn)
{
    json_t *table, *header_rules;
    int rc = audit_table_load(txn, &table);
    if (rc != OK)
        return rc;
    rc = audit_header_rules_load(txn, &header_rules);
    if (rc == OK)
        set_devices(audit, table, header_rules);
    json_decref(table);
    return rc;
}

int audit_sync(struct audit *audit, struct request *req)
{
    int rc = sync_with(audit, req->txn);
    if (rc != OK)
        return fail(req, rc, "the table of audit devices cannot be read: %s", err_default_text(rc));
    return OK;
}

void audit_reopen(struct audit *audit)
{
    struct err err = {0};
    pthread_rwlock_wrlock(&audit->lock);
    for (struct open_device *open = audit->devices; open != NULL; open = open->next)
        if (open->writer != NULL)
            audit_writer_reopen(open->writer);
        else if (open->state != NULL && open->device->reopen(open->state, &err) != OK)
            log_error("audit", "the audit device %s cannot be reopened: %s", open->path, err_text(&err));
    pthread_rwlock_unlock(&audit->lock);
}

void audit_close_all(struct audit *audit)
{
    json_t *none = json_object();
    set_devices(audit, none, json_object());
    json_decref(none);
}

/* ---- Writing ---- */

static int write_line(struct open_device *open, const struct buf *line, struct err *err)
{
    pthread_mutex_lock(&open->mutex);
    try_open(open);
    void *state = open->state;
    struct audit_writer *writer = open->writer;
    pthread_mutex_unlock(&open->mutex);
    if (writer != NULL)
        return audit_writer_put(writer, (const char *)line->data, line->len, err);
    if (state == NULL)
        return err_set(err, ERR_IO, "it is not open");
    return open->device->write(state, (const char *)line->data, line->len, err);
}

typedef void entry_format(const struct audit_format *format, const json_t *header_rules, const struct request *req,
                          struct buf *ret_line);

static bool write_to(struct open_device *open, const json_t *header_rules, const struct request *req,
                     entry_format *format)
{
    struct buf line = BUF_INIT;
    struct err err = {0};
    format(open->format, header_rules, req, &line);
    int rc = write_line(open, &line, &err);
    if (rc != OK)
        log_error("audit", "the audit device %s did not take an entry: %s", open->path, err_text(&err));
    buf_close(&line);
    return rc == OK;
}

static int log_entry(struct request *req, entry_format *format)
{
    struct audit *audit = req->core->audit;
    int n_tried = 0, n_taken = 0;
    if (atomic_load_explicit(&audit->n_devices, memory_order_acquire) == 0)
        return OK;
    pthread_rwlock_rdlock(&audit->lock);
    for (struct open_device *open = audit->devices; open != NULL; open = open->next) {
        n_tried++;
        n_taken += write_to(open, audit->header_rules, req, format);
    }
    pthread_rwlock_unlock(&audit->lock);
    if (n_tried == 0)
        return OK;
    core_note_audit(req->core, n_taken > 0);
    if (n_taken > 0)
        return OK;
    if (req->route != NULL && (req->route->flags & ROUTE_RESCUES) != 0) {
        log_warn("audit", "no audit device took the entry of a %s, which goes on all the same", req->route->path);
        return OK;
    }
    return fail(req, ERR_INTERNAL, "internal error");
}

static bool changes_audit(const struct request *req)
{
    bool is_write = req->operation != OP_READ && req->operation != OP_LIST && req->operation != OP_HELP;
    return req->rc == OK && is_write &&
           (strncmp(req->path, "sys/audit/", 10) == 0 || strncmp(req->path, "sys/config/auditing/", 20) == 0);
}

/* The request enabled or disabled something; it is committed, but its own snapshot does not show it. */
static void sync_after(struct request *req)
{
    struct txn *txn;
    if (!changes_audit(req) || txn_begin(req->core->store, req->core->barrier, &txn, NULL) != OK)
        return;
    int rc = sync_with(req->core->audit, txn);
    if (rc != OK)
        log_error("audit", "what was changed could not be read: %s", err_default_text(rc));
    txn_free(txn);
}

int audit_log_request(struct request *req)
{
    return log_entry(req, audit_entry_request);
}

int audit_log_response(struct request *req)
{
    sync_after(req);
    return log_entry(req, audit_entry_response);
}
