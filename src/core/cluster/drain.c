/* SPDX-License-Identifier: Apache-2.0 */
/* drain.c — going without being missed: load balancers are told first, then requests end, then another node leads. */
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "core/core_private.h"

#define HAND_OVER_MS 2000

static bool could_be_asked(struct core *core)
{
    enum core_standing standing = core_standing(core);
    return standing == CORE_ACTIVE || standing == CORE_STANDBY;
}

void core_drain(struct core *core, enum core_drain why)
{
    int keeps_on = CORE_KEEPS_ON;
    if (core == NULL)
        return;
    if (why == CORE_STOPS)
        atomic_store(&core->draining, why);
    else
        atomic_compare_exchange_strong(&core->draining, &keeps_on, why);
    int64_t end = clock_steady_ms() + core->options.drain_ms;
    while (could_be_asked(core) && clock_steady_ms() < end)
        usleep(10000);
}

void core_drain_end(struct core *core)
{
    int steps_down = CORE_STEPS_DOWN;
    atomic_compare_exchange_strong(&core->draining, &steps_down, CORE_KEEPS_ON);
}

enum core_drain core_draining(const struct core *core)
{
    return (enum core_drain)atomic_load(&core->draining);
}

int core_hand_over(struct core *core, const char *node_id, struct err *err)
{
    int64_t end = clock_steady_ms() + HAND_OVER_MS;
    atomic_store(&core->hands_over, true);
    while (atomic_load(&core->n_taken_on) > 0 && clock_steady_ms() < end)
        usleep(1000);
    int rc = cluster_step_down(core->cluster, node_id, err);
    atomic_store(&core->hands_over, false);
    return rc;
}

void core_step_aside(struct core *core)
{
    struct err err = {0};
    if (core != NULL && core_epoch(core) != 0 && core_hand_over(core, NULL, &err) != OK)
        log_info("core", "nobody takes over the leadership: %s", err_text(&err));
}

void core_await_requests(struct core *core, int drain_ms)
{
    int64_t end = clock_steady_ms() + drain_ms;
    while (atomic_load(&core->n_requests) > 0 && clock_steady_ms() < end)
        usleep(10000);
}
