/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/output/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_WIDTH 78

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

const char **text_keys(const json_t *object, int (*compare)(const void *a, const void *b))
{
    size_t n = 0, size = json_object_size(object);
    const char **keys = calloc(size + 1, sizeof *keys), *key;
    json_t *value;

    if (!keys)
        abort();
    json_object_foreach((json_t *)object, key, value)
    {
        keys[n++] = key;
    }
    qsort(keys, n, sizeof *keys, compare ? compare : compare_names);
    return keys;
}

json_t *text_sorted(const json_t *value)
{
    json_t *copy, *item;
    const char **keys;
    size_t i;

    if (json_is_array(value)) {
        copy = json_array();
        json_array_foreach((json_t *)value, i, item)
        {
            json_array_append_new(copy, text_sorted(item));
        }
        return copy;
    }
    if (!json_is_object(value))
        return json_incref((json_t *)value);
    copy = json_object();
    keys = text_keys(value, NULL);
    for (i = 0; keys[i]; i++)
        json_object_set_new(copy, keys[i], text_sorted(json_object_get(value, keys[i])));
    free(keys);
    return copy;
}

/* Of "1e+06" the '+' and leading zeroes go: JSON writes 1e6. */
static void put_exponent(struct buf *out, const char *digits, const char *e)
{
    buf_put(out, digits, (size_t)(e - digits));
    buf_puts(out, "e");
    e++;
    if (*e == '-')
        buf_puts(out, "-");
    e += strspn(e, "+-");
    e += strspn(e, "0");
    buf_puts(out, *e ? e : "0");
}

void text_put_real(struct buf *out, double value, bool for_yaml)
{
    char digits[40];
    const char *e;

    for (int precision = 15; precision <= 17; precision++) {
        snprintf(digits, sizeof digits, "%.*g", precision, value);
        if (strtod(digits, NULL) == value)
            break;
    }
    e = strchr(digits, 'e');
    if (e && !for_yaml)
        put_exponent(out, digits, e);
    else
        buf_puts(out, digits);
    if (!for_yaml && !strpbrk(digits, ".en"))
        buf_puts(out, ".0");
}

static void put_map(struct buf *out, const json_t *map)
{
    const char **keys = text_keys(map, NULL);

    buf_puts(out, "map[");
    for (size_t i = 0; keys[i]; i++) {
        buf_printf(out, "%s%s:", i ? " " : "", keys[i]);
        text_put_value(out, json_object_get(map, keys[i]));
    }
    buf_puts(out, "]");
    free(keys);
}

static void put_list(struct buf *out, const json_t *list)
{
    json_t *item;
    size_t i;

    buf_puts(out, "[");
    json_array_foreach((json_t *)list, i, item)
    {
        buf_puts(out, i ? " " : "");
        text_put_value(out, item);
    }
    buf_puts(out, "]");
}

void text_put_value(struct buf *out, const json_t *value)
{
    switch (value ? json_typeof(value) : JSON_NULL) {
    case JSON_STRING:
        buf_put(out, json_string_value(value), json_string_length(value));
        break;
    case JSON_INTEGER:
        buf_printf(out, "%lld", (long long)json_integer_value(value));
        break;
    case JSON_REAL:
        text_put_real(out, json_real_value(value), false);
        break;
    case JSON_OBJECT:
        put_map(out, value);
        break;
    case JSON_ARRAY:
        put_list(out, value);
        break;
    case JSON_NULL:
        buf_puts(out, "<nil>");
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        buf_puts(out, json_is_true(value) ? "true" : "false");
        break;
    }
}

void text_put_quoted_list(struct buf *out, const json_t *list)
{
    json_t *item;
    size_t i;

    buf_puts(out, "[");
    json_array_foreach((json_t *)list, i, item)
    {
        buf_puts(out, i ? " \"" : "\"");
        text_put_value(out, item);
        buf_puts(out, "\"");
    }
    buf_puts(out, "]");
}

void text_put_banner(struct buf *out, const char *title, size_t width)
{
    size_t len = strlen(title) + 2;
    size_t signs = width > len ? (width - len + 1) / 2 : 2;

    for (size_t i = 0; i < signs; i++)
        buf_puts(out, "=");
    buf_printf(out, " %s ", title);
    for (size_t i = 0; i < signs; i++)
        buf_puts(out, "=");
    buf_puts(out, "\n");
}

void text_print_wrapped(FILE *out, const char *text, size_t len, int indent)
{
    int column = 0;

    while (len) {
        const char *blank = memchr(text, ' ', len);
        size_t word = blank ? (size_t)(blank - text) : len;

        if (column && column + 1 + (int)word > LINE_WIDTH) {
            fputc('\n', out);
            column = 0;
        }
        column += fprintf(out, "%*s%.*s", column ? 1 : indent, "", (int)word, text);
        text += word + (word < len);
        len -= word + (word < len);
    }
    fputc('\n', out);
}
