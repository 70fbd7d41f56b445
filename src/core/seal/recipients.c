/* SPDX-License-Identifier: Apache-2.0 */
#include "core/seal/recipients.h"

#include <stdlib.h>
#include <string.h>

#include "base/encoding.h"
#include "base/json.h"
#include "base/pgp.h"
#include "core/request/request.h"
#include "storage/txn.h"

/* ---- The keys ---- */

int recipients_read(const json_t *keys, json_t **ret_fingerprints, struct err *err)
{
    char fingerprint[PGP_FINGERPRINT_SIZE];
    json_t *fingerprints = json_array();
    int rc = OK;
    for (size_t i = 0; rc == OK && i < json_array_size(keys); i++) {
        rc = pgp_fingerprint(json_string_value(json_array_get(keys, i)), fingerprint, err);
        if (rc == OK)
            json_array_append_new(fingerprints, json_string(fingerprint));
    }
    if (rc == OK)
        *ret_fingerprints = fingerprints;
    else
        json_decref(fingerprints);
    return rc;
}

int recipients_check(const json_t *keys, struct err *err)
{
    int rc = OK;
    for (size_t i = 0; rc == OK && i < json_array_size(keys); i++)
        rc = pgp_check(json_string_value(json_array_get(keys, i)), err);
    return rc;
}

/* ---- The messages ---- */

static json_t *as_base64(const unsigned char *data, size_t len)
{
    struct buf text = BUF_INIT;
    buf_reserve(&text, BASE64_SIZE(len));
    base64_encode(data, len, (char *)text.data);
    json_t *value = json_string((char *)text.data);
    buf_close(&text);
    return value;
}

static json_t *as_hex(const unsigned char *data, size_t len)
{
    struct buf text = BUF_INIT;
    buf_reserve(&text, 2 * len + 1);
    hex_encode(data, len, (char *)text.data);
    json_t *value = json_string((char *)text.data);
    buf_close(&text);
    return value;
}

int recipients_encrypt(const json_t *keys, json_t *hex, json_t *base64, struct err *err)
{
    int rc = OK;
    for (size_t i = 0; rc == OK && i < json_array_size(keys); i++) {
        struct buf message = BUF_INIT;
        const char *share = json_string_value(json_array_get(hex, i));
        rc = pgp_encrypt(json_string_value(json_array_get(keys, i)), share, strlen(share), &message, err);
        if (rc == OK) {
            json_array_set_new(hex, i, as_hex(message.data, message.len));
            json_array_set_new(base64, i, as_base64(message.data, message.len));
        }
        buf_close(&message);
    }
    return rc;
}

int recipients_encrypt_text(const char *key, const char *text, json_t **ret_text, struct err *err)
{
    struct buf message = BUF_INIT;
    int rc = pgp_encrypt(key, text, strlen(text), &message, err);
    if (rc == OK)
        *ret_text = as_base64(message.data, message.len);
    buf_close(&message);
    return rc;
}

/* ---- The backup ---- */

static const char *path_of(bool is_recovery)
{
    return is_recovery ? "core/rekey-backup/recovery" : "core/rekey-backup/unseal";
}

json_t *recipients_backup(const char *nonce, const json_t *fingerprints, const json_t *base64)
{
    json_t *messages = json_object();
    for (size_t i = 0; i < json_array_size(fingerprints); i++) {
        const char *fingerprint = json_string_value(json_array_get(fingerprints, i));
        json_t *list = json_object_get(messages, fingerprint);
        if (list == NULL) {
            list = json_array();
            json_object_set_new(messages, fingerprint, list);
        }
        json_array_append(list, json_array_get(base64, i));
    }
    return json_pack("{s:s, s:o}", "nonce", nonce, "keys_base64", messages);
}

int recipients_keep(struct request *req, bool is_recovery, const json_t *backup)
{
    return txn_put(req->txn, path_of(is_recovery), backup);
}

/* A list of messages in hex; NULL when one is no base64. */
static json_t *to_hex(const json_t *base64)
{
    json_t *list = json_array();
    for (size_t i = 0; list != NULL && i < json_array_size(base64); i++) {
        const char *text = json_string_value(json_array_get(base64, i));
        struct buf message = BUF_INIT;
        buf_reserve(&message, strlen(text) / 4 * 3 + 3);
        if (base64_decode(text, message.data, &message.len) == OK) {
            json_array_append_new(list, as_hex(message.data, message.len));
        } else {
            json_decref(list);
            list = NULL;
        }
        buf_close(&message);
    }
    return list;
}

int recipients_kept(struct request *req, bool is_recovery, json_t **ret_backup)
{
    json_t *backup, *base64, *keys = json_object();
    const char *fingerprint;
    int rc = txn_get(req->txn, path_of(is_recovery), &backup);
    if (rc != OK) {
        json_decref(keys);
        return rc;
    }
    json_object_foreach(json_map_at(backup, "keys_base64"), fingerprint, base64)
    {
        json_t *hex = to_hex(base64);
        if (hex == NULL)
            rc = ERR_CORRUPT;
        else
            json_object_set_new(keys, fingerprint, hex);
    }
    json_object_set_new(backup, "keys", keys);
    if (rc == OK)
        *ret_backup = backup;
    else
        json_decref(backup);
    return rc;
}

int recipients_forget(struct request *req, bool is_recovery)
{
    return txn_delete(req->txn, path_of(is_recovery));
}
