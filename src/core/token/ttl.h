/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ttl.h — how long a token or a lease may live, out of what everybody wants of it.
 */
#ifndef COFFER_CORE_TTL_H
#define COFFER_CORE_TTL_H

#include <stdint.h>

#include "core/request/request.h"

struct ttl_wish {
    int64_t increment_s;   /* what the caller asked for; 0: nothing */
    int64_t backend_ttl_s; /* of the role or the secret; 0: none */
    int64_t backend_max_s;
    int64_t period_s;
    int64_t explicit_max_s;
    int64_t start_s; /* when it was issued, wall clock */
    int64_t now_s;
    const struct mount *mount;
};

/* The lesser of two limits, of which 0 is none; 0 when neither is one. */
int64_t ttl_lesser(int64_t a, int64_t b);

/*
 * The seconds from now that are granted. What was asked for and is not, is said as a warning.
 * ERR_INVALID "past the max TTL, cannot renew".
 */
int ttl_grant(struct request *req, const struct ttl_wish *wish, int64_t *ret_ttl_s) MUST_CHECK;

#endif
