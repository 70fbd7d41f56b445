/* SPDX-License-Identifier: Apache-2.0 */
/* barrier_keyring.c — the keys that a barrier works with: opening, changing and forgetting them. */
#include <string.h>

#include "base/secret.h"
#include "storage/barrier_private.h"

/* Takes over the keyring (NULL: seals), and ends every use of the former one. Under `change`. */
static void replace_keyring(struct barrier *barrier, struct keyring *keyring)
{
    pthread_mutex_lock(&barrier->lock);
    struct keyring *former = barrier->keyring;
    if (keyring == NULL || former == NULL || keyring_newest(keyring)->term != keyring_newest(former)->term) {
        atomic_store(&barrier->records, 0);
        atomic_store(&barrier->noted, 0);
    }
    barrier->keyring = keyring;
    uint64_t generation = atomic_fetch_add(&barrier->generation, 1) + 1;
    atomic_store(&barrier->is_sealed, keyring == NULL);
    pthread_mutex_unlock(&barrier->lock);
    for (int i = 0; i < THREAD_SLOTS; i++) {
        struct slot *slot = &barrier->slots[i];
        pthread_mutex_lock(&slot->lock);
        if (slot->generation < generation) {
            crypt_free(slot->crypt);
            slot->crypt = NULL;
        }
        pthread_mutex_unlock(&slot->lock);
    }
    keyring_free(former);
    kept_open(barrier->kept, keyring != NULL);
}

/* ---- Opening, and forgetting ---- */

int barrier_create_keyring(const unsigned char root_key[BARRIER_KEY_SIZE], struct buf *ret_keyring, struct err *err)
{
    (void)err;
    struct keyring *keyring = keyring_new();
    keyring_seal(keyring, root_key, ret_keyring);
    keyring_free(keyring);
    return OK;
}

/* Under `lock`. NULL: forgets it. */
static void keep_root_key(struct barrier *barrier, const unsigned char *root_key)
{
    unsigned char *former = barrier->root_key;
    barrier->root_key = NULL;
    if (root_key != NULL) {
        barrier->root_key = secret_alloc(BARRIER_KEY_SIZE);
        memcpy(barrier->root_key, root_key, BARRIER_KEY_SIZE);
    }
    secret_free(former);
}

int barrier_unseal(struct barrier *barrier, const unsigned char root_key[BARRIER_KEY_SIZE], const void *keyring,
                   size_t len, struct err *err)
{
    struct keyring *opened = NULL;
    int rc = keyring_open(keyring, len, root_key, &opened, err);
    if (rc != OK)
        return rc;
    pthread_mutex_lock(&barrier->change);
    pthread_mutex_lock(&barrier->lock);
    keep_root_key(barrier, root_key);
    memcpy(barrier->stored_id, keyring, KEYRING_ID_SIZE);
    pthread_mutex_unlock(&barrier->lock);
    replace_keyring(barrier, opened);
    pthread_mutex_unlock(&barrier->change);
    return OK;
}

/* By the root key that is held. */
static int open_stored(struct barrier *barrier, const void *keyring, size_t len, struct keyring **ret_keyring,
                       struct err *err)
{
    pthread_mutex_lock(&barrier->lock);
    int rc = barrier->root_key != NULL ? keyring_open(keyring, len, barrier->root_key, ret_keyring, err)
                                       : err_set(err, ERR_SEALED, "%s", err_default_text(ERR_SEALED));
    pthread_mutex_unlock(&barrier->lock);
    return rc;
}

static bool is_in_use(struct barrier *barrier, const struct buf *stored)
{
    pthread_mutex_lock(&barrier->lock);
    bool is_same = barrier->keyring != NULL && stored->len >= KEYRING_ID_SIZE &&
                   memcmp(stored->data, barrier->stored_id, KEYRING_ID_SIZE) == 0;
    pthread_mutex_unlock(&barrier->lock);
    return is_same;
}

/* Under `change`. */
static int follow(struct barrier *barrier, const struct buf *stored, struct err *err)
{
    struct keyring *opened = NULL;
    if (is_in_use(barrier, stored))
        return OK;
    int rc = open_stored(barrier, stored->data, stored->len, &opened, err);
    if (rc != OK)
        return rc;
    pthread_mutex_lock(&barrier->lock);
    memcpy(barrier->stored_id, stored->data, KEYRING_ID_SIZE);
    pthread_mutex_unlock(&barrier->lock);
    replace_keyring(barrier, opened);
    return OK;
}

int barrier_follow(struct barrier *barrier, int (*read)(void *arg, struct buf *ret), void *arg, struct err *err)
{
    struct buf stored = BUF_INIT;
    pthread_mutex_lock(&barrier->change);
    int rc = barrier_is_sealed(barrier) ? err_set(err, ERR_SEALED, "%s", err_default_text(ERR_SEALED)) : OK;
    if (rc == OK && (rc = read(arg, &stored)) != OK)
        rc = err_set(err, rc, "the stored keyring cannot be read: %s", err_default_text(rc));
    if (rc == OK)
        rc = follow(barrier, &stored, err);
    pthread_mutex_unlock(&barrier->change);
    buf_close(&stored);
    return rc;
}

uint64_t barrier_generation(struct barrier *barrier)
{
    return atomic_load(&barrier->generation);
}

void barrier_seal(struct barrier *barrier)
{
    pthread_mutex_lock(&barrier->change);
    pthread_mutex_lock(&barrier->lock);
    keep_root_key(barrier, NULL);
    pthread_mutex_unlock(&barrier->lock);
    replace_keyring(barrier, NULL);
    pthread_mutex_unlock(&barrier->change);
}

bool barrier_is_sealed(struct barrier *barrier)
{
    return atomic_load(&barrier->is_sealed);
}

int barrier_rotate(struct barrier *barrier, const void *keyring, size_t len, int64_t now_ms, struct buf *ret_keyring,
                   struct err *err)
{
    struct keyring *stored = NULL, *next = NULL;
    int rc = open_stored(barrier, keyring, len, &stored, err);
    if (rc == OK && (rc = keyring_rotate(stored, now_ms, &next)) != OK)
        rc = err_set(err, rc, "the keyring has too many terms");
    if (rc == OK) {
        pthread_mutex_lock(&barrier->lock);
        if (barrier->root_key != NULL)
            keyring_seal(next, barrier->root_key, ret_keyring);
        else
            rc = err_set(err, ERR_SEALED, "%s", err_default_text(ERR_SEALED));
        pthread_mutex_unlock(&barrier->lock);
    }
    keyring_free(stored);
    keyring_free(next);
    return rc;
}

/* ---- The term that encrypts ---- */

uint32_t barrier_term(struct barrier *barrier)
{
    pthread_mutex_lock(&barrier->lock);
    uint32_t term = barrier->keyring != NULL ? keyring_newest(barrier->keyring)->term : 0;
    pthread_mutex_unlock(&barrier->lock);
    return term;
}

int64_t barrier_term_installed_ms(struct barrier *barrier)
{
    pthread_mutex_lock(&barrier->lock);
    int64_t installed_ms = barrier->keyring != NULL ? keyring_newest(barrier->keyring)->installed_ms : 0;
    pthread_mutex_unlock(&barrier->lock);
    return installed_ms;
}

uint64_t barrier_term_records(struct barrier *barrier)
{
    return atomic_load(&barrier->records);
}

uint64_t barrier_unnoted_records(struct barrier *barrier)
{
    uint64_t records = barrier_term_records(barrier), noted = atomic_load(&barrier->noted);
    return records > noted ? records - noted : 0; /* less: the term has just changed */
}

void barrier_note_records(struct barrier *barrier, uint64_t records)
{
    atomic_fetch_add(&barrier->noted, records);
}
