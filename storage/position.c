/* SPDX-License-Identifier: Apache-2.0 */
/* position.c — up to where the log is applied, and the members as of then: written with what was applied. */
#include <stdbool.h>
#include <string.h>

#include "storage/store_private.h"

#define FORMAT            3
#define CONFIGURATION_KEY "configuration"

static MDB_val key_of(const char *name)
{
    return (MDB_val){.mv_size = strlen(name), .mv_data = (void *)name};
}

int position_write(MDB_txn *txn, const struct store_env *env, EVP_MAC_CTX *checksum,
                   const struct store_position *position, const struct buf *configuration)
{
    struct buf bytes = BUF_INIT;
    buf_put_u8(&bytes, FORMAT);
    buf_put_u64(&bytes, position->index);
    buf_put_u64(&bytes, position->term);
    buf_put_u64(&bytes, position->configuration_index);
    buf_put_u64(&bytes, (uint64_t)position->time_ms);
    buf_put_u8(&bytes, position->format);
    buf_put_u64(&bytes, mdb_txn_id(txn));
    int code = env_put(txn, env->own, checksum, key_of(POSITION_KEY), bytes.data, bytes.len, 0);
    buf_close(&bytes);
    if (code == 0 && configuration != NULL)
        code = env_put(txn, env->own, checksum, key_of(CONFIGURATION_KEY), configuration->data, configuration->len, 0);
    return code;
}

static int own_get(MDB_txn *txn, const struct store_env *env, const char *name, const void **ret_value, size_t *ret_len)
{
    MDB_val key = key_of(name), stored;
    int code = mdb_get(txn, env->own, &key, &stored);
    if (code != 0)
        return env_error(NULL, code, name, NULL);
    return env_value(&stored, ret_value, ret_len) ? OK : ERR_CORRUPT;
}

bool position_parse(const void *value, size_t len, struct store_position *ret_position, uint64_t *ret_txnid)
{
    struct reader reader = reader_of(value, len);
    uint8_t format = reader_u8(&reader);
    ret_position->index = reader_u64(&reader);
    ret_position->term = reader_u64(&reader);
    ret_position->configuration_index = reader_u64(&reader);
    ret_position->time_ms = (int64_t)reader_u64(&reader);
    ret_position->format = reader_u8(&reader);
    *ret_txnid = reader_u64(&reader);
    return reader_done(&reader) && format == FORMAT;
}

int position_read(MDB_txn *txn, const struct store_env *env, struct store_position *ret_position, uint64_t *ret_txnid,
                  struct buf *ret_configuration)
{
    const void *value;
    size_t len;
    struct store_position position;
    uint64_t txnid;
    int rc = own_get(txn, env, POSITION_KEY, &value, &len);
    if (rc == OK && !position_parse(value, len, &position, &txnid))
        rc = ERR_CORRUPT;
    if (rc != OK)
        return rc == ERR_NOTFOUND ? ERR_CORRUPT : rc;
    if (ret_configuration != NULL && position.configuration_index != 0) {
        rc = own_get(txn, env, CONFIGURATION_KEY, &value, &len);
        if (rc != OK)
            return rc == ERR_NOTFOUND ? ERR_CORRUPT : rc;
        buf_put(ret_configuration, value, len);
    }
    *ret_position = position;
    if (ret_txnid != NULL)
        *ret_txnid = txnid;
    return OK;
}
