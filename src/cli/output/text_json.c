/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/output/text.h"

#include <string.h>

static void put_indent(struct buf *out, int depth)
{
    buf_puts(out, "\n");
    for (int i = 0; i < depth; i++)
        buf_puts(out, "  ");
}

static void put_string(struct buf *out, const char *text, size_t len)
{
    static const char names[] = "btn\0fr"; /* from 0x08 on; vertical tab has none */

    buf_puts(out, "\"");
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c == '"' || c == '\\')
            buf_printf(out, "\\%c", c);
        else if (c >= 0x08 && c <= 0x0d && names[c - 0x08])
            buf_printf(out, "\\%c", names[c - 0x08]);
        else if (c < 0x20 || c == '<' || c == '>' || c == '&')
            buf_printf(out, "\\u%04x", c);
        else
            buf_put_u8(out, c);
    }
    buf_puts(out, "\"");
}

static void put_value(struct buf *out, const json_t *value, int depth);

static void put_object(struct buf *out, const json_t *object, int depth)
{
    const char *separator = "", *key;
    json_t *value;

    buf_puts(out, "{");
    json_object_foreach((json_t *)object, key, value)
    {
        buf_puts(out, separator);
        put_indent(out, depth + 1);
        put_string(out, key, strlen(key));
        buf_puts(out, ": ");
        put_value(out, value, depth + 1);
        separator = ",";
    }
    if (*separator)
        put_indent(out, depth);
    buf_puts(out, "}");
}

static void put_array(struct buf *out, const json_t *array, int depth)
{
    json_t *item;
    size_t i;

    buf_puts(out, "[");
    json_array_foreach((json_t *)array, i, item)
    {
        buf_puts(out, i ? "," : "");
        put_indent(out, depth + 1);
        put_value(out, item, depth + 1);
    }
    if (json_array_size(array))
        put_indent(out, depth);
    buf_puts(out, "]");
}

static void put_value(struct buf *out, const json_t *value, int depth)
{
    if (json_is_object(value))
        put_object(out, value, depth);
    else if (json_is_array(value))
        put_array(out, value, depth);
    else if (json_is_string(value))
        put_string(out, json_string_value(value), json_string_length(value));
    else if (!value || json_is_null(value))
        buf_puts(out, "null");
    else
        text_put_value(out, value);
}

void text_put_json(struct buf *out, const json_t *value)
{
    put_value(out, value, 0);
}
