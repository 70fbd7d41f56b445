/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The text of a batch token, which anybody sends. What was not sealed here must not open; what was, must, unchanged.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "core/token/token_batch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct barrier *unsealed(void)
{
    static const unsigned char root_key[BARRIER_KEY_SIZE] = {1};
    static struct barrier *barrier;
    struct buf keyring = BUF_INIT;
    if (barrier != NULL)
        return barrier;
    json_setup();
    barrier = barrier_new();
    if (barrier_create_keyring(root_key, &keyring, NULL) != OK ||
        barrier_unseal(barrier, root_key, keyring.data, keyring.len, NULL) != OK)
        abort();
    buf_close(&keyring);
    return barrier;
}

static void open_foreign(const char *text)
{
    json_t *record;
    if (token_batch_open(unsealed(), text, &record) == OK)
        __builtin_trap();
}

static void seal_and_open(const json_t *record)
{
    struct buf text = BUF_INIT;
    json_t *opened;
    int rc = token_batch_seal(unsealed(), record, &text);
    if (rc == OK && (token_batch_open(unsealed(), buf_str(&text), &opened) != OK || !json_equal(opened, record)))
        __builtin_trap();
    if (rc == OK)
        json_decref(opened);
    buf_close(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf text = BUF_INIT;
    json_t *record;
    buf_puts(&text, "hvb.");
    buf_put(&text, data, size);
    open_foreign(buf_str(&text));
    if (json_parse((const char *)data, size, &record, NULL) == OK) {
        seal_and_open(record);
        json_decref(record);
    }
    buf_close(&text);
    return 0;
}
