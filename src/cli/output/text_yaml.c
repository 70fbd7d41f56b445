/* SPDX-License-Identifier: Apache-2.0 */
/*
 * YAML as the clients of Vault print it (their library is a port of libyaml, so libyaml's layout is theirs), with their
 * choice of quotes: a text that YAML 1.1 would read as something else stands in double quotes.
 */
#include "cli/output/text.h"

#include <ctype.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <yaml.h>

/* Numbers, times and dates of YAML 1.1 (https://yaml.org/type/), as extended regular expressions. */
static const char special_pattern[] =
    "^([-+]?0b[01_]+"
    "|[-+]?0o?[0-7_]+"
    "|[-+]?0x[0-9a-f_]+"
    "|[-+]?[0-9][0-9_]*"
    "|[-+]?(\\.[0-9]+|[0-9][0-9_]*(\\.[0-9_]*)?)(e[-+]?[0-9]+)?"
    "|[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\\.[0-9_]*)?"
    "|[-+]?\\.inf|\\.nan"
    "|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}"
    "|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(t|[ \t]+)[0-9]{1,2}:[0-9]{1,2}:[0-9]{1,2}(\\.[0-9]+)?"
    "[ \t]*(z|[-+][0-9]{1,2}(:?[0-9]{2})?)?)$";

static bool is_number_or_date(const char *text)
{
    regex_t pattern;
    bool matches;

    if (!strchr("+-.0123456789", *text))
        return false;
    if (regcomp(&pattern, special_pattern, REG_EXTENDED | REG_ICASE | REG_NOSUB))
        abort();
    matches = regexec(&pattern, text, 0, NULL, 0) == 0;
    regfree(&pattern);
    return matches;
}

bool text_is_yaml_special(const char *text)
{
    static const char *const words[] = {"y", "n", "yes", "no", "on", "off", "true", "false", "null", NULL};

    if (!*text || !strcmp(text, "~") || !strcmp(text, "<<"))
        return true;
    for (int i = 0; words[i]; i++) {
        if (!strcasecmp(text, words[i]))
            return true;
    }
    return is_number_or_date(text);
}

static bool emit(yaml_emitter_t *emitter, int made, yaml_event_t *event)
{
    return made && yaml_emitter_emit(emitter, event);
}

static bool emit_scalar(yaml_emitter_t *emitter, const char *text, size_t len, yaml_scalar_style_t style)
{
    yaml_event_t event;

    return emit(emitter,
                yaml_scalar_event_initialize(&event, NULL, NULL, (const yaml_char_t *)text, (int)len, 1, 1, style),
                &event);
}

static bool emit_text(yaml_emitter_t *emitter, const char *text, size_t len)
{
    yaml_scalar_style_t style = YAML_PLAIN_SCALAR_STYLE;

    if (text_is_yaml_special(text))
        style = YAML_DOUBLE_QUOTED_SCALAR_STYLE;
    else if (memchr(text, '\n', len))
        style = YAML_LITERAL_SCALAR_STYLE;
    return emit_scalar(emitter, text, len, style);
}

static bool emit_value(yaml_emitter_t *emitter, const json_t *value);

/* The order of keys in the clients of Vault: signs before letters, and runs of digits by their value. */
static int compare_keys(const void *a, const void *b)
{
    const char *left = *(const char *const *)a, *right = *(const char *const *)b;

    while (*left && *left == *right && !isdigit((unsigned char)*left)) {
        left++;
        right++;
    }
    if (isdigit((unsigned char)*left) && isdigit((unsigned char)*right))
        return strverscmp(left, right);
    if (*left && *right && !isalpha((unsigned char)*left) != !isalpha((unsigned char)*right))
        return isalpha((unsigned char)*left) ? 1 : -1;
    return strcmp(left, right);
}

static bool emit_map(yaml_emitter_t *emitter, const json_t *map)
{
    const char **keys = text_keys(map, compare_keys);
    yaml_mapping_style_t style = json_object_size(map) ? YAML_BLOCK_MAPPING_STYLE : YAML_FLOW_MAPPING_STYLE;
    yaml_event_t event;
    bool ok = emit(emitter, yaml_mapping_start_event_initialize(&event, NULL, NULL, 1, style), &event);

    for (size_t i = 0; keys[i]; i++)
        ok = ok && emit_text(emitter, keys[i], strlen(keys[i])) && emit_value(emitter, json_object_get(map, keys[i]));
    free(keys);
    return ok && emit(emitter, yaml_mapping_end_event_initialize(&event), &event);
}

static bool emit_list(yaml_emitter_t *emitter, const json_t *list)
{
    yaml_sequence_style_t style = json_array_size(list) ? YAML_BLOCK_SEQUENCE_STYLE : YAML_FLOW_SEQUENCE_STYLE;
    yaml_event_t event;
    bool ok = emit(emitter, yaml_sequence_start_event_initialize(&event, NULL, NULL, 1, style), &event);
    json_t *item;
    size_t i;

    json_array_foreach((json_t *)list, i, item)
    {
        ok = ok && emit_value(emitter, item);
    }
    return ok && emit(emitter, yaml_sequence_end_event_initialize(&event), &event);
}

static bool emit_plain(yaml_emitter_t *emitter, const json_t *value)
{
    struct buf text = BUF_INIT;
    bool ok;

    if (!value || json_is_null(value))
        buf_puts(&text, "null");
    else if (json_is_real(value))
        text_put_real(&text, json_real_value(value), true);
    else
        text_put_value(&text, value);
    ok = emit_scalar(emitter, buf_str(&text), text.len, YAML_PLAIN_SCALAR_STYLE);
    buf_close(&text);
    return ok;
}

static bool emit_value(yaml_emitter_t *emitter, const json_t *value)
{
    if (json_is_object(value))
        return emit_map(emitter, value);
    if (json_is_array(value))
        return emit_list(emitter, value);
    if (json_is_string(value))
        return emit_text(emitter, json_string_value(value), json_string_length(value));
    return emit_plain(emitter, value);
}

static int take_output(void *out, unsigned char *data, size_t size)
{
    buf_put(out, data, size);
    return 1;
}

bool text_put_yaml(struct buf *out, const json_t *value)
{
    yaml_emitter_t emitter;
    yaml_event_t event;
    bool ok;

    yaml_emitter_initialize(&emitter);
    yaml_emitter_set_output(&emitter, take_output, out);
    yaml_emitter_set_unicode(&emitter, 1);
    yaml_emitter_set_width(&emitter, -1);
    ok = emit(&emitter, yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING), &event) &&
         emit(&emitter, yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1), &event) &&
         emit_value(&emitter, value) && emit(&emitter, yaml_document_end_event_initialize(&event, 1), &event) &&
         emit(&emitter, yaml_stream_end_event_initialize(&event), &event);
    yaml_emitter_delete(&emitter);
    return ok;
}
