/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/help/help.h"

#include <string.h>

#include "cli/options.h"
#include "cli/output/text.h"

#define NAME_WIDTH 18

static void put_line(FILE *out, const char *name, const char *help)
{
    fprintf(out, "    %-*s  %s\n", NAME_WIDTH, name, help);
}

/* The commands of every day, in the order in which a newcomer meets them. */
static const char *const common_names[] = {"status", "login", "read", "write", "list", "delete", "kv", "unwrap", NULL};

static bool is_common(const char *name)
{
    for (int i = 0; common_names[i]; i++) {
        if (!strcmp(name, common_names[i]))
            return true;
    }
    return false;
}

static void visit_other(const struct command *command, void *arg)
{
    if (!is_common(command->name))
        put_line(arg, command->name, command->help);
}

void help_put_overview(FILE *out, const struct cli_foreign *foreign)
{
    int words;

    fputs("Usage: coffer <command> [options] [args]\n\nCommon commands:\n", out);
    for (int i = 0; common_names[i]; i++)
        put_line(out, common_names[i], command_find(1, (char *[]){(char *)common_names[i]}, &words)->help);
    fputs("\nOther commands:\n", out);
    for (; foreign && foreign->name; foreign++) {
        if (!strchr(foreign->name, ' '))
            put_line(out, foreign->name, foreign->help);
    }
    command_each("", visit_other, out);
    put_line(out, "version", "Print the version of this program");
    fputs("\n\"coffer <command> -help\" explains a command and shows an example.\n"
          "COFFER_ADDR and COFFER_TOKEN say which server, and who you are.\n"
          "\"coffer -autocomplete-install\" makes the Tab key complete commands and options in your shell;\n"
          "\"coffer -autocomplete-uninstall\" takes that back.\n",
          out);
}

/* Paragraphs; a line that begins with '$' is an example and stays as it is. */
static void put_about(FILE *out, const char *about)
{
    while (*about) {
        size_t len = strcspn(about, "\n");

        if (*about == '$')
            fprintf(out, "      %.*s\n", (int)len, about);
        else if (len)
            text_print_wrapped(out, about, len, 2);
        else
            fputc('\n', out);
        about += len + (about[len] == '\n');
    }
}

const char *help_value_name(enum option_kind kind)
{
    static const char *const names[] = {
        [OPTION_TEXT] = "=<text>",         [OPTION_FLAG] = "",        [OPTION_NUMBER] = "=<number>",
        [OPTION_DURATION] = "=<duration>", [OPTION_LIST] = "=<text>", [OPTION_MAP] = "=<key=value>",
    };

    return names[kind];
}

void help_describe_option(const struct option_def *def, struct buf *out)
{
    buf_puts(out, def->help);
    if (def->kind == OPTION_LIST || def->kind == OPTION_MAP)
        buf_puts(out, " May be given several times.");
    if (def->alias)
        buf_printf(out, " Also -%s.", def->alias);
    if (def->env)
        buf_printf(out, " Environment: COFFER_%s, BAO_%s, VAULT_%s.", def->env, def->env, def->env);
}

static void put_option(FILE *out, const struct option_def *def)
{
    struct buf line = BUF_INIT;

    help_describe_option(def, &line);
    fprintf(out, "\n  -%s%s\n", def->name, help_value_name(def->kind));
    text_print_wrapped(out, buf_str(&line), line.len, 6);
    buf_close(&line);
}

static void put_options(FILE *out, const char *title, const struct option_def *table)
{
    if (title)
        fprintf(out, "\n%s:\n", title);
    for (; table && table->name; table++)
        put_option(out, table);
}

static void put_all_options(FILE *out, const struct command *command)
{
    if (command->options)
        put_options(out, "Options", command->options);
    if (command->flags & (COMMAND_FORMAT | COMMAND_FIELD | COMMAND_DETAILED | COMMAND_RAW)) {
        put_options(out, "Output options", format_option);
        if (command->flags & COMMAND_FIELD)
            put_options(out, NULL, field_option);
        if (command->flags & COMMAND_DETAILED)
            put_options(out, NULL, detailed_option);
    }
    if (!(command->flags & COMMAND_LOCAL))
        put_options(out, "HTTP options", http_options);
}

static void visit_below(const struct command *command, void *arg)
{
    put_line(arg, command_word(command), command->help);
}

void help_put_command(FILE *out, const struct command *command)
{
    if (!command->run)
        fprintf(out, "Usage: coffer %s <subcommand> [options] [args]\n\n", command->name);
    else
        fprintf(out, "Usage: coffer %s [options]%s%s\n\n", command->name, *command->args ? " " : "", command->args);
    put_about(out, command->about);
    if (command->run) {
        put_all_options(out, command);
        return;
    }
    fputs("\nSubcommands:\n", out);
    command_each(command->name, visit_below, out);
}
