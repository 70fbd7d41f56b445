/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A device that hangs until it is told to go on; the bound is short, so that the tests are.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "core/audit/audit_writer.h"

#include <cmocka.h> /* after engine.h: it makes a macro of fail */

#define BOUND_MS 200

struct pipe_device {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool hangs, fails, is_closed;
    int n_written, n_reopened;
};

static struct pipe_device device = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static int device_bound_ms(const void *state)
{
    (void)state;
    return BOUND_MS;
}

static int device_write(void *state, const char *line, size_t len, struct err *err)
{
    struct pipe_device *self = state;
    (void)line;
    pthread_mutex_lock(&self->mutex);
    while (self->hangs)
        pthread_cond_wait(&self->changed, &self->mutex);
    bool fails = self->fails;
    self->n_written += !fails;
    pthread_mutex_unlock(&self->mutex);
    assert_int_equal(len, 2);
    return fails ? err_set(err, ERR_IO, "it broke") : OK;
}

static int device_reopen(void *state, struct err *err)
{
    struct pipe_device *self = state;
    (void)err;
    pthread_mutex_lock(&self->mutex);
    self->n_reopened++;
    pthread_mutex_unlock(&self->mutex);
    return OK;
}

static void device_close(void *state)
{
    struct pipe_device *self = state;
    pthread_mutex_lock(&self->mutex);
    self->is_closed = true;
    pthread_mutex_unlock(&self->mutex);
}

static const struct audit_device type = {
    .type = "test", .bound_ms = device_bound_ms, .write = device_write, .reopen = device_reopen, .close = device_close};

static void set(bool hangs, bool fails)
{
    pthread_mutex_lock(&device.mutex);
    device.hangs = hangs;
    device.fails = fails;
    pthread_cond_broadcast(&device.changed);
    pthread_mutex_unlock(&device.mutex);
}

static int read_flag(const int *value)
{
    pthread_mutex_lock(&device.mutex);
    int now = *value;
    pthread_mutex_unlock(&device.mutex);
    return now;
}

static bool is_closed(void)
{
    pthread_mutex_lock(&device.mutex);
    bool now = device.is_closed;
    pthread_mutex_unlock(&device.mutex);
    return now;
}

static int setup(void **state)
{
    device.n_written = device.n_reopened = 0;
    device.hangs = device.fails = device.is_closed = false;
    *state = audit_writer_start(&type, &device);
    return 0;
}

static void *put_many(void *arg)
{
    struct err err = {0};
    for (int i = 0; i < 200; i++)
        if (audit_writer_put(arg, "x\n", 2, &err) != OK)
            return arg;
    return NULL;
}

static void test_many_threads(void **state)
{
    pthread_t threads[4];
    void *failed;
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, put_many, *state), 0);
    for (size_t i = 0; i < 4; i++) {
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    assert_int_equal(read_flag(&device.n_written), 800);
    audit_writer_stop(*state);
    assert_true(is_closed());
}

static void test_failing(void **state)
{
    struct err err = {0};
    set(false, true);
    assert_int_equal(audit_writer_put(*state, "x\n", 2, &err), ERR_IO);
    assert_string_equal(err_text(&err), "it broke");
    set(false, false);
    assert_int_equal(audit_writer_put(*state, "x\n", 2, &err), OK);
    audit_writer_reopen(*state);
    assert_int_equal(audit_writer_put(*state, "x\n", 2, &err), OK);
    assert_int_equal(read_flag(&device.n_reopened), 1);
    audit_writer_stop(*state);
}

static void test_hanging(void **state)
{
    struct err err = {0};
    set(true, false);
    int64_t since_ms = clock_steady_ms();
    assert_int_equal(audit_writer_put(*state, "x\n", 2, &err), ERR_TIMEOUT);
    assert_true(clock_steady_ms() - since_ms >= BOUND_MS);
    since_ms = clock_steady_ms();
    for (int i = 0; i < 1000; i++)
        assert_int_equal(audit_writer_put(*state, "x\n", 2, &err), ERR_TIMEOUT);
    assert_true(clock_steady_ms() - since_ms < 1000 * BOUND_MS); /* nobody waits a second time */
    assert_int_equal(read_flag(&device.n_written), 0);
    set(false, false);
    while (audit_writer_put(*state, "x\n", 2, &err) != OK)
        usleep(1000);
    audit_writer_stop(*state);
    assert_true(is_closed());
}

static void test_stopping(void **state)
{
    struct err err = {0};
    set(true, false);
    assert_int_equal(audit_writer_put(*state, "x\n", 2, &err), ERR_TIMEOUT);
    audit_writer_stop(*state); /* returns all the same */
    assert_false(is_closed());
    set(false, false);
    while (!is_closed())
        usleep(1000);
    usleep(50000); /* the thread frees what is its own: for the sanitizers */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"each entry of many threads is written once", test_many_threads, setup, NULL, NULL},
        {"a failure is told, and the next entry is tried", test_failing, setup, NULL, NULL},
        {"a device that hangs costs the bound once, and comes back by itself", test_hanging, setup, NULL, NULL},
        {"a device that hangs does not keep its writer from being stopped", test_stopping, setup, NULL, NULL},
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
