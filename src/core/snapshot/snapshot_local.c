/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snapshot_local.c — storage_type "local": snapshots in a directory of the active node.
 *
 * A file has a name of its own only once it is whole and on the disk. What a crash has left of one begins with a dot
 * and ends in ".part"; it is removed before the next is written. Other files in the directory are not touched.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "core/request/request.h"
#include "core/snapshot/snapshot_auto_private.h"

#define COPY_SIZE   (256u << 10)
#define PART_SUFFIX ".part"
#define PATH_SIZE   4096

static const char *directory(const json_t *config)
{
    return json_str(config, "path_prefix", "");
}

static int check(struct request *req, const json_t *config)
{
    const char *dir = directory(config);
    if (dir[0] != '/' || strlen(dir) > PATH_SIZE / 2)
        return fail(req, ERR_INVALID, "path_prefix must be the absolute path of a directory");
    if (json_int(config, "local_max_space", 0) < 1)
        return fail(req, ERR_INVALID, "local_max_space must be given: how many bytes all snapshots there may take");
    return OK;
}

static void url(const json_t *config, const char *file_name, char ret[AUTO_URL_MAX])
{
    const char *dir = directory(config);
    bool has_slash = dir[0] != '\0' && dir[strlen(dir) - 1] == '/';
    snprintf(ret, AUTO_URL_MAX, "file://%s%s%s", dir, has_slash ? "" : "/", file_name);
}

static int io_error(struct err *err, const char *what, const char *name)
{
    return err_set(err, errno == ENOSPC || errno == EDQUOT ? ERR_NOSPACE : ERR_IO, "cannot %s %s: %s", what, name,
                   strerror(errno));
}

/* ---- What is there ---- */

struct listing {
    char **names; /* the oldest first */
    size_t n;
    uint64_t bytes;
};

static void listing_close(struct listing *listing)
{
    for (size_t i = 0; i < listing->n; i++)
        free(listing->names[i]);
    free(listing->names);
}

/* "<prefix>-<digits>.snap" */
static bool is_ours(const char *name, const char *prefix)
{
    size_t len = strlen(prefix);
    if (strncmp(name, prefix, len) != 0 || name[len] != '-')
        return false;
    const char *digits = name + len + 1;
    size_t n = strspn(digits, "0123456789");
    return n > 0 && strcmp(digits + n, AUTO_SUFFIX) == 0;
}

/* The times are of so many digits each. */
static int by_time(const void *a, const void *b)
{
    const char *left = *(char *const *)a, *right = *(char *const *)b;
    size_t n = strlen(left), m = strlen(right);
    return n != m ? (n < m ? -1 : 1) : strcmp(left, right);
}

static void add_name(struct listing *listing, const char *name, uint64_t size)
{
    if (listing->n % 64 == 0)
        listing->names = realloc(listing->names, (listing->n + 64) * sizeof *listing->names);
    char *copy = strdup(name);
    if (listing->names == NULL || copy == NULL)
        abort();
    listing->names[listing->n++] = copy;
    listing->bytes += size;
}

static void look_at(int dir_fd, const char *name, const char *prefix, struct listing *listing)
{
    struct stat info;
    size_t len = strlen(name), end = strlen(PART_SUFFIX);
    if (name[0] == '.' && len > end && strcmp(name + len - end, PART_SUFFIX) == 0) {
        char whole[NAME_MAX + 1];
        snprintf(whole, sizeof whole, "%.*s", (int)(len - 1 - end), name + 1);
        if (is_ours(whole, prefix))
            unlinkat(dir_fd, name, 0);
    } else if (is_ours(name, prefix) && fstatat(dir_fd, name, &info, AT_SYMLINK_NOFOLLOW) == 0 &&
               S_ISREG(info.st_mode)) {
        add_name(listing, name, (uint64_t)info.st_size);
    }
}

/* dir_fd stays the caller's. */
static int list(int dir_fd, const struct auto_job *job, struct listing *ret, struct err *err)
{
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *entry;
    if (dir == NULL) {
        int rc = io_error(err, "list", directory(job->config));
        if (fd >= 0)
            close(fd);
        return rc;
    }
    *ret = (struct listing){0};
    while ((entry = readdir(dir)) != NULL)
        look_at(dir_fd, entry->d_name, json_str(job->config, "file_prefix", ""), ret);
    closedir(dir);
    if (ret->n > 0)
        qsort(ret->names, ret->n, sizeof *ret->names, by_time);
    return OK;
}

/* ---- Putting one there ---- */

static int check_space(int dir_fd, const struct auto_job *job, struct err *err)
{
    struct listing listing;
    uint64_t allowed = (uint64_t)json_int(job->config, "local_max_space", 0), size = job->file.size;
    int rc = list(dir_fd, job, &listing, err);
    if (rc != OK)
        return rc;
    if (listing.bytes + size > allowed)
        rc = err_set(err, ERR_NOSPACE,
                     "local_max_space allows %llu bytes in %s: %zu snapshots take %llu, and this one %llu more",
                     (unsigned long long)allowed, directory(job->config), listing.n, (unsigned long long)listing.bytes,
                     (unsigned long long)size);
    listing_close(&listing);
    return rc == OK ? snapshot_check_room(directory(job->config), size, err) : rc;
}

static bool write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n < 0)
            return false;
        data += n;
        len -= (size_t)n;
    }
    return true;
}

static int copy(const struct auto_job *job, int to, struct err *err)
{
    char *buffer = malloc(COPY_SIZE);
    off_t at = job->file.offset, end = at + (off_t)job->file.size;
    int rc = OK;
    if (buffer == NULL)
        abort();
    while (rc == OK && at < end) {
        size_t want = end - at < (off_t)COPY_SIZE ? (size_t)(end - at) : COPY_SIZE;
        ssize_t n = pread(job->file.fd, buffer, want, at);
        if (*job->is_off)
            rc = err_set(err, ERR_UNAVAILABLE, "this node is not active any more");
        else if (n <= 0)
            rc = err_set(err, ERR_IO, "the snapshot that was put together cannot be read");
        else if (!write_all(to, buffer, (size_t)n))
            rc = io_error(err, "write to", directory(job->config));
        at += n;
    }
    free(buffer);
    return rc;
}

static int write_part(const struct auto_job *job, int dir_fd, const char *part, struct err *err)
{
    int fd = openat(dir_fd, part, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return io_error(err, "make a file in", directory(job->config));
    int rc = copy(job, fd, err);
    if (rc == OK && fsync(fd) != 0)
        rc = io_error(err, "write to", directory(job->config));
    if (close(fd) != 0 && rc == OK)
        rc = io_error(err, "write to", directory(job->config));
    return rc;
}

static int open_directory(const struct auto_job *job, int *ret_fd, struct err *err)
{
    int rc = file_make_dir(directory(job->config), 0700, err);
    if (rc != OK)
        return rc;
    *ret_fd = open(directory(job->config), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return *ret_fd >= 0 ? OK : io_error(err, "open", directory(job->config));
}

static int put(struct auto_job *job, struct err *err)
{
    char part[NAME_MAX + 1];
    int dir_fd;
    int rc = open_directory(job, &dir_fd, err);
    if (rc != OK)
        return rc;
    snprintf(part, sizeof part, ".%s" PART_SUFFIX, job->file_name);
    rc = check_space(dir_fd, job, err);
    if (rc == OK) {
        rc = write_part(job, dir_fd, part, err);
        if (rc == OK && (renameat(dir_fd, part, dir_fd, job->file_name) != 0 || fsync(dir_fd) != 0))
            rc = io_error(err, "write to", directory(job->config));
        if (rc != OK)
            unlinkat(dir_fd, part, 0);
    }
    close(dir_fd);
    return rc;
}

static int trim(struct auto_job *job, struct err *err)
{
    struct listing listing;
    size_t retain = (size_t)json_int(job->config, "retain", 1);
    int dir_fd;
    int rc = open_directory(job, &dir_fd, err);
    if (rc != OK)
        return rc;
    rc = list(dir_fd, job, &listing, err);
    if (rc == OK) {
        for (size_t i = 0; i + retain < listing.n && rc == OK; i++)
            if (unlinkat(dir_fd, listing.names[i], 0) != 0 && errno != ENOENT)
                rc = io_error(err, "remove", listing.names[i]);
        listing_close(&listing);
    }
    close(dir_fd);
    return rc;
}

const struct auto_place auto_place_local = {.type = "local", .check = check, .url = url, .put = put, .trim = trim};
