/* SPDX-License-Identifier: Apache-2.0 */
#define SYSLOG_NAMES /* facilitynames */
#include "audit/syslog/syslog.h"

#include <errno.h>
#include <paths.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/json.h"

#define BOUND_MS 2000
#define TAG_MAX  64
#define ROOM     (1 << 20) /* asked for; the kernel gives what net.core.wmem_max allows */

struct audit_syslog {
    int facility;
    char tag[TAG_MAX + 1];
    int fd; /* -1: not connected */
};

/* ---- Options ---- */

static int read_facility(const char *name, int *ret_facility, struct err *err)
{
    for (const CODE *code = facilitynames; code->c_name != NULL; code++) {
        if (strcasecmp(code->c_name, name) == 0) {
            *ret_facility = code->c_val;
            return OK;
        }
    }
    return err_set(err, ERR_INVALID, "invalid syslog facility: %.32s", name);
}

static int read_tag(const char *tag, char ret_tag[TAG_MAX + 1], struct err *err)
{
    size_t len = strlen(tag);
    for (size_t i = 0; i < len; i++)
        if (tag[i] <= ' ' || tag[i] > '~' || strchr("[]:", tag[i]) != NULL)
            return err_set(err, ERR_INVALID, "the tag must be a word without [ ] or :");
    if (len == 0 || len > TAG_MAX)
        return err_set(err, ERR_INVALID, "the tag must have from 1 to %d characters", TAG_MAX);
    strcpy(ret_tag, tag);
    return OK;
}

/* ---- Writing ---- */

static void disconnect(struct audit_syslog *log)
{
    if (log->fd >= 0)
        close(log->fd);
    log->fd = -1;
}

/* A daemon that reads nothing more makes a send fail after the bound. */
static int ensure_connected(struct audit_syslog *log, struct err *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = _PATH_LOG};
    struct timeval bound = {.tv_sec = BOUND_MS / 1000};
    int room = ROOM;
    if (log->fd >= 0)
        return OK;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &bound, sizeof bound) != 0 ||
        connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        int error = errno;
        if (fd >= 0)
            close(fd);
        return err_set(err, ERR_IO, "Unix syslog delivery error: %s: %s", _PATH_LOG, strerror(error));
    }
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    log->fd = fd;
    return OK;
}

static void put_head(const struct audit_syslog *log, struct buf *message)
{
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t now = time(NULL);
    struct tm local;
    localtime_r(&now, &local);
    buf_printf(message, "<%d>%s %2d %02d:%02d:%02d %s[%ld]: ", log->facility | LOG_INFO, months[local.tm_mon],
               local.tm_mday, local.tm_hour, local.tm_min, local.tm_sec, log->tag, (long)getpid());
}

static int send_message(struct audit_syslog *log, const struct buf *message, struct err *err)
{
    ssize_t n;
    int rc = ensure_connected(log, err);
    if (rc != OK)
        return rc;
    do
        n = send(log->fd, message->data, message->len, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    if (n >= 0)
        return OK;
    int error = errno;
    disconnect(log);
    if (error == EMSGSIZE)
        return err_set(err, ERR_TOO_LARGE, "an entry of %zu bytes is too long for syslog", message->len);
    return err_set(err, ERR_IO, "Unix syslog delivery error: %s",
                   error == EAGAIN ? "it takes nothing" : strerror(error));
}

/* The daemon may have been started anew since the last entry, so it is tried twice. */
static int syslog_write(void *state, const char *line, size_t len, struct err *err)
{
    struct audit_syslog *log = state;
    struct buf message = BUF_INIT;
    bool was_connected = log->fd >= 0;
    put_head(log, &message);
    buf_put(&message, line, len > 0 && line[len - 1] == '\n' ? len - 1 : len);
    int rc = send_message(log, &message, err);
    if (rc == ERR_IO && was_connected)
        rc = send_message(log, &message, err);
    buf_close(&message);
    return rc;
}

/* ---- The device ---- */

static void syslog_close(void *state)
{
    disconnect(state);
    free(state);
}

static int syslog_open(const json_t *options, void **ret_state, struct err *err)
{
    struct audit_syslog *log = calloc(1, sizeof *log);
    if (log == NULL)
        abort();
    log->fd = -1;
    int rc = read_facility(json_str(options, "facility", "AUTH"), &log->facility, err);
    if (rc == OK)
        rc = read_tag(json_str(options, "tag", "coffer"), log->tag, err);
    if (rc == OK)
        *ret_state = log;
    else
        syslog_close(log);
    return rc;
}

static int syslog_reopen(void *state, struct err *err)
{
    (void)err;
    disconnect(state);
    return OK;
}

static int syslog_bound_ms(const void *state)
{
    (void)state;
    return BOUND_MS;
}

const struct audit_device audit_syslog_device = {
    .type = "syslog",
    .open = syslog_open,
    .bound_ms = syslog_bound_ms,
    .write = syslog_write,
    .reopen = syslog_reopen,
    .close = syslog_close,
};
