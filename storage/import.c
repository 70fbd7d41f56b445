/* SPDX-License-Identifier: Apache-2.0 */
/* import.c — taking a snapshot from another node into a fresh environment, and putting it in the store's place. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/failpoint.h"
#include "base/file.h"
#include "storage/crypto.h"
#include "storage/snapshot.h"
#include "storage/store_private.h"

#define COMMIT_SIZE (16u << 20) /* so much is kept in memory before it is written */
#define RECORD_HEAD (STORE_KEY_SIZE + sizeof(uint32_t))
#define MEMBERS_MAX (1u << 20)

struct store_import {
    struct store *store;
    char dir[STORE_PATH_MAX + 16];
    struct store_env *env;
    MDB_txn *txn;
    EVP_MAC_CTX *checksum;
    EVP_MD_CTX *digest; /* NULL once the end has come */
    uint32_t next;      /* the number of the chunk that must come */
    struct store_position position;
    struct buf members;
    struct buf stream; /* of records, the incomplete end of what came */
    uint64_t records;
    size_t uncommitted;
    int rc; /* the first failure; all later calls return it */
};

static bool claim_import(struct store *store)
{
    pthread_mutex_lock(&store->apply_lock);
    bool is_free = !store->is_importing;
    store->is_importing = true;
    pthread_mutex_unlock(&store->apply_lock);
    return is_free;
}

int store_import_begin(struct store *store, struct store_import **ret_import, struct err *err)
{
    if (!claim_import(store))
        return err_set(err, ERR_BUSY, "a snapshot is being taken in already");
    struct store_import *import = calloc(1, sizeof *import);
    if (import == NULL)
        abort();
    import->store = store;
    snprintf(import->dir, sizeof import->dir, "%s/import", store->dir);
    import->checksum = checksum_new();
    import->digest = snapshot_digest_new();
    int rc = env_create(import->dir, &import->env, err);
    if (rc == OK)
        rc = env_error(store->dir, mdb_txn_begin(import->env->mdb, NULL, 0, &import->txn), import->dir, err);
    if (rc == OK)
        *ret_import = import;
    else
        store_import_abort(import);
    return rc;
}

void store_import_abort(struct store_import *import)
{
    if (import == NULL)
        return;
    struct store *store = import->store;
    if (import->txn != NULL)
        mdb_txn_abort(import->txn);
    env_unref(import->env);
    EVP_MAC_CTX_free(import->checksum);
    EVP_MD_CTX_free(import->digest);
    buf_close(&import->members);
    buf_close(&import->stream);
    file_remove_tree(import->dir, NULL);
    free(import);
    pthread_mutex_lock(&store->apply_lock);
    store->is_importing = false;
    pthread_mutex_unlock(&store->apply_lock);
}

/* ---- Taking chunks ---- */

static int bad(struct err *err, const char *what)
{
    return err_set(err, ERR_CORRUPT, "the snapshot is damaged: %s", what);
}

static int commit(struct store_import *import, struct err *err)
{
    int code = mdb_txn_commit(import->txn);
    import->txn = NULL;
    import->uncommitted = 0;
    if (code == 0)
        code = mdb_txn_begin(import->env->mdb, NULL, 0, &import->txn);
    return env_error(import->store->dir, code, import->dir, err);
}

static int take_head(struct store_import *import, const struct snapshot_chunk *chunk, struct err *err)
{
    struct reader reader = reader_of(chunk->payload, chunk->len);
    import->position.index = reader_u64(&reader);
    import->position.term = reader_u64(&reader);
    import->position.configuration_index = reader_u64(&reader);
    import->position.time_ms = (int64_t)reader_u64(&reader);
    size_t len;
    const void *members = reader_block(&reader, MEMBERS_MAX, &len);
    if (!reader_done(&reader))
        return bad(err, "its head");
    buf_put(&import->members, members, len);
    return OK;
}

/* Keys must ascend (MDB_APPEND): so none comes twice, and the file is written from front to back. */
static int take_record(struct store_import *import, const unsigned char *record, size_t len, struct err *err)
{
    MDB_val key = {.mv_size = STORE_KEY_SIZE, .mv_data = (void *)record};
    const void *value = record + RECORD_HEAD;
    snapshot_digest_record(import->digest, record, value, len);
    import->records++;
    import->uncommitted += RECORD_HEAD + len;
    int code = env_put(import->txn, import->env->records, import->checksum, key, value, len, MDB_APPEND);
    if (code != 0)
        return env_error(import->store->dir, code, import->dir, err);
    return import->uncommitted >= COMMIT_SIZE ? commit(import, err) : OK;
}

static int take_records(struct store_import *import, const struct snapshot_chunk *chunk, struct err *err)
{
    int rc = OK;
    if (chunk->len == 0)
        return bad(err, "a chunk is empty");
    buf_put(&import->stream, chunk->payload, chunk->len);
    struct reader reader = reader_of(import->stream.data, import->stream.len);
    while (rc == OK) {
        const unsigned char *record = reader.at;
        reader_bytes(&reader, STORE_KEY_SIZE);
        uint32_t len = reader_u32(&reader);
        if (!reader.failed && len > STORE_VALUE_MAX)
            return bad(err, "a record is too large");
        reader_bytes(&reader, len);
        if (reader.failed) {
            reader.at = record;
            break;
        }
        rc = take_record(import, record, len, err);
    }
    size_t rest = (size_t)(reader.end - reader.at);
    memmove(import->stream.data, reader.at, rest);
    import->stream.len = rest;
    return rc;
}

static int take_end(struct store_import *import, const struct snapshot_chunk *chunk, struct err *err)
{
    struct reader reader = reader_of(chunk->payload, chunk->len);
    uint64_t records = reader_u64(&reader);
    const void *claimed = reader_bytes(&reader, SNAPSHOT_DIGEST_SIZE);
    unsigned char digest[SNAPSHOT_DIGEST_SIZE];
    snapshot_digest_end(import->digest, import->position.index, digest);
    import->digest = NULL;
    if (!reader_done(&reader) || import->stream.len > 0 || records != import->records ||
        memcmp(claimed, digest, sizeof digest) != 0)
        return bad(err, "it is not what was sent");
    return OK;
}

static int take_chunk(struct store_import *import, const void *data, size_t len, struct err *err)
{
    struct snapshot_chunk chunk;
    int rc = snapshot_decode(import->checksum, data, len, &chunk);
    if (rc != OK)
        return bad(err, "a chunk does not fit its checksum");
    if (chunk.number != import->next || (chunk.kind == SNAPSHOT_HEAD) != (chunk.number == 0) || import->digest == NULL)
        return bad(err, "a chunk is out of order");
    import->next++;
    if (failpoint("store.import_chunk"))
        return err_set(err, ERR_NOSPACE, "%s: no space left on the disk", import->dir);
    switch (chunk.kind) {
    case SNAPSHOT_HEAD:
        return take_head(import, &chunk, err);
    case SNAPSHOT_RECORDS:
        return take_records(import, &chunk, err);
    case SNAPSHOT_END:
        break;
    }
    return take_end(import, &chunk, err);
}

int store_import_chunk(struct store_import *import, const void *chunk, size_t len, struct err *err)
{
    if (import->rc == OK)
        import->rc = take_chunk(import, chunk, len, err);
    return import->rc;
}

/* ---- Putting it in the store's place ---- */

static int write_position(struct store_import *import, struct err *err)
{
    int code = position_write(import->txn, import->env, import->checksum, &import->position, &import->members);
    if (code != 0)
        return env_error(import->store->dir, code, import->dir, err);
    code = mdb_txn_commit(import->txn);
    import->txn = NULL;
    return env_error(import->store->dir, code, import->dir, err);
}

/* From here on new views see the imported state; those that are open keep the former one, whose file has no name. */
static void adopt(struct store *store, struct store_import *import)
{
    pthread_mutex_lock(&store->lock);
    struct store_env *former = atomic_exchange(&store->env, env_ref(import->env));
    store->position = import->position;
    store->durable_index = import->position.index;
    buf_clear(&store->configuration);
    buf_put(&store->configuration, import->members.data, import->members.len);
    pthread_mutex_unlock(&store->lock);
    view_drop_spares(store);
    env_unref(former);
}

int store_import_finish(struct store_import *import, struct err *err)
{
    struct store *store = import->store;
    int rc = import->rc;
    if (rc == OK && import->digest != NULL)
        rc = bad(err, "its end is missing");
    if (rc == OK)
        rc = write_position(import, err);
    if (rc == OK) {
        pthread_mutex_lock(&store->apply_lock);
        rc = env_publish(import->env, import->dir, store->dir, err);
        if (rc == OK)
            adopt(store, import);
        else if (rc == ERR_IO)
            store->has_failed = true;
        pthread_mutex_unlock(&store->apply_lock);
    }
    store_import_abort(import);
    return rc;
}
