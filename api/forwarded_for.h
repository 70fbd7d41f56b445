/* SPDX-License-Identifier: Apache-2.0 */
/*
 * forwarded_for.h — whose request it is when a proxy says so in X-Forwarded-For. As in Vault: only proxies that are
 * listed are believed, and counted from the right, since everything left of what they added is the client's own words.
 */
#ifndef COFFER_API_FORWARDED_FOR_H
#define COFFER_API_FORWARDED_FOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/call_request.h"

struct forwarded_rules {
    const char *const *authorized; /* addresses and blocks; none: the header is not looked at */
    size_t n_authorized;
    int64_t hop_skips; /* of the addresses, from the right, so many are proxies */
    bool reject_not_authorized, reject_not_present;
};

/*
 * Puts the client's address in the place of the proxy's. ERR_INVALID: the request is not to be served; ret_refusal,
 * whose text is in arena, is the answer.
 */
int forwarded_for(const struct forwarded_rules *rules, struct http_call *call, struct arena *arena,
                  struct refusal *ret_refusal) MUST_CHECK;

#endif
