/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/secret.h"
#include "cli/client/api.h"
#include "cli/help/complete.h"
#include "cli/help/help.h"
#include "cli/help/man.h"
#include "cli/options.h"

json_t *cli_keep(struct cli *cli, json_t *value)
{
    if (value)
        json_array_append_new(cli->kept, value);
    return value;
}

char *cli_printf(struct cli *cli, const char *fmt, ...)
{
    va_list args;
    char *text;

    va_start(args, fmt);
    text = arena_vprintf(&cli->arena, fmt, args);
    va_end(args);
    return text;
}

const char *cli_text(const json_t *value)
{
    const char *text = json_string_value(value);

    return text ? text : "";
}

static void complain(const char *fmt, va_list args)
{
    /* What was printed before on standard output stands before it on a terminal. */
    fflush(stdout);
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
}

int cli_mistake(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    complain(fmt, args);
    va_end(args);
    return EXIT_LOCAL;
}

int cli_refuse(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    complain(fmt, args);
    va_end(args);
    return EXIT_REMOTE;
}

int cli_fail(struct cli *cli, const char *doing, ...)
{
    va_list args;

    if (cli->is_dry_run)
        return EXIT_OK;
    fflush(stdout);
    if (doing) {
        va_start(args, doing);
        vfprintf(stderr, doing, args);
        va_end(args);
        fputs(": ", stderr);
    }
    fprintf(stderr, "%s\n", buf_str(&cli->failure));
    return EXIT_REMOTE;
}

int cli_success(struct cli *cli, const char *fmt, ...)
{
    va_list args;

    if (cli->format != FORMAT_TABLE)
        return EXIT_OK;
    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);
    putchar('\n');
    return EXIT_OK;
}

static const char *const env_prefixes[] = {"COFFER", "BAO", "VAULT", NULL};

static const char *find_env(const char *name, const char **ret_prefix)
{
    char full[64];

    for (int i = 0; env_prefixes[i]; i++) {
        const char *value;

        snprintf(full, sizeof full, "%s_%s", env_prefixes[i], name);
        value = getenv(full);
        *ret_prefix = env_prefixes[i];
        if (value && *value)
            return value;
    }
    *ret_prefix = env_prefixes[0];
    return NULL;
}

const char *cli_env(const char *name)
{
    const char *prefix;

    return find_env(name, &prefix);
}

const char *cli_env_name(struct cli *cli, const char *name)
{
    const char *prefix;

    find_env(name, &prefix);
    return cli_printf(cli, "%s_%s", prefix, name);
}

char *cli_trim(struct cli *cli, const char *text, const char *more)
{
    const char *edges = cli_printf(cli, " \t\r\n%s", more);
    size_t len;

    text += strspn(text, edges);
    for (len = strlen(text); len && strchr(edges, text[len - 1]); len--)
        ;
    return arena_strndup(&cli->arena, text, len);
}

char *cli_trim_path(struct cli *cli, const char *path)
{
    return cli_trim(cli, path, "/");
}

char *cli_mount_path(struct cli *cli, const char *path)
{
    return cli_printf(cli, "%s/", cli_trim_path(cli, path));
}

static char *expected_args(struct cli *cli)
{
    int min = cli->command->args_min, max = cli->command->args_max;

    if (max == min || (max == ARGS_ANY && min == 1))
        return cli_printf(cli, "%d", min);
    if (max == ARGS_ANY)
        return cli_printf(cli, "at least %d", min);
    return cli_printf(cli, "%d-%d", min, max);
}

static int check_arg_count(struct cli *cli)
{
    const struct command *command = cli->command;

    if (cli->argc < command->args_min)
        return cli_mistake("Not enough arguments (expected %s, got %d)", expected_args(cli), cli->argc);
    if (command->args_max != ARGS_ANY && cli->argc > command->args_max)
        return cli_mistake("Too many arguments (expected %s, got %d)", expected_args(cli), cli->argc);
    return EXIT_OK;
}

static int run_command(struct cli *cli, int argc, char **argv)
{
    struct err err = {0};
    int code;

    if (options_parse(cli, argc, argv, &err) || options_set_format(cli, &err))
        return cli_mistake("%s", err_text(&err));
    code = check_arg_count(cli);
    if (!code)
        code = cli->command->run(cli);
    /* A script must not take a cut-off answer, on a full disk say, for a whole one. */
    if (fflush(stdout) || ferror(stdout))
        return cli_mistake("Error writing the output");
    return code;
}

static int run_in_context(const struct command *command, int argc, char **argv)
{
    struct cli cli = {.command = command};
    int code;

    arena_init(&cli.arena);
    cli.options = json_object();
    cli.kept = json_array();
    code = run_command(&cli, argc, argv);
    api_close(&cli);
    json_decref(cli.kept);
    json_decref(cli.options);
    buf_close(&cli.failure);
    buf_close(&cli.body);
    arena_close(&cli.arena);
    return code;
}

static bool is_one_of(const char *word, const char *const *words)
{
    for (; *words; words++) {
        if (!strcmp(word, *words))
            return true;
    }
    return false;
}

/* Whether help is asked for among the options. */
static bool wants_help(int argc, char **argv)
{
    static const char *const words[] = {"-h", "-help", "--help", NULL};

    for (int i = 0; i < argc && argv[i][0] == '-' && strcmp(argv[i], "--") != 0; i++) {
        if (is_one_of(argv[i], words))
            return true;
    }
    return false;
}

/* group: the command below which `word` was looked for, or NULL for the first word. */
static int refuse_unknown(const struct command *group, const char *word, const struct cli_foreign *foreign)
{
    const char *nearest = command_nearest(group ? group->name : "", word);

    fprintf(stderr, "There is no command \"%s%s%s\".", group ? group->name : "", group ? " " : "", word);
    if (nearest)
        fprintf(stderr, " Did you mean \"%s\"?", nearest);
    fputs("\n\n", stderr);
    if (group)
        help_put_command(stderr, group);
    else
        help_put_overview(stderr, foreign);
    return group ? EXIT_LOCAL : EXIT_NO_COMMAND;
}

static int print_version(void)
{
    puts("Coffer v" COFFER_VERSION);
    return EXIT_OK;
}

static int dispatch(int argc, char **argv, const struct cli_foreign *foreign)
{
    const struct command *command;
    int words;

    command = command_find(argc, argv, &words);
    if (!command)
        return refuse_unknown(NULL, argv[0], foreign);
    if (wants_help(argc - words, argv + words)) {
        help_put_command(stdout, command);
        return EXIT_OK;
    }
    if (command->run)
        return run_in_context(command, argc - words, argv + words);
    if (words < argc && argv[words][0] != '-')
        return refuse_unknown(command, argv[words], foreign);
    help_put_command(stderr, command);
    return EXIT_LOCAL;
}

/* ---- What is asked of the program itself ---- */

static int own_path(char *path, size_t size, struct err *err)
{
    ssize_t len = readlink("/proc/self/exe", path, size - 1);

    if (len <= 0)
        return err_set(err, ERR_IO, "the path of this program is not known");
    path[len] = '\0';
    return OK;
}

static int change_completion(int (*change)(const char *program, struct err *err))
{
    char program[4096];
    struct err err = {0};

    if (own_path(program, sizeof program, &err) || change(program, &err))
        return cli_mistake("%s", err_text(&err));
    return EXIT_OK;
}

/* For the build: what a package installs beside the program. */
static int write_documents(const char *dir, const struct cli_foreign *foreign)
{
    struct err err = {0};

    if (man_write_pages(dir, foreign, &err) || complete_write_files(dir, &err))
        return cli_mistake("%s", err_text(&err));
    return EXIT_OK;
}

/* Whether the first word is one of these; then ret_code is the exit code. */
static bool run_on_itself(const char *word, const struct cli_foreign *foreign, int *ret_code)
{
    static const char documents[] = "-write-documents=";

    word += word[0] == '-' && word[1] == '-';
    if (!strcmp(word, "-autocomplete-install"))
        *ret_code = change_completion(complete_install);
    else if (!strcmp(word, "-autocomplete-uninstall"))
        *ret_code = change_completion(complete_uninstall);
    else if (!strncmp(word, documents, strlen(documents)))
        *ret_code = write_documents(word + strlen(documents), foreign);
    else
        return false;
    return true;
}

/* How many words the name is, if the arguments begin with it; else 0. */
static int count_words(const char *name, int argc, char **argv)
{
    const char *space = strchr(name, ' ');
    size_t len = space ? (size_t)(space - name) : strlen(name);

    if (argc < 1 || strncmp(argv[0], name, len) != 0 || argv[0][len] != '\0')
        return 0;
    if (!space)
        return 1;
    return argc > 1 && !strcmp(argv[1], space + 1) ? 2 : 0;
}

int cli_main(int argc, char **argv, const struct cli_foreign *foreign)
{
    static const char *const version_words[] = {"version", "-v", "-version", "--version", NULL};
    static const char *const help_words[] = {"help", "-h", "-help", "--help", NULL};

    const char *line = getenv("COMP_LINE");
    int code;

    if (line) {
        complete_line(stdout, line, foreign);
        return EXIT_OK;
    }
    for (const struct cli_foreign *each = foreign; each && each->name; each++) {
        int words = count_words(each->name, argc - 1, argv + 1);
        if (words > 0)
            return each->run(argc - words, argv + words);
    }
    secret_process_init(false);
    json_setup();
    if (argc < 2) {
        help_put_overview(stderr, foreign);
        return EXIT_NO_COMMAND;
    }
    if (is_one_of(argv[1], version_words))
        return print_version();
    if (is_one_of(argv[1], help_words) && argc == 2) {
        help_put_overview(stdout, foreign);
        return EXIT_OK;
    }
    if (run_on_itself(argv[1], foreign, &code))
        return code;
    return dispatch(argc - 1, argv + 1, foreign);
}
