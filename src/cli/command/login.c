/* SPDX-License-Identifier: Apache-2.0 */
/* login: each method turns K=V pairs into one call that gives a token. */
#include <stdio.h>
#include <string.h>

#include "cli/client/api.h"
#include "cli/data_args.h"
#include "cli/options.h"
#include "cli/output/output.h"
#include "cli/prompt.h"
#include "cli/output/secret_reply.h"
#include "cli/client/token_helper.h"

struct login_method {
    const char *name;
    /* Asks the server. config (borrowed) are the K=V pairs; returns an exit code. */
    int (*run)(struct cli *cli, const char *mount, json_t *config, json_t **ret_secret);
};

static int fail_locally(const char *why)
{
    return cli_refuse("Error authenticating: %s", why);
}

/* Takes a value out of the pairs, or asks for it on the terminal. */
static int take_or_ask(struct cli *cli, json_t *config, const char *name, const char *question, const char **ret_value)
{
    const char *given = json_str(config, name, NULL);
    struct err err = {0};

    if (given) {
        *ret_value = arena_strdup(&cli->arena, given);
        json_object_del(config, name);
        return EXIT_OK;
    }
    if (prompt_secret(cli, question, ret_value, &err))
        return cli_refuse("Error authenticating: '%s' not supplied: %s. If you want to pipe it, pass \"%s-\".", name,
                          err_text(&err), !strcmp(name, "token") ? "" : cli_printf(cli, "%s=", name));
    return EXIT_OK;
}

/* What a lookup says of a token, as the answer of a login. */
static json_t *auth_of_lookup(struct cli *cli, const char *token, const json_t *data)
{
    static const char *const renamed[][2] = {{"accessor", "accessor"},       {"policies", "policies"},
                                             {"token_policies", "policies"}, {"identity_policies", "identity_policies"},
                                             {"metadata", "meta"},           {"lease_duration", "ttl"},
                                             {"renewable", "renewable"}};
    json_t *auth = json_pack("{s:s}", "client_token", token);

    for (size_t i = 0; i < sizeof renamed / sizeof *renamed; i++) {
        json_t *value = json_object_get(data, renamed[i][1]);

        if (value)
            json_object_set(auth, renamed[i][0], value);
    }
    return cli_keep(cli, json_pack("{s:o}", "auth", auth));
}

/* A token is already what a login would give; it is only looked at. */
static int login_token(struct cli *cli, const char *mount, json_t *config, json_t **ret_secret)
{
    bool lookup = strcmp(json_str(config, "lookup", "true"), "false") != 0;
    const char *token;
    json_t *secret = NULL;
    int code = take_or_ask(cli, config, "token", "Token (will be hidden): ", &token);

    (void)mount;
    if (code)
        return code;
    token = cli_trim(cli, token, "");
    if (!*token)
        return fail_locally("a token must be given");
    api_set_token(cli, token);
    api_stop_wrapping(cli);
    if (lookup && api_read(cli, "auth/token/lookup-self", NULL, &secret))
        return cli_fail(cli, "Error authenticating: error looking up token");
    *ret_secret = auth_of_lookup(cli, token, json_map_at(secret, "data"));
    return EXIT_OK;
}

/* PUT the pairs to the path. A login needs no token, and an old one would only be in the way. */
static int send_login(struct cli *cli, const char *path, json_t *config, json_t **ret_secret)
{
    api_set_token(cli, "");
    if (api_write(cli, path, json_incref(config), ret_secret))
        return cli_fail(cli, "Error authenticating");
    return *ret_secret ? EXIT_OK : fail_locally("the server sent an empty answer");
}

static int login_with_password(struct cli *cli, const char *mount, json_t *config, json_t **ret_secret)
{
    const char *username = json_str(config, "username", NULL), *password;
    int code;

    if (!username)
        return fail_locally("'username' must be specified");
    username = arena_strdup(&cli->arena, username);
    json_object_del(config, "username");
    code = take_or_ask(cli, config, "password", "Password (will be hidden): ", &password);
    if (code)
        return code;
    json_object_set_new(config, "password", json_string(password));
    return send_login(cli, cli_printf(cli, "auth/%s/login/%s", mount, username), config, ret_secret);
}

/* Methods whose login takes the pairs as they are. */
static int login_with_pairs(struct cli *cli, const char *mount, json_t *config, json_t **ret_secret)
{
    return send_login(cli, cli_printf(cli, "auth/%s/login", mount), config, ret_secret);
}

static const struct login_method methods[] = {
    {"token", login_token},           {"userpass", login_with_password},
    {"ldap", login_with_password},    {"radius", login_with_password},
    {"approle", login_with_pairs},    {"cert", login_with_pairs},
    {"github", login_with_pairs},     {"jwt", login_with_pairs},
    {"kubernetes", login_with_pairs}, {0},
};

static const struct login_method *find_method(const char *name)
{
    for (const struct login_method *method = methods; method->name; method++) {
        if (!strcmp(method->name, name))
            return method;
    }
    return NULL;
}

/* K=V pairs; for the method token, the token itself or - may stand alone. */
static int take_config(struct cli *cli, const char *method, json_t **ret_config)
{
    const char *arg = cli->argc == 1 ? cli->argv[0] : "=";
    struct buf text = BUF_INIT;
    struct err err = {0};
    int rc;

    if (strcmp(method, "token") != 0 || strchr(arg, '=')) {
        rc = data_args_parse(cli, 0, ret_config, &err);
        return rc ? cli_mistake("Error parsing configuration: %s", err_text(&err)) : EXIT_OK;
    }
    if (!strcmp(arg, "-"))
        rc = data_args_read_file(cli, "-", &text, &err);
    else
        rc = (buf_puts(&text, arg), OK);
    *ret_config = rc ? NULL : json_pack("{s:s}", "token", buf_str(&text));
    buf_close(&text);
    return rc ? cli_mistake("Error parsing configuration: %s", err_text(&err)) : EXIT_OK;
}

/* Takes the token out of a wrapped login, unless somebody else is meant to. */
static int unwrap_login(struct cli *cli, json_t **secret)
{
    const char *token = json_str(json_map_at(*secret, "wrap_info"), "token", NULL);

    if (!token || option_flag(cli, "no-store") || option_flag(cli, "token-only"))
        return EXIT_OK;
    api_set_token(cli, token);
    api_stop_wrapping(cli);
    if (api_write(cli, "sys/wrapping/unwrap", json_object(), secret))
        return cli_fail(cli, "Error unwrapping token");
    return EXIT_OK;
}

static void warn_of_environment(struct cli *cli)
{
    if (cli_env("TOKEN"))
        fprintf(stderr,
                "WARNING! The %s environment variable is set! The value of this variable\n"
                "will take precedence; if this is unwanted please unset it or update its\n"
                "value accordingly.\n\n",
                cli_env_name(cli, "TOKEN"));
}

static int store_token(struct cli *cli, const json_t *secret)
{
    const char *token = json_str(json_map_at(secret, "auth"), "client_token", NULL);
    struct err err = {0};

    if (!token)
        return EXIT_OK;
    if (token_helper_store(cli, token, &err))
        return cli_refuse("Error storing token: %s", err_text(&err));
    warn_of_environment(cli);
    return EXIT_OK;
}

static int print_token_only(struct cli *cli, json_t *secret)
{
    const char *field = json_map_at(secret, "wrap_info") ? "wrapping_token" : "token";

    return output_field(cli, secret_field(cli, secret, field), field, "secret");
}

static int print_login(struct cli *cli, json_t *secret)
{
    bool is_plain = cli->format == FORMAT_TABLE && !option_text(cli, "field") && json_map_at(secret, "auth");

    if (is_plain && option_flag(cli, "no-store"))
        fputs("The token was not stored. Set COFFER_TOKEN to it, or it is lost when this window closes.\n\n", stderr);
    if (is_plain)
        puts("Success! You are now authenticated.");
    if (is_plain && !option_flag(cli, "no-store"))
        puts("The token below is stored for the commands that follow;\nyou do NOT need to run \"coffer login\" again.");
    if (is_plain)
        putchar('\n');
    return output_secret(cli, secret);
}

static int login(struct cli *cli)
{
    const char *name = option_text(cli, "method") ? option_text(cli, "method") : "token";
    const char *mount = cli_trim_path(cli, option_text(cli, "path") ? option_text(cli, "path") : name);
    const struct login_method *method = find_method(name);
    json_t *config, *secret;
    int code;

    if (option_flag(cli, "no-store") && option_flag(cli, "no-print"))
        return cli_mistake("-no-store and -no-print cannot be used together");
    if (!method)
        return cli_mistake("Unknown auth method: %s. \"coffer login -help\" names those that this command knows;\n"
                           "with others, write to auth/%s/login.",
                           name, mount);
    code = take_config(cli, name, &config);
    if (code)
        return code;
    code = method->run(cli, mount, cli_keep(cli, config), &secret);
    if (!code && !cli->is_dry_run)
        code = unwrap_login(cli, &secret);
    if (code || cli->is_dry_run)
        return code;
    if (option_flag(cli, "token-only"))
        return print_token_only(cli, secret);
    if (!option_flag(cli, "no-store"))
        code = store_token(cli, secret);
    if (code || option_flag(cli, "no-print"))
        return code;
    return print_login(cli, secret);
}

static const struct option_def login_options[] = {
    {"method", OPTION_TEXT,
     "How to log in: token, userpass, ldap, radius, approle, cert, github, jwt or kubernetes. The default is token.",
     NULL, NULL},
    {"no-print", OPTION_FLAG, "Store the token and print nothing.", NULL, NULL},
    {"no-store", OPTION_FLAG, "Print the token and do not store it.", NULL, NULL},
    {"path", OPTION_TEXT, "Where the method is enabled. The default is its name.", NULL, NULL},
    {"token-only", OPTION_FLAG, "Print the token alone, and do not store it.", NULL, NULL},
    {0},
};

const struct command login_commands[] = {
    {"login", login, "Get a token and keep it for the commands that follow", "[TOKEN | - | K=V...]",
     "Logs in with a token or with an auth method, and stores the token in ~/.vault-token. What is secret and not "
     "given is asked for, and typed unseen.\n\n"
     "$ coffer login\n"
     "$ coffer login -method=userpass username=sally\n"
     "$ coffer login -method=approle role_id=ROLE_ID secret_id=SECRET_ID\n",
     login_options, 0, ARGS_ANY, COMMAND_FIELD},
    {0},
};
