/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seal_static.c — a seal whose key lies beside the configuration: in a file, a variable, or the configuration itself.
 *
 *     seal "static" {
 *       current_key_id = "2026-1"   current_key = "file:///etc/coffer/unseal-2026-1.key"
 *       previous_key_id = "2025-1"  previous_key = "env://OLD_UNSEAL_KEY"
 *     }
 *
 * Keys are 32 bytes, as they are or in hex or base64. They are read whenever they are needed and wiped afterwards.
 * The settings are OpenBao's: https://openbao.org/docs/configuration/seal/static
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/encoding.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/secret.h"
#include "core/seal/seal_private.h"
#include "core/seal/seal_type.h"

#define FILE_SCHEME "file://"
#define ENV_SCHEME  "env://"
#define TEXT_MAX    256
#define PURPOSE     "coffer unseal key"

static bool starts_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

/* ---- Reading a key ---- */

static int read_text(const char *name, const char *where, struct buf *ret, struct err *err)
{
    if (starts_with(where, FILE_SCHEME)) {
        int rc = file_read(where + strlen(FILE_SCHEME), TEXT_MAX, ret, err);
        return rc == OK ? OK : err_wrap(err, "seal \"static\": %s", name);
    }
    if (starts_with(where, ENV_SCHEME)) {
        where = getenv(where + strlen(ENV_SCHEME));
        if (where == NULL)
            return err_set(err, ERR_INVALID, "seal \"static\": the environment variable that %s names is not set",
                           name);
    }
    buf_puts(ret, where);
    return OK;
}

static void trim(struct buf *text)
{
    while (text->len > 0 && isspace(text->data[text->len - 1]))
        text->len--;
}

/* 32 bytes are the key itself, whatever they look like; other lengths are hex or base64, and may end a line. */
static int decode(const char *name, struct buf *text, unsigned char ret_key[BARRIER_KEY_SIZE], struct err *err)
{
    unsigned char bytes[TEXT_MAX];
    size_t size = BARRIER_KEY_SIZE;
    int rc = OK;
    if (text->len == BARRIER_KEY_SIZE) {
        memcpy(bytes, text->data, text->len);
    } else {
        trim(text);
        if (text->len >= TEXT_MAX)
            rc = ERR_INVALID;
        else if (text->len == 2 * BARRIER_KEY_SIZE)
            rc = hex_decode(buf_str(text), bytes, &size);
        else
            rc = base64_decode(buf_str(text), bytes, &size);
    }
    if (rc == OK && size == BARRIER_KEY_SIZE)
        memcpy(ret_key, bytes, BARRIER_KEY_SIZE);
    else
        rc = err_set(err, ERR_INVALID,
                     "seal \"static\": %s is no AES-256 key: it must be %d bytes, raw, in hex or in base64", name,
                     BARRIER_KEY_SIZE);
    secret_wipe(bytes, sizeof bytes);
    return rc;
}

static int read_key(const json_t *settings, const char *name, unsigned char ret_key[BARRIER_KEY_SIZE], struct err *err)
{
    struct buf text = BUF_INIT;
    int rc = read_text(name, json_str(settings, name, ""), &text, err);
    if (rc == OK)
        rc = decode(name, &text, ret_key, err);
    buf_close(&text);
    return rc;
}

/* ---- Checking ---- */

/* A group may read it, as it must where an orchestrator mounts it. */
static void warn_of_readers(const char *where)
{
    struct stat status;
    if (!starts_with(where, FILE_SCHEME) || stat(where + strlen(FILE_SCHEME), &status) != 0)
        return;
    if ((status.st_mode & (S_IWGRP | S_IRWXO)) != 0)
        log_warn("seal",
                 "%s can be read by anybody or changed by its group: whoever has it can open all that is stored",
                 where + strlen(FILE_SCHEME));
}

static int check_key(const json_t *settings, const char *name, struct err *err)
{
    unsigned char *key = secret_alloc(BARRIER_KEY_SIZE);
    int rc = read_key(settings, name, key, err);
    if (rc == OK)
        warn_of_readers(json_str(settings, name, ""));
    secret_free(key);
    return rc;
}

static int check(const json_t *settings, struct err *err)
{
    const char *id = json_str(settings, "current_key_id", ""), *old_id = json_str(settings, "previous_key_id", "");
    bool has_old = json_str(settings, "previous_key", "")[0] != '\0';
    if (id[0] == '\0' || json_str(settings, "current_key", "")[0] == '\0')
        return err_set(err, ERR_INVALID, "seal \"static\": current_key_id and current_key must both be given");
    if ((old_id[0] != '\0') != has_old)
        return err_set(err, ERR_INVALID, "seal \"static\": previous_key_id and previous_key go together");
    if (strcmp(id, old_id) == 0)
        return err_set(err, ERR_INVALID, "seal \"static\": current_key_id and previous_key_id must differ");
    int rc = check_key(settings, "current_key", err);
    return rc == OK && has_old ? check_key(settings, "previous_key", err) : rc;
}

/* ---- Encrypting ---- */

static int encrypt(const json_t *settings, const unsigned char unseal_key[BARRIER_KEY_SIZE], json_t **ret_stored,
                   struct err *err)
{
    char text[BASE64_SIZE(SEAL_WRAPPED_SIZE)];
    struct buf wrapped = BUF_INIT;
    unsigned char *key = secret_alloc(BARRIER_KEY_SIZE);
    int rc = read_key(settings, "current_key", key, err);
    if (rc == OK) {
        seal_wrap(key, PURPOSE, unseal_key, &wrapped);
        base64_encode(wrapped.data, wrapped.len, text);
        *ret_stored = json_pack("{s:s, s:s}", "key_id", json_str(settings, "current_key_id", ""), "unseal_key", text);
    }
    secret_free(key);
    buf_close(&wrapped);
    return rc;
}

static int unwrap(const json_t *settings, const char *name, const json_t *stored,
                  unsigned char ret_unseal_key[BARRIER_KEY_SIZE], struct err *err)
{
    const char *text = json_str(stored, "unseal_key", "");
    unsigned char wrapped[BASE64_SIZE(SEAL_WRAPPED_SIZE)];
    size_t size;
    if (strlen(text) >= BASE64_SIZE(SEAL_WRAPPED_SIZE) || base64_decode(text, wrapped, &size) != OK)
        return err_set(err, ERR_CORRUPT, "the stored unseal key is damaged");
    unsigned char *key = secret_alloc(BARRIER_KEY_SIZE);
    int rc = read_key(settings, name, key, err);
    if (rc == OK && seal_unwrap(key, PURPOSE, wrapped, size, ret_unseal_key) != OK)
        rc = err_set(err, ERR_DENIED,
                     "%s does not open the stored unseal key, though its id \"%.64s\" fits: it is another key, or "
                     "what is stored is damaged",
                     name, json_str(stored, "key_id", ""));
    secret_free(key);
    return rc;
}

static int decrypt(const json_t *settings, const json_t *stored, unsigned char ret_unseal_key[BARRIER_KEY_SIZE],
                   bool *ret_is_old, struct err *err)
{
    const char *id = json_str(stored, "key_id", "");
    *ret_is_old = strcmp(id, json_str(settings, "previous_key_id", "")) == 0;
    if (!*ret_is_old && strcmp(id, json_str(settings, "current_key_id", "")) != 0)
        return err_set(err, ERR_INVALID,
                       "unknown key id: the unseal key is encrypted by \"%.64s\", which seal \"static\" has neither as "
                       "current_key_id nor as previous_key_id",
                       id);
    return unwrap(settings, *ret_is_old ? "previous_key" : "current_key", stored, ret_unseal_key, err);
}

const struct seal_type seal_static = {.name = "static", .check = check, .encrypt = encrypt, .decrypt = decrypt};
