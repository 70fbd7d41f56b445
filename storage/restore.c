/* SPDX-License-Identifier: Apache-2.0 */
/* restore.c — see restore.h. The store's own record "restore" says how far one is, "live" which table is the state. */
#include "storage/restore.h"

#include <endian.h>
#include <string.h>

#include "base/format.h"
#include "storage/batch.h"
#include "storage/restore_private.h"

#define LIVE_KEY    "live"
#define RESTORE_KEY "restore"

#define MARK        UINT32_MAX /* where a batch has its count */
#define HEADER_SIZE 13

enum { STEP_BEGIN = 1, STEP_RECORDS, STEP_END, STEP_ABANDON };

/* ---- Entries as bytes ---- */

static void put_header(struct buf *ret, uint8_t step)
{
    entry_begin(ret, FORMAT_FIRST, 0);
    memset(ret->data + HEADER_SIZE - sizeof(uint32_t), 0xff, sizeof(uint32_t));
    buf_put_u8(ret, step);
}

void restore_stamp(struct buf *entry, uint8_t format, int64_t time_ms)
{
    uint64_t time = htobe64((uint64_t)time_ms);
    entry->data[0] = format;
    memcpy(entry->data + 1, &time, sizeof time);
}

void restore_put_begin(struct buf *ret)
{
    put_header(ret, STEP_BEGIN);
}

void restore_put_records(struct buf *ret, uint64_t begin, uint32_t number)
{
    put_header(ret, STEP_RECORDS);
    buf_put_u64(ret, begin);
    buf_put_u32(ret, number);
}

void restore_put_end(struct buf *ret, uint64_t begin, uint32_t number, uint64_t count)
{
    put_header(ret, STEP_END);
    buf_put_u64(ret, begin);
    buf_put_u32(ret, number);
    buf_put_u64(ret, count);
}

void restore_put_record(struct buf *ret, const unsigned char key[STORE_KEY_SIZE], const void *value, size_t len)
{
    buf_put(ret, key, STORE_KEY_SIZE);
    buf_put_block(ret, value, len);
}

void restore_put_abandon(struct buf *ret, uint64_t begin)
{
    put_header(ret, STEP_ABANDON);
    buf_put_u64(ret, begin);
}

bool restore_is_entry(const void *data, size_t len)
{
    struct reader reader = reader_of(data, len);
    reader_bytes(&reader, HEADER_SIZE - sizeof(uint32_t));
    return reader_u32(&reader) == MARK && !reader.failed;
}

/* ---- The store's own records ---- */

static MDB_val key_of(const char *name)
{
    return (MDB_val){.mv_size = strlen(name), .mv_data = (void *)name};
}

/* ERR_NOTFOUND; ERR_CORRUPT; ERR_IO. */
static int own_get(MDB_txn *txn, const struct store_env *env, const char *name, struct reader *ret)
{
    MDB_val key = key_of(name), stored;
    const void *value;
    size_t len;
    int code = mdb_get(txn, env->own, &key, &stored);
    if (code != 0)
        return env_error(NULL, code, name, NULL);
    if (!env_value(&stored, &value, &len))
        return ERR_CORRUPT;
    *ret = reader_of(value, len);
    return OK;
}

int restore_live(MDB_txn *txn, const struct store_env *env, unsigned *ret_live)
{
    struct reader reader;
    int rc = own_get(txn, env, LIVE_KEY, &reader);
    unsigned live = rc == OK ? reader_u8(&reader) : 0;
    if (rc == ERR_NOTFOUND)
        rc = OK;
    else if (rc == OK && (!reader_done(&reader) || live > 1))
        rc = ERR_CORRUPT;
    if (rc == OK)
        *ret_live = live;
    return rc;
}

int restore_read(MDB_txn *txn, const struct store_env *env, struct restore_state *ret)
{
    struct reader reader;
    struct restore_state state = {0};
    int rc = own_get(txn, env, RESTORE_KEY, &reader);
    if (rc == OK) {
        state.begin = reader_u64(&reader);
        state.next = reader_u32(&reader);
        state.count = reader_u64(&reader);
        rc = reader_done(&reader) ? OK : ERR_CORRUPT;
    }
    if (rc == OK || rc == ERR_NOTFOUND)
        *ret = state;
    return rc == ERR_NOTFOUND ? OK : rc;
}

int restore_write(MDB_txn *txn, const struct store_env *env, EVP_MAC_CTX *checksum, const struct restore_state *state)
{
    struct buf bytes = BUF_INIT;
    buf_put_u64(&bytes, state->begin);
    buf_put_u32(&bytes, state->next);
    buf_put_u64(&bytes, state->count);
    int code = env_put(txn, env->own, checksum, key_of(RESTORE_KEY), bytes.data, bytes.len, 0);
    buf_close(&bytes);
    return code;
}

static int forget(struct restore_step *step)
{
    MDB_val key = key_of(RESTORE_KEY);
    int code = mdb_drop(step->txn, step->env->tables[!step->live], 0);
    if (code == 0)
        code = mdb_del(step->txn, step->env->own, &key, NULL);
    return code == MDB_NOTFOUND ? 0 : code;
}

int store_view_restoring(struct store_view *view, uint64_t *ret_begin)
{
    struct restore_state state;
    int rc = restore_read(view->txn, view->env, &state);
    if (rc == OK)
        *ret_begin = state.begin;
    return rc;
}

/* ---- Applying ---- */

static int begin(struct restore_step *step, uint64_t index)
{
    step->code = mdb_drop(step->txn, step->env->tables[!step->live], 0);
    if (step->code == 0)
        step->code = restore_write(step->txn, step->env, step->checksum, &(struct restore_state){.begin = index});
    return step->code == 0 ? OK : ERR_IO;
}

/* Puts what follows in the reader into the table that is not live; ret_count: how many records. */
static int put_records(struct restore_step *step, struct reader *reader, unsigned flags, uint64_t *ret_count)
{
    uint64_t count = 0;
    while (!reader->failed && reader->at < reader->end) {
        size_t len;
        MDB_val key = {.mv_size = STORE_KEY_SIZE, .mv_data = (void *)reader_bytes(reader, STORE_KEY_SIZE)};
        const void *value = reader_block(reader, STORE_VALUE_MAX, &len);
        if (reader->failed)
            return ERR_CORRUPT;
        step->code = env_put(step->txn, step->env->tables[!step->live], step->checksum, key, value, len, flags);
        if (step->code != 0)
            return ERR_IO;
        count++;
    }
    *ret_count = count;
    return reader->failed ? ERR_CORRUPT : OK;
}

static int add_records(struct restore_step *step, struct restore_state *state, struct reader *reader)
{
    uint64_t count = 0;
    int rc = put_records(step, reader, MDB_APPEND, &count);
    if (rc != OK)
        return rc;
    state->next++;
    state->count += count;
    step->code = restore_write(step->txn, step->env, step->checksum, state);
    return step->code == 0 ? OK : ERR_IO;
}

static int end(struct restore_step *step, struct reader *reader)
{
    uint64_t count;
    int rc = put_records(step, reader, 0, &count);
    if (rc != OK)
        return rc;
    uint8_t live = step->live = !step->live;
    step->code = forget(step);
    if (step->code == 0)
        step->code = env_put(step->txn, step->env->own, step->checksum, key_of(LIVE_KEY), &live, sizeof live, 0);
    step->has_swapped = step->code == 0;
    return step->code == 0 ? OK : ERR_IO;
}

int restore_apply(struct restore_step *step, uint64_t index, const void *data, size_t len)
{
    struct reader reader = reader_of(data, len);
    struct restore_state state;
    uint8_t format = reader_u8(&reader);
    reader_bytes(&reader, HEADER_SIZE - sizeof format);
    uint8_t kind = reader_u8(&reader);
    if (!reader.failed && format > format_newest())
        return ERR_UNSUPPORTED;
    if (reader.failed || format < FORMAT_FIRST || kind < STEP_BEGIN || kind > STEP_ABANDON)
        return ERR_CORRUPT;
    if (kind == STEP_BEGIN)
        return reader_done(&reader) ? begin(step, index) : ERR_CORRUPT;
    uint64_t begun = reader_u64(&reader);
    uint32_t number = kind != STEP_ABANDON ? reader_u32(&reader) : 0;
    uint64_t count = kind == STEP_END ? reader_u64(&reader) : 0;
    int rc = reader.failed ? ERR_CORRUPT : restore_read(step->txn, step->env, &state);
    if (rc != OK || state.begin == 0 || state.begin != begun)
        return rc;
    if (kind == STEP_ABANDON) {
        step->code = forget(step);
        return step->code == 0 ? OK : ERR_IO;
    }
    if (state.next != number || (kind == STEP_END && state.count != count))
        return OK;
    return kind == STEP_RECORDS ? add_records(step, &state, &reader) : end(step, &reader);
}
