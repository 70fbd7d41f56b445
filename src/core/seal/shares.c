/* SPDX-License-Identifier: Apache-2.0 */
#include "core/seal/shares.h"

#include <stdlib.h>
#include <string.h>

#include "base/encoding.h"
#include "base/secret.h"
#include "storage/shamir.h"

#define SHARE_MIN 16
#define SHARE_MAX (BARRIER_KEY_SIZE + 1)

struct shares {
    const char *prefix;
    char nonce[37];
    int n;
    size_t size;          /* all are of the first one's */
    unsigned char *bytes; /* secret memory */
};

/* ---- Splitting ---- */

int shares_check(const char *prefix, bool may_be_none, int shares, int threshold, struct err *err)
{
    if (may_be_none && shares == 0 && threshold == 0)
        return OK;
    if (shares < 1)
        return err_set(err, ERR_INVALID, "%sshares must be at least one", prefix);
    if (shares > SHAMIR_SHARES_MAX || threshold > SHAMIR_SHARES_MAX)
        return err_set(err, ERR_INVALID, "%sshares must be less than 256", prefix);
    if (threshold < 1)
        return err_set(err, ERR_INVALID, "%sthreshold must be at least one", prefix);
    if (shares > 1 && threshold == 1)
        return err_set(err, ERR_INVALID, "%sthreshold must be greater than one for multiple shares", prefix);
    if (threshold > shares)
        return err_set(err, ERR_INVALID, "%sthreshold cannot be larger than shares", prefix);
    return OK;
}

static void tell(const unsigned char *share, size_t size, json_t *hex, json_t *base64)
{
    char text[2 * SHARE_MAX + 1];
    hex_encode(share, size, text);
    json_array_append_new(hex, json_string(text));
    base64_encode(share, size, text);
    json_array_append_new(base64, json_string(text));
    secret_wipe(text, sizeof text);
}

int shares_tell(const unsigned char key[BARRIER_KEY_SIZE], int shares, int threshold, json_t *hex, json_t *base64,
                struct err *err)
{
    if (shares == 1)
        tell(key, BARRIER_KEY_SIZE, hex, base64);
    if (shares <= 1)
        return OK;
    unsigned char *bytes = secret_alloc((size_t)shares * SHARE_MAX);
    int rc = shamir_split(key, BARRIER_KEY_SIZE, shares, threshold, bytes);
    for (int i = 0; rc == OK && i < shares; i++)
        tell(bytes + (size_t)i * SHARE_MAX, SHARE_MAX, hex, base64);
    secret_free(bytes);
    return rc == OK ? OK : err_set(err, rc, "the key could not be split");
}

/* ---- Collecting ---- */

struct shares *shares_new(const char *prefix)
{
    struct shares *shares = calloc(1, sizeof *shares);
    if (shares == NULL)
        abort();
    shares->prefix = prefix;
    random_uuid(shares->nonce);
    shares->bytes = secret_alloc((size_t)SHAMIR_SHARES_MAX * SHARE_MAX);
    return shares;
}

void shares_free(struct shares *shares)
{
    if (shares == NULL)
        return;
    secret_free(shares->bytes);
    free(shares);
}

void shares_clear(struct shares *shares)
{
    secret_wipe(shares->bytes, (size_t)SHAMIR_SHARES_MAX * SHARE_MAX);
    shares->n = 0;
}

int shares_count(const struct shares *shares)
{
    return shares->n;
}

const char *shares_nonce(const struct shares *shares)
{
    return shares->nonce;
}

/* Hex is tried first, and taken only when its length can be a share's; a share may look like both. */
static int decode_share(const char *prefix, const char *text, unsigned char *ret, size_t *ret_size, struct err *err)
{
    unsigned char bytes[256];
    size_t size = 0, len = strlen(text);
    int rc = ERR_INVALID;
    if (len > 0 && len < 200) {
        rc = hex_decode(text, bytes, &size);
        if (rc != OK || size < SHARE_MIN || size > SHARE_MAX)
            rc = base64_decode(text, bytes, &size);
    }
    if (rc != OK)
        rc = err_set(err, ERR_INVALID, "'key' must be a valid hex or base64 string");
    else if (size < SHARE_MIN)
        rc = err_set(err, ERR_INVALID, "%skey is shorter than minimum %d bytes", prefix, SHARE_MIN);
    else if (size > SHARE_MAX)
        rc = err_set(err, ERR_INVALID, "%skey is longer than maximum %d bytes", prefix, SHARE_MAX);
    else
        memcpy(ret, bytes, *ret_size = size);
    secret_wipe(bytes, sizeof bytes);
    return rc;
}

/*
 * What cannot be a share of this cluster's must not throw away those that can: anybody may give one. Only one of a key
 * that was split begins anew after others.
 */
static int check_size(const struct shares *shares, size_t size, struct err *err)
{
    if (shares->n > 0 && size != shares->size && size != SHARE_MAX)
        return err_set(err, ERR_INVALID, "%skey is not as long as those that were given before", shares->prefix);
    return OK;
}

/* The same one again is no progress. */
static bool add(struct shares *shares, const unsigned char *share, size_t size)
{
    if (shares->size != size)
        shares->n = 0;
    shares->size = size;
    for (int i = 0; i < shares->n; i++)
        if (secret_equal(shares->bytes + (size_t)i * size, share, size))
            return false;
    if (shares->n < SHAMIR_SHARES_MAX)
        memcpy(shares->bytes + (size_t)shares->n++ * size, share, size);
    return true;
}

int shares_add(struct shares *shares, const char *text, bool *ret_is_new, struct err *err)
{
    unsigned char *share = secret_alloc(SHARE_MAX);
    size_t size;
    int rc = decode_share(shares->prefix, text, share, &size, err);
    if (rc == OK)
        rc = check_size(shares, size, err);
    if (rc == OK)
        *ret_is_new = add(shares, share, size);
    secret_free(share);
    return rc;
}

/* One share is the key itself. */
int shares_combine(const struct shares *shares, unsigned char ret_key[BARRIER_KEY_SIZE], struct err *err)
{
    if (shares->n == 1 && shares->size == BARRIER_KEY_SIZE) {
        memcpy(ret_key, shares->bytes, BARRIER_KEY_SIZE);
        return OK;
    }
    if (shares->size != SHARE_MAX || shamir_combine(shares->bytes, shares->n, shares->size, ret_key) != OK)
        return err_set(err, ERR_INVALID, "failed to generate key from shares; none of the shares is of this seal");
    return OK;
}
