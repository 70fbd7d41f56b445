/* SPDX-License-Identifier: Apache-2.0 */
/* Shares as an operator might mistype them. The first byte says how many there are. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "storage/shamir.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    int n = data[0];
    size_t share_size = n > 0 ? (size - 1) / (size_t)n : 0;
    unsigned char *secret = malloc(share_size + 1); /* exactly as large as promised, for the sanitizer */
    if (shamir_combine(data + 1, n, share_size, secret) == OK && (n < 2 || share_size < 2))
        abort();
    free(secret);
    return 0;
}
