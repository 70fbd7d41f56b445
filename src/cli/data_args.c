/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/data_args.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

#define FILE_BYTES_MAX ((size_t)64 << 20)

static int read_stdin(struct cli *cli, struct buf *ret, struct err *err)
{
    char chunk[4096];
    ssize_t n;

    if (cli->stdin_used)
        return err_set(err, ERR_INVALID, "stdin already consumed");
    cli->stdin_used = true;
    while ((n = read(STDIN_FILENO, chunk, sizeof chunk)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set(err, ERR_IO, "error reading stdin: %s", strerror(errno));
        if (ret->len + (size_t)n > FILE_BYTES_MAX)
            return err_set(err, ERR_TOO_LARGE, "more than %zu bytes on stdin", FILE_BYTES_MAX);
        buf_put(ret, chunk, (size_t)n);
    }
    return OK;
}

int data_args_read_file(struct cli *cli, const char *path, struct buf *ret, struct err *err)
{
    if (!strcmp(path, "-"))
        return read_stdin(cli, ret, err);
    return file_read(path, FILE_BYTES_MAX, ret, err);
}

/* A whole JSON object: @file.json, or - for standard input. */
static int take_object(struct cli *cli, const char *arg, json_t *data, struct err *err)
{
    struct buf text = BUF_INIT;
    json_error_t error;
    json_t *object;
    int rc = data_args_read_file(cli, *arg == '@' ? arg + 1 : arg, &text, err);

    if (rc)
        goto out;
    object = json_loadb(text.data ? (char *)text.data : "", text.len, 0, &error);
    if (!json_is_object(object))
        rc = err_set(err, ERR_INVALID, "%s", object ? "not a JSON object" : error.text);
    else
        json_object_update(data, object);
    json_decref(object);
out:
    buf_close(&text);
    return rc;
}

/* What stands after the '=' as a JSON text: as it is, from a file, or from standard input. */
static int read_value(struct cli *cli, const char *text, json_t **ret_value, struct err *err)
{
    struct buf content = BUF_INIT;
    int rc = OK;

    if (!strcmp(text, "-")) {
        rc = read_stdin(cli, &content, err);
    } else if (*text == '@') {
        rc = data_args_read_file(cli, text + 1, &content, err);
        if (rc)
            err_wrap(err, "error reading file");
    } else {
        buf_puts(&content, text[0] == '\\' && text[1] == '@' ? text + 1 : text);
    }
    if (!rc) {
        *ret_value = json_stringn(content.data ? (char *)content.data : "", content.len);
        if (!*ret_value)
            rc = err_set(err, ERR_INVALID, "the value is not UTF-8 text");
    }
    buf_close(&content);
    return rc;
}

static void add_value(json_t *data, const char *key, size_t key_len, json_t *value)
{
    json_t *present = json_object_getn(data, key, key_len);

    if (json_is_array(present))
        json_array_append_new(present, value);
    else if (present)
        json_object_setn_new(data, key, key_len, json_pack("[O, o]", present, value));
    else
        json_object_setn_new(data, key, key_len, value);
}

static int take_argument(struct cli *cli, const char *arg, json_t *data, struct err *err)
{
    const char *equals = strchr(arg, '=');
    json_t *value;
    int rc;

    if (!strcmp(arg, "-") || (*arg == '@' && !equals))
        return take_object(cli, arg, data, err);
    if (!equals)
        return err_set(err, ERR_INVALID, "format must be key=value");
    rc = read_value(cli, equals + 1, &value, err);
    if (!rc)
        add_value(data, arg, (size_t)(equals - arg), value);
    return rc;
}

/* For a message: the argument without its value, which may be a secret. */
static int name_argument(const char *arg, struct err *err)
{
    const char *equals = strchr(arg, '=');

    if (equals && equals[1] != '@' && strcmp(equals, "=-") != 0)
        return err_wrap(err, "invalid key/value pair \"%.*s=...\"", (int)(equals - arg), arg);
    return err_wrap(err, "invalid key/value pair \"%s\"", arg);
}

int data_args_parse(struct cli *cli, int first, json_t **ret_data, struct err *err)
{
    json_t *data = json_object();

    for (int i = first; i < cli->argc; i++) {
        if (take_argument(cli, cli->argv[i], data, err)) {
            json_decref(data);
            return name_argument(cli->argv[i], err);
        }
    }
    *ret_data = data;
    return OK;
}

bool data_args_take(struct cli *cli, int first, json_t **ret_data)
{
    struct err err = {0};

    if (!data_args_parse(cli, first, ret_data, &err))
        return true;
    cli_mistake("Failed to parse K=V data: %s", err_text(&err));
    return false;
}
