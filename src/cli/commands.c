/* SPDX-License-Identifier: Apache-2.0 */
/* The list of all commands, and how one is found by its words. */
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"

#define COMMANDS_MAX 256
#define WORDS_MAX    4

const struct command *const command_tables[] = {
    audit_commands,
    auth_commands,
    kv_commands,
    kv_metadata_commands,
    lease_commands,
    logical_commands,
    login_commands,
    operator_commands,
    plugin_commands,
    policy_commands,
    raft_commands,
    autopilot_commands,
    secrets_commands,
    snapshot_commands,
    token_commands,
    rekey_commands,
    generate_root_commands,
    NULL,
};

static const struct command *find_name(const char *name)
{
    for (int i = 0; command_tables[i]; i++) {
        for (const struct command *command = command_tables[i]; command->name; command++) {
            if (!strcmp(command->name, name))
                return command;
        }
    }
    return NULL;
}

const struct command *command_find(int argc, char **argv, int *ret_words)
{
    const struct command *found = NULL;
    char name[128] = "";

    for (int words = 0; words < argc && words < WORDS_MAX; words++) {
        const struct command *command;

        if (strlen(name) + 1 + strlen(argv[words]) >= sizeof name)
            break;
        if (words)
            strcat(name, " ");
        strcat(name, argv[words]);
        command = find_name(name);
        if (!command)
            break;
        found = command;
        *ret_words = words + 1;
    }
    return found;
}

const char *command_word(const struct command *command)
{
    const char *blank = strrchr(command->name, ' ');

    return blank ? blank + 1 : command->name;
}

/* Whether the name is `group`, a blank and one word more. */
static int is_directly_below(const char *name, const char *group)
{
    size_t len = strlen(group);

    if (!len)
        return !strchr(name, ' ');
    return !strncmp(name, group, len) && name[len] == ' ' && !strchr(name + len + 1, ' ');
}

static int compare_names(const void *a, const void *b)
{
    return strcmp((*(const struct command *const *)a)->name, (*(const struct command *const *)b)->name);
}

void command_each(const char *group, void (*visit)(const struct command *command, void *arg), void *arg)
{
    const struct command *below[COMMANDS_MAX];
    size_t count = 0;

    for (int i = 0; command_tables[i]; i++) {
        for (const struct command *command = command_tables[i]; command->name; command++) {
            if (is_directly_below(command->name, group) && count < COMMANDS_MAX)
                below[count++] = command;
        }
    }
    qsort(below, count, sizeof *below, compare_names);
    for (size_t i = 0; i < count; i++)
        visit(below[i], arg);
}

#define TYPED_MAX 31

/* How many letters must be added, dropped, changed or swapped with their neighbour to get from a to b. */
static int edit_distance(const char *a, const char *b)
{
    int rows[3][TYPED_MAX + 2] = {{0}};
    int a_len = (int)strlen(a), b_len = (int)strlen(b);

    for (int j = 0; j <= b_len; j++)
        rows[0][j] = j;
    for (int i = 1; i <= a_len; i++) {
        int *row = rows[i % 3], *above = rows[(i + 2) % 3], *above2 = rows[(i + 1) % 3];

        row[0] = i;
        for (int j = 1; j <= b_len; j++) {
            int best = above[j - 1] + (a[i - 1] != b[j - 1]);

            best = above[j] + 1 < best ? above[j] + 1 : best;
            best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && above2[j - 2] + 1 < best)
                best = above2[j - 2] + 1;
            row[j] = best;
        }
    }
    return rows[a_len % 3][b_len];
}

struct nearest {
    const char *typed;
    const char *name;
    int distance;
};

static void visit_nearest(const struct command *command, void *arg)
{
    struct nearest *nearest = arg;
    int distance;

    if (strlen(command_word(command)) > TYPED_MAX)
        return;
    distance = edit_distance(nearest->typed, command_word(command));
    if (distance < nearest->distance) {
        nearest->distance = distance;
        nearest->name = command->name;
    }
}

const char *command_nearest(const char *group, const char *typed)
{
    /* Beyond two mistakes, or when all letters are wrong, a guess would only puzzle. */
    struct nearest nearest = {.typed = typed, .distance = strlen(typed) > 2 ? 3 : 2};

    if (strlen(typed) <= TYPED_MAX)
        command_each(group, visit_nearest, &nearest);
    return nearest.name;
}
