/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools.c — sys/tools: random bytes, and hashes.
 */
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/encoding.h"
#include "base/secret.h"
#include "core/request/request.h"
#include "sys/handlers.h"

#define RANDOM_MAX (128 << 10)

const struct field sys_tools_random_fields[] = {
    {"bytes", FIELD_INT, "How many bytes; 32 without."},
    {"urlbytes", FIELD_STRING, "How many bytes, in the path."},
    {"source", FIELD_STRING, "platform, seal or all: they are the same here."},
    {"format", FIELD_STRING, "base64 or hex."},
    {0},
};

const struct field sys_tools_hash_fields[] = {
    {"input", FIELD_STRING, "What to hash, in base64."},
    {"algorithm", FIELD_STRING, "sha2-224, sha2-256, sha2-384, sha2-512, or the same with sha3; sha2-256 without."},
    {"urlalgorithm", FIELD_STRING, "The algorithm, in the path."},
    {"format", FIELD_STRING, "hex or base64."},
    {0},
};

static char *encode(struct request *req, const char *format, const unsigned char *bytes, size_t len)
{
    bool is_hex = strcmp(format, "hex") == 0;
    char *text = arena_alloc(&req->arena, 2 * len + 8);
    if (is_hex)
        hex_encode(bytes, len, text);
    else
        base64_encode(bytes, len, text);
    return text;
}

static bool is_format(const char *format)
{
    return strcmp(format, "hex") == 0 || strcmp(format, "base64") == 0;
}

/* ---- Random ---- */

static int read_count(struct request *req, int64_t *ret_count)
{
    const char *text = field_str(req, "urlbytes", NULL);
    char *end = NULL;
    *ret_count = text != NULL ? strtoll(text, &end, 10) : field_int(req, "bytes", 32);
    if (text != NULL && *end != '\0')
        return fail(req, ERR_INVALID,
                    "error parsing url-set byte count: strconv.Atoi: parsing \"%.64s\": invalid syntax", text);
    if (*ret_count < 1)
        return fail(req, ERR_INVALID, "'bytes' cannot be less than 1");
    if (*ret_count > RANDOM_MAX)
        return fail(req, ERR_INVALID, "'bytes' should be less than %d", RANDOM_MAX);
    return OK;
}

int sys_tools_random(struct request *req)
{
    const char *source = field_str(req, "source", "platform"), *format = field_str(req, "format", "base64");
    int64_t count;
    int rc = read_count(req, &count);
    if (rc != OK)
        return rc;
    if (!is_format(format))
        return fail(req, ERR_INVALID, "unsupported encoding format \"%.32s\"; must be \"hex\" or \"base64\"", format);
    if (strcmp(source, "platform") != 0 && strcmp(source, "seal") != 0 && strcmp(source, "all") != 0)
        return fail(req, ERR_INVALID,
                    "unsupported entropy source \"%.32s\"; must be \"platform\" or \"seal\", or \"all\"", source);
    unsigned char *bytes = arena_alloc(&req->arena, (size_t)count);
    random_bytes(bytes, (size_t)count);
    reply_data(req, json_pack("{s:s}", "random_bytes", encode(req, format, bytes, (size_t)count)));
    if (strcmp(source, "seal") == 0)
        reply_warn(req, "no seal/entropy augmentation available, using platform entropy source");
    return OK;
}

/* ---- Hash ---- */

static const EVP_MD *find_digest(const char *name)
{
    static const struct {
        const char *name;
        const EVP_MD *(*digest)(void);
    } digests[] = {
        {"sha2-224", EVP_sha224},   {"sha2-256", EVP_sha256},   {"sha2-384", EVP_sha384},   {"sha2-512", EVP_sha512},
        {"sha3-224", EVP_sha3_224}, {"sha3-256", EVP_sha3_256}, {"sha3-384", EVP_sha3_384}, {"sha3-512", EVP_sha3_512},
    };
    for (size_t i = 0; i < sizeof digests / sizeof digests[0]; i++)
        if (strcmp(digests[i].name, name) == 0)
            return digests[i].digest();
    return NULL;
}

int sys_tools_hash(struct request *req)
{
    const char *algorithm = field_str(req, "urlalgorithm", field_str(req, "algorithm", "sha2-256"));
    const char *input = field_str(req, "input", ""), *format = field_str(req, "format", "hex");
    const EVP_MD *digest = find_digest(algorithm);
    unsigned char *bytes = arena_alloc(&req->arena, strlen(input) + 4), sum[EVP_MAX_MD_SIZE];
    unsigned sum_len;
    size_t len;
    if (base64_decode(input, bytes, &len) != OK)
        return fail(req, ERR_INVALID, "unable to decode input as base64: illegal base64 data");
    if (!is_format(format))
        return fail(req, ERR_INVALID, "unsupported encoding format %.32s; must be \"hex\" or \"base64\"", format);
    if (digest == NULL)
        return fail(req, ERR_INVALID, "unsupported algorithm %.32s", algorithm);
    if (EVP_Digest(bytes, len, sum, &sum_len, digest, NULL) != 1)
        return fail(req, ERR_INTERNAL, "the hash could not be made");
    reply_data(req, json_pack("{s:s}", "sum", encode(req, format, sum, sum_len)));
    return OK;
}
