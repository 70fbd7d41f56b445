/* SPDX-License-Identifier: Apache-2.0 */
/* Entries of the log, as a peer or a disk might garble them: whoever visits sees only memory that is there. */
#include <stddef.h>
#include <stdint.h>

#include "storage/batch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int touch(void *arg, const struct entry_op *op)
{
    unsigned *sum = arg;
    for (size_t i = 0; i < STORE_KEY_SIZE; i++)
        *sum += op->key[i];
    for (size_t i = 0; i < op->len; i++)
        *sum += ((const unsigned char *)op->value)[i];
    return OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    volatile unsigned sum = 0;
    (void)!entry_walk(data, size, touch, (void *)&sum);
    (void)entry_time_ms(data, size);
    return 0;
}
