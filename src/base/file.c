/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_SIZE 4096

static int say_errno(struct err *err, const char *what, const char *path)
{
    int code = errno == ENOENT ? ERR_NOTFOUND : errno == ENOSPC || errno == EDQUOT ? ERR_NOSPACE : ERR_IO;
    return err_set(err, code, "cannot %s %s: %s", what, path, strerror(errno));
}

int file_read(const char *path, size_t max, struct buf *ret, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return say_errno(err, "open", path);
    int rc = OK;
    size_t start = ret->len;
    for (;;) {
        buf_reserve(ret, 4096);
        ssize_t n = read(fd, ret->data + ret->len, ret->cap - ret->len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            rc = say_errno(err, "read", path);
        if (n <= 0)
            break;
        ret->len += (size_t)n;
        if (ret->len - start > max) {
            rc = err_set(err, ERR_TOO_LARGE, "%s is larger than %zu bytes", path, max);
            break;
        }
    }
    close(fd);
    if (rc != OK)
        ret->len = start;
    return rc;
}

static int write_all(int fd, const void *data, size_t len)
{
    const char *at = data;
    while (len > 0) {
        ssize_t n = write(fd, at, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        at += n;
        len -= (size_t)n;
    }
    return 0;
}

static int sync_parent(const char *path)
{
    char copy[PATH_SIZE];
    snprintf(copy, sizeof copy, "%s", path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    int rc = fsync(fd);
    close(fd);
    return rc;
}

int file_replace(const char *path, const void *data, size_t len, mode_t mode, struct err *err)
{
    char temporary[PATH_SIZE];
    if (snprintf(temporary, sizeof temporary, "%s.new", path) >= (int)sizeof temporary)
        return err_set(err, ERR_INVALID, "the path %.64s… is too long", path);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    if (fd < 0)
        return say_errno(err, "create", temporary);
    int failed = fchmod(fd, mode) != 0 || write_all(fd, data, len) != 0 || fsync(fd) != 0;
    failed = close(fd) != 0 || failed;
    if (failed || rename(temporary, path) != 0 || sync_parent(path) != 0) {
        int rc = say_errno(err, "write", path);
        unlink(temporary);
        return rc;
    }
    return OK;
}

int file_make_dir(const char *path, mode_t mode, struct err *err)
{
    char copy[PATH_SIZE];
    if (snprintf(copy, sizeof copy, "%s", path) >= (int)sizeof copy)
        return err_set(err, ERR_INVALID, "the path %.64s… is too long", path);
    for (char *at = copy + 1;; at++) {
        char c = *at;
        if (c != '/' && c != '\0')
            continue;
        *at = '\0';
        if (mkdir(copy, mode) != 0 && errno != EEXIST)
            return say_errno(err, "make the directory", copy);
        *at = c;
        if (c == '\0')
            return OK;
    }
}

int file_make_nameless(const char *dir, int *ret_fd, struct err *err)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/nameless-XXXXXX", dir);
    int fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0)
        return err_set(err, errno == ENOSPC || errno == EDQUOT ? ERR_NOSPACE : ERR_IO, "cannot make a file in %s: %s",
                       dir, strerror(errno));
    unlink(path);
    *ret_fd = fd;
    return OK;
}

bool file_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *ftw)
{
    (void)info, (void)kind, (void)ftw;
    return remove(path);
}

int file_remove_tree(const char *path, struct err *err)
{
    if (nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0 && errno != ENOENT)
        return say_errno(err, "remove", path);
    return OK;
}

bool file_lost_writes(int fd)
{
    return fdatasync(fd) != 0;
}

int file_lock_dir(const char *dir, int *ret_fd, struct err *err)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/lock", dir);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return say_errno(err, "open", path);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        close(fd);
        return err_set(err, ERR_IO, "%s is in use by another process", dir);
    }
    *ret_fd = fd;
    return OK;
}
