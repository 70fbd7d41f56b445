/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/file/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"

#define PREFIX_MAX 256

struct audit_file {
    pthread_mutex_t mutex; /* one entry at a time, so that a torn one can be taken back */
    char *path;            /* "stdout", "discard", or a file's */
    char *prefix;          /* with which entries begin */
    mode_t mode;           /* 0: the file's own */
    int fd;                /* -1 for discard */
};

static bool is_file(const struct audit_file *file)
{
    return strcmp(file->path, "stdout") != 0 && strcmp(file->path, "discard") != 0;
}

/*
 * Whoever may enable devices must not be able to spoil other files of the server's user: only a new or empty file, or
 * one that begins as a log does, is written to.
 */
static bool begins_as_log(const struct audit_file *file, int fd)
{
    char first[PREFIX_MAX];
    size_t len = strlen(file->prefix);
    ssize_t n = pread(fd, first, sizeof first, 0);
    return n > 0 && (first[0] == '{' || (len > 0 && (size_t)n >= len && memcmp(first, file->prefix, len) == 0));
}

static int check_file(const struct audit_file *file, int fd, struct err *err)
{
    const char *path = file->path;
    struct stat stat;
    if (fstat(fd, &stat) != 0)
        return err_set(err, ERR_IO, "%s: %s", path, strerror(errno));
    if (!S_ISREG(stat.st_mode))
        return err_set(err, ERR_INVALID, "%s is not a regular file", path);
    if (stat.st_size > 0 && !begins_as_log(file, fd))
        return err_set(err, ERR_INVALID, "%s is there already and is not an audit log", path);
    return OK;
}

static int open_path(const struct audit_file *file, int *ret_fd, struct err *err)
{
    int fd = open(file->path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK, 0600);
    if (fd < 0)
        return err_set(err, ERR_IO, "sanity check failed; unable to open \"%s\" for writing: %s", file->path,
                       strerror(errno));
    int rc = check_file(file, fd, err);
    if (rc == OK && file->mode != 0 && fchmod(fd, file->mode) != 0)
        rc = err_set(err, ERR_IO, "%s: %s", file->path, strerror(errno));
    if (rc == OK)
        *ret_fd = fd;
    else
        close(fd);
    return rc;
}

static int open_target(const struct audit_file *file, int *ret_fd, struct err *err)
{
    if (is_file(file))
        return open_path(file, ret_fd, err);
    *ret_fd = strcmp(file->path, "stdout") == 0 ? fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3) : -1;
    return OK;
}

static int read_mode(const json_t *options, mode_t *ret_mode, struct err *err)
{
    const char *text = json_str(options, "mode", "0600");
    char *end;
    unsigned long mode = strtoul(text, &end, 8);
    if (*text == '\0' || *end != '\0' || mode > 0777)
        return err_set(err, ERR_INVALID, "invalid mode \"%.16s\"", text);
    if (mode & 0111)
        return err_set(err, ERR_INVALID, "the mode of an audit log must not let it be executed");
    *ret_mode = (mode_t)mode;
    return OK;
}

static int make_parent(const char *path, struct err *err)
{
    char parent[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t len = slash != NULL ? (size_t)(slash - path) : 0;
    if (len >= sizeof parent)
        return err_set(err, ERR_INVALID, "the path is too long");
    if (len == 0)
        return OK;
    memcpy(parent, path, len);
    parent[len] = '\0';
    return file_exists(parent) ? OK : file_make_dir(parent, 0700, err);
}

static void file_close(void *state)
{
    struct audit_file *file = state;
    if (file->fd >= 0)
        close(file->fd);
    pthread_mutex_destroy(&file->mutex);
    free(file->path);
    free(file->prefix);
    free(file);
}

static int file_open(const json_t *options, void **ret_state, struct err *err)
{
    const char *path = json_str(options, "file_path", ""), *prefix = json_str(options, "prefix", "");
    mode_t mode = 0;
    if (path[0] == '\0')
        return err_set(err, ERR_INVALID, "file_path is required");
    if (strlen(prefix) > PREFIX_MAX)
        return err_set(err, ERR_INVALID, "the prefix is too long");
    int rc = read_mode(options, &mode, err);
    if (rc != OK)
        return rc;
    struct audit_file *file = calloc(1, sizeof *file);
    if (file == NULL || (file->path = strdup(path)) == NULL || (file->prefix = strdup(prefix)) == NULL)
        abort();
    pthread_mutex_init(&file->mutex, NULL);
    file->mode = mode;
    file->fd = -1;
    rc = is_file(file) ? make_parent(path, err) : OK;
    if (rc == OK)
        rc = open_target(file, &file->fd, err);
    if (rc == OK)
        *ret_state = file;
    else
        file_close(file);
    return rc;
}

/* Under the mutex. The new file is there before the old one goes. */
static int reopen(struct audit_file *file, struct err *err)
{
    int fd;
    int rc = open_target(file, &fd, err);
    if (rc != OK)
        return rc;
    if (file->fd >= 0)
        close(file->fd);
    file->fd = fd;
    return OK;
}

static int file_reopen(void *state, struct err *err)
{
    struct audit_file *file = state;
    pthread_mutex_lock(&file->mutex);
    int rc = reopen(file, err);
    pthread_mutex_unlock(&file->mutex);
    return rc;
}

/* Takes back the part of an entry that found room; a pipe or terminal keeps it. */
static void take_back(const struct audit_file *file, size_t written)
{
    off_t end = is_file(file) && written > 0 ? lseek(file->fd, 0, SEEK_END) : -1;
    if (end >= (off_t)written && ftruncate(file->fd, end - (off_t)written) != 0)
        (void)!write(file->fd, "\n", 1); /* at least the next entry begins on its own line */
}

static int write_all(const struct audit_file *file, const char *line, size_t len, struct err *err)
{
    size_t written = 0;
    while (written < len) {
        ssize_t n = write(file->fd, line + written, len - written);
        if (n > 0) {
            written += (size_t)n;
        } else if (n == 0 || errno != EINTR) {
            int error = n == 0 ? ENOSPC : errno;
            take_back(file, written);
            return err_set(err, error == ENOSPC ? ERR_NOSPACE : ERR_IO, "%s: %s", file->path, strerror(error));
        }
    }
    return OK;
}

static int file_write(void *state, const char *line, size_t len, struct err *err)
{
    struct audit_file *file = state;
    pthread_mutex_lock(&file->mutex);
    int rc = file->fd < 0 ? OK : write_all(file, line, len, err);
    if (rc != OK && is_file(file) && reopen(file, NULL) == OK)
        rc = write_all(file, line, len, err);
    pthread_mutex_unlock(&file->mutex);
    return rc;
}

const struct audit_device audit_file_device = {
    .type = "file",
    .open = file_open,
    .write = file_write,
    .reopen = file_reopen,
    .close = file_close,
};
