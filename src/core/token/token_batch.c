/* SPDX-License-Identifier: Apache-2.0 */
#include "core/token/token_batch.h"

#include <string.h>

#include "base/encoding.h"
#include "base/json.h"
#include "base/secret.h"

#define PREFIX "hvb."

bool token_text_is_batch(const char *text)
{
    return strncmp(text, PREFIX, strlen(PREFIX)) == 0;
}

static int place(struct barrier *barrier, unsigned char ret_key[STORE_KEY_SIZE])
{
    return barrier_record_key(barrier, "token/batch/", "", ret_key);
}

int token_batch_seal(struct barrier *barrier, const json_t *record, struct buf *ret_text)
{
    unsigned char key[STORE_KEY_SIZE];
    char text[TOKEN_BATCH_TEXT_MAX + 1];
    struct buf sealed = BUF_INIT;
    char *plain = json_format(record);
    int rc = place(barrier, key);
    if (rc == OK)
        rc = barrier_encrypt(barrier, key, "", plain, strlen(plain), &sealed);
    if (rc == OK && strlen(PREFIX) + BASE64_SIZE(sealed.len) > sizeof text)
        rc = ERR_TOO_LARGE;
    if (rc == OK) {
        base64url_encode(sealed.data, sealed.len, text);
        buf_printf(ret_text, "%s%s", PREFIX, text);
        secret_wipe(text, sizeof text);
    }
    buf_close(&sealed);
    json_text_free(plain);
    return rc;
}

int token_batch_open(struct barrier *barrier, const char *text, json_t **ret_record)
{
    unsigned char key[STORE_KEY_SIZE], sealed[TOKEN_BATCH_TEXT_MAX];
    struct buf plain = BUF_INIT;
    size_t size = 0;
    int rc = token_text_is_batch(text) && strlen(text) <= TOKEN_BATCH_TEXT_MAX ? OK : ERR_INVALID;
    if (rc == OK)
        rc = base64url_decode(text + strlen(PREFIX), sealed, &size);
    if (rc == OK)
        rc = place(barrier, key);
    if (rc == OK)
        rc = barrier_decrypt(barrier, key, sealed, size, NULL, &plain);
    if (rc == OK)
        rc = json_parse((const char *)plain.data, plain.len, ret_record, NULL);
    buf_close(&plain);
    secret_wipe(sealed, size);
    return rc == OK || rc == ERR_SEALED ? rc : ERR_NOTFOUND;
}
