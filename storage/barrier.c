/* SPDX-License-Identifier: Apache-2.0 */
/*
 * barrier.c — see barrier.h.
 *
 * Each thread has a slot with a lock and a crypt of its own, so that threads neither wait for each
 * other nor share a cache line. Sealing, or taking another keyring, raises the generation and then
 * goes through all slots: whoever still worked with the old keys has ended when its slot's lock is had.
 */
#include "storage/barrier.h"

#include <assert.h>
#include <endian.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "storage/crypt.h"
#include "storage/kept.h"
#include "storage/thread_slot.h"

#define FORMAT      1
#define HEADER_SIZE 5 /* term u32, format u8 */
#define VALUE_MIN   (HEADER_SIZE + AEAD_NONCE_SIZE + sizeof(uint16_t) + AEAD_TAG_SIZE)
#define PEEK_MAX    (sizeof(uint16_t) + BARRIER_NAME_MAX)

/* Directories and names are MACed with the same key: the first byte keeps one from passing for the other. */
static const unsigned char domain_dir = 1, domain_name = 2;

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

struct barrier *barrier_new(void)
{
    struct barrier *barrier = aligned_alloc(CACHE_LINE_SIZE, sizeof *barrier);
    if (barrier == NULL)
        abort();
    memset(barrier, 0, sizeof *barrier);
    pthread_mutex_init(&barrier->change, NULL);
    pthread_mutex_init(&barrier->lock, NULL);
    atomic_store(&barrier->is_sealed, true);
    barrier->kept = kept_new();
    for (int i = 0; i < THREAD_SLOTS; i++)
        pthread_mutex_init(&barrier->slots[i].lock, NULL);
    return barrier;
}

void barrier_free(struct barrier *barrier)
{
    if (barrier == NULL)
        return;
    barrier_seal(barrier);
    kept_free(barrier->kept);
    for (int i = 0; i < THREAD_SLOTS; i++)
        pthread_mutex_destroy(&barrier->slots[i].lock);
    pthread_mutex_destroy(&barrier->change);
    pthread_mutex_destroy(&barrier->lock);
    free(barrier);
}

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

/* Locks this thread's slot and returns it, its crypt being of the present keyring; NULL when sealed. */
static struct slot *enter(struct barrier *barrier)
{
    struct slot *slot = &barrier->slots[thread_slot()];
    pthread_mutex_lock(&slot->lock);
    if (slot->generation != atomic_load(&barrier->generation)) {
        crypt_free(slot->crypt);
        pthread_mutex_lock(&barrier->lock);
        slot->crypt = barrier->keyring != NULL ? crypt_new(barrier->keyring) : NULL;
        slot->generation = atomic_load(&barrier->generation);
        pthread_mutex_unlock(&barrier->lock);
    }
    if (slot->crypt != NULL)
        return slot;
    pthread_mutex_unlock(&slot->lock);
    return NULL;
}

static void leave(struct slot *slot)
{
    pthread_mutex_unlock(&slot->lock);
}

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

struct kept *barrier_kept(struct barrier *barrier)
{
    return barrier->kept;
}

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

static void dir_key(struct crypt *crypt, const char *dir, size_t dir_len, unsigned char ret_dir[STORE_DIR_SIZE])
{
    unsigned char mac[32];
    const struct aead_part parts[] = {{&domain_dir, 1}, {dir, dir_len}};
    hmac_compute(crypt_names(crypt), parts, 2, mac);
    memcpy(ret_dir, mac, STORE_DIR_SIZE);
}

/* The second half of a key. The directory's length is MACed too: no two pairs make the same bytes. */
static void name_key(struct crypt *crypt, const char *dir, size_t dir_len, const char *name, size_t name_len,
                     unsigned char ret_half[STORE_KEY_SIZE - STORE_DIR_SIZE])
{
    unsigned char mac[32];
    uint32_t length = htobe32((uint32_t)dir_len);
    const struct aead_part parts[] = {{&domain_name, 1}, {&length, sizeof length}, {dir, dir_len}, {name, name_len}};
    hmac_compute(crypt_names(crypt), parts, 4, mac);
    memcpy(ret_half, mac, STORE_KEY_SIZE - STORE_DIR_SIZE);
}

int barrier_path_key(struct barrier *barrier, const char *path, size_t dir_len, size_t name_len,
                     const unsigned char *known_dir, unsigned char ret_key[STORE_KEY_SIZE])
{
    struct slot *slot = enter(barrier);
    if (slot == NULL)
        return ERR_SEALED;
    if (known_dir != NULL)
        memcpy(ret_key, known_dir, STORE_DIR_SIZE);
    else
        dir_key(slot->crypt, path, dir_len, ret_key);
    name_key(slot->crypt, path, dir_len, path + dir_len, name_len, ret_key + STORE_DIR_SIZE);
    leave(slot);
    return OK;
}

int barrier_record_key(struct barrier *barrier, const char *dir, const char *name,
                       unsigned char ret_key[STORE_KEY_SIZE])
{
    struct slot *slot = enter(barrier);
    if (slot == NULL)
        return ERR_SEALED;
    dir_key(slot->crypt, dir, strlen(dir), ret_key);
    name_key(slot->crypt, dir, strlen(dir), name, strlen(name), ret_key + STORE_DIR_SIZE);
    leave(slot);
    return OK;
}

int barrier_dir_key(struct barrier *barrier, const char *dir, unsigned char ret_dir[STORE_DIR_SIZE])
{
    struct slot *slot = enter(barrier);
    if (slot == NULL)
        return ERR_SEALED;
    dir_key(slot->crypt, dir, strlen(dir), ret_dir);
    leave(slot);
    return OK;
}

int barrier_encrypt(struct barrier *barrier, const unsigned char key[STORE_KEY_SIZE], const char *name,
                    const void *data, size_t len, struct buf *ret)
{
    size_t name_len = strlen(name);
    if (name_len > BARRIER_NAME_MAX)
        return ERR_INVALID;
    if (len > STORE_VALUE_MAX - BARRIER_NAME_MAX - VALUE_MIN)
        return ERR_TOO_LARGE;
    struct slot *slot = enter(barrier);
    if (slot == NULL)
        return ERR_SEALED;
    if (atomic_fetch_add_explicit(&barrier->records, 1, memory_order_relaxed) >= BARRIER_TERM_RECORDS_MAX) {
        leave(slot);
        return ERR_UNAVAILABLE;
    }
    uint32_t term;
    unsigned char nonce[AEAD_NONCE_SIZE];
    EVP_CIPHER_CTX *ctx = crypt_encrypt(slot->crypt, &term, nonce);
    uint16_t length = htobe16((uint16_t)name_len);
    const struct aead_part parts[] = {{&length, sizeof length}, {name, name_len}, {data, len}};
    buf_reserve(ret, VALUE_MIN + name_len + len);
    buf_put_u32(ret, term);
    buf_put_u8(ret, FORMAT);
    aead_seal(ctx, nonce, (struct aead_part){key, STORE_KEY_SIZE}, parts, 3, ret);
    leave(slot);
    return OK;
}

/* Checks a stored value's header; the context of its term, or NULL. */
static EVP_CIPHER_CTX *open_header(struct crypt *crypt, const void *value, size_t len)
{
    struct reader reader = reader_of(value, len);
    uint32_t term = reader_u32(&reader);
    uint8_t format = reader_u8(&reader);
    return len >= VALUE_MIN && format == FORMAT ? crypt_decrypt(crypt, term) : NULL;
}

/* The plaintext, which stands at buf's data + start, is split: the name to ret_name, and the data moves to `start`. */
static int split_plaintext(struct buf *buf, size_t start, size_t size, struct buf *ret_name)
{
    unsigned char *text = buf->data + start;
    size_t name_len = (size_t)text[0] << 8 | text[1], skip = sizeof(uint16_t) + name_len;
    if (skip > size) {
        secret_wipe(text, size);
        return ERR_CORRUPT;
    }
    if (ret_name != NULL)
        buf_put(ret_name, text + sizeof(uint16_t), name_len);
    memmove(text, text + skip, size - skip);
    secret_wipe(text + size - skip, skip);
    buf->len = start + size - skip;
    return OK;
}

int barrier_decrypt(struct barrier *barrier, const unsigned char key[STORE_KEY_SIZE], const void *value, size_t len,
                    struct buf *ret_name, struct buf *ret_data)
{
    struct slot *slot = enter(barrier);
    if (slot == NULL)
        return ERR_SEALED;
    EVP_CIPHER_CTX *ctx = open_header(slot->crypt, value, len);
    size_t start = ret_data->len, size = len - HEADER_SIZE - AEAD_NONCE_SIZE - AEAD_TAG_SIZE;
    bool genuine = false;
    if (ctx != NULL) {
        buf_reserve(ret_data, size);
        genuine = aead_open(ctx, (struct aead_part){key, STORE_KEY_SIZE}, (const char *)value + HEADER_SIZE,
                            len - HEADER_SIZE, ret_data->data + start);
    }
    leave(slot);
    return genuine ? split_plaintext(ret_data, start, size, ret_name) : ERR_CORRUPT;
}

/*
 * Decrypts as much as holds the name into text; its length, or -1. Most names are in the first bytes; for a longer
 * one they are decrypted again.
 */
static int peek_name(struct crypt *crypt, const unsigned char *key, const void *value, size_t len,
                     unsigned char text[PEEK_MAX])
{
    EVP_CIPHER_CTX *ctx = open_header(crypt, value, len);
    if (ctx == NULL)
        return -1;
    const struct aead_part aad = {key, STORE_KEY_SIZE};
    const char *sealed = (const char *)value + HEADER_SIZE;
    size_t size = len - HEADER_SIZE - AEAD_NONCE_SIZE - AEAD_TAG_SIZE, first = size < 64 ? size : 64;
    aead_peek(ctx, aad, sealed, first, text);
    size_t name_len = (size_t)text[0] << 8 | text[1], need = sizeof(uint16_t) + name_len;
    if (name_len > BARRIER_NAME_MAX || need > size)
        return -1;
    if (need > first)
        aead_peek(ctx, aad, sealed, need, text);
    return (int)name_len;
}

int barrier_decrypt_name(struct barrier *barrier, const char *dir, const unsigned char key[STORE_KEY_SIZE],
                         const void *value, size_t len, struct buf *ret_name)
{
    struct slot *slot = enter(barrier);
    if (slot == NULL)
        return ERR_SEALED;
    unsigned char text[PEEK_MAX], half[STORE_KEY_SIZE - STORE_DIR_SIZE];
    const char *name = (const char *)text + sizeof(uint16_t);
    int name_len = peek_name(slot->crypt, key, value, len, text);
    if (name_len >= 0)
        name_key(slot->crypt, dir, strlen(dir), name, (size_t)name_len, half);
    leave(slot);
    bool is_genuine = name_len >= 0 && memcmp(half, key + STORE_DIR_SIZE, sizeof half) == 0;
    if (is_genuine)
        buf_put(ret_name, name, (size_t)name_len);
    secret_wipe(text, sizeof text);
    return is_genuine ? OK : ERR_CORRUPT;
}

int barrier_value_tag(const void *value, size_t len, unsigned char ret_tag[BARRIER_TAG_SIZE])
{
    if (len < VALUE_MIN)
        return ERR_CORRUPT;
    memcpy(ret_tag, (const char *)value + len - BARRIER_TAG_SIZE, BARRIER_TAG_SIZE);
    return OK;
}

int barrier_mac(struct barrier *barrier, const char *purpose, const void *data, size_t len, unsigned char ret_mac[32])
{
    struct slot *slot = enter(barrier);
    if (slot == NULL)
        return ERR_SEALED;
    hmac_compute(crypt_mac(slot->crypt, purpose), &(struct aead_part){data, len}, 1, ret_mac);
    leave(slot);
    return OK;
}
