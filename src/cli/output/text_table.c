/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/output/text.h"

#include <assert.h>
#include <stdarg.h>
#include <string.h>

#include "base/arena.h"

void table_init(struct table *table, struct arena *arena, size_t columns)
{
    *table = (struct table){.arena = arena, .columns = columns};
}

void table_cell(struct table *table, const char *text)
{
    static const char blanks[] = " \t\r\n";
    size_t len;

    if (table->cells_used == table->cells_max) {
        size_t cells_max = table->cells_max ? table->cells_max * 2 : 64;
        const char **cells = arena_alloc(table->arena, cells_max * sizeof *cells);

        if (table->cells_used)
            memcpy(cells, table->cells, table->cells_used * sizeof *cells);
        table->cells = cells;
        table->cells_max = cells_max;
    }
    text += strspn(text, blanks);
    for (len = strlen(text); len && strchr(blanks, text[len - 1]); len--)
        ;
    table->cells[table->cells_used++] = len ? arena_strndup(table->arena, text, len) : "n/a";
}

static void add_cells(struct table *table, va_list args)
{
    for (size_t i = 0; i < table->columns; i++)
        table_cell(table, va_arg(args, const char *));
}

void table_header(struct table *table, ...)
{
    va_list args;

    assert(!table->cells_used);
    table->has_header = true;
    va_start(args, table);
    add_cells(table, args);
    va_end(args);
}

void table_row(struct table *table, ...)
{
    va_list args;

    va_start(args, table);
    add_cells(table, args);
    va_end(args);
}

size_t table_rows(const struct table *table)
{
    return table->cells_used / table->columns - table->has_header;
}

/* How many characters, not bytes. */
static size_t width_of(const char *text)
{
    size_t width = 0;

    for (; *text; text++)
        width += (*text & 0xc0) != 0x80;
    return width;
}

static size_t column_width(const struct table *table, size_t column)
{
    size_t width = 0;

    for (size_t i = column; i < table->cells_used; i += table->columns) {
        if (width_of(table->cells[i]) > width)
            width = width_of(table->cells[i]);
    }
    return width;
}

static void put_times(struct buf *out, const char *text, size_t times)
{
    while (times--)
        buf_puts(out, text);
}

static void put_row(const struct table *table, struct buf *out, const char **cells, const size_t *widths, bool as_rule)
{
    for (size_t i = 0; i < table->columns; i++) {
        size_t width = width_of(cells[i]);

        if (as_rule)
            put_times(out, "-", width);
        else
            buf_puts(out, cells[i]);
        if (i + 1 < table->columns)
            put_times(out, " ", widths[i] - width + 4);
    }
    buf_puts(out, "\n");
}

void table_put(const struct table *table, struct buf *out)
{
    size_t *widths = arena_alloc(table->arena, table->columns * sizeof *widths);

    for (size_t i = 0; i < table->columns; i++)
        widths[i] = column_width(table, i);
    for (size_t i = 0; i + table->columns <= table->cells_used; i += table->columns) {
        put_row(table, out, table->cells + i, widths, false);
        if (i == 0 && table->has_header)
            put_row(table, out, table->cells, widths, true);
    }
}
