/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/file.h"
#include "cli/data_args.h"
#include "cli/options.h"

static const struct option_def test_options[] = {
    {"text", OPTION_TEXT, "A text.", "x", NULL},
    {"flag", OPTION_FLAG, "A flag.", NULL, "TEST_FLAG"},
    {"number", OPTION_NUMBER, "A number.", NULL, NULL},
    {"ttl", OPTION_DURATION, "A duration.", NULL, NULL},
    {"item", OPTION_LIST, "An item.", NULL, NULL},
    {"pair", OPTION_MAP, "A pair.", NULL, NULL},
    {0},
};

static const struct command test_command = {
    .name = "test", .options = test_options, .args_max = ARGS_ANY, .flags = COMMAND_FIELD};

static int setup(void **state)
{
    struct cli *cli = calloc(1, sizeof *cli);

    arena_init(&cli->arena);
    cli->command = &test_command;
    cli->options = json_object();
    cli->kept = json_array();
    *state = cli;
    return 0;
}

static int teardown(void **state)
{
    struct cli *cli = *state;

    json_decref(cli->options);
    json_decref(cli->kept);
    arena_close(&cli->arena);
    free(cli);
    return 0;
}

/* Parses the words, which end with NULL; returns the code and leaves the sentence in err. */
static int parse(struct cli *cli, struct err *err, char *const *words)
{
    int count = 0;

    while (words[count])
        count++;
    return options_parse(cli, count, (char **)words, err);
}

#define PARSE(cli, err, ...) parse(cli, err, (char *const[]){__VA_ARGS__, NULL})

static void test_forms(void **state)
{
    struct cli *cli = *state;

    assert_int_equal(PARSE(cli, NULL, "-text=a=b", "--number", "-7", "-flag", "-x", "last", "path", "k=v"), OK);
    assert_string_equal(option_text(cli, "text"), "last");
    assert_int_equal(option_number(cli, "number", 0), -7);
    assert_true(option_flag(cli, "flag"));
    assert_int_equal(cli->argc, 2);
    assert_string_equal(cli->argv[1], "k=v");
}

static void test_flag_values(void **state)
{
    struct cli *cli = *state;
    struct err err = {0};

    assert_int_equal(PARSE(cli, &err, "-flag=F"), OK);
    assert_false(option_flag(cli, "flag"));
    assert_true(option_is_set(cli, "flag"));
    assert_int_equal(PARSE(cli, &err, "-flag=maybe"), ERR_INVALID);
}

static void test_repeated(void **state)
{
    struct cli *cli = *state;

    assert_int_equal(PARSE(cli, NULL, "-item=a", "-item", "b", "-pair", "k=v=w", "-pair=l="), OK);
    assert_int_equal(json_array_size(option_list(cli, "item")), 2);
    assert_string_equal(json_str(option_map(cli, "pair"), "k", ""), "v=w");
    assert_string_equal(json_str(option_map(cli, "pair"), "l", "?"), "");
}

static void test_durations(void **state)
{
    struct cli *cli = *state;
    struct err err = {0};

    assert_int_equal(PARSE(cli, &err, "-ttl=90m"), OK);
    assert_string_equal(option_text(cli, "ttl"), "1h30m0s");
    assert_int_equal(PARSE(cli, &err, "-ttl=soon"), ERR_INVALID);
}

static void test_unknown(void **state)
{
    struct err err = {0};

    assert_int_equal(PARSE(*state, &err, "-nope"), ERR_INVALID);
    assert_string_equal(err_text(&err), "flag provided but not defined: -nope");
    assert_int_equal(PARSE(*state, &err, "-text"), ERR_INVALID);
    assert_string_equal(err_text(&err), "flag needs an argument: -text");
}

static void test_end_of_options(void **state)
{
    struct cli *cli = *state;

    assert_int_equal(PARSE(cli, NULL, "-flag", "--", "-text=a"), OK);
    assert_int_equal(cli->argc, 1);
    assert_null(option_text(cli, "text"));
    assert_int_equal(PARSE(cli, NULL, "-"), OK);
    assert_string_equal(cli->argv[cli->argc - 1], "-");
}

static void test_late_format(void **state)
{
    struct cli *cli = *state;

    assert_int_equal(PARSE(cli, NULL, "path", "-format", "yaml", "more"), OK);
    assert_int_equal(options_set_format(cli, NULL), OK);
    assert_int_equal(cli->format, FORMAT_YAML);
    assert_int_equal(cli->argc, 2);
}

static void test_environment(void **state)
{
    struct cli *cli = *state;

    setenv("VAULT_TEST_FLAG", "true", 1);
    setenv("BAO_TEST_FLAG", "false", 1);
    assert_string_equal(cli_env("TEST_FLAG"), "false");
    setenv("COFFER_TEST_FLAG", "", 1);
    assert_string_equal(cli_env_name(cli, "TEST_FLAG"), "BAO_TEST_FLAG");
    setenv("COFFER_TEST_FLAG", "true", 1);
    assert_int_equal(PARSE(cli, NULL, "path"), OK);
    /* Only options that are asked of the environment are; this command's own are not. */
    assert_false(option_is_set(cli, "flag"));
    setenv("COFFER_WRAP_TTL", "1m", 1);
    assert_int_equal(PARSE(cli, NULL, "path"), OK);
    assert_string_equal(option_text(cli, "wrap-ttl"), "1m0s");
    assert_int_equal(PARSE(cli, NULL, "-wrap-ttl=5s"), OK);
    assert_string_equal(option_text(cli, "wrap-ttl"), "5s");
    unsetenv("COFFER_WRAP_TTL");
}

static void test_into_body(void **state)
{
    struct cli *cli = *state;
    json_t *body = json_object();

    assert_int_equal(PARSE(cli, NULL, "-number=3", "-tls-server-name=a"), OK);
    option_into(cli, "number", body, "num_uses");
    option_into(cli, "tls-server-name", body, NULL);
    option_into(cli, "text", body, NULL);
    assert_int_equal(json_object_size(body), 2);
    assert_int_equal(json_int(body, "num_uses", 0), 3);
    assert_string_equal(json_str(body, "tls_server_name", ""), "a");
    json_decref(body);
}

/* Data of the arguments, kept by the cli; NULL when they are refused. */
static json_t *data_of(struct cli *cli, struct err *err, char **words)
{
    json_t *data;

    for (cli->argv = words, cli->argc = 0; words[cli->argc];)
        cli->argc++;
    return data_args_parse(cli, 0, &data, err) ? NULL : cli_keep(cli, data);
}

#define DATA(cli, err, ...) data_of(cli, err, (char *[]){__VA_ARGS__, NULL})

static void test_pairs(void **state)
{
    json_t *data = DATA(*state, NULL, "a=1", "b=x=y", "c=", "d=\\@at", "a=2", "a=3");

    assert_non_null(data);
    assert_string_equal(json_str(data, "b", ""), "x=y");
    assert_string_equal(json_str(data, "c", "?"), "");
    assert_string_equal(json_str(data, "d", ""), "@at");
    assert_int_equal(json_array_size(json_list_at(data, "a")), 3);
}

static void test_files(void **state)
{
    char value[] = "/tmp/coffer-test-XXXXXX", whole[] = "/tmp/coffer-test-XXXXXX";
    struct cli *cli = *state;
    struct err err = {0};
    json_t *data;

    close(mkstemp(value));
    close(mkstemp(whole));
    assert_int_equal(file_replace(value, "text\n", 5, 0600, NULL), OK);
    assert_int_equal(file_replace(whole, "{\"n\": 12, \"a\": {}}", 18, 0600, NULL), OK);
    data = DATA(cli, NULL, cli_printf(cli, "v=@%s", value), cli_printf(cli, "@%s", whole));
    assert_string_equal(json_str(data, "v", ""), "text\n");
    assert_int_equal(json_int(data, "n", 0), 12);
    assert_null(DATA(cli, &err, cli_printf(cli, "@%s", value)));
    unlink(value);
    unlink(whole);
    assert_null(DATA(cli, &err, cli_printf(cli, "v=@%s", value)));
}

static void test_bad_pairs(void **state)
{
    struct err err = {0};

    assert_null(DATA(*state, &err, "alone"));
    assert_string_equal(err_text(&err), "invalid key/value pair \"alone\": format must be key=value");
    assert_null(DATA(*state, &err, "key=hidden\xff"));
    assert_null(strstr(err_text(&err), "hidden"));
}

static void test_find(void **state)
{
    int words = 0;

    (void)state;
    assert_string_equal(command_find(3, (char *[]){"kv", "metadata", "get"}, &words)->name, "kv metadata get");
    assert_int_equal(words, 3);
    assert_string_equal(command_find(2, (char *[]){"read", "kv"}, &words)->name, "read");
    assert_int_equal(words, 1);
    assert_null(command_find(1, (char *[]){"raed"}, &words));
}

static void test_nearest(void **state)
{
    (void)state;
    assert_string_equal(command_nearest("", "raed"), "read");
    assert_string_equal(command_nearest("", "secret"), "secrets");
    assert_string_equal(command_nearest("operator raft", "list-peer"), "operator raft list-peers");
    assert_null(command_nearest("", "xyzzy"));
    assert_null(command_nearest("", "a-word-that-is-longer-than-any-command-could-ever-be"));
}

static void check_command(const struct command *command, void *arg)
{
    (void)arg;
    if (!command->help || !command->args || !command->about || !strstr(command->about, "\n$ "))
        fail_msg("%s: the help shows no example", command->name);
    for (const struct option_def *def = command->options; def && def->name; def++)
        if (!def->help || def->help[strlen(def->help) - 1] != '.')
            fail_msg("%s -%s: the help is no sentence", command->name, def->name);
    if (!command->run)
        command_each(command->name, check_command, NULL);
}

static void test_help_is_complete(void **state)
{
    (void)state;
    command_each("", check_command, NULL);
}

#define WITH_CLI(name, fn)                                                                                             \
    {                                                                                                                  \
        name, fn, setup, teardown, NULL                                                                                \
    }

int main(void)
{
    static const struct CMUnitTest tests[] = {
        WITH_CLI("options are taken with one dash or two, with = or a blank", test_forms),
        WITH_CLI("a flag takes true and false and nothing else", test_flag_values),
        WITH_CLI("lists and pairs add up", test_repeated),
        WITH_CLI("durations are kept as Go prints them", test_durations),
        WITH_CLI("an unknown option and a missing value are refused", test_unknown),
        WITH_CLI("after -- everything is an argument, and - always is", test_end_of_options),
        WITH_CLI("-format is taken after the arguments too", test_late_format),
        WITH_CLI("the environment is asked for COFFER, BAO, VAULT in this order, after the options", test_environment),
        WITH_CLI("only options that were given go into a body", test_into_body),
        WITH_CLI("pairs become an object, and a key given again a list", test_pairs),
        WITH_CLI("values and whole objects are read from files", test_files),
        WITH_CLI("what is no pair is refused without showing a value", test_bad_pairs),
        {"a command is found by as many words as fit", test_find, NULL, NULL, NULL},
        {"a mistyped command is guessed, a wild one is not", test_nearest, NULL, NULL, NULL},
        {"every command's help has an example", test_help_is_complete, NULL, NULL, NULL},
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
