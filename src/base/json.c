/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/secret.h"

static void wiping_free(void *memory)
{
    if (memory != NULL)
        secret_wipe(memory, malloc_usable_size(memory));
    free(memory);
}

void json_setup(void)
{
    json_set_alloc_funcs(malloc, wiping_free);
    json_object_seed(0);
}

/* Counts what a text holds before jansson takes memory for it: depth, and an upper bound of its values. */
static int check_shape(const char *text, size_t len, struct err *err)
{
    int depth = 0, nodes = 1;
    bool in_string = false;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
            continue;
        }
        if (c == '"')
            in_string = true;
        else if (c == '{' || c == '[')
            depth++, nodes++;
        else if (c == '}' || c == ']')
            depth--;
        else if (c == ',' || c == ':')
            nodes++;
        if (depth > JSON_DEPTH_MAX)
            return err_set(err, ERR_INVALID, "JSON is nested deeper than %d levels", JSON_DEPTH_MAX);
        if (nodes > 2 * JSON_NODES_MAX)
            return err_set(err, ERR_INVALID, "JSON has more than %d values", JSON_NODES_MAX);
    }
    return OK;
}

int json_parse(const char *text, size_t len, json_t **ret_value, struct err *err)
{
    int rc = check_shape(text, len, err);
    if (rc != OK)
        return rc;
    json_error_t error;
    json_t *value = json_loadb(text, len, JSON_DECODE_ANY, &error);
    if (value == NULL)
        return err_set(err, ERR_INVALID, "line %d, column %d: %s", error.line, error.column,
                       json_error_code(&error) == json_error_premature_end_of_input ? "unexpected end of JSON input"
                                                                                    : "invalid JSON");
    *ret_value = value;
    return OK;
}

static int append_escaped(const char *data, size_t len, void *arg)
{
    /* Outside strings JSON has none of these three, so escaping them anywhere is right. */
    struct buf *out = arg;
    size_t start = 0;
    for (size_t i = 0; i < len; i++) {
        const char *escape = data[i] == '<'   ? "\\u003c"
                             : data[i] == '>' ? "\\u003e"
                             : data[i] == '&' ? "\\u0026"
                                              : NULL;
        if (escape == NULL)
            continue;
        buf_put(out, data + start, i - start);
        buf_puts(out, escape);
        start = i + 1;
    }
    buf_put(out, data + start, len - start);
    return 0;
}

char *json_format_indent(const json_t *value, int indent)
{
    struct buf out = BUF_INIT;
    size_t flags = JSON_SORT_KEYS | JSON_ENCODE_ANY;
    flags |= indent > 0 ? JSON_INDENT((size_t)indent) : JSON_COMPACT;
    if (json_dump_callback(value, append_escaped, &out, flags) != 0)
        abort();
    return buf_detach(&out);
}

char *json_format(const json_t *value)
{
    return json_format_indent(value, 0);
}

void json_text_free(char *text)
{
    wiping_free(text);
}

const char *json_str(const json_t *object, const char *key, const char *fallback)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : fallback;
}

int64_t json_int(const json_t *object, const char *key, int64_t fallback)
{
    const json_t *value = json_object_get(object, key);
    return json_is_integer(value) ? json_integer_value(value) : fallback;
}

bool json_flag(const json_t *object, const char *key, bool fallback)
{
    const json_t *value = json_object_get(object, key);
    return json_is_boolean(value) ? json_is_true(value) : fallback;
}

json_t *json_list_at(const json_t *object, const char *key)
{
    json_t *value = json_object_get(object, key);
    return json_is_array(value) ? value : NULL;
}

json_t *json_map_at(const json_t *object, const char *key)
{
    json_t *value = json_object_get(object, key);
    return json_is_object(value) ? value : NULL;
}

bool json_list_has(const json_t *list, const char *text)
{
    size_t i;
    json_t *item;
    json_array_foreach(list, i,
                       item) if (json_is_string(item) && strcmp(json_string_value(item), text) == 0) return true;
    return false;
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

json_t *json_list_sorted(const json_t *list)
{
    size_t n = json_array_size(list), i;
    const char **texts = calloc(n + 1, sizeof *texts);
    if (texts == NULL)
        abort();
    size_t count = 0;
    json_t *item;
    json_array_foreach(list, i, item) if (json_is_string(item)) texts[count++] = json_string_value(item);
    qsort(texts, count, sizeof *texts, compare_texts);
    json_t *sorted = json_array();
    for (i = 0; i < count; i++)
        if (i == 0 || strcmp(texts[i], texts[i - 1]) != 0)
            json_array_append_new(sorted, json_string(texts[i]));
    free(texts);
    return sorted;
}
