/* SPDX-License-Identifier: Apache-2.0 */
/* barrier.c — encrypting and decrypting records; see barrier.h. */
#include "storage/barrier_private.h"

#include <assert.h>
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"

#define FORMAT      1
#define HEADER_SIZE 5 /* term u32, format u8 */
#define VALUE_MIN   (HEADER_SIZE + AEAD_NONCE_SIZE + sizeof(uint16_t) + AEAD_TAG_SIZE)
#define PEEK_MAX    (sizeof(uint16_t) + BARRIER_NAME_MAX)

/* Directories and names are MACed with the same key: the first byte keeps one from passing for the other. */
static const unsigned char domain_dir = 1, domain_name = 2;

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

struct kept *barrier_kept(struct barrier *barrier)
{
    return barrier->kept;
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
