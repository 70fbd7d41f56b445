/* SPDX-License-Identifier: Apache-2.0 */
/*
 * text.h — values as people and scripts know them from Vault: Go's words, padded tables, JSON and YAML.
 */
#ifndef COFFER_CLI_TEXT_H
#define COFFER_CLI_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/json.h"

struct arena;

/* As Go's %v prints it: text bare, <nil>, [x y], map[a:1 b:2] with sorted keys. */
void text_put_value(struct buf *out, const json_t *value);
/* A list of texts, quoted: ["a" "b"]. */
void text_put_quoted_list(struct buf *out, const json_t *list);
/* The shortest digits that read back as the same number; JSON's "1.0", or YAML's "1". */
void text_put_real(struct buf *out, double value, bool for_yaml);

/* Indented by two, <, > and & escaped, as Go's encoder does; keys in the order in which they were set. No newline. */
void text_put_json(struct buf *out, const json_t *value);
/* Keys sorted; a newline at the end. False when a text holds what YAML cannot. */
bool text_put_yaml(struct buf *out, const json_t *value);

/* Whether YAML 1.1 would read this text as something else than text, so that it must be quoted. */
bool text_is_yaml_special(const char *text);

/* A deep copy whose objects have sorted keys. A new reference. */
json_t *text_sorted(const json_t *value);

/*
 * The keys of an object, ended by NULL, ordered by strcmp, or by `compare` as qsort takes it. The array is the caller's
 * to free; the texts belong to the object.
 */
const char **text_keys(const json_t *object, int (*compare)(const void *a, const void *b));

/* Rows of columns, padded with four blanks between them; an empty cell prints as n/a. Lines end in '\n'. */
struct table {
    struct arena *arena;
    size_t columns;
    size_t cells_used;
    size_t cells_max;
    const char **cells;
    bool has_header; /* the first row is underlined with dashes */
};

/* The cells are `columns` texts; they are copied. */
void table_init(struct table *table, struct arena *arena, size_t columns);
void table_header(struct table *table, ...);
void table_row(struct table *table, ...);
/* One cell more; every `columns` cells make a row. */
void table_cell(struct table *table, const char *text);
size_t table_rows(const struct table *table);
/* Appends the rows. */
void table_put(const struct table *table, struct buf *out);

/* Prints one paragraph (without line breaks) in lines of at most 78 columns, each indented. */
void text_print_wrapped(FILE *out, const char *text, size_t len, int indent);

/* "========= Metadata =========" as wide as `width` asks, with at least one sign on either side. */
void text_put_banner(struct buf *out, const char *title, size_t width);

#endif
