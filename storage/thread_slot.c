/* SPDX-License-Identifier: Apache-2.0 */
#include "storage/thread_slot.h"

#include <stdatomic.h>

unsigned thread_slot(void)
{
    static atomic_uint next;
    static _Thread_local unsigned slot = THREAD_SLOTS;
    if (slot == THREAD_SLOTS)
        slot = atomic_fetch_add(&next, 1) % THREAD_SLOTS;
    return slot;
}
