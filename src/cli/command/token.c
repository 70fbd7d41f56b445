/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "cli/client/api.h"
#include "cli/options.h"
#include "cli/output/output.h"

static const char *create_path(struct cli *cli)
{
    const char *role = option_text(cli, "role");

    if (role)
        return cli_printf(cli, "auth/token/create/%s", cli_trim_path(cli, role));
    return option_flag(cli, "orphan") ? "auth/token/create-orphan" : "auth/token/create";
}

static int token_create(struct cli *cli)
{
    static const char *const same_name[] = {"id",           "ttl",  "explicit-max-ttl",  "period",    "display-name",
                                            "entity-alias", "type", "no-default-policy", "renewable", NULL};
    json_t *body = json_object(), *secret;

    for (int i = 0; same_name[i]; i++)
        option_into(cli, same_name[i], body, NULL);
    option_into(cli, "use-limit", body, "num_uses");
    option_into(cli, "metadata", body, "meta");
    option_into(cli, "policy", body, "policies");
    option_into(cli, "orphan", body, "no_parent");
    if (api_post(cli, create_path(cli), body, &secret))
        return cli_fail(cli, "Error creating token");
    return output_secret(cli, secret);
}

/* The body that names a token, or an accessor with -accessor; empty when neither was given. */
static json_t *named_token(struct cli *cli)
{
    const char *key = option_flag(cli, "accessor") ? "accessor" : "token";

    return cli->argc ? json_pack("{s:s}", key, cli_trim(cli, cli->argv[0], "")) : json_object();
}

/* "auth/token/<verb>", or its form for an accessor or for the token in use. */
static const char *token_path(struct cli *cli, const char *verb)
{
    if (!cli->argc)
        return cli_printf(cli, "auth/token/%s-self", verb);
    return cli_printf(cli, "auth/token/%s%s", verb, option_flag(cli, "accessor") ? "-accessor" : "");
}

static bool lacks_accessor(struct cli *cli)
{
    return option_flag(cli, "accessor") && !cli->argc;
}

static int token_lookup(struct cli *cli)
{
    const char *path = token_path(cli, "lookup");
    json_t *secret;
    int rc;

    if (lacks_accessor(cli))
        return cli_mistake("Not enough arguments with -accessor (expected 1, got 0)");
    rc = cli->argc ? api_post(cli, path, named_token(cli), &secret) : api_read(cli, path, NULL, &secret);
    if (rc)
        return cli_fail(cli, "Error looking up token");
    return output_secret(cli, secret);
}

static int token_renew(struct cli *cli)
{
    json_t *body, *secret;

    if (lacks_accessor(cli))
        return cli_mistake("Not enough arguments with -accessor (expected 1, got 0)");
    body = named_token(cli);
    option_into(cli, "increment", body, NULL);
    if (api_send(cli, option_flag(cli, "accessor") ? "POST" : "PUT", token_path(cli, "renew"), body, &secret))
        return cli_fail(cli, "Error renewing token");
    return output_secret(cli, secret);
}

/* The call that -self, -accessor and -mode ask for together; NULL when they do not fit together. */
static const char *revoke_path(struct cli *cli)
{
    const char *mode = option_text(cli, "mode");
    bool by_accessor = option_flag(cli, "accessor");

    if (option_flag(cli, "self"))
        return "auth/token/revoke-self";
    if (!mode || !*mode)
        return by_accessor ? "auth/token/revoke-accessor" : "auth/token/revoke";
    if (by_accessor)
        return NULL;
    if (!strcmp(mode, "path"))
        return cli_printf(cli, "sys/leases/revoke-prefix/%s", cli_trim_path(cli, cli->argv[0]));
    return "auth/token/revoke-orphan";
}

static int check_revoke(struct cli *cli)
{
    const char *mode = option_text(cli, "mode");

    if (option_flag(cli, "self") && cli->argc)
        return cli_mistake("Too many arguments with -self (expected 0, got %d)", cli->argc);
    if (!option_flag(cli, "self") && !cli->argc)
        return cli_mistake("Not enough arguments (expected 1 or -self, got 0)");
    if (mode && *mode && strcmp(mode, "orphan") != 0 && strcmp(mode, "path") != 0)
        return cli_mistake("Invalid mode: %s", mode);
    if (option_flag(cli, "self") && (option_flag(cli, "accessor") || (mode && *mode)))
        return cli_mistake("Cannot use -self with -accessor or -mode");
    return revoke_path(cli) ? EXIT_OK : cli_mistake("Cannot use -accessor with -mode=%s", mode);
}

static int token_revoke(struct cli *cli)
{
    json_t *secret;
    int code = check_revoke(cli);

    if (code)
        return code;
    if (api_write(cli, revoke_path(cli), named_token(cli), &secret))
        return cli_fail(cli, "Error revoking token");
    return cli_success(cli, "Success! Revoked token (if it existed)");
}

static void print_joined(const json_t *list)
{
    json_t *item;
    size_t i;

    json_array_foreach((json_t *)list, i, item)
    {
        printf("%s%s", i ? ", " : "", cli_text(item));
    }
    putchar('\n');
}

static int token_capabilities(struct cli *cli)
{
    const char *path = cli->argv[cli->argc - 1];
    json_t *body = json_pack("{s:[s]}", "paths", path), *secret, *data, *found;

    if (cli->argc == 2)
        json_object_set_new(body, "token", json_string(cli->argv[0]));
    if (api_post(cli, cli->argc == 2 ? "sys/capabilities" : "sys/capabilities-self", body, &secret))
        return cli_fail(cli, "Error listing capabilities");
    data = json_map_at(secret, "data");
    found = json_list_at(data, path) ? json_list_at(data, path) : json_list_at(data, "capabilities");
    found = cli_keep(cli, json_list_sorted(found));
    if (cli->format != FORMAT_TABLE)
        return output_value(cli, found);
    print_joined(found);
    return EXIT_OK;
}

static int print_token(struct cli *cli)
{
    puts(api_token(cli));
    return EXIT_OK;
}

static const struct option_def create_options[] = {
    {"display-name", OPTION_TEXT, "A name for people; it is no secret.", NULL, NULL},
    {"entity-alias", OPTION_TEXT, "Alias whose entity the token gets; only with -role.", NULL, NULL},
    {"explicit-max-ttl", OPTION_DURATION, "End of life that no renewal can pass.", NULL, NULL},
    {"id", OPTION_TEXT, "The token itself, instead of a random one. Needs sudo.", NULL, NULL},
    {"metadata", OPTION_MAP, "Facts about the token, for the audit log.", NULL, NULL},
    {"no-default-policy", OPTION_FLAG, "Do not add the policy \"default\".", NULL, NULL},
    {"orphan", OPTION_FLAG, "A token without parent: it outlives the one that made it. Needs sudo.", NULL, NULL},
    {"period", OPTION_DURATION, "Every renewal gives this long, without end. Needs sudo.", NULL, NULL},
    {"policy", OPTION_LIST, "A policy that the token carries.", NULL, NULL},
    {"renewable", OPTION_FLAG, "Whether the token can be renewed. The default is true.", NULL, NULL},
    {"role", OPTION_TEXT, "Token role to make it with.", NULL, NULL},
    {"ttl", OPTION_DURATION, "How long the token lives at first.", NULL, NULL},
    {"type", OPTION_TEXT, "service or batch. The default is service.", NULL, NULL},
    {"use-limit", OPTION_NUMBER, "How often the token can be used; then it is gone.", NULL, NULL},
    {0},
};

static const struct option_def accessor_option[] = {
    {"accessor", OPTION_FLAG, "The argument is an accessor, not a token.", NULL, NULL},
    {0},
};

static const struct option_def renew_options[] = {
    {"accessor", OPTION_FLAG, "The argument is an accessor, not a token.", NULL, NULL},
    {"increment", OPTION_DURATION, "How much longer; the server may give less.", "i", NULL},
    {0},
};

static const struct option_def revoke_options[] = {
    {"accessor", OPTION_FLAG, "The argument is an accessor, not a token.", NULL, NULL},
    {"mode", OPTION_TEXT,
     "orphan: leave the token's children alive; path: the argument is a path, revoke all tokens that were made there.",
     NULL, NULL},
    {"self", OPTION_FLAG, "Revoke the token in use.", NULL, NULL},
    {0},
};

const struct command token_commands[] = {
    {"token", NULL, "Make, show, prolong and end tokens", "",
     "A token says who you are; every request carries one.\n\n"
     "$ coffer token create -policy=aws-dynamic-read -ttl=1h\n",
     NULL, 0, 0, 0},
    {"token create", token_create, "Make a token", "",
     "Makes a token as a child of yours. Without -policy it may do what you may.\n\n"
     "$ coffer token create -policy=aws-dynamic-read -ttl=1h -use-limit=10\n",
     create_options, 0, 0, COMMAND_FIELD},
    {"token lookup", token_lookup, "Show a token", "[TOKEN | ACCESSOR]",
     "Shows what is known of a token: yours, if none is named.\n\n"
     "$ coffer token lookup\n"
     "$ coffer token lookup -accessor wO0KYlEeO785xUTOrv4QhMnq\n",
     accessor_option, 0, 1, COMMAND_FIELD},
    {"token renew", token_renew, "Prolong a token", "[TOKEN]",
     "Prolongs a token: yours, if none is named.\n\n"
     "$ coffer token renew -increment=30m\n",
     renew_options, 0, 1, COMMAND_FIELD},
    {"token revoke", token_revoke, "End a token and its children", "[TOKEN | ACCESSOR]",
     "Revokes a token, the tokens made with it, and all that was handed out to them.\n\n"
     "$ coffer token revoke -accessor wO0KYlEeO785xUTOrv4QhMnq\n",
     revoke_options, 0, 1, 0},
    {"token capabilities", token_capabilities, "Show what a token may do on a path", "[TOKEN] PATH",
     "Prints what a token (yours, if none is named) may do on the path.\n\n"
     "$ coffer token capabilities aws/creds/my-ec2-role\n",
     NULL, 1, 2, COMMAND_FORMAT},
    {"print", NULL, "Print what this program would use", "",
     "Prints values that the next command would use.\n\n"
     "$ coffer print token\n",
     NULL, 0, 0, 0},
    {"print token", print_token, "Print the token in use", "",
     "Prints the token that the next command would send: the environment's, else that of the last login.\n\n"
     "$ curl -H \"X-Vault-Token: $(coffer print token)\" $COFFER_ADDR/v1/sys/mounts\n",
     NULL, 0, 0, COMMAND_LOCAL},
    {0},
};
