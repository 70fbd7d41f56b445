/* SPDX-License-Identifier: Apache-2.0 */
#include "core/seal/root_token.h"

#include <assert.h>
#include <string.h>

#include "base/encoding.h"
#include "base/json.h"
#include "base/log.h"
#include "base/secret.h"
#include "core/core_private.h"
#include "core/request/request.h"
#include "core/seal/recipients.h"
#include "core/seal/shares.h"
#include "core/token/token.h"

#define ENCODED_MAX 512

static_assert(TOKEN_LENGTH < CEREMONY_OTP_SIZE, "an OTP is as long as a token");

/* ---- The state, as it is told ---- */

/* otp and encoded: "" but where they are told. */
static json_t *describe(const struct ceremony *ceremony, int progress, const json_t *seal, const char *otp,
                        const char *encoded)
{
    const json_t *fingerprint = ceremony != NULL ? json_array_get(ceremony->pgp_fingerprints, 0) : NULL;
    return json_pack("{s:s, s:b, s:i, s:I, s:b, s:s, s:s, s:s, s:s, s:i}", "nonce",
                     ceremony != NULL ? shares_nonce(ceremony->given) : "", "started", ceremony != NULL, "progress",
                     progress, "required", (json_int_t)json_int(seal, "threshold", 0), "complete", encoded[0] != '\0',
                     "encoded_token", encoded, "encoded_root_token", encoded, "pgp_fingerprint",
                     fingerprint != NULL ? json_string_value(fingerprint) : "", "otp", otp, "otp_length", TOKEN_LENGTH);
}

int root_token_status(struct request *req)
{
    json_t *seal;
    int rc = ceremony_seal(req, &seal);
    if (rc != OK)
        return rc;
    pthread_mutex_lock(&req->core->ceremony_mutex);
    const struct ceremony *ceremony = ceremony_find(req, CEREMONY_ROOT_TOKEN);
    reply_data(req, describe(ceremony, ceremony != NULL ? shares_count(ceremony->given) : 0, seal, "", ""));
    pthread_mutex_unlock(&req->core->ceremony_mutex);
    json_decref(seal);
    return OK;
}

/* ---- Beginning ---- */

/* The fingerprint of the PGP key, as a list of one; NULL when there is none, or an OTP, which counts then. */
static int read_pgp_key(struct request *req, json_t **ret_keys, json_t **ret_fingerprints)
{
    struct err err = {0};
    const char *key = field_str(req, "pgp_key", "");
    *ret_keys = *ret_fingerprints = NULL;
    if (key[0] == '\0' || field_str(req, "otp", "")[0] != '\0')
        return OK;
    json_t *keys = json_pack("[s]", key);
    int rc = recipients_read(keys, ret_fingerprints, &err);
    if (rc != OK)
        err_wrap(&err, "error parsing PGP key");
    else
        rc = recipients_check(keys, &err);
    if (rc == OK) {
        *ret_keys = keys;
        return OK;
    }
    json_decref(keys);
    json_decref(*ret_fingerprints);
    return fail_with(req, &err);
}

/* Takes over the keys and their fingerprints. Under the mutex. */
static int begin(struct request *req, const json_t *seal, json_t *pgp_keys, json_t *pgp_fingerprints)
{
    const char *given = field_str(req, "otp", "");
    if (ceremony_find(req, CEREMONY_ROOT_TOKEN) != NULL) {
        json_decref(pgp_keys);
        json_decref(pgp_fingerprints);
        return fail(req, ERR_INVALID, "root generation already in progress");
    }
    struct ceremony *ceremony = ceremony_begin(req, CEREMONY_ROOT_TOKEN);
    ceremony->pgp_keys = pgp_keys;
    ceremony->pgp_fingerprints = pgp_fingerprints;
    if (given[0] != '\0')
        memcpy(ceremony->otp, given, TOKEN_LENGTH + 1);
    else if (pgp_keys == NULL)
        random_base62(ceremony->otp, TOKEN_LENGTH);
    ceremony->otp[TOKEN_LENGTH] = '\0';
    reply_data(req, describe(ceremony, 0, seal, given[0] != '\0' ? "" : ceremony->otp, ""));
    return OK;
}

int root_token_init(struct request *req)
{
    json_t *seal, *pgp_keys, *pgp_fingerprints;
    const char *otp = field_str(req, "otp", "");
    if (otp[0] != '\0' && strlen(otp) != TOKEN_LENGTH)
        return fail(req, ERR_INVALID, "OTP string has incorrect length");
    int rc = ceremony_seal(req, &seal);
    if (rc != OK)
        return rc;
    rc = read_pgp_key(req, &pgp_keys, &pgp_fingerprints);
    if (rc == OK) {
        pthread_mutex_lock(&req->core->ceremony_mutex);
        rc = begin(req, seal, pgp_keys, pgp_fingerprints);
        pthread_mutex_unlock(&req->core->ceremony_mutex);
    }
    json_decref(seal);
    return rc;
}

/* ---- The token ---- */

static int create(struct request *req, void *arg)
{
    json_t **auth = arg;
    json_decref(*auth); /* of a run before this one */
    *auth = NULL;
    return token_create_root(req, NULL, auth);
}

/* Base64 without padding, of the token XORed with the OTP. */
static json_t *mix(const char *token, const char *otp)
{
    unsigned char mixed[TOKEN_LENGTH];
    char text[BASE64_SIZE(TOKEN_LENGTH)];
    for (int i = 0; i < TOKEN_LENGTH; i++)
        mixed[i] = (unsigned char)(token[i] ^ otp[i]);
    base64_encode(mixed, sizeof mixed, text);
    text[strcspn(text, "=")] = '\0';
    secret_wipe(mixed, sizeof mixed);
    return json_string(text);
}

/* As it is told: for who has the OTP, or the PGP key. */
static int encode(const struct ceremony *ceremony, const char *token, json_t **ret_encoded, struct err *err)
{
    assert(strlen(token) == TOKEN_LENGTH);
    if (ceremony->pgp_keys != NULL)
        return recipients_encrypt_text(json_string_value(json_array_get(ceremony->pgp_keys, 0)), token, ret_encoded,
                                       err);
    *ret_encoded = mix(token, ceremony->otp);
    return OK;
}

/* Without the mutex: it waits for the log. The PGP key is looked at first: there is to be no token that nobody gets. */
static int generate(struct request *req, const struct ceremony *ceremony, const json_t *seal)
{
    struct err err = {0};
    json_t *auth = NULL, *encoded = NULL;
    int rc = recipients_check(ceremony->pgp_keys, &err);
    if (rc == OK)
        rc = request_run_internal(req->core, req->epoch, create, &auth, &err);
    if (rc == OK)
        rc = encode(ceremony, json_str(auth, "client_token", ""), &encoded, &err);
    if (rc == OK) {
        reply_data(req, describe(ceremony, (int)json_int(seal, "threshold", 0), seal, "", json_string_value(encoded)));
        log_info("core", "a root token was generated, with the shares of %lld people",
                 (long long)json_int(seal, "threshold", 0));
    } else {
        fail_with(req, &err);
    }
    json_decref(encoded);
    json_decref(auth);
    return rc;
}

/* Under the mutex. ret_taken: enough were given; NULL when shares are missing. */
static int take_share(struct request *req, const json_t *seal, struct ceremony **ret_taken)
{
    bool is_enough;
    struct ceremony *ceremony = ceremony_find(req, CEREMONY_ROOT_TOKEN);
    if (ceremony == NULL)
        return fail(req, ERR_INVALID, "no root generation in progress");
    int rc = ceremony_give(req, ceremony, seal, "root generation", &is_enough);
    if (rc == OK && is_enough)
        *ret_taken = ceremony_take(req, CEREMONY_ROOT_TOKEN);
    else if (rc == OK)
        reply_data(req, describe(ceremony, shares_count(ceremony->given), seal, "", ""));
    return rc;
}

int root_token_update(struct request *req)
{
    json_t *seal;
    struct ceremony *taken = NULL;
    int rc = ceremony_check_fields(req);
    if (rc == OK)
        rc = ceremony_seal(req, &seal);
    if (rc != OK)
        return rc;
    pthread_mutex_lock(&req->core->ceremony_mutex);
    rc = take_share(req, seal, &taken);
    pthread_mutex_unlock(&req->core->ceremony_mutex);
    if (taken != NULL)
        rc = generate(req, taken, seal);
    ceremony_free(taken);
    json_decref(seal);
    return rc;
}

/* ---- Decoding ---- */

int root_token_decode(struct request *req)
{
    const char *encoded = field_str(req, "encoded_token", ""), *otp = field_str(req, "otp", "");
    unsigned char bytes[ENCODED_MAX];
    size_t size;
    if (encoded[0] == '\0' || otp[0] == '\0')
        return fail(req, ERR_INVALID, "provided 'encoded_token' or 'otp' is empty");
    if (strlen(encoded) > ENCODED_MAX / 2 || base64_decode(encoded, bytes, &size) != OK)
        return fail(req, ERR_INVALID, "error decoding token: it is no base64");
    if (size != strlen(otp))
        return fail(req, ERR_INVALID, "error xoring token: length of byte slices is not equivalent: %zu != %zu", size,
                    strlen(otp));
    for (size_t i = 0; i < size; i++)
        bytes[i] ^= (unsigned char)otp[i];
    json_t *token = json_stringn((const char *)bytes, size);
    secret_wipe(bytes, sizeof bytes);
    if (token == NULL)
        return fail(req, ERR_INVALID, "the token and the OTP do not belong together");
    reply_data(req, json_pack("{s:o}", "token", token));
    return OK;
}
