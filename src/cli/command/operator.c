/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "cli/client/api.h"
#include "cli/options.h"
#include "cli/output/output.h"
#include "cli/command/pgp_keys.h"
#include "cli/prompt.h"
#include "cli/command/seal_status.h"
#include "cli/output/secret_reply.h"

static int status(struct cli *cli)
{
    json_t *seal;
    int code;

    if (api_call(cli, "GET", "sys/seal-status", NULL, NULL, &seal))
        /* 2 means sealed here, so that scripts can tell. */
        return cli_fail(cli, "Error checking seal status") ? EXIT_LOCAL : EXIT_OK;
    code = seal_status_print(cli, seal);
    if (code)
        return EXIT_LOCAL;
    return json_flag(seal, "sealed", true) ? EXIT_REMOTE : EXIT_OK;
}

static int init_status(struct cli *cli)
{
    json_t *reply;
    bool is_done;

    if (api_call(cli, "GET", "sys/init", NULL, NULL, &reply))
        return cli_fail(cli, "Error checking initialization status") ? EXIT_LOCAL : EXIT_OK;
    is_done = json_flag(reply, "initialized", false);
    if (cli->format != FORMAT_TABLE)
        output_value(cli, cli_keep(cli, json_pack("{s:b}", "Initialized", is_done)));
    cli_success(cli, is_done ? "Vault is initialized" : "Vault is not initialized");
    return is_done ? EXIT_OK : EXIT_REMOTE;
}

/* The answer of sys/init under the names that clients print. */
static json_t *init_result(struct cli *cli, const json_t *reply, const json_t *asked)
{
    json_t *result = json_object();
    static const char *const names[][2] = {{"unseal_keys_b64", "keys_base64"},
                                           {"unseal_keys_hex", "keys"},
                                           {"recovery_keys_b64", "recovery_keys_base64"},
                                           {"recovery_keys_hex", "recovery_keys"}};

    for (int i = 0; i < 4; i++) {
        json_t *list = json_list_at(reply, names[i][1]);

        if (list)
            json_object_set(result, names[i][0], list);
        else
            json_object_set_new(result, names[i][0], i < 2 ? json_array() : json_null());
        if (i == 1) {
            /* An automatic seal is as good as one share, as clients show it. */
            json_object_set_new(result, "unseal_shares", json_integer(json_int(asked, "secret_shares", 1)));
            json_object_set_new(result, "unseal_threshold", json_integer(json_int(asked, "secret_threshold", 1)));
        }
    }
    json_object_set_new(result, "recovery_keys_shares", json_integer(json_int(asked, "recovery_shares", 0)));
    json_object_set_new(result, "recovery_keys_threshold", json_integer(json_int(asked, "recovery_threshold", 0)));
    json_object_set(result, "root_token", json_object_get(reply, "root_token"));
    return cli_keep(cli, result);
}

static void print_keys(const char *title, const json_t *keys)
{
    json_t *key;
    size_t i;

    json_array_foreach((json_t *)keys, i, key)
    {
        printf("%s %zu: %s\n", title, i + 1, cli_text(key));
    }
}

static int print_init(struct cli *cli, const json_t *result)
{
    int64_t shares = json_int(result, "unseal_shares", 0), threshold = json_int(result, "unseal_threshold", 0);

    print_keys("Unseal Key", json_list_at(result, "unseal_keys_b64"));
    print_keys("Recovery Key", json_list_at(result, "recovery_keys_b64"));
    printf("\nInitial Root Token: %s\n\n", json_str(result, "root_token", ""));
    if (!json_array_size(json_list_at(result, "unseal_keys_b64")))
        return cli_success(cli,
                           "Success! Vault is initialized\n\n"
                           "Recovery key initialized with %lld key shares and a key threshold of %lld. The server\n"
                           "unseals itself. Recovery keys are not shown again: give them to people who do not share\n"
                           "one place, for what needs more than a token.",
                           (long long)json_int(result, "recovery_keys_shares", 0),
                           (long long)json_int(result, "recovery_keys_threshold", 0));
    return cli_success(cli,
                       "Vault initialized with %lld key shares and a key threshold of %lld.\n\n"
                       "The keys above are not shown again and are stored nowhere. Give them to people who\n"
                       "do not share one place. After every start %lld of them must be given to\n"
                       "\"coffer operator unseal\" before the server answers. With fewer than %lld left, all that\n"
                       "is stored is lost for good.",
                       (long long)shares, (long long)threshold, (long long)threshold, (long long)threshold);
}

/* What to ask for depends on who unseals: people, or the server itself. Of the rest, what was given goes along, so that
 * the server says what is wrong. */
static json_t *init_request(struct cli *cli, bool is_auto)
{
    static const char *const people[][2] = {{"key-shares", "secret_shares"}, {"key-threshold", "secret_threshold"}};
    static const char *const automatic[][2] = {{"recovery-shares", "recovery_shares"},
                                               {"recovery-threshold", "recovery_threshold"}};
    const char *const(*usual)[2] = is_auto ? automatic : people;
    const char *const(*other)[2] = is_auto ? people : automatic;
    json_t *asked = json_object();

    for (int i = 0; i < 2; i++) {
        json_object_set_new(asked, usual[i][1], json_integer(option_number(cli, usual[i][0], i == 0 ? 5 : 3)));
        option_into(cli, other[i][0], asked, other[i][1]);
    }
    return cli_keep(cli, asked);
}

static int add_pgp_keys(struct cli *cli, json_t *asked)
{
    int code = pgp_keys_into(cli, "pgp-keys", asked, "pgp_keys");

    if (!code)
        code = pgp_keys_into(cli, "recovery-pgp-keys", asked, "recovery_pgp_keys");
    return code ? code : pgp_key_into(cli, "root-token-pgp-key", asked, "root_token_pgp_key");
}

static int operator_init(struct cli *cli)
{
    json_t *seal, *asked, *reply, *result;
    int code;

    if (option_flag(cli, "status"))
        return init_status(cli);
    if (api_call(cli, "GET", "sys/seal-status", NULL, NULL, &seal))
        return cli_fail(cli, "Error initializing");
    asked = init_request(cli, json_flag(seal, "recovery_seal", false));
    code = add_pgp_keys(cli, asked);
    if (code)
        return code;
    if (api_call(cli, "PUT", "sys/init", NULL, json_incref(asked), &reply))
        return cli_fail(cli, "Error initializing");
    result = init_result(cli, reply, asked);
    return cli->format == FORMAT_TABLE ? print_init(cli, result) : output_value(cli, result);
}

static int ask_for_key(struct cli *cli, const char **ret_key)
{
    struct err err = {0};

    if (cli->argc) {
        *ret_key = cli_trim(cli, cli->argv[0], "");
        return EXIT_OK;
    }
    if (prompt_secret(cli, "Unseal Key (will be hidden): ", ret_key, &err))
        return cli_mistake("The unseal key cannot be asked for: %s. On a terminal it is typed unseen; where there is\n"
                           "none, give it as the argument.",
                           err_text(&err));
    *ret_key = cli_trim(cli, *ret_key, "");
    return EXIT_OK;
}

static int operator_unseal(struct cli *cli)
{
    json_t *body, *seal;
    const char *key;
    int code;

    if (option_flag(cli, "reset")) {
        if (api_call(cli, "PUT", "sys/unseal", NULL, json_pack("{s:b}", "reset", 1), &seal))
            return cli_fail(cli, "Error resetting unseal process");
        return seal_status_print(cli, seal);
    }
    code = ask_for_key(cli, &key);
    if (code)
        return code;
    body = json_pack("{s:s}", "key", key);
    option_into(cli, "migrate", body, NULL);
    if (api_call(cli, "PUT", "sys/unseal", NULL, body, &seal))
        return cli_fail(cli, "Error unsealing");
    return seal_status_print(cli, seal);
}

static int operator_seal(struct cli *cli)
{
    json_t *reply;

    if (api_call(cli, "PUT", "sys/seal", NULL, NULL, &reply))
        return cli_fail(cli, "Error sealing");
    return cli_success(cli, "Success! Vault is sealed.");
}

static int operator_step_down(struct cli *cli)
{
    json_t *reply, *body = NULL;
    const char *node = option_text(cli, "node");

    if (node)
        body = json_pack("{s:s}", "node_id", node);
    if (api_call(cli, "PUT", "sys/step-down", NULL, body, &reply))
        return cli_fail(cli, "Error stepping down");
    return cli_success(cli, "Success! Stepped down: %s", api_address(cli));
}

/* "02 Jan 26 15:04 UTC", as RFC 822 has it; the text itself when it is no time. */
static const char *install_time(struct cli *cli, const char *rfc3339)
{
    int64_t ns = clock_parse_rfc3339(rfc3339);
    time_t seconds = (time_t)(ns / 1000000000);
    struct tm parts;
    char text[32];

    if (ns < 0 || !gmtime_r(&seconds, &parts) || !strftime(text, sizeof text, "%d %b %y %H:%M UTC", &parts))
        return rfc3339;
    return arena_strdup(&cli->arena, text);
}

static int print_key_status(struct cli *cli)
{
    json_t *secret, *data, *status;
    struct table table;

    if (api_read(cli, "sys/key-status", NULL, &secret))
        return cli_fail(cli, "Error reading key status");
    data = json_map_at(secret, "data");
    status = cli_keep(cli, json_pack("{s:I, s:s, s:I}", "term", (json_int_t)json_int(data, "term", 0), "install_time",
                                     json_str(data, "install_time", ""), "encryptions",
                                     (json_int_t)json_int(data, "encryptions", 0)));
    table_init(&table, &cli->arena, 2);
    table_row(&table, "Key Term", secret_value(cli, json_object_get(status, "term")));
    table_row(&table, "Install Time", install_time(cli, json_str(data, "install_time", "")));
    table_row(&table, "Encryption Count", secret_value(cli, json_object_get(status, "encryptions")));
    return output_table_or_value(cli, &table, status);
}

static int operator_rotate(struct cli *cli)
{
    json_t *secret;

    if (api_post(cli, "sys/rotate", json_object(), &secret))
        return cli_fail(cli, "Error rotating key");
    cli_success(cli, "Success! Rotated key\n");
    return print_key_status(cli);
}

/* Without the fraction of a second. */
static const char *echo_time(struct cli *cli, const char *rfc3339)
{
    size_t len = strcspn(rfc3339, ".");

    return rfc3339[len] ? cli_printf(cli, "%.*sZ", (int)len, rfc3339) : rfc3339;
}

static int operator_members(struct cli *cli)
{
    json_t *secret, *nodes, *node;
    struct table table;
    size_t i;

    if (api_read(cli, "sys/ha-status", NULL, &secret))
        return cli_fail(cli, "Error reading the members of the cluster");
    nodes = json_list_at(json_map_at(secret, "data"), "nodes");
    if (cli->format != FORMAT_TABLE)
        return output_value(cli, cli_keep(cli, json_pack("{s:O}", "Nodes", nodes)));
    table_init(&table, &cli->arena, 7);
    table_header(&table, "Host Name", "API Address", "Cluster Address", "Active Node", "Version", "Upgrade Version",
                 "Last Echo");
    json_array_foreach(nodes, i, node)
    {
        table_row(&table, json_str(node, "hostname", ""), json_str(node, "api_address", ""),
                  json_str(node, "cluster_address", ""), json_flag(node, "active_node", false) ? "true" : "false",
                  json_str(node, "version", ""), json_str(node, "upgrade_version", ""),
                  echo_time(cli, json_str(node, "last_echo", "")));
    }
    return output_table(&table);
}

static const struct option_def init_options[] = {
    {"key-shares", OPTION_NUMBER, "Into how many keys the unseal key is split. The default is 5.", "n", NULL},
    {"key-threshold", OPTION_NUMBER, "How many of them unseal. The default is 3.", "t", NULL},
    {"recovery-shares", OPTION_NUMBER, "How many recovery keys, when the server unseals itself.", NULL, NULL},
    {"recovery-threshold", OPTION_NUMBER, "How many of them are needed together.", NULL, NULL},
    {"pgp-keys", OPTION_LIST, "Files with PGP public keys, one for each key: it is told encrypted to it.", NULL, NULL},
    {"recovery-pgp-keys", OPTION_LIST, "The same for recovery keys.", NULL, NULL},
    {"root-token-pgp-key", OPTION_TEXT, "A file with a PGP public key to encrypt the root token to.", NULL, NULL},
    {"status", OPTION_FLAG, "Only tell whether the server is initialized: exit code 0 yes, 2 no, 1 error.", NULL, NULL},
    {0},
};

static const struct option_def unseal_options[] = {
    {"migrate", OPTION_FLAG, "The key is for a change from one kind of seal to another.", NULL, NULL},
    {"reset", OPTION_FLAG, "Forget the keys given so far.", NULL, NULL},
    {0},
};

static const struct option_def step_down_options[] = {
    {"node", OPTION_TEXT, "The node that is to lead next.", NULL, NULL},
    {0},
};

const struct command operator_commands[] = {
    {"status", status, "Show whether the server is sealed and its part in the cluster", "",
     "Prints the state of the server. The exit code is 0 when it is unsealed, 2 when it is sealed, 1 when it cannot be "
     "asked. With a token that may read sys/storage/raft/configuration, a row for each node says who leads, by how "
     "many "
     "entries it lags, how long ago it was heard of, and whether it is sealed, and since when.\n\n"
     "$ coffer status\n",
     NULL, 0, 0, COMMAND_FIELD},
    {"operator", NULL, "Initialize, unseal, seal, and look after the cluster", "",
     "What those do who run the servers.\n\n"
     "$ coffer operator init -key-shares=5 -key-threshold=3\n"
     "$ coffer operator unseal\n",
     NULL, 0, 0, 0},
    {"operator init", operator_init, "Initialize a new cluster", "",
     "Makes the keys of a new cluster and prints them, once. On one node only: the others join. With -pgp-keys each "
     "is printed encrypted to its holder's key: \"base64 -d | gpg --decrypt\" opens it.\n\n"
     "$ coffer operator init -key-shares=5 -key-threshold=3\n"
     "$ coffer operator init -key-shares=2 -key-threshold=2 -pgp-keys=ann.asc,bob.asc\n",
     init_options, 0, 0, COMMAND_FORMAT},
    {"operator unseal", operator_unseal, "Give one of the keys that unseal a server", "[KEY]",
     "Gives one key share. The server is unsealed when enough of them were given. Without KEY it is asked for, and "
     "typed unseen; as an argument, other users of this machine could see it.\n\n"
     "$ coffer operator unseal\n",
     unseal_options, 0, 1, COMMAND_FORMAT},
    {"operator diagnose", NULL, "Find out why a server does not start", "",
     "Looks at all that a server needs before it can start.\n\n"
     "$ coffer operator diagnose -config=/etc/coffer/config.hcl\n",
     NULL, 0, 0, 0},
    {"operator seal", operator_seal, "Seal a server at once", "",
     "Makes the server forget its keys; it answers nothing until it is unsealed again.\n\n"
     "$ coffer operator seal\n",
     NULL, 0, 0, 0},
    {"operator step-down", operator_step_down, "Make the active node hand over", "",
     "Makes the active node hand over to another one: the best one, or the one that is named. Ask the active node "
     "itself.\n\n"
     "$ coffer operator step-down\n"
     "$ coffer operator step-down -node=node2\n",
     step_down_options, 0, 0, 0},
    {"operator key-status", print_key_status, "Show the key that data is encrypted with", "",
     "Shows the number of the newest encryption key, its age and how often it was used.\n\n"
     "$ coffer operator key-status\n",
     NULL, 0, 0, COMMAND_FORMAT},
    {"operator rotate", operator_rotate, "Encrypt with a new key from now on", "",
     "Adds a new encryption key. What was written with older ones stays readable.\n\n"
     "$ coffer operator rotate\n",
     NULL, 0, 0, COMMAND_FORMAT},
    {"operator members", operator_members, "List the nodes of the cluster", "",
     "Lists the nodes, their addresses, and which one is active.\n\n"
     "$ coffer operator members\n",
     NULL, 0, 0, COMMAND_FORMAT},
    {0},
};
