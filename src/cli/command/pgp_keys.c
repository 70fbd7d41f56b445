/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/command/pgp_keys.h"

#include <stdlib.h>
#include <string.h>

#include "base/encoding.h"
#include "base/pgp_packets.h"
#include "cli/data_args.h"
#include "cli/options.h"

#define KEYBASE "keybase:"
#define ARMOR   "-----BEGIN PGP "

static int take_armored(const char *path, const char *text, struct buf *ret)
{
    int rc = pgp_dearmor(text, ret);

    if (rc == ERR_NOTFOUND)
        return cli_mistake("%s holds no PGP public key: a private one, or a message", path);
    return rc ? cli_mistake("more than one key found in file %s", path) : EXIT_OK;
}

/* The file as base64 without line ends; false when it is none. */
static bool take_base64(const struct buf *file, struct buf *ret)
{
    size_t size;
    unsigned char *bytes;
    bool is_base64 = !memchr(file->data, '\0', file->len);

    for (size_t i = 0; i < file->len; i++)
        if (!strchr(" \t\r\n", file->data[i]))
            buf_put_u8(ret, file->data[i]);
    bytes = malloc(ret->len / 4 * 3 + 6);
    is_base64 = is_base64 && bytes && !base64_decode(buf_str(ret), bytes, &size);
    free(bytes);
    return is_base64;
}

static void put_base64(const struct buf *file, struct buf *ret)
{
    buf_clear(ret);
    buf_reserve(ret, BASE64_SIZE(file->len));
    base64_encode(file->data, file->len, (char *)ret->data);
    ret->len = BASE64_SIZE(file->len) - 1;
}

/* Whether it begins with a packet that holds a private key (RFC 4880, 4.2 and 4.3). */
static bool is_private(struct buf *key)
{
    char head[5] = "";
    unsigned char bytes[6];
    size_t size = 0;

    memcpy(head, buf_str(key), key->len < 4 ? key->len : 4);
    if (base64_decode(head, bytes, &size) || size < 1)
        return false;
    return bytes[0] == 0xc5 || (bytes[0] & 0xfc) == 0x94;
}

static int encode(const char *path, struct buf *file, struct buf *ret)
{
    int code = EXIT_OK;

    if (!file->len)
        return cli_mistake("%s is empty: a PGP public key is expected", path);
    if (!memchr(file->data, '\0', file->len) && strstr(buf_str(file), ARMOR))
        code = take_armored(path, buf_str(file), ret);
    else if (!take_base64(file, ret))
        put_base64(file, ret);
    if (!code && is_private(ret))
        return cli_mistake("%s holds a private key; it was not sent. Export the public one: gpg --export NAME", path);
    return code;
}

/* A path may have an '@' before it. ret_key: a new reference. */
static int read_key(struct cli *cli, const char *path, json_t **ret_key)
{
    struct buf file = BUF_INIT, key = BUF_INIT;
    struct err err = {0};
    int code = EXIT_OK;

    path = cli_trim(cli, path, "");
    if (!strncmp(path, KEYBASE, strlen(KEYBASE)))
        return cli_mistake(
            "%s: keys are not fetched from Keybase, nor from any other service. Save the key in a file, see\n"
            "that it is the right one (gpg --show-keys FILE), and name the file.",
            path);
    path += *path == '@';
    if (data_args_read_file(cli, path, &file, &err))
        code = cli_mistake("The PGP key cannot be read: %s", err_text(&err));
    else
        code = encode(path, &file, &key);
    if (!code)
        *ret_key = json_stringn((char *)key.data, key.len);
    buf_close(&file);
    buf_close(&key);
    return code;
}

/* Files between commas, each into the list. */
static int read_keys(struct cli *cli, const char *paths, json_t *list)
{
    int code = EXIT_OK;

    for (size_t len; !code && *paths; paths += len + (paths[len] == ',')) {
        json_t *key = NULL;

        len = strcspn(paths, ",");
        code = read_key(cli, cli_printf(cli, "%.*s", (int)len, paths), &key);
        if (!code)
            json_array_append_new(list, key);
    }
    return code;
}

int pgp_keys_into(struct cli *cli, const char *option, json_t *body, const char *key)
{
    json_t *given = option_list(cli, option), *paths, *list;
    size_t i;

    if (!given)
        return EXIT_OK;
    list = cli_keep(cli, json_array());
    json_array_foreach(given, i, paths)
    {
        int code = read_keys(cli, cli_text(paths), list);

        if (code)
            return code;
    }
    json_object_set(body, key, list);
    return EXIT_OK;
}

int pgp_key_into(struct cli *cli, const char *option, json_t *body, const char *key)
{
    json_t *read = NULL;
    int code;

    if (!option_is_set(cli, option))
        return EXIT_OK;
    code = read_key(cli, option_text(cli, option), &read);
    if (!code)
        json_object_set_new(body, key, read);
    return code;
}
