/* SPDX-License-Identifier: Apache-2.0 */
/*
 * barrier_private.h — between barrier.c, which encrypts, and barrier_keyring.c, which says by what.
 *
 * Each thread has a slot with a lock and a crypt of its own, so that threads neither wait for each
 * other nor share a cache line. Sealing, or taking another keyring, raises the generation and then
 * goes through all slots: whoever still worked with the old keys has ended when its slot's lock is had.
 */
#ifndef COFFER_STORAGE_BARRIER_PRIVATE_H
#define COFFER_STORAGE_BARRIER_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "storage/barrier.h"
#include "storage/crypt.h"
#include "storage/kept.h"
#include "storage/thread_slot.h"

struct slot {
    _Alignas(CACHE_LINE_SIZE) pthread_mutex_t lock;
    uint64_t generation;
    struct crypt *crypt; /* NULL while sealed */
};

struct barrier {
    pthread_mutex_t change;                   /* one change of the keyring at a time; taken before all others */
    pthread_mutex_t lock;                     /* guards what follows; taken after a slot's lock, never before one */
    struct keyring *keyring;                  /* NULL while sealed */
    unsigned char *root_key;                  /* secret memory; NULL while sealed */
    unsigned char stored_id[KEYRING_ID_SIZE]; /* of the keyring's stored form */
    atomic_ullong generation;                 /* one more at each change of the keyring */
    atomic_bool is_sealed;
    atomic_ullong records; /* encrypted with the newest term */
    atomic_ullong noted;   /* of them */
    struct kept *kept;     /* open while unsealed */
    struct slot slots[THREAD_SLOTS];
};

#endif
