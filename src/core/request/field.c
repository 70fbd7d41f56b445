/* SPDX-License-Identifier: Apache-2.0 */
/*
 * field.c — parameters: what a client sent, turned into what a route's table of fields says.
 *
 * The conversions are as lenient as Vault's: "5" is a number, 1 is true, one text is a list of one.
 */
#include "core/request/field.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/duration.h"
#include "base/json.h"

static json_t *to_string(const json_t *value)
{
    char text[64];
    if (json_is_string(value))
        return json_incref((json_t *)value);
    if (json_is_boolean(value))
        return json_string(json_is_true(value) ? "1" : "0");
    if (json_is_integer(value)) {
        snprintf(text, sizeof text, "%lld", (long long)json_integer_value(value));
        return json_string(text);
    }
    if (json_is_real(value)) {
        snprintf(text, sizeof text, "%.15g", json_real_value(value));
        return json_string(text);
    }
    return NULL;
}

static json_t *to_bool(const json_t *value)
{
    static const char *const yes[] = {"1", "t", "T", "TRUE", "true", "True", NULL};
    static const char *const no[] = {"", "0", "f", "F", "FALSE", "false", "False", NULL};
    if (json_is_boolean(value))
        return json_incref((json_t *)value);
    if (json_is_number(value))
        return json_boolean(json_number_value(value) != 0);
    const char *text = json_string_value(value);
    for (size_t i = 0; text != NULL && yes[i] != NULL; i++)
        if (strcmp(text, yes[i]) == 0)
            return json_true();
    for (size_t i = 0; text != NULL && no[i] != NULL; i++)
        if (strcmp(text, no[i]) == 0)
            return json_false();
    return NULL;
}

static json_t *to_int(const json_t *value)
{
    if (json_is_integer(value))
        return json_incref((json_t *)value);
    if (json_is_boolean(value))
        return json_integer(json_is_true(value));
    if (json_is_real(value) && fabs(json_real_value(value)) < 9e15)
        return json_integer((json_int_t)json_real_value(value));
    const char *text = json_string_value(value);
    if (text == NULL)
        return NULL;
    char *end;
    errno = 0;
    long long number = *text == '\0' ? 0 : strtoll(text, &end, 0);
    return *text != '\0' && (*end != '\0' || errno != 0) ? NULL : json_integer(number);
}

/* As a number no longer than it may be as a text: what is added to a time must not run over. */
static json_t *to_duration(const json_t *value)
{
    int64_t seconds = -1;
    if (json_is_integer(value))
        seconds = json_integer_value(value);
    else if (json_is_real(value) && fabs(json_real_value(value)) < 9e15)
        seconds = (int64_t)json_real_value(value);
    else if (!json_is_string(value) || duration_parse_s(json_string_value(value), &seconds) != OK)
        return NULL;
    return seconds < 0 || seconds > DURATION_S_MAX ? NULL : json_integer(seconds);
}

/* A text without the blanks around it. */
static json_t *trimmed(const char *text, size_t len)
{
    size_t from = 0, to = len;
    while (from < to && isspace((unsigned char)text[from]))
        from++;
    while (to > from && isspace((unsigned char)text[to - 1]))
        to--;
    return json_stringn(text + from, to - from);
}

static json_t *to_trimmed(const json_t *value)
{
    json_t *text = to_string(value);
    json_t *result = text != NULL ? trimmed(json_string_value(text), json_string_length(text)) : NULL;
    json_decref(text);
    return result;
}

/* The texts between commas. */
static json_t *split_commas(const char *text)
{
    json_t *list = json_array();
    while (*text != '\0') {
        size_t len = strcspn(text, ",");
        json_array_append_new(list, trimmed(text, len));
        text += len + (text[len] == ',');
    }
    return list;
}

static json_t *convert_each(const json_t *array, json_t *(*convert)(const json_t *))
{
    json_t *list = json_array(), *item;
    size_t i;
    json_array_foreach(array, i, item)
    {
        json_t *converted = convert(item);
        if (converted == NULL) {
            json_decref(list);
            return NULL;
        }
        json_array_append_new(list, converted);
    }
    return list;
}

json_t *field_to_list(const json_t *value)
{
    if (json_is_array(value))
        return convert_each(value, to_trimmed);
    json_t *text = to_string(value);
    json_t *list = text != NULL ? split_commas(json_string_value(text)) : NULL;
    json_decref(text);
    return list;
}

static json_t *to_strings(const json_t *value)
{
    if (json_is_array(value))
        return convert_each(value, to_string);
    json_t *text = to_string(value);
    return text != NULL ? json_pack("[o]", text) : NULL;
}

static json_t *to_ints(const json_t *value)
{
    json_t *list = field_to_list(value);
    json_t *ints = list != NULL ? convert_each(list, to_int) : NULL;
    json_decref(list);
    return ints;
}

static json_t *to_map(const json_t *value)
{
    if (json_is_object(value))
        return json_incref((json_t *)value);
    json_t *parsed = NULL;
    if (json_is_string(value) && json_parse(json_string_value(value), json_string_length(value), &parsed, NULL) == OK &&
        json_is_object(parsed))
        return parsed;
    json_decref(parsed);
    return NULL;
}

static bool add_pair(json_t *map, const char *pair)
{
    const char *equals = strchr(pair, '=');
    if (equals == NULL)
        return false;
    char *key = strndup(pair, (size_t)(equals - pair));
    bool added = key != NULL && json_object_set_new(map, key, json_string(equals + 1)) == 0;
    free(key);
    return added;
}

static json_t *kv_of_pairs(const json_t *value)
{
    json_t *pairs = field_to_list(value), *map = json_object(), *pair;
    size_t i;
    bool ok = pairs != NULL;
    json_array_foreach(pairs, i, pair) ok = ok && add_pair(map, json_string_value(pair));
    json_decref(pairs);
    if (ok)
        return map;
    json_decref(map);
    return NULL;
}

static json_t *to_kv(const json_t *value)
{
    json_t *source = to_map(value), *map, *item;
    if (source == NULL)
        return kv_of_pairs(value);
    map = json_object();
    const char *key;
    json_object_foreach(source, key, item)
    {
        json_t *text = to_string(item);
        if (text == NULL) {
            json_decref(map);
            map = NULL;
            break;
        }
        json_object_set_new(map, key, text);
    }
    json_decref(source);
    return map;
}

static json_t *to_any(const json_t *value)
{
    return json_incref((json_t *)value);
}

static const struct {
    json_t *(*convert)(const json_t *value);
    const char *expected;
    const char *openapi;
} types[] = {
    [FIELD_STRING] = {to_string, "a string", "string"},
    [FIELD_BOOL] = {to_bool, "a boolean", "boolean"},
    [FIELD_INT] = {to_int, "a number", "integer"},
    [FIELD_DURATION] = {to_duration, "a duration that is not negative", "integer"},
    [FIELD_LIST] = {field_to_list, "a list of strings", "array"},
    [FIELD_STRINGS] = {to_strings, "a list of strings", "array"},
    [FIELD_MAP] = {to_map, "an object", "object"},
    [FIELD_KV] = {to_kv, "an object of strings", "object"},
    [FIELD_INTS] = {to_ints, "a list of numbers", "array"},
    [FIELD_ANY] = {to_any, "a value", "object"},
};

const char *field_type_name(enum field_type type)
{
    return types[type].openapi;
}

int field_convert(struct request *req)
{
    json_decref(req->fields);
    req->fields = json_object();
    for (const struct field *field = req->route->fields; field != NULL && field->name != NULL; field++) {
        json_t *value = json_object_get(req->captures, field->name);
        if (value == NULL)
            value = json_object_get(req->data, field->name);
        if (value == NULL || json_is_null(value))
            continue;
        json_t *converted = types[field->type].convert(value);
        if (converted == NULL)
            return fail(req, ERR_INVALID,
                        "Field validation failed: error converting input for field \"%s\": expected %s", field->name,
                        types[field->type].expected);
        json_object_set_new(req->fields, field->name, converted);
    }
    return OK;
}

static bool field_is_known(const struct request *req, const char *name)
{
    for (const struct field *field = req->route->fields; field->name != NULL; field++)
        if (strcmp(field->name, name) == 0)
            return true;
    return false;
}

/* "[a b]", sorted, as Go prints a list. */
static void warn_of(struct request *req, const json_t *names, const char *sentence)
{
    json_t *sorted = json_list_sorted(names), *name;
    struct buf text = BUF_INIT;
    size_t i;
    json_array_foreach(sorted, i, name) buf_printf(&text, "%s%s", i > 0 ? " " : "", json_string_value(name));
    reply_warn(req, "%s: [%s]", sentence, buf_str(&text));
    buf_close(&text);
    json_decref(sorted);
}

void field_warn(struct request *req)
{
    bool has_body = req->has_reply || req->auth.is_set || req->auth_reply != NULL || req->warnings != NULL;
    if (req->route->fields == NULL || !has_body)
        return;
    json_t *unknown = json_array(), *replaced = json_array(), *value;
    const char *name;
    json_object_foreach(req->data, name, value)
    {
        if (json_object_get(req->captures, name) != NULL)
            json_array_append_new(replaced, json_string(name));
        else if (!field_is_known(req, name))
            json_array_append_new(unknown, json_string(name));
    }
    if (json_array_size(unknown) > 0)
        warn_of(req, unknown, "Endpoint ignored these unrecognized parameters");
    if (json_array_size(replaced) > 0)
        warn_of(req, replaced,
                "Endpoint replaced the value of these parameters with the values captured from the endpoint's path");
    json_decref(unknown);
    json_decref(replaced);
}

const char *capture(const struct request *req, const char *name)
{
    return json_string_value(json_object_get(req->captures, name));
}

bool field_given(const struct request *req, const char *name)
{
    return json_object_get(req->fields, name) != NULL;
}

const char *field_str(const struct request *req, const char *name, const char *fallback)
{
    return json_str(req->fields, name, fallback);
}

bool field_bool(const struct request *req, const char *name, bool fallback)
{
    return json_flag(req->fields, name, fallback);
}

int64_t field_int(const struct request *req, const char *name, int64_t fallback)
{
    return json_int(req->fields, name, fallback);
}

json_t *field_json(const struct request *req, const char *name)
{
    return json_object_get(req->fields, name);
}

json_t *request_data(const struct request *req)
{
    return req->data;
}
