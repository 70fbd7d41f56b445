/* SPDX-License-Identifier: Apache-2.0 */
/* snapshot.c — saving, and checking a file; restore.c puts it in the state's place. */
#include "core/snapshot/snapshot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/encoding.h"
#include "base/file.h"
#include "base/json.h"
#include "base/secret.h"
#include "core/core_private.h"
#include "core/seal/seal.h"
#include "core/snapshot/snapshot_private.h"
#include "storage/restore.h"

#define MAC_SIZE    32
#define RESERVE     (UINT64_C(64) << 20) /* of the disk, which a snapshot leaves to the server */
#define SEALED_WITH "snapshot"

/* ---- What a snapshot says of itself ---- */

static json_t *describe_members(struct core *core)
{
    struct cluster_member members[CLUSTER_MEMBERS_MAX];
    uint64_t index;
    int n = cluster_members(core->cluster, members, &index);
    json_t *servers = json_array();
    for (int i = 0; i < n; i++)
        json_array_append_new(servers, json_pack("{s:i, s:s, s:s}", "Suffrage", members[i].voter ? 0 : 1, "ID",
                                                 members[i].node_id, "Address", members[i].cluster_addr));
    return json_pack("{s:o}", "Servers", servers);
}

/* The names that Vault's tools look for, and what else one would like to know. */
static json_t *describe(struct core *core, uint64_t index, uint64_t size)
{
    struct cluster_status status;
    char id[64], saved[40];
    int64_t now_ns = clock_wall_ns();
    cluster_status(core->cluster, &status);
    clock_format_rfc3339(now_ns, saved, sizeof saved);
    snprintf(id, sizeof id, "%llu-%llu-%lld", (unsigned long long)status.term, (unsigned long long)index,
             (long long)(now_ns / 1000000));
    json_t *meta = json_pack("{s:i, s:s, s:I, s:I, s:s, s:o, s:I, s:I, s:s, s:s}", "Version", 1, "ID", id, "Index",
                             (json_int_t)index, "Term", (json_int_t)status.term, "Peers", "", "Configuration",
                             describe_members(core), "ConfigurationIndex", (json_int_t)0, "Size", (json_int_t)size,
                             "Saved", saved, "Coffer", COFFER_VERSION);
    json_t *cluster = seal_cluster(core);
    json_object_update(meta, cluster);
    json_decref(cluster);
    return meta;
}

static int seal_sums(struct core *core, const struct buf *sums, struct buf *ret_sealed, struct err *err)
{
    unsigned char mac[MAC_SIZE];
    char hex[2 * MAC_SIZE + 1];
    int rc = barrier_mac(core->barrier, SEALED_WITH, sums->data, sums->len, mac);
    if (rc != OK)
        return err_set(err, rc, "%s", err_default_text(rc));
    hex_encode(mac, sizeof mac, hex);
    buf_printf(ret_sealed, "%s\n", hex);
    return OK;
}

/* ---- Saving ---- */

struct saving {
    struct snapshot_writer *writer;
    uint64_t size;
    const atomic_bool *is_off;
    struct err *err;
};

static int check_off(const struct saving *saving)
{
    if (saving->is_off == NULL || !*saving->is_off)
        return OK;
    return err_set(saving->err, ERR_UNAVAILABLE, "saving the snapshot was given up");
}

static int count(void *arg, const void *chunk, size_t len)
{
    struct saving *saving = arg;
    (void)chunk;
    saving->size += len;
    return check_off(saving);
}

static int save_chunk(void *arg, const void *chunk, size_t len)
{
    struct saving *saving = arg;
    int rc = check_off(saving);
    return rc == OK ? snapshot_writer_put(saving->writer, chunk, len, saving->err) : rc;
}

int snapshot_check_room(const char *dir, uint64_t size, struct err *err)
{
    struct statvfs disk;
    if (statvfs(dir, &disk) != 0)
        return OK; /* then writing will tell */
    uint64_t room = (uint64_t)disk.f_bavail * disk.f_frsize;
    if (room >= size + size / 1000 + RESERVE)
        return OK;
    return err_set(err, ERR_NOSPACE, "a snapshot needs up to %llu MiB in %s, which has only %llu MiB free",
                   (unsigned long long)((size + RESERVE) >> 20), dir, (unsigned long long)(room >> 20));
}

static int write_file(struct core *core, struct store_view *view, struct saving *saving, int fd, struct err *err)
{
    struct buf sums = BUF_INIT, sealed = BUF_INIT;
    json_t *meta = describe(core, store_view_index(view), saving->size);
    int rc = snapshot_writer_begin(fd, meta, saving->size, &saving->writer, err);
    json_decref(meta);
    if (rc == OK)
        rc = store_export(view, save_chunk, saving, err);
    if (rc == OK)
        rc = snapshot_writer_sums(saving->writer, &sums, err);
    if (rc == OK)
        rc = seal_sums(core, &sums, &sealed, err);
    if (rc == OK)
        rc = snapshot_writer_end(saving->writer, &sums, &sealed, err);
    snapshot_writer_free(saving->writer);
    buf_close(&sums);
    buf_close(&sealed);
    return rc;
}

static int save_view(struct core *core, struct store_view *view, const atomic_bool *is_off, struct file_range *ret,
                     struct err *err)
{
    struct saving saving = {.is_off = is_off, .err = err};
    uint64_t restoring;
    int fd = -1;
    int rc = store_view_restoring(view, &restoring);
    if (rc == OK && restoring != 0)
        rc = err_set(err, ERR_BUSY, "a snapshot is being restored; save one when that is done");
    if (rc == OK)
        rc = store_export(view, count, &saving, err); /* a tar says first how much will follow */
    if (rc == OK)
        rc = snapshot_check_room(core->options.data_dir, saving.size, err);
    if (rc == OK)
        rc = file_make_nameless(core->options.data_dir, &fd, err);
    if (rc != OK)
        return rc;
    rc = write_file(core, view, &saving, fd, err);
    if (rc == OK)
        *ret = (struct file_range){.fd = fd, .size = (uint64_t)lseek(fd, 0, SEEK_END)};
    else
        close(fd);
    return rc;
}

int snapshot_save(struct core *core, const atomic_bool *is_off, struct file_range *ret, struct err *err)
{
    struct store_view *view = NULL;
    int rc = store_view_begin(core->store, &view, err);
    if (rc != OK)
        return rc;
    rc = save_view(core, view, is_off, ret, err);
    store_view_end(view);
    return rc;
}

/* ---- Reading ---- */

/* state.bin comes in pieces that know nothing of its chunks. */
struct splitter {
    struct snapshot_reader *reader;
    struct buf waiting;
};

static int split(void *arg, const void *data, size_t len, struct err *err)
{
    struct splitter *splitter = arg;
    struct buf *waiting = &splitter->waiting;
    size_t at = 0;
    int rc = OK;
    buf_put(waiting, data, len);
    while (rc == OK && waiting->len - at >= SNAPSHOT_CHUNK_HEAD) {
        size_t size = snapshot_chunk_size(waiting->data + at);
        if (size == 0)
            rc = err_set(err, ERR_CORRUPT, "the snapshot is damaged, or not of Coffer: its state has another form");
        else if (size > waiting->len - at)
            break;
        else
            rc = snapshot_reader_chunk(splitter->reader, waiting->data + at, size, err);
        at += size;
    }
    if (rc == OK) {
        memmove(waiting->data, waiting->data + at, waiting->len - at);
        waiting->len -= at;
    }
    return rc;
}

int snapshot_read(const struct file_range *source, const struct snapshot_visitor *visitor, void *arg,
                  struct snapshot_contents *ret_contents, uint64_t *ret_records, struct err *err)
{
    struct splitter splitter = {.reader = snapshot_reader_new(visitor, arg)};
    int rc = snapshot_file_read(source->fd, source->offset, source->size, split, &splitter, ret_contents, err);
    if (rc == OK) {
        rc = snapshot_reader_end(splitter.reader, err);
        if (rc == OK && splitter.waiting.len > 0)
            rc = err_set(err, ERR_CORRUPT, "the snapshot is damaged: something follows its state");
        if (rc != OK)
            snapshot_contents_close(ret_contents);
    }
    if (rc == OK && ret_records != NULL)
        *ret_records = snapshot_reader_records(splitter.reader);
    snapshot_reader_free(splitter.reader);
    buf_close(&splitter.waiting);
    return rc;
}

/* ---- Checking ---- */

/* Without these a node that restored it could never be unsealed again. */
static const enum txn_clear needed[] = {TXN_CLEAR_SEAL, TXN_CLEAR_ROOT_KEY, TXN_CLEAR_KEYRING, TXN_CLEAR_CLUSTER};
#define N_NEEDED (sizeof needed / sizeof needed[0])

static int note_head(void *arg, const struct store_position *position, const void *members, size_t len, struct err *err)
{
    (void)arg, (void)position, (void)members, (void)len, (void)err;
    return OK;
}

static int note_record(void *arg, const unsigned char *key, const void *value, size_t len, struct err *err)
{
    bool *found = arg;
    (void)value, (void)len, (void)err;
    for (size_t i = 0; i < N_NEEDED; i++) {
        unsigned char wanted[STORE_KEY_SIZE];
        txn_clear_key(needed[i], wanted);
        if (memcmp(wanted, key, sizeof wanted) == 0)
            found[i] = true;
    }
    return OK;
}

static int check_seal(struct core *core, const struct snapshot_contents *contents, struct err *err)
{
    struct buf expected = BUF_INIT;
    int rc = seal_sums(core, &contents->sums, &expected, err);
    if (rc == OK &&
        (expected.len != contents->sealed.len || !secret_equal(expected.data, contents->sealed.data, expected.len)))
        rc = err_set(err, ERR_INVALID,
                     "could not verify hash file, possibly the snapshot is using a different set of unseal keys; use "
                     "the snapshot-force API to bypass this check");
    buf_close(&expected);
    return rc;
}

int snapshot_verify(struct core *core, const struct file_range *source, bool force, uint64_t *ret_records,
                    struct err *err)
{
    static const struct snapshot_visitor visitor = {.head = note_head, .record = note_record};
    struct snapshot_contents contents;
    bool found[N_NEEDED] = {false};
    int rc = snapshot_read(source, &visitor, found, &contents, ret_records, err);
    if (rc == ERR_CORRUPT && err != NULL)
        err->code = ERR_INVALID; /* it is the file that was sent, not what is stored here */
    if (rc != OK)
        return rc == ERR_CORRUPT ? ERR_INVALID : rc;
    for (size_t i = 0; i < N_NEEDED && rc == OK; i++)
        if (!found[i])
            rc = err_set(err, ERR_INVALID, "the snapshot holds no keys: it is of no initialized cluster");
    if (rc == OK && !force)
        rc = check_seal(core, &contents, err);
    snapshot_contents_close(&contents);
    return rc;
}
