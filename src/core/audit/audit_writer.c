/* SPDX-License-Identifier: Apache-2.0 */
#include "core/audit/audit_writer.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/cond.h"

struct entry {
    struct entry *next;
    struct buf line;
    bool is_done;
    bool is_left; /* nobody waits for it any more: the thread frees it */
    struct err err;
};

struct audit_writer {
    const struct audit_device *device;
    void *state; /* the thread's */
    int bound_ms;
    pthread_t thread;
    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t changed;
    struct entry *first, **last; /* those that wait; without the one that is being written */
    bool is_writing;
    bool is_hanging;
    bool is_stopping;
    bool is_over; /* the thread has closed the device */
    bool is_left; /* the thread frees the writer */
    bool wants_reopen;
};

static void entry_free(struct entry *entry)
{
    buf_close(&entry->line);
    free(entry);
}

static void writer_free(struct audit_writer *writer)
{
    while (writer->first != NULL) {
        struct entry *entry = writer->first;
        writer->first = entry->next;
        entry_free(entry);
    }
    pthread_mutex_destroy(&writer->mutex);
    pthread_cond_destroy(&writer->changed);
    free(writer);
}

/* ---- The thread; the functions are called with the mutex held ---- */

static struct entry *take(struct audit_writer *writer)
{
    struct entry *entry = writer->first;
    writer->first = entry->next;
    if (writer->first == NULL)
        writer->last = &writer->first;
    return entry;
}

/* Lets go of the mutex while it writes. Failing slowly is hanging, too: the next one would wait as long. */
static void write_one(struct audit_writer *writer)
{
    struct entry *entry = take(writer);
    bool is_reopening = writer->wants_reopen;
    int64_t since_ms = clock_steady_ms();
    int rc = OK;
    writer->wants_reopen = false;
    writer->is_writing = true;
    pthread_mutex_unlock(&writer->mutex);
    if (is_reopening)
        rc = writer->device->reopen(writer->state, &entry->err);
    if (rc == OK)
        rc = writer->device->write(writer->state, (const char *)entry->line.data, entry->line.len, &entry->err);
    bool is_slow = clock_steady_ms() - since_ms >= writer->bound_ms / 2;
    pthread_mutex_lock(&writer->mutex);
    writer->is_writing = false;
    writer->is_hanging = rc != OK && (writer->is_hanging || is_slow);
    entry->err.code = rc;
    entry->is_done = true;
    if (entry->is_left)
        entry_free(entry);
    pthread_cond_broadcast(&writer->changed);
}

static void *run(void *arg)
{
    struct audit_writer *writer = arg;
    pthread_mutex_lock(&writer->mutex);
    while (!writer->is_stopping) {
        if (writer->first != NULL)
            write_one(writer);
        else
            pthread_cond_wait(&writer->changed, &writer->mutex);
    }
    pthread_mutex_unlock(&writer->mutex);
    writer->device->close(writer->state);
    pthread_mutex_lock(&writer->mutex);
    bool is_left = writer->is_left;
    writer->is_over = true;
    pthread_cond_broadcast(&writer->changed);
    pthread_mutex_unlock(&writer->mutex);
    if (is_left)
        writer_free(writer);
    return NULL;
}

/* ---- Its clients ---- */

struct audit_writer *audit_writer_start(const struct audit_device *device, void *state)
{
    struct audit_writer *writer = calloc(1, sizeof *writer);
    if (writer == NULL)
        abort();
    writer->device = device;
    writer->state = state;
    writer->bound_ms = device->bound_ms(state);
    writer->last = &writer->first;
    pthread_mutex_init(&writer->mutex, NULL);
    cond_init(&writer->changed);
    if (pthread_create(&writer->thread, NULL, run, writer) != 0)
        abort();
    return writer;
}

static struct entry *enqueue(struct audit_writer *writer, const char *line, size_t len)
{
    struct entry *entry = calloc(1, sizeof *entry);
    if (entry == NULL)
        abort();
    buf_put(&entry->line, line, len);
    *writer->last = entry;
    writer->last = &entry->next;
    pthread_cond_broadcast(&writer->changed);
    return entry;
}

static void unlink_entry(struct audit_writer *writer, struct entry *entry)
{
    for (struct entry **at = &writer->first; *at != NULL; at = &(*at)->next) {
        if (*at != entry)
            continue;
        *at = entry->next;
        if (writer->last == &entry->next)
            writer->last = at;
        entry_free(entry);
        return;
    }
    entry->is_left = true; /* it is being written */
}

static int say_hanging(const struct audit_writer *writer, struct err *err)
{
    return err_set(err, ERR_TIMEOUT, "it hangs: an entry was not taken within %d ms", writer->bound_ms);
}

/* With the mutex held. Keeps trying, without waiting. */
static int put_hanging(struct audit_writer *writer, const char *line, size_t len, struct err *err)
{
    if (!writer->is_writing && writer->first == NULL)
        enqueue(writer, line, len)->is_left = true;
    return say_hanging(writer, err);
}

static int put_waiting(struct audit_writer *writer, const char *line, size_t len, struct err *err)
{
    struct timespec deadline = cond_deadline(writer->bound_ms);
    struct entry *entry = enqueue(writer, line, len);
    int waited = 0;
    while (!entry->is_done && waited == 0)
        waited = pthread_cond_timedwait(&writer->changed, &writer->mutex, &deadline);
    if (!entry->is_done) {
        writer->is_hanging = true;
        unlink_entry(writer, entry);
        return say_hanging(writer, err);
    }
    int rc = entry->err.code;
    if (rc != OK)
        err_set(err, rc, "%s", err_text(&entry->err));
    entry_free(entry);
    return rc;
}

int audit_writer_put(struct audit_writer *writer, const char *line, size_t len, struct err *err)
{
    pthread_mutex_lock(&writer->mutex);
    int rc = (writer->is_hanging ? put_hanging : put_waiting)(writer, line, len, err);
    pthread_mutex_unlock(&writer->mutex);
    return rc;
}

void audit_writer_reopen(struct audit_writer *writer)
{
    pthread_mutex_lock(&writer->mutex);
    writer->wants_reopen = true;
    pthread_mutex_unlock(&writer->mutex);
}

void audit_writer_stop(struct audit_writer *writer)
{
    struct timespec deadline = cond_deadline(writer->bound_ms);
    int waited = 0;
    pthread_mutex_lock(&writer->mutex);
    writer->is_stopping = true;
    pthread_cond_broadcast(&writer->changed);
    while (!writer->is_over && !writer->is_hanging && waited == 0)
        waited = pthread_cond_timedwait(&writer->changed, &writer->mutex, &deadline);
    bool is_over = writer->is_over;
    writer->is_left = !is_over;
    pthread_t thread = writer->thread;
    pthread_mutex_unlock(&writer->mutex);
    if (!is_over) {
        pthread_detach(thread);
        return;
    }
    pthread_join(thread, NULL);
    writer_free(writer);
}
