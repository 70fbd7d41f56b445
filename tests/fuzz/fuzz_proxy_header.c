/* SPDX-License-Identifier: Apache-2.0 */
/* Any beginning of a connection: an answer is of the bytes there are, and more bytes never change it. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "api/proxy_header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum proxy_header before = PROXY_MORE;
    size_t len_before = 0;

    for (size_t part = size > 300 ? size - 300 : 0; part <= size; part++) {
        struct sockaddr_storage source = {0};
        size_t len = 0;
        uint8_t *copy = malloc(part + 1);
        memcpy(copy, data, part);
        enum proxy_header found = proxy_header_parse(copy, part, &source, &len);
        free(copy);
        assert(len <= part && len <= PROXY_HEADER_MAX);
        assert(found != PROXY_MORE || part < PROXY_HEADER_MAX);
        assert(before == PROXY_MORE || (found == before && len == len_before));
        assert((found == PROXY_ADDRESS) == (source.ss_family == AF_INET || source.ss_family == AF_INET6));
        before = found;
        len_before = len;
    }
    return 0;
}
