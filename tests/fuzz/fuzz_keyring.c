/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stored keyring. Garbage as it is stops at the checksum, so the input is also sealed as if it were
 * the contents of a genuine one.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "storage/crypto.h"
#include "storage/keyring.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const unsigned char root_key[KEYRING_KEY_SIZE] = {1};

static void open_and_free(const void *data, size_t size)
{
    struct keyring *keyring = NULL;
    if (keyring_open(data, size, root_key, &keyring, NULL) == OK && keyring_newest(keyring)->term == 0)
        __builtin_trap();
    keyring_free(keyring);
}

static void seal(const uint8_t *data, size_t size, struct buf *ret)
{
    static const unsigned char nonce[AEAD_NONCE_SIZE];
    struct buf sealed = BUF_INIT;
    EVP_CIPHER_CTX *cipher = aead_encrypt_new(root_key);
    EVP_MAC_CTX *checksum = checksum_new();
    aead_seal(cipher, nonce, (struct aead_part){"coffer keyring", 14}, &(struct aead_part){data, size}, 1, &sealed);
    buf_put_u8(ret, 1);
    buf_put_u64(ret, checksum_compute(checksum, &(struct aead_part){sealed.data, sealed.len}, 1));
    buf_put(ret, sealed.data, sealed.len);
    EVP_CIPHER_CTX_free(cipher);
    EVP_MAC_CTX_free(checksum);
    buf_close(&sealed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf genuine = BUF_INIT;
    open_and_free(data, size);
    seal(data, size, &genuine);
    open_and_free(genuine.data, genuine.len);
    buf_close(&genuine);
    return 0;
}
