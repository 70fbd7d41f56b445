/* SPDX-License-Identifier: Apache-2.0 */
/*
 * approle_address.c — blocks of addresses that roles and secret ids are bound to.
 */
#include <stdlib.h>
#include <string.h>

#include "auth/approle/approle_private.h"
#include "base/cidr.h"
#include "base/json.h"

int role_check_blocks(struct request *req, const json_t *blocks, const char *what)
{
    const json_t *block;
    size_t i;
    json_array_foreach(blocks, i, block)
    {
        const char *text = json_string_value(block);
        if (strchr(text, '/') == NULL || !cidr_is_valid(text))
            return fail(req, ERR_INTERNAL,
                        "1 error occurred:\n\t* failed to validate %s: invalid CIDR address: %.64s\n\n", what, text);
    }
    return OK;
}

/* Whether every address of the first is one of the second; a block without a length is one address. */
static bool block_is_within(const char *inner, const char *outer)
{
    size_t len = strcspn(inner, "/");
    char address[64];
    if (len >= sizeof address)
        return false;
    memcpy(address, inner, len);
    address[len] = '\0';
    const char *inner_slash = strchr(inner, '/'), *outer_slash = strchr(outer, '/');
    long inner_bits = inner_slash != NULL ? strtol(inner_slash + 1, NULL, 10) : 128;
    long outer_bits = outer_slash != NULL ? strtol(outer_slash + 1, NULL, 10) : 128;
    return (inner_slash == NULL || inner_bits >= outer_bits) && (outer_slash != NULL || inner_slash == NULL) &&
           cidr_has(outer, address);
}

static bool is_within_one(const char *inner, const json_t *outer)
{
    const json_t *block;
    size_t i;
    json_array_foreach(outer, i, block) if (block_is_within(inner, json_string_value(block))) return true;
    return false;
}

static int check_within(struct request *req, const json_t *inner, const json_t *outer)
{
    const json_t *block;
    size_t i;
    if (json_array_size(outer) == 0)
        return OK;
    json_array_foreach(inner, i, block) if (!is_within_one(json_string_value(block), outer)) return fail(
        req, ERR_INTERNAL,
        "1 error occurred:\n\t* failed to verify subset relationship between CIDR blocks on the role and "
        "CIDR blocks on the secret ID: \"%.64s\" is in none of the role's\n\n",
        json_string_value(block));
    return OK;
}

int secret_check_addresses(struct request *req, const json_t *role)
{
    const json_t *logins = field_json(req, "cidr_list"), *tokens = field_json(req, "token_bound_cidrs");
    int rc = role_check_blocks(req, logins, "CIDR blocks");
    if (rc == OK)
        rc = role_check_blocks(req, tokens, "token CIDR blocks");
    if (rc == OK)
        rc = check_within(req, logins, json_list_at(role, "secret_id_bound_cidrs"));
    return rc == OK ? check_within(req, tokens, json_list_at(role, "token_bound_cidrs")) : rc;
}
