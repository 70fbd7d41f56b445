/* SPDX-License-Identifier: Apache-2.0 */
/* A data file of LMDB's: whatever is in it, the check ends, and shows only records that are there. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "storage/lmdb_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int touch(void *arg, const struct lmdb_record *record)
{
    unsigned *sum = arg;
    for (size_t i = 0; i < record->key_len; i++)
        *sum += ((const unsigned char *)record->key)[i];
    for (size_t i = 0; i < record->data_len; i++)
        *sum += ((const unsigned char *)record->data)[i];
    return OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    volatile unsigned sum = 0;
    uint64_t txnid;
    int fd = memfd_create("lmdb", MFD_CLOEXEC);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        return 0;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    (void)!lmdb_check(path, touch, (void *)&sum, &txnid, NULL);
    close(fd);
    return 0;
}
