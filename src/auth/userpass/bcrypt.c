/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/userpass/bcrypt.h"

#include <crypt.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"

#define COST 10

/* A well-formed hash of nothing that anybody knows. */
static const char nobody[] = "$2b$10$abcdefghijklmnopqrstuuJbc5hQf5Ih1v9kqPTK7ZxYQnV0t3m2e";

/* crypt_r() with its 32 KiB of working memory, which holds the password: wiped. */
static bool compute(const char *password, const char *setting, char ret_hash[BCRYPT_HASH_SIZE])
{
    struct crypt_data *data = calloc(1, sizeof *data);
    if (data == NULL)
        abort();
    const char *hash = crypt_r(password, setting, data);
    bool ok = hash != NULL && strlen(hash) == BCRYPT_HASH_SIZE - 1;
    if (ok)
        memcpy(ret_hash, hash, BCRYPT_HASH_SIZE);
    secret_wipe(data, sizeof *data);
    free(data);
    return ok;
}

int bcrypt_hash(const char *password, char ret_hash[BCRYPT_HASH_SIZE])
{
    char random[16], setting[CRYPT_GENSALT_OUTPUT_SIZE];
    if (strlen(password) > BCRYPT_PASSWORD_MAX)
        return ERR_INVALID;
    random_bytes(random, sizeof random);
    if (crypt_gensalt_rn("$2b$", COST, random, sizeof random, setting, sizeof setting) == NULL)
        return ERR_INTERNAL;
    return compute(password, setting, ret_hash) ? OK : ERR_INTERNAL;
}

bool bcrypt_fits(const char *password, const char *hash)
{
    char computed[BCRYPT_HASH_SIZE] = "";
    bool is_known = hash != NULL && bcrypt_is_hash(hash) && bcrypt_cost(hash) <= BCRYPT_COST_MAX &&
                    strlen(password) <= BCRYPT_PASSWORD_MAX;
    bool done = compute(password, is_known ? hash : nobody, computed);
    return done && is_known && secret_equal_str(computed, hash);
}

bool bcrypt_is_hash(const char *text)
{
    static const char alphabet[] = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    if (strlen(text) != BCRYPT_HASH_SIZE - 1 || strncmp(text, "$2", 2) != 0 || strchr("aby", text[2]) == NULL ||
        text[3] != '$' || text[6] != '$')
        return false;
    int cost = bcrypt_cost(text);
    return strspn(text + 4, "0123456789") == 2 && cost >= 4 && cost <= 31 && strspn(text + 7, alphabet) == 53;
}

int bcrypt_cost(const char *hash)
{
    return (hash[4] - '0') * 10 + (hash[5] - '0');
}
