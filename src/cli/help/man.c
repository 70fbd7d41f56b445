/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/help/man.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "cli/command.h"
#include "cli/help/help.h"
#include "cli/options.h"

/* Where the pages go, and the first thing that went wrong. */
struct book {
    const char *dir;
    struct err *err;
    int rc;
};

/* ---- The language of man pages ---- */

/* A dash is one that can be copied into a shell; a line must not begin as a request does. */
static void put_text(struct buf *page, const char *text, size_t len)
{
    bool begins_line = page->len == 0 || page->data[page->len - 1] == '\n';

    for (size_t i = 0; i < len; i++) {
        if (begins_line && (text[i] == '.' || text[i] == '\''))
            buf_puts(page, "\\&");
        begins_line = text[i] == '\n';
        if (text[i] == '\\')
            buf_puts(page, "\\e");
        else if (text[i] == '-')
            buf_puts(page, "\\-");
        else
            buf_put_u8(page, (uint8_t)text[i]);
    }
}

static void put(struct buf *page, const char *text)
{
    put_text(page, text, strlen(text));
}

/* Paragraphs, and examples as they are. */
static void put_about(struct buf *page, const char *about)
{
    bool in_example = false;

    while (*about) {
        size_t len = strcspn(about, "\n");
        bool is_example = *about == '$';

        if (is_example != in_example)
            buf_puts(page, is_example ? ".PP\n.RS\n.nf\n" : ".fi\n.RE\n");
        else if (!len)
            buf_puts(page, ".PP\n");
        in_example = is_example;
        put_text(page, about, len);
        if (len)
            buf_puts(page, "\n");
        about += len + (about[len] == '\n');
    }
    if (in_example)
        buf_puts(page, ".fi\n.RE\n");
}

static void put_options(struct buf *page, const struct option_def *table)
{
    for (; table && table->name; table++) {
        struct buf line = BUF_INIT;

        help_describe_option(table, &line);
        buf_puts(page, ".TP\n\\fB\\-");
        put(page, table->name);
        buf_puts(page, "\\fR");
        put(page, help_value_name(table->kind));
        buf_puts(page, "\n");
        put(page, buf_str(&line));
        buf_puts(page, "\n");
        buf_close(&line);
    }
}

static void begin_page(struct buf *page, const char *name, const char *help)
{
    buf_puts(page, ".\\\" Made from the tables of commands.\n.TH \"");
    for (const char *at = name; *at; at++)
        buf_put_u8(page, (uint8_t)(*at >= 'a' && *at <= 'z' ? *at - 'a' + 'A' : *at));
    buf_puts(page, "\" 1 \"\" \"Coffer " COFFER_VERSION "\" \"Coffer\"\n.SH NAME\n");
    put(page, name);
    buf_puts(page, " \\- ");
    put(page, help);
    buf_puts(page, "\n");
}

static void end_page(struct book *book, const char *name, struct buf *page)
{
    char path[4096];

    snprintf(path, sizeof path, "%s/%s.1", book->dir, name);
    if (book->rc == OK)
        book->rc = file_replace(path, page->data, page->len, 0644, book->err);
    buf_close(page);
}

/* ---- Pages ---- */

static void put_usage(struct buf *page, const struct command *command)
{
    buf_puts(page, "\\fBcoffer ");
    put(page, command->name);
    buf_puts(page, "\\fR");
    put(page, command->run ? " [options] " : " <subcommand> [options] ");
    put(page, command->args ? command->args : "");
    buf_puts(page, "\n");
}

static void put_own_options(struct buf *page, const struct command *command)
{
    put_options(page, command->options);
    if (command->flags & (COMMAND_FORMAT | COMMAND_FIELD | COMMAND_DETAILED | COMMAND_RAW))
        put_options(page, format_option);
    if (command->flags & COMMAND_FIELD)
        put_options(page, field_option);
    if (command->flags & COMMAND_DETAILED)
        put_options(page, detailed_option);
}

/* A command below the page's, with those below it. Those without `about` live elsewhere. */
static void put_below(const struct command *command, void *arg)
{
    struct buf *page = arg;

    buf_puts(page, ".SS ");
    put(page, command->name);
    buf_puts(page, "\n");
    put_usage(page, command);
    buf_puts(page, ".PP\n");
    put_about(page, command->about);
    put_own_options(page, command);
    command_each(command->name, put_below, page);
}

static void put_see_also(struct buf *page)
{
    buf_puts(page,
             ".SH SEE ALSO\n\\fBcoffer\\fR(1): the options of all commands that ask a server, the environment and "
             "the exit status.\n");
}

static void write_command(const struct command *command, void *arg)
{
    struct buf page = BUF_INIT;
    char name[64];

    snprintf(name, sizeof name, "coffer-%s", command->name);
    begin_page(&page, name, command->help);
    buf_puts(&page, ".SH SYNOPSIS\n");
    put_usage(&page, command);
    buf_puts(&page, ".SH DESCRIPTION\n");
    put_about(&page, command->about);
    if (command->run) {
        buf_puts(&page, ".SH OPTIONS\n");
        put_own_options(&page, command);
    } else {
        buf_puts(&page, ".SH COMMANDS\n");
        command_each(command->name, put_below, &page);
    }
    put_see_also(&page);
    end_page(arg, name, &page);
}

/* What it says of itself, as it is. */
static void write_foreign(struct book *book, const struct cli_foreign *foreign)
{
    struct buf page = BUF_INIT;
    char name[64];

    snprintf(name, sizeof name, "coffer-%s", foreign->name);
    for (char *at = name; *at; at++) {
        if (*at == ' ')
            *at = '-';
    }
    begin_page(&page, name, foreign->help);
    buf_puts(&page, ".SH DESCRIPTION\n.nf\n");
    put(&page, foreign->usage);
    buf_puts(&page, ".fi\n");
    put_see_also(&page);
    end_page(book, name, &page);
}

static void list_command(const struct command *command, void *arg)
{
    struct buf *page = arg;

    buf_puts(page, ".TP\n\\fBcoffer\\-");
    put(page, command->name);
    buf_puts(page, "\\fR(1)\n");
    put(page, command->help);
    buf_puts(page, "\n");
}

static void write_overview(struct book *book, const struct cli_foreign *foreign)
{
    struct buf page = BUF_INIT;

    begin_page(&page, "coffer", "a secrets server, and its command line");
    buf_puts(&page, ".SH SYNOPSIS\n\\fBcoffer\\fR <command> [options] [args]\n.SH COMMANDS\n");
    command_each("", list_command, &page);
    for (; foreign && foreign->name; foreign++) {
        struct command listed = {.name = foreign->name, .help = foreign->help};

        list_command(&listed, &page);
    }
    buf_puts(&page, ".SH OPTIONS OF ALL COMMANDS THAT ASK A SERVER\n");
    put_options(&page, http_options);
    buf_puts(&page,
             ".SH ENVIRONMENT\nOf COFFER_x, BAO_x and VAULT_x the first that is set holds, here for TOKEN, "
             "TOKEN_PATH (instead of ~/.vault\\-token), MAX_RETRIES and CLIENT_TIMEOUT; options name theirs.\n"
             ".SH EXIT STATUS\n0: done. 1: a mistake on this side: options, arguments, files. 2: the server said "
             "no, or could not be reached; of \\fBcoffer status\\fR: it is sealed. 127: no such command.\n");
    end_page(book, "coffer", &page);
}

int man_write_pages(const char *dir, const struct cli_foreign *foreign, struct err *err)
{
    struct book book = {.dir = dir, .err = err};

    write_overview(&book, foreign);
    command_each("", write_command, &book);
    for (; foreign && foreign->name; foreign++)
        write_foreign(&book, foreign);
    return book.rc;
}
