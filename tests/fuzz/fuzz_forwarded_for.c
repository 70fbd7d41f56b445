/* SPDX-License-Identifier: Apache-2.0 */
/* Any header: what comes out is an address without a port, or the request is refused. The first byte skips hops. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "api/forwarded_for.h"
#include "base/cidr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const proxies[] = {"127.0.0.1"};
    struct forwarded_rules rules = {.authorized = proxies, .n_authorized = 1, .hop_skips = size > 0 ? data[0] % 4 : 0};
    struct refusal refusal = {0};
    struct arena arena;
    char *text = calloc(1, size + 1);

    arena_init(&arena);
    memcpy(text, data, size);
    const struct http_header headers[] = {{"x-forwarded-for", text}, {"x-forwarded-for", text + size / 2}};
    struct http_call call = {.headers = headers, .n_headers = 2, .remote_addr = "127.0.0.1"};
    if (forwarded_for(&rules, &call, &arena, &refusal) == OK)
        assert(cidr_is_valid(call.remote_addr) && strchr(call.remote_addr, '/') == NULL);
    else
        assert(refusal.status == 400 && refusal.text != NULL);
    arena_close(&arena);
    free(text);
    return 0;
}
