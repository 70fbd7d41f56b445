/* SPDX-License-Identifier: Apache-2.0 */
#include "api/params.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/path.h"
#include "base/json.h"
#include "base/secret.h"

/* ---- name=value&name=value ---- */

struct pair {
    const char *name, *value;
    size_t name_len, value_len;
};

/* The next pair that is not empty; *at moves behind it. */
static bool next_pair(const char **at, const char *end, struct pair *ret_pair)
{
    while (*at < end && **at == '&')
        (*at)++;
    if (*at >= end)
        return false;
    const char *stop = memchr(*at, '&', (size_t)(end - *at));
    if (stop == NULL)
        stop = end;
    const char *equals = memchr(*at, '=', (size_t)(stop - *at));
    ret_pair->name = *at;
    ret_pair->name_len = (size_t)((equals != NULL ? equals : stop) - *at);
    ret_pair->value = equals != NULL ? equals + 1 : stop;
    ret_pair->value_len = (size_t)(stop - ret_pair->value);
    *at = stop;
    return true;
}

typedef void add_pair(json_t *data, const char *name, json_t *value);

/* A second value makes an array of the first. */
static void add_to_list(json_t *data, const char *name, json_t *value)
{
    json_t *before = json_object_get(data, name);

    if (before == NULL)
        json_object_set_new(data, name, value);
    else if (json_is_array(before))
        json_array_append_new(before, value);
    else
        json_object_set_new(data, name, json_pack("[O,o]", before, value));
}

static void add_joined(json_t *data, const char *name, json_t *value)
{
    const char *before = json_string_value(json_object_get(data, name));

    if (before == NULL) {
        json_object_set_new(data, name, value);
        return;
    }
    json_object_set_new(data, name, json_sprintf("%s,%s", before, json_string_value(value)));
    json_decref(value);
}

static int decode_pair(const struct pair *pair, json_t *data, add_pair *add)
{
    size_t size = pair->name_len + pair->value_len + 2;
    size_t name_len, value_len;
    char *name = malloc(size);

    if (name == NULL)
        abort();
    char *value = name + pair->name_len + 1;
    int rc = path_unescape(pair->name, pair->name_len, true, name, &name_len);
    if (rc == OK)
        rc = path_unescape(pair->value, pair->value_len, true, value, &value_len);
    if (rc == OK)
        add(data, name, json_stringn(value, value_len));
    secret_wipe(name, size);
    free(name);
    return rc;
}

static int decode_pairs(const char *text, size_t len, add_pair *add, json_t **ret_data)
{
    const char *at = text, *end = text + len;
    json_t *data = json_object();
    struct pair pair;
    int rc = OK;

    for (int n = 0; rc == OK && next_pair(&at, end, &pair); n++)
        rc = n < PARAMS_MAX ? decode_pair(&pair, data, add) : ERR_INVALID;
    if (rc == OK)
        *ret_data = data;
    else
        json_decref(data);
    return rc;
}

int params_read_query(const char *query, json_t **ret_data, struct err *err)
{
    int rc = decode_pairs(query != NULL ? query : "", query != NULL ? strlen(query) : 0, add_to_list, ret_data);

    if (rc != OK)
        return err_set(err, rc, "the query is malformed, or has more than %d parameters", PARAMS_MAX);
    json_object_del(*ret_data, "help");
    json_object_del(*ret_data, "list");
    json_object_del(*ret_data, "scan");
    return OK;
}

static bool find_pair(const char *query, const char *name, struct pair *ret_pair)
{
    const char *at = query, *end = query != NULL ? query + strlen(query) : NULL;

    while (query != NULL && next_pair(&at, end, ret_pair)) {
        if (ret_pair->name_len == strlen(name) && memcmp(ret_pair->name, name, ret_pair->name_len) == 0)
            return true;
    }
    return false;
}

bool params_query_has(const char *query, const char *name)
{
    struct pair pair;

    return find_pair(query, name, &pair) && pair.value_len > 0;
}

static bool is_one_of(const struct pair *pair, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (pair->value_len == strlen(*words) && memcmp(pair->value, *words, pair->value_len) == 0)
            return true;
    }
    return false;
}

int params_query_flag(const char *query, const char *name, bool *ret_flag)
{
    static const char *const yes[] = {"1", "t", "T", "true", "TRUE", "True", NULL};
    static const char *const no[] = {"0", "f", "F", "false", "FALSE", "False", "", NULL};
    struct pair pair;

    *ret_flag = find_pair(query, name, &pair) && is_one_of(&pair, yes);
    if (*ret_flag || !find_pair(query, name, &pair) || is_one_of(&pair, no))
        return OK;
    return ERR_INVALID;
}

/* ---- Bodies ---- */

static bool is_form(const char *content_type)
{
    static const char form[] = "application/x-www-form-urlencoded";
    size_t n = sizeof form - 1;

    return content_type != NULL && strncasecmp(content_type, form, n) == 0 &&
           (content_type[n] == '\0' || strchr("; \t", content_type[n]) != NULL);
}

static const char *kind_of(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_ARRAY:
        return "array";
    case JSON_STRING:
        return "string";
    case JSON_INTEGER:
    case JSON_REAL:
        return "number";
    default:
        return "bool";
    }
}

static int read_json(const char *body, size_t len, json_t **ret_data, struct err *err)
{
    json_t *data;
    int rc = json_parse(body, len, &data, err);

    if (rc != OK)
        return err_wrap(err, "failed to decode JSON input");
    if (json_is_null(data))
        data = json_object();
    if (!json_is_object(data)) {
        const char *kind = kind_of(data);
        json_decref(data);
        return err_set(err, ERR_INVALID,
                       "failed to decode JSON input: json: cannot unmarshal %s into Go value of type "
                       "map[string]interface {}",
                       kind);
    }
    *ret_data = data;
    return OK;
}

int params_read_body(const char *content_type, const char *body, size_t len, json_t **ret_data, struct err *err)
{
    size_t blanks = 0;

    while (blanks < len && strchr(" \t\r\n", body[blanks]) != NULL && body[blanks] != '\0')
        blanks++;
    if (blanks == len) {
        *ret_data = json_object();
        return OK;
    }
    if (!is_form(content_type) || body[blanks] == '{' || body[blanks] == '[')
        return read_json(body, len, ret_data, err);
    int rc = decode_pairs(body, len, add_joined, ret_data);
    return rc == OK ? OK : err_set(err, rc, "error parsing form data");
}
