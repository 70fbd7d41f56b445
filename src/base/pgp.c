/* SPDX-License-Identifier: Apache-2.0 */
#include "base/pgp.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/encoding.h"
#include "base/json.h"
#include "base/pgp_library.h"
#include "base/pgp_packets.h"
#include "base/secret.h"

#define ARMOR      "-----BEGIN PGP "
#define STACK_SIZE (256 << 10) /* more than librnp uses; a thread of ours has 8 MB */

/* A key that was read. Zeroed: none. */
struct recipient {
    const struct pgp_library *rnp;
    rnp_ffi_t ffi;
    rnp_key_handle_t primary;
    char fingerprint[PGP_FINGERPRINT_SIZE]; /* in librnp's capital letters */
};

/* ---- The text ---- */

static bool is_base64(char c)
{
    return isalnum((unsigned char)c) || c == '+' || c == '/';
}

static size_t skip_newlines(const char *text, size_t at)
{
    return at + strspn(text + at, "\r\n");
}

/* Where the padding at `at`, after n digits, is wrong; the text's length and one more when it is right. */
static size_t check_padding(const char *text, size_t len, size_t at, size_t n)
{
    if (n % 4 < 2)
        return at;
    if (n % 4 == 2) {
        at = skip_newlines(text, at + 1);
        if (text[at] != '=')
            return at;
    }
    at = skip_newlines(text, at + 1);
    return at < len ? at : len + 1;
}

/* Where base64 with newlines in it is wrong, as OpenBao counts it; the text's length and one more when it is right. */
static size_t check_base64(const char *text, size_t len)
{
    size_t n = 0, at = skip_newlines(text, 0);
    for (; is_base64(text[at]); at = skip_newlines(text, at + 1))
        n++;
    if (text[at] == '=')
        return check_padding(text, len, at, n);
    if (at < len)
        return at;
    return n % 4 == 0 ? len + 1 : len - n % 4;
}

static int decode_base64(const char *text, struct buf *ret, struct err *err)
{
    struct buf bare = BUF_INIT;
    size_t len = strlen(text), wrong = check_base64(text, len);
    if (wrong <= len)
        return err_set(err, ERR_INVALID, "error decoding given PGP key: illegal base64 data at input byte %zu", wrong);
    for (size_t i = 0; i < len; i++)
        if (text[i] != '\r' && text[i] != '\n')
            buf_put_u8(&bare, (uint8_t)text[i]);
    buf_reserve(ret, bare.len / 4 * 3 + 3);
    int rc = base64_decode(buf_str(&bare), ret->data, &ret->len);
    buf_close(&bare);
    return rc == OK ? OK : err_set(err, ERR_INVALID, "error decoding given PGP key: it is no base64");
}

static int decode_armored(const char *text, struct buf *ret, struct err *err)
{
    struct buf base64 = BUF_INIT;
    int rc = pgp_dearmor(text, &base64);
    if (rc == OK)
        rc = decode_base64(buf_str(&base64), ret, err);
    else
        rc = err_set(err, ERR_INVALID, "error parsing given PGP key: %s",
                     rc == ERR_NOTFOUND ? "it is no PGP public key" : "there are several");
    buf_close(&base64);
    return rc;
}

/* The binary form. */
static int decode(const char *text, struct buf *ret, struct err *err)
{
    if (strlen(text) > PGP_KEY_TEXT_MAX)
        return err_set(err, ERR_INVALID, "error parsing given PGP key: it is longer than %u bytes", PGP_KEY_TEXT_MAX);
    if (strncmp(text + strspn(text, " \t\r\n"), ARMOR, strlen(ARMOR)) == 0)
        return decode_armored(text, ret, err);
    return decode_base64(text, ret, err);
}

/* ---- The key ---- */

static void forget(struct recipient *recipient)
{
    if (recipient->primary != NULL)
        recipient->rnp->rnp_key_handle_destroy(recipient->primary);
    if (recipient->ffi != NULL)
        recipient->rnp->rnp_ffi_destroy(recipient->ffi);
    *recipient = (struct recipient){0};
}

/* The fingerprint of the first key in the list of what was read. */
static int take_fingerprint(const char *list, char ret[PGP_FINGERPRINT_SIZE])
{
    json_t *read = NULL;
    int rc = json_parse(list, strlen(list), &read, NULL);
    const char *text = json_str(json_array_get(json_list_at(read, "keys"), 0), "fingerprint", "");
    size_t len = strlen(text);
    if (rc == OK && len > 0 && len < PGP_FINGERPRINT_SIZE)
        memcpy(ret, text, len + 1);
    else
        rc = ERR_INVALID;
    json_decref(read);
    return rc;
}

static int import(struct recipient *recipient, const struct buf *bytes)
{
    const struct pgp_library *rnp = recipient->rnp;
    rnp_input_t input = NULL;
    char *list = NULL;
    int rc = ERR_INVALID;
    if (rnp->rnp_input_from_memory(&input, bytes->data, bytes->len, false) == RNP_SUCCESS &&
        rnp->rnp_import_keys(recipient->ffi, input, RNP_LOAD_SAVE_PUBLIC_KEYS, &list) == RNP_SUCCESS)
        rc = take_fingerprint(list, recipient->fingerprint);
    if (rc == OK && (rnp->rnp_locate_key(recipient->ffi, "fingerprint", recipient->fingerprint, &recipient->primary) !=
                         RNP_SUCCESS ||
                     recipient->primary == NULL))
        rc = ERR_INVALID;
    rnp->rnp_buffer_destroy(list);
    rnp->rnp_input_destroy(input);
    return rc;
}

/* The caller forgets ret, however it went. */
static int read_key(const char *text, struct recipient *ret, struct err *err)
{
    struct buf bytes = BUF_INIT;
    struct err why = {0};
    *ret = (struct recipient){0};
    int rc = decode(text, &bytes, err);
    if (rc == OK && bytes.len == 0)
        rc = err_set(err, ERR_INVALID, "error parsing given PGP key: EOF");
    if (rc == OK && pgp_packets_check(bytes.data, bytes.len, &why) != OK)
        rc = err_set(err, ERR_INVALID, "error parsing given PGP key: %s", err_text(&why));
    if (rc == OK)
        rc = pgp_library_load(&ret->rnp, err);
    if (rc == OK && ret->rnp->rnp_ffi_create(&ret->ffi, RNP_KEYSTORE_GPG, RNP_KEYSTORE_GPG) != RNP_SUCCESS)
        rc = err_set(err, ERR_INTERNAL, "librnp does not start");
    if (rc == OK && import(ret, &bytes) != OK)
        rc = err_set(err, ERR_INVALID, "error parsing given PGP key: it is damaged, or no PGP public key");
    buf_close(&bytes);
    return rc;
}

/* ---- Encrypting ---- */

static int refuse(const struct recipient *recipient, struct err *err)
{
    char *id = NULL;
    if (recipient->rnp->rnp_key_get_keyid(recipient->primary, &id) == RNP_SUCCESS)
        for (char *at = id; *at != '\0'; at++)
            *at = (char)tolower((unsigned char)*at);
    err_set(
        err, ERR_INVALID,
        "error setting up encryption for PGP message: openpgp: invalid argument: cannot encrypt a message to key id "
        "%s because it has no valid encryption keys",
        id != NULL ? id : "?");
    recipient->rnp->rnp_buffer_destroy(id);
    return ERR_INVALID;
}

/* The key itself or its subkey, whichever is for encrypting. The caller destroys it. */
static int find_encryption_key(const struct recipient *recipient, rnp_key_handle_t *ret_key, struct err *err)
{
    const struct pgp_library *rnp = recipient->rnp;
    rnp_key_handle_t key = NULL;
    bool primary_is_valid = false, is_valid = false;
    if (rnp->rnp_key_is_valid(recipient->primary, &primary_is_valid) != RNP_SUCCESS || !primary_is_valid ||
        rnp->rnp_key_get_default_key(recipient->primary, "encrypt", 0, &key) != RNP_SUCCESS || key == NULL ||
        rnp->rnp_key_is_valid(key, &is_valid) != RNP_SUCCESS || !is_valid) {
        if (key != NULL)
            rnp->rnp_key_handle_destroy(key);
        return refuse(recipient, err);
    }
    *ret_key = key;
    return OK;
}

static bool run(const struct recipient *recipient, rnp_key_handle_t key, rnp_input_t input, rnp_output_t output)
{
    const struct pgp_library *rnp = recipient->rnp;
    rnp_op_encrypt_t op = NULL;
    bool is_done = rnp->rnp_op_encrypt_create(&op, recipient->ffi, input, output) == RNP_SUCCESS &&
                   rnp->rnp_op_encrypt_add_recipient(op, key) == RNP_SUCCESS &&
                   rnp->rnp_op_encrypt_set_cipher(op, RNP_ALGNAME_AES_256) == RNP_SUCCESS &&
                   rnp->rnp_op_encrypt_set_compression(op, "Uncompressed", 0) == RNP_SUCCESS &&
                   rnp->rnp_op_encrypt_execute(op) == RNP_SUCCESS;
    if (op != NULL)
        rnp->rnp_op_encrypt_destroy(op);
    return is_done;
}

/* librnp leaves what it has read in buffers on the stack, which nobody else would overwrite for long. */
static void __attribute__((noinline)) wipe_stack(void)
{
    unsigned char left[STACK_SIZE];
    secret_wipe(left, sizeof left);
}

static int encrypt(const struct recipient *recipient, rnp_key_handle_t key, const void *data, size_t len,
                   struct buf *ret, struct err *err)
{
    const struct pgp_library *rnp = recipient->rnp;
    rnp_input_t input = NULL;
    rnp_output_t output = NULL;
    uint8_t *message;
    size_t size;
    bool is_done = rnp->rnp_input_from_memory(&input, data, len, false) == RNP_SUCCESS &&
                   rnp->rnp_output_to_memory(&output, 0) == RNP_SUCCESS && run(recipient, key, input, output) &&
                   rnp->rnp_output_memory_get_buf(output, &message, &size, false) == RNP_SUCCESS;
    wipe_stack();
    if (is_done)
        buf_put(ret, message, size);
    rnp->rnp_input_destroy(input);
    rnp->rnp_output_destroy(output);
    return is_done ? OK : err_set(err, ERR_INVALID, "error encrypting PGP message: librnp refuses this key");
}

/* ---- From outside ---- */

int pgp_fingerprint(const char *key, char ret_hex[PGP_FINGERPRINT_SIZE], struct err *err)
{
    struct recipient recipient;
    int rc = read_key(key, &recipient, err);
    for (size_t i = 0; rc == OK && i < PGP_FINGERPRINT_SIZE; i++)
        ret_hex[i] = (char)tolower((unsigned char)recipient.fingerprint[i]);
    forget(&recipient);
    return rc;
}

/* With data of NULL it is only tried whether there is a key. */
static int encrypt_to(const char *text, const void *data, size_t len, struct buf *ret, struct err *err)
{
    struct recipient recipient;
    rnp_key_handle_t key = NULL;
    int rc = read_key(text, &recipient, err);
    if (rc == OK)
        rc = find_encryption_key(&recipient, &key, err);
    if (rc == OK && data != NULL)
        rc = encrypt(&recipient, key, data, len, ret, err);
    if (key != NULL)
        recipient.rnp->rnp_key_handle_destroy(key);
    forget(&recipient);
    return rc;
}

int pgp_check(const char *key, struct err *err)
{
    return encrypt_to(key, NULL, 0, NULL, err);
}

int pgp_encrypt(const char *key, const void *data, size_t len, struct buf *ret, struct err *err)
{
    return encrypt_to(key, data, len, ret, err);
}
