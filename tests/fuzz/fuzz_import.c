/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chunks of a snapshot from a peer. The input is a list of kind u8 ‖ length u16 ‖ payload; each becomes a chunk with
 * the right number and checksum, so that what lies behind those is reached.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/file.h"
#include "storage/crypto.h"
#include "storage/snapshot.h"
#include "storage/store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char dir[] = "/tmp/fuzz-import-XXXXXX";
static struct store *store;
static EVP_MAC_CTX *checksum;

static void clean_up(void)
{
    store_close(store);
    file_remove_tree(dir, NULL);
}

static void set_up(void)
{
    if (mkdtemp(dir) == NULL || store_open(dir, false, &store, NULL) != OK)
        abort();
    checksum = checksum_new();
    atexit(clean_up);
}

static int feed(struct store_import *import, struct reader *reader, uint32_t number)
{
    struct buf bytes = BUF_INIT;
    struct snapshot_chunk chunk = {.kind = reader_u8(reader), .number = number};
    chunk.len = reader_u16(reader);
    chunk.payload = reader_bytes(reader, chunk.len);
    if (reader->failed)
        return ERR_INVALID;
    snapshot_encode(checksum, &chunk, &bytes);
    int rc = store_import_chunk(import, bytes.data, bytes.len, NULL);
    buf_close(&bytes);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reader reader = reader_of(data, size);
    struct snapshot_chunk chunk;
    struct store_import *import = NULL;
    if (store == NULL)
        set_up();
    (void)!snapshot_decode(checksum, data, size, &chunk);
    if (store_import_begin(store, &import, NULL) != OK)
        abort();
    int rc = OK;
    for (uint32_t number = 0; rc == OK; number++)
        rc = feed(import, &reader, number);
    if (rc == ERR_INVALID)
        (void)!store_import_finish(import, NULL);
    else
        store_import_abort(import);
    return 0;
}
