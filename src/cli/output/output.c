/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/output/output.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/options.h"
#include "cli/output/secret_reply.h"

static int print(struct buf *text)
{
    fwrite(text->data, 1, text->len, stdout);
    buf_close(text);
    return EXIT_OK;
}

void output_warnings(const json_t *secret)
{
    json_t *warnings = json_list_at(secret, "warnings"), *warning;
    size_t i;

    if (!json_array_size(warnings))
        return;
    fputs("WARNING! The following warnings were returned from Coffer:\n\n", stderr);
    json_array_foreach(warnings, i, warning)
    {
        struct buf text = BUF_INIT;

        buf_printf(&text, "* %s", json_is_string(warning) ? json_string_value(warning) : "?");
        text_print_wrapped(stderr, buf_str(&text), text.len, 2);
        fputc('\n', stderr);
        buf_close(&text);
    }
}

int output_value(struct cli *cli, const json_t *value)
{
    struct buf text = BUF_INIT;

    if (cli->format == FORMAT_YAML) {
        if (!text_put_yaml(&text, value)) {
            buf_close(&text);
            return cli_mistake("Could not print as YAML: the answer holds characters that YAML does not allow");
        }
        return print(&text);
    }
    text_put_json(&text, value);
    buf_puts(&text, "\n");
    return print(&text);
}

const char *output_wanted_field(struct cli *cli)
{
    return cli->command->flags & COMMAND_FIELD ? option_text(cli, "field") : NULL;
}

int output_field(struct cli *cli, const json_t *value, const char *name, const char *where)
{
    struct buf text = BUF_INIT;

    if (!value || json_is_null(value))
        return cli_mistake("Field \"%s\" not present in %s", name, where);
    if (cli->format == FORMAT_YAML)
        return output_value(cli, value);
    if (cli->format == FORMAT_JSON)
        text_put_json(&text, value);
    else
        text_put_value(&text, value);
    if (isatty(STDOUT_FILENO))
        buf_puts(&text, "\n");
    return print(&text);
}

int output_table(const struct table *table)
{
    struct buf text = BUF_INIT;

    table_put(table, &text);
    return print(&text);
}

int output_table_or_value(struct cli *cli, const struct table *table, const json_t *value)
{
    return cli->format == FORMAT_TABLE ? output_table(table) : output_value(cli, value);
}

int output_secret(struct cli *cli, json_t *secret)
{
    const char *field = output_wanted_field(cli);
    struct table table;

    if (!secret)
        return EXIT_OK;
    if (field)
        return output_field(cli, secret_field(cli, secret, field), field, "secret");
    if (cli->format != FORMAT_TABLE)
        return output_value(cli, secret_in_order(cli, secret));
    output_warnings(secret);
    table_init(&table, &cli->arena, 2);
    table_header(&table, "Key", "Value");
    secret_put_rows(cli, secret, &table);
    return table_rows(&table) ? output_table(&table) : EXIT_OK;
}

int output_secret_or(struct cli *cli, json_t *secret, const char *success)
{
    return secret ? output_secret(cli, secret) : cli_success(cli, "%s", success);
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The names in an array of the caller's to free. */
static const char **sorted_names(const json_t *list, size_t *ret_count)
{
    const char **names = calloc(json_array_size(list) + 1, sizeof *names);
    size_t count = 0, i;
    json_t *item;

    if (!names)
        abort();
    json_array_foreach((json_t *)list, i, item)
    {
        if (json_is_string(item))
            names[count++] = json_string_value(item);
    }
    qsort(names, count, sizeof *names, compare_texts);
    *ret_count = count;
    return names;
}

/* The names of all fields that some item of key_info has, as an array of texts. */
static json_t *info_fields(struct cli *cli, const json_t *key_info)
{
    json_t *fields = json_object(), *info, *value;
    const char *key, *field;

    json_object_foreach((json_t *)key_info, key, info)
    {
        json_object_foreach(info, field, value)
        {
            json_object_set_new(fields, field, json_null());
        }
    }
    info = text_sorted(fields);
    json_decref(fields);
    return cli_keep(cli, info);
}

static void put_list_row(struct cli *cli, struct table *table, const char *name, const json_t *fields,
                         const json_t *info)
{
    const char *field;
    json_t *value;

    table_cell(table, name);
    json_object_foreach((json_t *)fields, field, value)
    {
        value = json_object_get(info, field);
        table_cell(table, value ? secret_value(cli, value) : "");
    }
}

static int print_list_table(struct cli *cli, json_t *data)
{
    json_t *key_info = json_is_true(json_object_get(cli->options, "detailed")) ? json_map_at(data, "key_info") : NULL;
    json_t *fields = info_fields(cli, key_info), *value;
    const char **names, *field;
    struct table table;
    size_t count;

    table_init(&table, &cli->arena, 1 + json_object_size(fields));
    table.has_header = true;
    table_cell(&table, "Keys");
    json_object_foreach(fields, field, value)
    {
        table_cell(&table, field);
    }
    names = sorted_names(json_list_at(data, "keys"), &count);
    for (size_t i = 0; i < count; i++)
        put_list_row(cli, &table, names[i], fields, json_map_at(key_info, names[i]));
    free(names);
    return output_table(&table);
}

int output_list(struct cli *cli, const char *path, json_t *secret)
{
    json_t *data = json_map_at(secret, "data");

    if (json_map_at(secret, "wrap_info"))
        return output_secret(cli, secret);
    if (!json_array_size(json_list_at(data, "keys")))
        return output_no_value(cli, path);
    if (cli->format == FORMAT_TABLE) {
        output_warnings(secret);
        return print_list_table(cli, data);
    }
    if (json_is_true(json_object_get(cli->options, "detailed")))
        return output_value(cli, secret_in_order(cli, secret));
    return output_value(cli, json_list_at(data, "keys"));
}

int output_no_value(struct cli *cli, const char *path)
{
    if (cli->format == FORMAT_TABLE || !strstr(cli->command->name, "list"))
        return cli_refuse("No value found at %s", path);
    output_value(cli, cli_keep(cli, json_object()));
    return EXIT_REMOTE;
}

void output_map_block(struct cli *cli, const char *title, const json_t *map)
{
    struct buf text = BUF_INIT;
    struct table table;
    size_t width = 0;
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)map, key, value)
    {
        width = strlen(key) > width ? strlen(key) : width;
    }
    table_init(&table, &cli->arena, 2);
    table_header(&table, "Key", "Value");
    secret_put_map_rows(cli, map, &table);
    /* Four blanks and the word "Value" follow the longest key. */
    text_put_banner(&text, title, width + 4 + strlen("Value"));
    table_put(&table, &text);
    print(&text);
}
