/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/options.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/duration.h"

const struct option_def http_options[] = {
    {"address", OPTION_TEXT, "Address of the server. The default is https://127.0.0.1:8200.", NULL, "ADDR"},
    {"agent-address", OPTION_TEXT, "Address of an agent that is asked instead of the server.", NULL, "AGENT_ADDR"},
    {"ca-cert", OPTION_TEXT, "File with the CA certificates (PEM) that the server's certificate is checked against.",
     NULL, "CACERT"},
    {"ca-path", OPTION_TEXT, "Directory of CA certificates (PEM, hashed names). -ca-cert goes before it.", NULL,
     "CAPATH"},
    {"client-cert", OPTION_TEXT, "Certificate (PEM) that this client shows to the server; needs -client-key.", NULL,
     "CLIENT_CERT"},
    {"client-key", OPTION_TEXT, "Private key (PEM) of -client-cert.", NULL, "CLIENT_KEY"},
    {"disable-redirects", OPTION_FLAG, "Do not follow a standby's redirect to the active node.", NULL,
     "DISABLE_REDIRECTS"},
    {"header", OPTION_MAP, "One more HTTP header, as name=value; not one that begins with X-Vault-.", NULL, NULL},
    {"mfa", OPTION_LIST, "A second factor, as method[:passcode].", NULL, "MFA"},
    {"namespace", OPTION_TEXT, "Namespace that the paths are relative to.", "ns", "NAMESPACE"},
    {"non-interactive", OPTION_FLAG, "Never ask on the terminal; fail instead.", NULL, NULL},
    {"output-curl-string", OPTION_FLAG, "Print the equivalent curl command instead of sending the request.", NULL,
     NULL},
    {"output-policy", OPTION_FLAG, "Print the policy that the request needs instead of sending it.", NULL, NULL},
    {"policy-override", OPTION_FLAG, "Go against a policy that may be gone against, where the server has such.", NULL,
     NULL},
    {"tls-server-name", OPTION_TEXT, "Name that the server's certificate must carry, if not the address's host.", NULL,
     "TLS_SERVER_NAME"},
    {"tls-skip-verify", OPTION_FLAG, "Do not check the server's certificate. Anybody in between can then read along.",
     NULL, "SKIP_VERIFY"},
    {"wrap-ttl", OPTION_DURATION, "Wrap the answer in a token of one use that lives this long; see \"coffer unwrap\".",
     NULL, "WRAP_TTL"},
    {0},
};

const struct option_def format_option[] = {
    {"format", OPTION_TEXT, "How to print: table, json or yaml. The default is table.", NULL, "FORMAT"},
    {0},
};

const struct option_def field_option[] = {
    {"field", OPTION_TEXT, "Print this field alone, without a newline unless it goes to a terminal.", NULL, NULL},
    {0},
};

const struct option_def detailed_option[] = {
    {"detailed", OPTION_FLAG, "Print more about each item.", NULL, "DETAILED"},
    {0},
};

static const struct option_def *find_in(const struct option_def *table, const char *name, size_t len)
{
    for (; table && table->name; table++) {
        if (strlen(table->name) == len && !memcmp(table->name, name, len))
            return table;
        if (table->alias && strlen(table->alias) == len && !memcmp(table->alias, name, len))
            return table;
    }
    return NULL;
}

static const struct option_def *find_option(const struct command *command, const char *name, size_t len)
{
    const struct option_def *def = find_in(command->options, name, len);

    if (!def && !(command->flags & COMMAND_LOCAL))
        def = find_in(http_options, name, len);
    if (!def && command->flags & (COMMAND_FORMAT | COMMAND_FIELD | COMMAND_RAW))
        def = find_in(format_option, name, len);
    if (!def && command->flags & COMMAND_FIELD)
        def = find_in(field_option, name, len);
    if (!def && command->flags & COMMAND_DETAILED)
        def = find_in(detailed_option, name, len);
    return def;
}

static int bad_value(struct err *err, const struct option_def *def, const char *text, const char *why)
{
    return err_set(err, ERR_INVALID, "invalid value \"%s\" for flag -%s: %s", text, def->name, why);
}

static int set_flag(json_t *options, const struct option_def *def, const char *text, struct err *err)
{
    static const char *const yes[] = {"1", "t", "true", NULL}, *const no[] = {"0", "f", "false", NULL};

    for (int i = 0; yes[i]; i++) {
        if (!strcasecmp(text, yes[i]) || !strcasecmp(text, no[i])) {
            json_object_set_new(options, def->name, json_boolean(!strcasecmp(text, yes[i])));
            return OK;
        }
    }
    return bad_value(err, def, text, "neither true nor false");
}

static int set_number(json_t *options, const struct option_def *def, const char *text, struct err *err)
{
    char *end;
    long long value;

    errno = 0;
    value = strtoll(text, &end, 10);
    if (!*text || *end || errno)
        return bad_value(err, def, text, "not a whole number");
    json_object_set_new(options, def->name, json_integer(value));
    return OK;
}

static int set_duration(json_t *options, const struct option_def *def, const char *text, struct err *err)
{
    char go_text[40];
    int64_t ns;

    if (!*text || duration_parse_ns(text, &ns))
        return bad_value(err, def, text, "not a duration such as 30s, 5m or 1h30m");
    duration_format_go(ns, go_text, sizeof go_text);
    json_object_set_new(options, def->name, json_string(go_text));
    return OK;
}

static int set_pair(json_t *options, const struct option_def *def, const char *text, struct err *err)
{
    json_t *map = json_object_get(options, def->name);
    const char *equals = strchr(text, '=');

    if (!equals)
        return bad_value(err, def, text, "missing = between key and value");
    if (!map) {
        map = json_object();
        json_object_set_new(options, def->name, map);
    }
    json_object_setn_new(map, text, (size_t)(equals - text), json_string(equals + 1));
    return OK;
}

static int set_item(json_t *options, const struct option_def *def, const char *text)
{
    json_t *list = json_object_get(options, def->name);

    if (!list) {
        list = json_array();
        json_object_set_new(options, def->name, list);
    }
    json_array_append_new(list, json_string(text));
    return OK;
}

/* One value of an option, from the command line or the environment. */
static int set_option(json_t *options, const struct option_def *def, const char *text, struct err *err)
{
    json_t *value = json_string(text);

    if (!value)
        return bad_value(err, def, "?", "not UTF-8 text");
    json_decref(value);
    switch (def->kind) {
    case OPTION_FLAG:
        return set_flag(options, def, text, err);
    case OPTION_NUMBER:
        return set_number(options, def, text, err);
    case OPTION_DURATION:
        return set_duration(options, def, text, err);
    case OPTION_MAP:
        return set_pair(options, def, text, err);
    case OPTION_LIST:
        return set_item(options, def, text);
    case OPTION_TEXT:
        break;
    }
    json_object_set_new(options, def->name, json_string(text));
    return OK;
}

static bool is_option(const char *arg)
{
    return arg[0] == '-' && arg[1] && strcmp(arg, "--") != 0;
}

/* Reads the option at argv[0]; ret_used: how many words it took. */
static int parse_one(struct cli *cli, int argc, char **argv, int *ret_used, struct err *err)
{
    const char *name = argv[0] + (argv[0][1] == '-' ? 2 : 1);
    const char *equals = strchr(name, '=');
    size_t len = equals ? (size_t)(equals - name) : strlen(name);
    const struct option_def *def = find_option(cli->command, name, len);

    if (!def)
        return err_set(err, ERR_INVALID, "flag provided but not defined: -%.*s", (int)len, name);
    *ret_used = 1;
    if (equals)
        return set_option(cli->options, def, equals + 1, err);
    if (def->kind == OPTION_FLAG)
        return set_option(cli->options, def, "true", err);
    if (argc < 2)
        return err_set(err, ERR_INVALID, "flag needs an argument: -%s", name);
    *ret_used = 2;
    return set_option(cli->options, def, argv[1], err);
}

static bool is_taken_anywhere(const struct cli *cli, const char *arg)
{
    static const char *const names[] = {"format", "detailed", "output-curl-string", "output-policy", NULL};
    const char *name = arg + (arg[1] == '-' ? 2 : 1);
    size_t len = strcspn(name, "=");

    for (int i = 0; names[i]; i++) {
        if (strlen(names[i]) == len && !memcmp(names[i], name, len))
            return find_option(cli->command, name, len);
    }
    return false;
}

/* Goes through the arguments, where an option can only be one of those taken anywhere, or a mistake. */
static int parse_arguments(struct cli *cli, int argc, char **argv, struct err *err)
{
    struct buf late = BUF_INIT;
    int used, rc = OK;

    for (int i = 0; i < argc && !rc; i += used) {
        used = 1;
        if (is_option(argv[i]) && is_taken_anywhere(cli, argv[i])) {
            rc = parse_one(cli, argc - i, argv + i, &used, err);
            continue;
        }
        if (is_option(argv[i]))
            buf_printf(&late, "%s%s", late.len ? " " : "", argv[i]);
        cli->argv[cli->argc++] = argv[i];
    }
    if (late.len && !rc)
        fprintf(stderr,
                "Command flags must be provided before positional arguments. "
                "The following arguments will not be parsed as flags: [%s]\n",
                buf_str(&late));
    buf_close(&late);
    return rc;
}

/* What follows "--" is arguments, whatever it looks like. */
static int take_rest(struct cli *cli, int argc, char **argv)
{
    memcpy(cli->argv, argv, (size_t)argc * sizeof *argv);
    cli->argc = argc;
    return OK;
}

static int apply_environment(struct cli *cli, const struct option_def *table, struct err *err)
{
    for (; table && table->name; table++) {
        const char *text = table->env ? cli_env(table->env) : NULL;
        int rc;

        if (!text || json_object_get(cli->options, table->name))
            continue;
        rc = set_option(cli->options, table, text, err);
        if (rc)
            return err_wrap(err, "environment variable %s", cli_env_name(cli, table->env));
    }
    return OK;
}

int options_parse(struct cli *cli, int argc, char **argv, struct err *err)
{
    int used, i, rc;

    cli->argv = arena_alloc(&cli->arena, (size_t)(argc + 1) * sizeof *cli->argv);
    for (i = 0; i < argc && is_option(argv[i]); i += used) {
        rc = parse_one(cli, argc - i, argv + i, &used, err);
        if (rc)
            return rc;
    }
    if (i < argc && !strcmp(argv[i], "--"))
        rc = take_rest(cli, argc - i - 1, argv + i + 1);
    else
        rc = parse_arguments(cli, argc - i, argv + i, err);
    if (!rc && !(cli->command->flags & COMMAND_LOCAL))
        rc = apply_environment(cli, http_options, err);
    if (!rc)
        rc = apply_environment(cli, format_option, err);
    if (!rc)
        rc = apply_environment(cli, detailed_option, err);
    return rc;
}

int options_set_format(struct cli *cli, struct err *err)
{
    const char *text = json_str(cli->options, "format", "table");

    if (!strcasecmp(text, "table") || !*text)
        cli->format = FORMAT_TABLE;
    else if (!strcasecmp(text, "json"))
        cli->format = FORMAT_JSON;
    else if (!strcasecmp(text, "yaml") || !strcasecmp(text, "yml"))
        cli->format = FORMAT_YAML;
    else if (!strcasecmp(text, "raw") && !(cli->command->flags & COMMAND_RAW))
        return err_set(err, ERR_INVALID, "This command does not support the -format=raw option.");
    else if (!strcasecmp(text, "raw"))
        cli->format = FORMAT_RAW;
    else
        return err_set(err, ERR_INVALID, "Invalid output format: %s", text);
    return OK;
}

static json_t *value_of(struct cli *cli, const char *name)
{
    assert(find_option(cli->command, name, strlen(name)));
    return json_object_get(cli->options, name);
}

const char *option_text(struct cli *cli, const char *name)
{
    return json_string_value(value_of(cli, name));
}

bool option_is_set(struct cli *cli, const char *name)
{
    return value_of(cli, name);
}

bool option_flag(struct cli *cli, const char *name)
{
    return json_is_true(value_of(cli, name));
}

int64_t option_number(struct cli *cli, const char *name, int64_t fallback)
{
    json_t *value = value_of(cli, name);

    return value ? json_integer_value(value) : fallback;
}

json_t *option_list(struct cli *cli, const char *name)
{
    return value_of(cli, name);
}

json_t *option_map(struct cli *cli, const char *name)
{
    return value_of(cli, name);
}

void option_into(struct cli *cli, const char *name, json_t *body, const char *key)
{
    json_t *value = value_of(cli, name);
    char *same;

    if (!value)
        return;
    if (key) {
        json_object_set(body, key, value);
        return;
    }
    same = arena_strdup(&cli->arena, name);
    for (char *at = same; *at; at++) {
        if (*at == '-')
            *at = '_';
    }
    json_object_set(body, same, value);
}
