/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/help/complete.h"

#include <ctype.h>
#include <string.h>

#include "base/arena.h"
#include "cli/command.h"
#include "cli/options.h"

#define WORDS_MAX 64

/* The line as words; the last one is what is being typed, and may be empty. */
struct typed {
    char *words[WORDS_MAX];
    int count;
};

struct offer {
    FILE *out;
    const char *prefix;
};

/* Quotes are not looked into: where they are, no command's name follows. */
static void split(struct arena *arena, const char *line, struct typed *ret)
{
    size_t len;

    ret->count = 0;
    for (line += strspn(line, " \t"); *line && ret->count < WORDS_MAX - 1; line += strspn(line, " \t")) {
        len = strcspn(line, " \t");
        ret->words[ret->count++] = arena_strndup(arena, line, len);
        line += len;
        if (!*line)
            return;
    }
    ret->words[ret->count++] = "";
}

static void offer_word(const struct offer *offer, const char *word)
{
    if (!strncmp(word, offer->prefix, strlen(offer->prefix)))
        fprintf(offer->out, "%s\n", word);
}

static void offer_command(const struct command *command, void *arg)
{
    offer_word(arg, command_word(command));
}

static void offer_options(const struct offer *offer, const struct option_def *table)
{
    char word[80];

    for (; table && table->name; table++) {
        snprintf(word, sizeof word, "-%s", table->name);
        offer_word(offer, word);
    }
}

static void offer_all_options(const struct offer *offer, const struct command *command)
{
    offer_options(offer, command->options);
    if (command->flags & (COMMAND_FORMAT | COMMAND_FIELD | COMMAND_DETAILED | COMMAND_RAW))
        offer_options(offer, format_option);
    if (command->flags & COMMAND_FIELD)
        offer_options(offer, field_option);
    if (command->flags & COMMAND_DETAILED)
        offer_options(offer, detailed_option);
    if (!(command->flags & COMMAND_LOCAL))
        offer_options(offer, http_options);
    offer_word(offer, "-help");
}

/* The options in a text of help are what begins a line after two blanks and a dash. */
static void offer_described_options(const struct offer *offer, const char *usage)
{
    char word[80];

    for (const char *at = usage; at && (at = strstr(at, "\n  -")); at += 4) {
        size_t len = strcspn(at + 3, "= \n");

        snprintf(word, sizeof word, "%.*s", (int)len, at + 3);
        offer_word(offer, word);
    }
}

/* Whether the line begins with the name, and something is being typed behind it. */
static bool is_behind(const char *name, const struct typed *typed)
{
    int at = 1;

    while (*name) {
        size_t len = strcspn(name, " ");

        if (at >= typed->count - 1 || strlen(typed->words[at]) != len || strncmp(typed->words[at], name, len) != 0)
            return false;
        at++;
        name += len + (name[len] == ' ');
    }
    return true;
}

static const struct cli_foreign *find_foreign(const struct cli_foreign *foreign, const struct typed *typed)
{
    for (; foreign && foreign->name; foreign++) {
        if (is_behind(foreign->name, typed))
            return foreign;
    }
    return NULL;
}

static void offer_first(const struct offer *offer, const struct cli_foreign *foreign)
{
    command_each("", offer_command, (void *)offer);
    for (; foreign && foreign->name; foreign++) {
        if (!strchr(foreign->name, ' '))
            offer_word(offer, foreign->name);
    }
    offer_word(offer, "version");
}

static void offer_formats(const struct offer *offer)
{
    static const char *const formats[] = {"table", "json", "yaml"};

    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        offer_word(offer, formats[i]);
}

void complete_line(FILE *out, const char *line, const struct cli_foreign *foreign)
{
    const struct cli_foreign *elsewhere;
    const struct command *command;
    struct offer offer = {.out = out};
    struct arena arena;
    struct typed typed;
    int words = 0;

    arena_init(&arena);
    split(&arena, line, &typed);
    offer.prefix = typed.words[typed.count - 1];
    command = typed.count > 2 ? command_find(typed.count - 2, typed.words + 1, &words) : NULL;
    elsewhere = find_foreign(foreign, &typed);
    if (typed.count <= 2)
        offer_first(&offer, foreign);
    else if (elsewhere)
        offer_described_options(&offer, elsewhere->usage);
    else if (command && !strcmp(typed.words[typed.count - 2], "-format"))
        offer_formats(&offer);
    else if (command && offer.prefix[0] == '-')
        offer_all_options(&offer, command);
    else if (command && words == typed.count - 2)
        command_each(command->name, offer_command, &offer);
    arena_close(&arena);
}
