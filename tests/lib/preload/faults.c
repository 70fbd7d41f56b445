/* SPDX-License-Identifier: Apache-2.0 */
/*
 * faults.c — LD_PRELOAD: moves the wall clock and breaks the disk of one process, at run time.
 *
 * COFFER_FAULTS names a file of the size of `struct control`, which is mapped: what a test writes there
 * (tests/lib/faults.py) holds from the next call on. Zeroes change nothing.
 *
 * The wall clock is what clock_gettime(CLOCK_REALTIME), gettimeofday() and time() say; the steady clocks stay true,
 * and so does whatever the kernel counts by its own wall clock. Files are chosen by a part of their path.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum call { CALL_WRITE, CALL_SYNC, CALL_READ, CALLS };

/* Native byte order; tests/lib/faults.py writes the same. */
struct control {
    int64_t wall_shift_ns;
    struct {
        int32_t code;     /* errno to fail with; 0: does not fail */
        int32_t delay_ms; /* before each call */
        char path[256];   /* files whose path contains this */
    } calls[CALLS];
};

static const volatile struct control *control;

__attribute__((constructor)) static void map_control(void)
{
    const char *path = getenv("COFFER_FAULTS");
    int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    void *mapped = mmap(NULL, sizeof *control, PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    if (mapped != MAP_FAILED)
        control = mapped;
}

#define NEXT(name) ((__typeof__(&name))next(#name))

static void *next(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);
    if (found == NULL)
        abort();
    return found;
}

/* ---- The wall clock ---- */

static int64_t shift_ns(void)
{
    return control != NULL ? control->wall_shift_ns : 0;
}

static int64_t shifted(int64_t seconds, int64_t ns)
{
    return seconds * 1000000000 + ns + shift_ns();
}

int clock_gettime(clockid_t id, struct timespec *ret)
{
    static __typeof__(&clock_gettime) real;
    if (real == NULL)
        real = NEXT(clock_gettime);
    int rc = real(id, ret);
    if (rc == 0 && shift_ns() != 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) {
        int64_t ns = shifted(ret->tv_sec, ret->tv_nsec);
        *ret = (struct timespec){.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
    }
    return rc;
}

int gettimeofday(struct timeval *restrict ret, void *restrict zone)
{
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    *ret = (struct timeval){.tv_sec = now.tv_sec, .tv_usec = now.tv_nsec / 1000};
    return 0;
}

time_t time(time_t *ret)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (ret != NULL)
        *ret = now.tv_sec;
    return now.tv_sec;
}

/* ---- The disk ---- */

static bool is_meant(int fd, const volatile char *part)
{
    char link[64], path[PATH_MAX], wanted[sizeof control->calls[0].path];
    for (size_t i = 0; i < sizeof wanted; i++)
        wanted[i] = part[i];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, path, sizeof path - 1);
    if (len <= 0)
        return false;
    path[len] = '\0';
    return path[0] == '/' && strstr(path, wanted) != NULL;
}

/* Whether a call must fail; errno is set then. */
static bool fails(enum call call, int fd)
{
    if (control == NULL || (control->calls[call].code == 0 && control->calls[call].delay_ms == 0) ||
        !is_meant(fd, control->calls[call].path))
        return false;
    if (control->calls[call].delay_ms > 0)
        usleep((useconds_t)control->calls[call].delay_ms * 1000);
    errno = control->calls[call].code;
    return errno != 0;
}

ssize_t write(int fd, const void *data, size_t len)
{
    static __typeof__(&write) real;
    if (real == NULL)
        real = NEXT(write);
    return fails(CALL_WRITE, fd) ? -1 : real(fd, data, len);
}

ssize_t writev(int fd, const struct iovec *parts, int n)
{
    static __typeof__(&writev) real;
    if (real == NULL)
        real = NEXT(writev);
    return fails(CALL_WRITE, fd) ? -1 : real(fd, parts, n);
}

ssize_t pwrite(int fd, const void *data, size_t len, off_t at)
{
    static __typeof__(&pwrite) real;
    if (real == NULL)
        real = NEXT(pwrite);
    return fails(CALL_WRITE, fd) ? -1 : real(fd, data, len, at);
}

ssize_t pwrite64(int fd, const void *data, size_t len, off64_t at)
{
    return pwrite(fd, data, len, at);
}

ssize_t pwritev(int fd, const struct iovec *parts, int n, off_t at)
{
    static __typeof__(&pwritev) real;
    if (real == NULL)
        real = NEXT(pwritev);
    return fails(CALL_WRITE, fd) ? -1 : real(fd, parts, n, at);
}

ssize_t pwritev64(int fd, const struct iovec *parts, int n, off64_t at)
{
    return pwritev(fd, parts, n, at);
}

int posix_fallocate(int fd, off_t at, off_t len)
{
    static __typeof__(&posix_fallocate) real;
    if (real == NULL)
        real = NEXT(posix_fallocate);
    return fails(CALL_WRITE, fd) ? errno : real(fd, at, len);
}

int fsync(int fd)
{
    static __typeof__(&fsync) real;
    if (real == NULL)
        real = NEXT(fsync);
    return fails(CALL_SYNC, fd) ? -1 : real(fd);
}

int fdatasync(int fd)
{
    static __typeof__(&fdatasync) real;
    if (real == NULL)
        real = NEXT(fdatasync);
    return fails(CALL_SYNC, fd) ? -1 : real(fd);
}

ssize_t read(int fd, void *ret_data, size_t len)
{
    static __typeof__(&read) real;
    if (real == NULL)
        real = NEXT(read);
    return fails(CALL_READ, fd) ? -1 : real(fd, ret_data, len);
}

ssize_t pread(int fd, void *ret_data, size_t len, off_t at)
{
    static __typeof__(&pread) real;
    if (real == NULL)
        real = NEXT(pread);
    return fails(CALL_READ, fd) ? -1 : real(fd, ret_data, len, at);
}
