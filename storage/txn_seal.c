/* SPDX-License-Identifier: Apache-2.0 */
/* txn_seal.c — turning what a transaction wants to change into an encrypted batch. */
#include <stdlib.h>

#include "storage/batch_private.h"
#include "storage/txn_private.h"

bool txn_has_writes(const struct txn *txn)
{
    for (size_t i = 0; i < txn->n_writes; i++)
        if (txn->writes[i]->kind != WRITE_NOTHING)
            return true;
    return false;
}

static void note_changes(struct batch *batch, const struct write *write)
{
    unsigned char id[ID_SIZE];
    id_of_record(write->key, id);
    buf_put(&batch->changes, id, ID_SIZE);
    if (write->existed == (write->kind != WRITE_DELETE))
        return; /* it neither comes nor goes */
    id_of_existence(write->key, id);
    buf_put(&batch->changes, id, ID_SIZE);
    buf_put(&batch->changes, write->key, STORE_DIR_SIZE);
}

static int seal_write(struct txn *txn, struct batch *batch, const struct write *write)
{
    if (write->kind == WRITE_NOTHING)
        return OK;
    note_changes(batch, write);
    if (write->kind == WRITE_DELETE) {
        batch_put_delete(batch, write->key);
        return OK;
    }
    int rc = OK;
    size_t start = batch_begin_put(batch, write->key);
    if (write->kind == WRITE_PUT_CLEAR)
        buf_put(&batch->ops, write->data, write->len);
    else
        rc = barrier_encrypt(txn->barrier, write->key, write->name, write->data, write->len, &batch->ops);
    batch_end_put(batch, start);
    return rc;
}

int txn_seal(struct txn *txn, struct batch **ret_batch, struct err *err)
{
    struct batch *batch = calloc(1, sizeof *batch);
    if (batch == NULL)
        abort();
    batch->index = txn_index(txn);
    buf_put(&batch->reads, txn->reads.data, txn->reads.len);
    int rc = OK;
    for (size_t i = 0; i < txn->n_writes && rc == OK; i++) {
        rc = seal_write(txn, batch, txn->writes[i]);
        if (rc == OK && batch->ops.len > BATCH_SIZE_MAX)
            rc = ERR_TOO_LARGE;
    }
    if (rc == OK) {
        *ret_batch = batch;
        return OK;
    }
    batch_free(batch);
    return err_set(err, rc, "%s", rc == ERR_TOO_LARGE ? "the change is too large" : err_default_text(rc));
}
