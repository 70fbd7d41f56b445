/* SPDX-License-Identifier: Apache-2.0 */
/* operator raft snapshot: saving, looking into, checking and restoring a snapshot's file. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/snapshot_file.h"
#include "cli/client/api.h"
#include "cli/client/http.h"
#include "cli/options.h"
#include "cli/output/output.h"
#include "cli/output/text.h"

#define PROGRESS_MS 200

/* ---- Progress, for people ---- */

struct progress {
    const char *verb;
    int64_t shown_ms;
    bool is_shown;
};

static void show_progress(void *arg, int64_t done, int64_t total)
{
    struct progress *progress = arg;
    int64_t now = clock_steady_ms();

    if (done == 0 || now < progress->shown_ms + PROGRESS_MS)
        return;
    progress->shown_ms = now;
    progress->is_shown = true;
    if (total > 0)
        fprintf(stderr, "\r%s: %.1f of %.1f MiB (%d %%)%s", progress->verb, (double)done / (1 << 20),
                (double)total / (1 << 20), (int)(done * 100 / total),
                done == total ? ", waiting for the server" : "                        ");
    else
        fprintf(stderr, "\r%s: %.1f MiB", progress->verb, (double)done / (1 << 20));
}

static void end_progress(const struct progress *progress)
{
    if (progress->is_shown)
        fputs("\r\033[K", stderr);
}

/* ---- The file ---- */

static int open_file(const char *path, struct file_range *ret, struct err *err)
{
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || fstat(fd, &info) || !S_ISREG(info.st_mode)) {
        err_set(err, ERR_IO, "%s: %s", path, fd < 0 || errno ? strerror(errno) : "it is no file");
        if (fd >= 0)
            close(fd);
        return ERR_IO;
    }
    *ret = (struct file_range){.fd = fd, .size = (uint64_t)info.st_size};
    return OK;
}

static int read_file(const char *path, struct snapshot_contents *ret, struct err *err)
{
    struct file_range file;
    int rc = open_file(path, &file, err);

    if (rc)
        return rc;
    rc = snapshot_file_read(file.fd, 0, file.size, NULL, NULL, ret, err);
    close(file.fd);
    return rc;
}

/* ---- save ---- */

/* What came is checked before it gets its name: a file of that name is whole. */
static int keep_file(int fd, const char *made, const char *path, struct err *err)
{
    struct snapshot_contents contents;
    struct stat info;
    int rc;

    if (fsync(fd) || fstat(fd, &info))
        return err_set(err, ERR_IO, "%s: %s", made, strerror(errno));
    rc = snapshot_file_read(fd, 0, (uint64_t)info.st_size, NULL, NULL, &contents, err);
    if (rc)
        return rc;
    snapshot_contents_close(&contents);
    return rename(made, path) ? err_set(err, ERR_IO, "%s: %s", path, strerror(errno)) : OK;
}

static int snapshot_save(struct cli *cli)
{
    struct progress progress = {.verb = "Saving"};
    struct http_files files = {.upload = -1, .arg = &progress};
    struct err err = {0};
    const char *path = cli->argv[0];
    char *made = cli_printf(cli, "%s.part", path);
    int rc, code;

    files.download = open(made, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (files.download < 0)
        return cli_mistake("Error opening the file: %s: %s", made, strerror(errno));
    if (isatty(STDERR_FILENO))
        files.progress = show_progress;
    rc = api_transfer(cli, "GET", "sys/storage/raft/snapshot", &files);
    end_progress(&progress);
    if (rc)
        code = cli_fail(cli, "Error taking the snapshot");
    else if (keep_file(files.download, made, path, &err))
        code = cli_refuse("Error taking the snapshot: %s", err_text(&err));
    else
        code = EXIT_OK;
    close(files.download);
    unlink(made);
    return code;
}

/* ---- restore, verify ---- */

static int send_file(struct cli *cli, const char *path, const char *verb, const char *doing)
{
    struct progress progress = {.verb = verb};
    struct http_files files = {.download = -1, .arg = &progress};
    struct file_range file;
    struct err err = {0};
    int rc;

    if (open_file(cli->argv[0], &file, &err))
        return cli_mistake("%s: %s", doing, err_text(&err));
    files.upload = file.fd;
    files.upload_size = (int64_t)file.size;
    if (isatty(STDERR_FILENO))
        files.progress = show_progress;
    rc = api_transfer(cli, "POST", path, &files);
    end_progress(&progress);
    close(file.fd);
    return rc ? cli_fail(cli, "%s", doing) : EXIT_OK;
}

static int snapshot_restore(struct cli *cli)
{
    return send_file(cli, option_flag(cli, "force") ? "sys/storage/raft/snapshot-force" : "sys/storage/raft/snapshot",
                     "Restoring", "Error installing the snapshot");
}

static int snapshot_verify(struct cli *cli)
{
    struct snapshot_contents contents;
    struct err err = {0};
    int code;

    if (read_file(cli->argv[0], &contents, &err))
        return cli_mistake("%s", err_text(&err));
    snapshot_contents_close(&contents);
    if (!option_flag(cli, "remote"))
        return cli_success(cli, "The file is whole and undamaged.");
    code = send_file(cli, "sys/storage/raft/snapshot-verify", "Verifying", "Error verifying the snapshot");
    return code ? code : cli_success(cli, "The file is whole and undamaged, and a snapshot of this cluster.");
}

/* ---- inspect ---- */

static void add_row(struct cli *cli, struct table *table, const json_t *meta, const char *key)
{
    const json_t *value = json_object_get(meta, key);

    if (json_is_integer(value))
        table_row(table, key, cli_printf(cli, "%lld", (long long)json_integer_value(value)));
    else if (json_is_string(value) && *json_string_value(value))
        table_row(table, key, json_string_value(value));
}

static int snapshot_inspect(struct cli *cli)
{
    static const char *const keys[] = {"ID", "Version", "Index", "Term", "Size", "Saved", "cluster_name", "cluster_id"};
    struct snapshot_contents contents;
    struct table table;
    struct err err = {0};
    json_t *meta, *server;
    size_t i;

    if (read_file(cli->argv[0], &contents, &err))
        return cli_mistake("%s", err_text(&err));
    meta = cli_keep(cli, json_incref(contents.meta));
    snapshot_contents_close(&contents);
    table_init(&table, &cli->arena, 2);
    table_header(&table, "Key", "Value");
    for (i = 0; i < sizeof keys / sizeof *keys; i++)
        add_row(cli, &table, meta, keys[i]);
    json_array_foreach(json_list_at(json_map_at(meta, "Configuration"), "Servers"), i, server)
    {
        table_row(&table, "Server",
                  cli_printf(cli, "%s %s", json_str(server, "ID", ""), json_str(server, "Address", "")));
    }
    return output_table_or_value(cli, &table, meta);
}

/* ---- quarantine ---- */

static int quarantine_list(struct cli *cli)
{
    json_t *secret, *data, *lease;
    struct table table;
    size_t i;

    if (api_read(cli, "sys/storage/raft/quarantine", NULL, &secret))
        return cli_fail(cli, "Error reading what is in quarantine");
    if (!secret)
        return cli_success(cli, "Nothing is in quarantine.");
    if (cli->format != FORMAT_TABLE)
        return output_secret(cli, secret);
    data = json_map_at(secret, "data");
    table_init(&table, &cli->arena, 4);
    table_header(&table, "Lease ID", "Expire Time", "State", "Ended");
    json_array_foreach(json_list_at(data, "leases"), i, lease)
    {
        table_row(&table, json_str(lease, "lease_id", ""), json_str(lease, "expire_time", ""),
                  json_str(lease, "state", ""), json_str(lease, "ended", ""));
    }
    if (json_str(data, "next", NULL))
        cli_success(cli, "There are more leases than these; -format=json shows where to go on.\n");
    return output_table(&table);
}

static int quarantine_revoke(struct cli *cli)
{
    json_t *reply;

    if (api_call(cli, "POST", "sys/storage/raft/quarantine/revoke", NULL, NULL, &reply))
        return cli_fail(cli, "Error ending the quarantine");
    return cli_success(cli, "Success! What was in quarantine is being revoked.");
}

static int quarantine_extend(struct cli *cli)
{
    json_t *body = json_object(), *reply;

    option_into(cli, "ttl", body, NULL);
    if (api_call(cli, "POST", "sys/storage/raft/quarantine/extend", NULL, body, &reply))
        return cli_fail(cli, "Error ending the quarantine");
    return cli_success(cli, "Success! Leases that were kept: %lld",
                       (long long)json_int(json_map_at(reply, "data"), "leases", 0));
}

static const struct option_def extend_options[] = {
    {"ttl", OPTION_DURATION, "How long leases that had ended live from now on. The default is the server's.", NULL,
     NULL},
    {0},
};

static const struct option_def restore_options[] = {
    {"force", OPTION_FLAG, "Take a snapshot of another cluster too.", NULL, NULL},
    {0},
};

static const struct option_def verify_options[] = {
    {"remote", OPTION_FLAG, "Ask the server too whether it would restore it.", NULL, NULL},
    {0},
};

const struct command snapshot_commands[] = {
    {"operator raft snapshot", NULL, "Save and restore all data", "",
     "A snapshot is a file with all (encrypted) data as of a moment.\n\n"
     "$ coffer operator raft snapshot save backup.snap\n",
     NULL, 0, 0, 0},
    {"operator raft snapshot save", snapshot_save, "Save a snapshot to a file", "FILE",
     "Saves all data as of now. The file is there only once it is whole and was checked.\n\n"
     "$ coffer operator raft snapshot save backup.snap\n",
     NULL, 1, 1, 0},
    {"operator raft snapshot restore", snapshot_restore, "Replace all data by a snapshot's", "FILE",
     "Replaces all data of the cluster by those of a snapshot that was taken of it. The server checks the file before "
     "it changes anything. Leases that had ended by then are in quarantine.\n\n"
     "With -force the snapshot may be of another cluster; then every node must be unsealed with that cluster's "
     "keys.\n\n"
     "$ coffer operator raft snapshot restore backup.snap\n",
     restore_options, 1, 1, 0},
    {"operator raft snapshot inspect", snapshot_inspect, "Show what a snapshot is of", "FILE",
     "Checks the file and shows what it says of itself. Calls no server.\n\n"
     "$ coffer operator raft snapshot inspect backup.snap\n",
     NULL, 1, 1, COMMAND_FORMAT | COMMAND_LOCAL},
    {"operator raft snapshot verify", snapshot_verify, "Check that a snapshot is whole", "FILE",
     "Checks that the file is whole and undamaged; with -remote also, as a restore would, that it is of the server's "
     "cluster.\n\n"
     "$ coffer operator raft snapshot verify -remote backup.snap\n",
     verify_options, 1, 1, 0},
    {"operator raft quarantine", quarantine_list, "Show what a restore holds back", "",
     "After a restore, leases that had ended meanwhile are not revoked: since the snapshot was taken they may have "
     "been "
     "renewed. They wait until somebody chooses to revoke or to extend them.\n\n"
     "$ coffer operator raft quarantine\n",
     NULL, 0, 0, COMMAND_FIELD},
    {"operator raft quarantine revoke", quarantine_revoke, "Revoke what a restore holds back", "",
     "Ends the quarantine: what had ended is revoked.\n\n"
     "$ coffer operator raft quarantine revoke\n",
     NULL, 0, 0, 0},
    {"operator raft quarantine extend", quarantine_extend, "Keep what a restore holds back", "",
     "Ends the quarantine: leases that had ended, or whose token had, are kept, and end at a new time.\n\n"
     "$ coffer operator raft quarantine extend -ttl=24h\n",
     extend_options, 0, 0, 0},
    {0},
};
