/* SPDX-License-Identifier: Apache-2.0 */
#include "core/token/ttl.h"

#include "base/duration.h"
#include "core/mount/mount.h"

int64_t ttl_lesser(int64_t a, int64_t b)
{
    return a > 0 && (b <= 0 || a < b) ? a : b;
}

static void warn_capped(struct request *req, bool is_period, int64_t asked, int64_t max)
{
    char a[40], b[40];
    duration_format_short(asked, a, sizeof a);
    duration_format_short(max, b, sizeof b);
    if (!is_period)
        reply_warn(req, "TTL of \"%s\" exceeded the effective max_ttl of \"%s\"; TTL value is capped accordingly", a,
                   b);
    else
        reply_warn(req, "period of \"%s\" exceeded the effective max_ttl of \"%s\"; period value is capped accordingly",
                   a, b);
}

int ttl_grant(struct request *req, const struct ttl_wish *wish, int64_t *ret_ttl_s)
{
    int64_t max = ttl_lesser(ttl_lesser(mount_max_ttl_s(req, wish->mount), wish->backend_max_s), wish->explicit_max_s);
    int64_t ttl = wish->increment_s > 0     ? wish->increment_s
                  : wish->backend_ttl_s > 0 ? wish->backend_ttl_s
                                            : mount_default_ttl_s(req, wish->mount);
    int64_t end = wish->start_s + max;
    if (wish->period_s > 0) {
        ttl = ttl_lesser(wish->period_s, max);
        if (ttl < wish->period_s)
            warn_capped(req, true, wish->period_s, max);
        end = wish->explicit_max_s > 0 ? wish->start_s + wish->explicit_max_s : INT64_MAX;
    }
    if (wish->now_s >= end)
        return fail(req, ERR_INVALID, "past the max TTL, cannot renew");
    if (ttl > end - wish->now_s) {
        if (wish->period_s == 0)
            warn_capped(req, false, ttl, end - wish->now_s);
        ttl = end - wish->now_s;
    }
    *ret_ttl_s = ttl;
    return OK;
}
