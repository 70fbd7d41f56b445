/* SPDX-License-Identifier: Apache-2.0 */
#include "base/encoding.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"

void hex_encode(const void *data, size_t size, char *ret)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *bytes = data;
    for (size_t i = 0; i < size; i++) {
        ret[2 * i] = digits[bytes[i] >> 4];
        ret[2 * i + 1] = digits[bytes[i] & 15];
    }
    ret[2 * size] = '\0';
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int hex_decode(const char *text, unsigned char *ret, size_t *ret_size)
{
    size_t len = strlen(text);
    if (len % 2 != 0)
        return ERR_INVALID;
    for (size_t i = 0; i < len / 2; i++) {
        int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return ERR_INVALID;
        ret[i] = (unsigned char)(high << 4 | low);
    }
    *ret_size = len / 2;
    return OK;
}

void base64_encode(const void *data, size_t size, char *ret)
{
    EVP_EncodeBlock((unsigned char *)ret, data, (int)size);
}

/* EVP_DecodeBlock wants whole groups of four and counts the padding as data: pad before, subtract after. */
int base64_decode(const char *text, unsigned char *ret, size_t *ret_size)
{
    size_t len = strlen(text), bare = len;
    while (bare > 0 && len - bare < 2 && text[bare - 1] == '=')
        bare--;
    if (bare % 4 == 1 || memchr(text, '=', bare) != NULL || strpbrk(text, " \t\r\n") != NULL)
        return ERR_INVALID;
    size_t padded = (bare + 3) / 4 * 4;
    char *copy = malloc(padded + 1);
    if (copy == NULL)
        abort();
    memcpy(copy, text, bare);
    memset(copy + bare, '=', padded - bare);
    int n = EVP_DecodeBlock(ret, (unsigned char *)copy, (int)padded);
    secret_wipe(copy, padded);
    free(copy);
    if (n < 0)
        return ERR_INVALID;
    *ret_size = (size_t)n - (padded - bare);
    return OK;
}

static void replace(char *text, char from, char to)
{
    for (; *text != '\0'; text++)
        if (*text == from)
            *text = to;
}

void base64url_encode(const void *data, size_t size, char *ret)
{
    base64_encode(data, size, ret);
    ret[strcspn(ret, "=")] = '\0';
    replace(ret, '+', '-');
    replace(ret, '/', '_');
}

int base64url_decode(const char *text, unsigned char *ret, size_t *ret_size)
{
    if (strpbrk(text, "+/=") != NULL)
        return ERR_INVALID;
    char *copy = strdup(text);
    if (copy == NULL)
        abort();
    replace(copy, '-', '+');
    replace(copy, '_', '/');
    int rc = base64_decode(copy, ret, ret_size);
    secret_wipe(copy, strlen(copy));
    free(copy);
    return rc;
}
