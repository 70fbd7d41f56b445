/* SPDX-License-Identifier: Apache-2.0 */
#include "config/config_keys.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cidr.h"
#include "base/duration.h"
#include "base/log.h"
#include "config/config.h"

#define NODE_ID_MAX 63 /* as raft/cluster.h has room for */
#define URL_MAX     255

/* ---- Sentences ---- */

const char *config_place(const char *file, int line, char *buf, size_t size)
{
    if (line > 0)
        snprintf(buf, size, "%s:%d", file, line);
    else
        snprintf(buf, size, "%s", file);
    return buf;
}

int config_fail(struct err *err, const char *file, int line, const char *fmt, ...)
{
    char place[300], text[400];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return err_set(err, ERR_INVALID, "%s: %s", config_place(file, line, place, sizeof place), text);
}

void config_warn(const char *file, int line, const char *fmt, ...)
{
    char place[300], text[400];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    log_warn("config", "%s: %s", config_place(file, line, place, sizeof place), text);
}

/* ---- Values ---- */

static int read_text(const json_t *value, char **ret_text, const char **ret_problem)
{
    if (!json_is_string(value)) {
        *ret_problem = "must be a text";
        return ERR_INVALID;
    }
    char *copy = strdup(json_string_value(value));
    if (copy == NULL)
        abort();
    free(*ret_text);
    *ret_text = copy;
    return OK;
}

static int read_bool(const json_t *value, bool *ret_flag, const char **ret_problem)
{
    static const char *const yes[] = {"1", "t", "T", "true", "TRUE", "True"};
    static const char *const no[] = {"0", "f", "F", "false", "FALSE", "False"};
    const char *text = json_string_value(value);

    if (json_is_boolean(value)) {
        *ret_flag = json_is_true(value);
        return OK;
    }
    if (json_is_integer(value) && (json_integer_value(value) | 1) == 1) {
        *ret_flag = json_integer_value(value) == 1;
        return OK;
    }
    for (size_t i = 0; text != NULL && i < sizeof yes / sizeof *yes; i++) {
        if (strcmp(text, yes[i]) != 0 && strcmp(text, no[i]) != 0)
            continue;
        *ret_flag = strcmp(text, yes[i]) == 0;
        return OK;
    }
    *ret_problem = "must be true or false";
    return ERR_INVALID;
}

static int read_count(const json_t *value, int64_t *ret_count, const char **ret_problem)
{
    const char *text = json_string_value(value);
    long long count = json_is_integer(value) ? json_integer_value(value) : -1;
    char *rest = NULL;

    if (text != NULL && *text != '\0') {
        errno = 0;
        count = strtoll(text, &rest, 10);
        if (errno != 0 || *rest != '\0')
            count = -1;
    }
    if (count < 0) {
        *ret_problem = "must be a number, not negative";
        return ERR_INVALID;
    }
    *ret_count = count;
    return OK;
}

static int read_seconds(const json_t *value, int64_t *ret_seconds, const char **ret_problem)
{
    const char *text = json_string_value(value);
    int64_t seconds = json_is_integer(value) ? json_integer_value(value) : -1;

    if (text != NULL && duration_parse_s(text, &seconds) != OK)
        seconds = -1;
    if (seconds < 0) {
        *ret_problem = "must be a duration like \"768h\", or a number of seconds";
        return ERR_INVALID;
    }
    *ret_seconds = seconds;
    return OK;
}

static int add_block(struct config_blocks *blocks, const char *text, size_t len)
{
    char *copy = strndup(text, len);

    blocks->texts = realloc(blocks->texts, (blocks->n + 1) * sizeof *blocks->texts);
    if (copy == NULL || blocks->texts == NULL)
        abort();
    blocks->texts[blocks->n++] = copy; /* freed with the rest, whatever it is */
    return cidr_is_valid(copy) ? OK : ERR_INVALID;
}

/* "10.0.0.0/8, 192.0.2.1" */
static int add_blocks(struct config_blocks *blocks, const char *text)
{
    int rc = OK;

    while (text != NULL && rc == OK) {
        const char *comma = strchr(text, ',');
        size_t len = comma != NULL ? (size_t)(comma - text) : strlen(text);
        size_t blanks = strspn(text, " ,");
        const char *end = text + len;
        text += blanks < len ? blanks : len;
        while (end > text && end[-1] == ' ')
            end--;
        rc = add_block(blocks, text, (size_t)(end - text));
        text = comma != NULL ? comma + 1 : NULL;
    }
    return rc;
}

static int read_blocks(const json_t *value, struct config_blocks *ret, const char **ret_problem)
{
    int rc = json_is_array(value) || json_is_string(value) ? OK : ERR_INVALID;
    const json_t *one;
    size_t i;

    if (json_is_string(value))
        rc = add_blocks(ret, json_string_value(value));
    json_array_foreach(value, i, one)
    {
        if (rc == OK)
            rc = json_is_string(one) ? add_blocks(ret, json_string_value(one)) : ERR_INVALID;
    }
    if (rc != OK)
        *ret_problem = "must be a list of addresses and blocks of them, like \"10.0.0.0/8\"";
    return rc;
}

static int read_value(const json_t *value, enum key_kind kind, void *ret, const char **ret_problem)
{
    switch (kind) {
    case KEY_TEXT:
        return read_text(value, ret, ret_problem);
    case KEY_BOOL:
        return read_bool(value, ret, ret_problem);
    case KEY_COUNT:
        return read_count(value, ret, ret_problem);
    case KEY_BLOCKS:
        return read_blocks(value, ret, ret_problem);
    case KEY_SECONDS:
        return read_seconds(value, ret, ret_problem);
    default:
        return OK;
    }
}

static int read_key(const char *file, const struct hcl_item *item, const struct config_key *key, void *ret,
                    struct err *err)
{
    struct err why = {0};
    const char *problem = NULL;

    if (key->kind == KEY_OTHER)
        return OK;
    if (key->kind == KEY_WARN) {
        config_warn(file, item->line, "\"%s\" has no effect here", key->name);
        return OK;
    }
    if (item->value == NULL)
        return config_fail(err, file, item->line, "\"%s\" is a setting, not a block", key->name);
    if (read_value(item->value, key->kind, (char *)ret + key->offset, &problem) != OK)
        return config_fail(err, file, item->line, "\"%s\" %s", key->name, problem);
    if (key->check != NULL && key->check(json_string_value(item->value), &why) != OK)
        return config_fail(err, file, item->line, "\"%s\": %s", key->name, err_text(&why));
    return OK;
}

static const struct config_key *find_key(const struct config_key *keys, const char *name)
{
    for (; keys->name != NULL; keys++) {
        if (strcmp(keys->name, name) == 0)
            return keys;
    }
    return NULL;
}

int config_read_keys(const char *file, const struct hcl_body *body, const struct config_key *keys, void *ret,
                     struct err *err)
{
    int rc = OK;

    for (size_t i = 0; rc == OK && i < body->n_items; i++) {
        const struct hcl_item *item = &body->items[i];
        const struct config_key *key = find_key(keys, item->key);
        if (key != NULL)
            rc = read_key(file, item, key, ret, err);
        else
            config_warn(file, item->line, "unknown setting \"%.64s\"", item->key);
    }
    return rc;
}

/* ---- Checks ---- */

int config_check_address(const char *text, struct err *err)
{
    const char *colon = strrchr(text, ':');
    char *rest = NULL;

    if (colon == NULL || (text[0] == '[') != (colon > text && colon[-1] == ']') ||
        (text[0] != '[' && strchr(text, ':') != colon))
        return err_set(err, ERR_INVALID, "\"%.128s\" is no address like \"127.0.0.1:8200\" or \"[::1]:8200\"", text);
    long port = strtol(colon + 1, &rest, 10);
    if (colon[1] < '0' || colon[1] > '9' || *rest != '\0' || port < 1 || port > 65535)
        return err_set(err, ERR_INVALID, "\"%.128s\" has no port from 1 to 65535", text);
    return OK;
}

int config_check_url(const char *text, struct err *err)
{
    const char *host = strncmp(text, "https://", 8) == 0 ? text + 8 : strncmp(text, "http://", 7) == 0 ? text + 7 : "";

    for (const char *p = text; *p != '\0'; p++) {
        if (*p <= ' ' || *p > '~' || strchr("\"<>\\^`{|}", *p) != NULL)
            host = "";
    }
    if (*host == '\0' || *host == '/' || *host == ':' || strlen(text) > URL_MAX)
        return err_set(err, ERR_INVALID, "\"%.128s\" is no URL like \"https://vault.example.com:8200\"", text);
    return OK;
}

int config_check_tls_version(const char *text, struct err *err)
{
    if (strcmp(text, "tls12") == 0 || strcmp(text, "tls13") == 0)
        return OK;
    return err_set(err, ERR_INVALID, "there are \"tls12\" and \"tls13\"");
}

int config_check_proxy_behavior(const char *text, struct err *err)
{
    if (strcmp(text, "use_always") == 0 || strcmp(text, "allow_authorized") == 0 ||
        strcmp(text, "deny_unauthorized") == 0)
        return OK;
    return err_set(err, ERR_INVALID, "there are \"use_always\", \"allow_authorized\" and \"deny_unauthorized\"");
}

int config_check_log_level(const char *text, struct err *err)
{
    enum log_level level;

    if (log_parse_level(text, &level) == OK)
        return OK;
    return err_set(err, ERR_INVALID, "there are \"trace\", \"debug\", \"info\", \"warn\" and \"error\"");
}

int config_check_log_format(const char *text, struct err *err)
{
    if (*text == '\0' || strcmp(text, "standard") == 0 || strcmp(text, "json") == 0)
        return OK;
    return err_set(err, ERR_INVALID, "there are \"standard\" and \"json\"");
}

int config_check_node_id(const char *text, struct err *err)
{
    size_t len = strlen(text);

    if (len == 0 || len > NODE_ID_MAX)
        return err_set(err, ERR_INVALID, "it has 1 to %d characters", NODE_ID_MAX);
    for (; *text != '\0'; text++) {
        if (*text <= ' ' || *text > '~' || *text == '/')
            return err_set(err, ERR_INVALID, "it holds neither spaces nor slashes");
    }
    return OK;
}
