/* SPDX-License-Identifier: Apache-2.0 */
/* Any head: accepted only with at most one length and one host, whatever follows it. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "api/http_head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);

    memcpy(text, data, size);
    if (http_head_problem(text, size) == NULL) {
        char *end = memmem(text, size, "\r\n\r\n", 4);
        assert(end != NULL);
        *end = '\0';
        char *first = strcasestr(text, "\ncontent-length:");
        assert(first == NULL || strcasestr(first + 1, "\ncontent-length:") == NULL);
        assert(first == NULL || strcasestr(text, "\ntransfer-encoding:") == NULL);
    }
    free(text);
    return 0;
}
