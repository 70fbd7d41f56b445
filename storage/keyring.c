/* SPDX-License-Identifier: Apache-2.0 */
#include "storage/keyring.h"

#include <assert.h>
#include <endian.h>
#include <string.h>

#include "base/clock.h"
#include "base/secret.h"
#include "storage/crypto.h"

#define FORMAT    1
#define TERM_SIZE (sizeof(uint32_t) + sizeof(uint64_t) + KEYRING_KEY_SIZE)
#define FIXED     (2 * KEYRING_KEY_SIZE + sizeof(uint32_t))
#define OVERHEAD  (1 + sizeof(uint64_t) + AEAD_NONCE_SIZE + AEAD_TAG_SIZE)

static_assert(KEYRING_ID_SIZE == 1 + sizeof(uint64_t) + AEAD_NONCE_SIZE, "what keyring.h says");

static const struct aead_part binding = {"coffer keyring", 14};

static struct keyring *keyring_alloc(uint32_t count)
{
    struct keyring *keyring = secret_alloc(sizeof *keyring + count * sizeof keyring->terms[0]);
    keyring->count = count;
    return keyring;
}

static void term_make(struct keyring_term *term, uint32_t number, int64_t now_ms)
{
    term->term = number;
    term->installed_ms = now_ms;
    random_bytes(term->key, sizeof term->key);
}

struct keyring *keyring_new(void)
{
    struct keyring *keyring = keyring_alloc(1);
    random_bytes(keyring->names_key, sizeof keyring->names_key);
    random_bytes(keyring->mac_key, sizeof keyring->mac_key);
    term_make(&keyring->terms[0], 1, clock_wall_ms());
    return keyring;
}

int keyring_rotate(const struct keyring *keyring, int64_t now_ms, struct keyring **ret_keyring)
{
    if (keyring->count >= KEYRING_TERMS_MAX)
        return ERR_TOO_LARGE;
    struct keyring *next = keyring_alloc(keyring->count + 1);
    memcpy(next->names_key, keyring->names_key, sizeof next->names_key);
    memcpy(next->mac_key, keyring->mac_key, sizeof next->mac_key);
    memcpy(next->terms, keyring->terms, keyring->count * sizeof keyring->terms[0]);
    term_make(&next->terms[keyring->count], keyring_newest(keyring)->term + 1, now_ms);
    *ret_keyring = next;
    return OK;
}

void keyring_free(struct keyring *keyring)
{
    secret_free(keyring);
}

static unsigned char *put(unsigned char *at, const void *data, size_t size)
{
    memcpy(at, data, size);
    return at + size;
}

/* The keys as bytes, in secret memory: a struct buf would have them in ordinary memory for a moment. */
static unsigned char *keyring_encode(const struct keyring *keyring, size_t *ret_size)
{
    *ret_size = FIXED + keyring->count * TERM_SIZE;
    unsigned char *bytes = secret_alloc(*ret_size), *at = bytes;
    uint32_t count = htobe32(keyring->count);
    at = put(at, keyring->names_key, sizeof keyring->names_key);
    at = put(at, keyring->mac_key, sizeof keyring->mac_key);
    at = put(at, &count, sizeof count);
    for (uint32_t i = 0; i < keyring->count; i++) {
        const struct keyring_term *term = &keyring->terms[i];
        uint32_t number = htobe32(term->term);
        uint64_t installed = htobe64((uint64_t)term->installed_ms);
        at = put(at, &number, sizeof number);
        at = put(at, &installed, sizeof installed);
        at = put(at, term->key, sizeof term->key);
    }
    return bytes;
}

static uint64_t checksum_of(const void *data, size_t len)
{
    EVP_MAC_CTX *ctx = checksum_new();
    uint64_t sum = checksum_compute(ctx, &(struct aead_part){data, len}, 1);
    EVP_MAC_CTX_free(ctx);
    return sum;
}

void keyring_seal(const struct keyring *keyring, const unsigned char root_key[KEYRING_KEY_SIZE], struct buf *ret)
{
    size_t size;
    unsigned char *bytes = keyring_encode(keyring, &size), nonce[AEAD_NONCE_SIZE];
    struct buf sealed = BUF_INIT;
    EVP_CIPHER_CTX *ctx = aead_encrypt_new(root_key);
    random_bytes(nonce, sizeof nonce);
    aead_seal(ctx, nonce, binding, &(struct aead_part){bytes, size}, 1, &sealed);
    EVP_CIPHER_CTX_free(ctx);
    secret_free(bytes);
    buf_put_u8(ret, FORMAT);
    buf_put_u64(ret, checksum_of(sealed.data, sealed.len));
    buf_put(ret, sealed.data, sealed.len);
    buf_close(&sealed);
}

/* NULL when the bytes make no keyring. They were genuine, so that would be our own mistake, or a newer version's. */
static struct keyring *keyring_decode(const unsigned char *bytes, size_t size)
{
    struct reader reader = reader_of(bytes, size);
    const void *names_key = reader_bytes(&reader, KEYRING_KEY_SIZE), *mac_key = reader_bytes(&reader, KEYRING_KEY_SIZE);
    uint32_t count = reader_u32(&reader), last = 0;
    if (reader.failed || count == 0 || count > KEYRING_TERMS_MAX || size != FIXED + count * TERM_SIZE)
        return NULL;
    struct keyring *keyring = keyring_alloc(count);
    memcpy(keyring->names_key, names_key, KEYRING_KEY_SIZE);
    memcpy(keyring->mac_key, mac_key, KEYRING_KEY_SIZE);
    for (uint32_t i = 0; i < count; i++) {
        struct keyring_term *term = &keyring->terms[i];
        term->term = reader_u32(&reader);
        term->installed_ms = (int64_t)reader_u64(&reader);
        memcpy(term->key, reader_bytes(&reader, KEYRING_KEY_SIZE), KEYRING_KEY_SIZE);
        if (term->term <= last) {
            keyring_free(keyring);
            return NULL;
        }
        last = term->term;
    }
    return keyring;
}

int keyring_open(const void *data, size_t len, const unsigned char root_key[KEYRING_KEY_SIZE],
                 struct keyring **ret_keyring, struct err *err)
{
    if (len < OVERHEAD + FIXED || len > OVERHEAD + FIXED + KEYRING_TERMS_MAX * TERM_SIZE)
        return err_set(err, ERR_CORRUPT, "the stored keyring has an impossible size");
    struct reader reader = reader_of(data, len);
    uint8_t format = reader_u8(&reader);
    uint64_t sum = reader_u64(&reader);
    size_t sealed_len = (size_t)(reader.end - reader.at);
    if (format != FORMAT || sum != checksum_of(reader.at, sealed_len))
        return err_set(err, ERR_CORRUPT, "the stored keyring is damaged");
    size_t size = len - OVERHEAD;
    unsigned char *bytes = secret_alloc(size);
    EVP_CIPHER_CTX *ctx = aead_decrypt_new(root_key);
    bool genuine = aead_open(ctx, binding, reader.at, sealed_len, bytes);
    EVP_CIPHER_CTX_free(ctx);
    struct keyring *keyring = genuine ? keyring_decode(bytes, size) : NULL;
    secret_free(bytes);
    if (!genuine)
        return err_set(err, ERR_DENIED, "the root key does not open the keyring");
    if (keyring == NULL)
        return err_set(err, ERR_CORRUPT, "the stored keyring is of a form that is not known");
    *ret_keyring = keyring;
    return OK;
}

const struct keyring_term *keyring_newest(const struct keyring *keyring)
{
    return &keyring->terms[keyring->count - 1];
}

const struct keyring_term *keyring_find(const struct keyring *keyring, uint32_t term)
{
    uint32_t low = 0, high = keyring->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (keyring->terms[middle].term == term)
            return &keyring->terms[middle];
        if (keyring->terms[middle].term < term)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}
