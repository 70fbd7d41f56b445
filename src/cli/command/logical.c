/* SPDX-License-Identifier: Apache-2.0 */
/* read, write, patch, delete, list, unwrap, path-help: any path of the API, as it is. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/client/api.h"
#include "cli/data_args.h"
#include "cli/options.h"
#include "cli/output/output.h"

static int read_raw(struct cli *cli, const char *path, json_t *query)
{
    if (api_fetch(cli, "GET", path, query, NULL))
        return cli_fail(cli, "Error reading %s", path);
    fwrite(cli->body.data, 1, cli->body.len, stdout);
    putchar('\n');
    return EXIT_OK;
}

static int logical_read(struct cli *cli)
{
    const char *path = cli_trim_path(cli, cli->argv[0]);
    json_t *query, *secret;

    if (!data_args_take(cli, 1, &query))
        return EXIT_LOCAL;
    if (cli->format == FORMAT_RAW)
        return read_raw(cli, path, query);
    if (api_read(cli, path, query, &secret))
        return cli_fail(cli, "Error reading %s", path);
    return secret ? output_secret(cli, secret) : output_no_value(cli, path);
}

static int send_data(struct cli *cli, const char *method)
{
    const char *path = cli_trim_path(cli, cli->argv[0]);
    json_t *data, *secret;

    if (!data_args_take(cli, 1, &data))
        return EXIT_LOCAL;
    if (!json_object_size(data) && !option_flag(cli, "force")) {
        json_decref(data);
        return cli_mistake("Must supply data or use -force");
    }
    if (api_send(cli, method, path, data, &secret))
        return cli_fail(cli, "Error writing data to %s", path);
    return output_secret_or(cli, secret, cli_printf(cli, "Success! Data written to: %s", path));
}

static int logical_write(struct cli *cli)
{
    return send_data(cli, "PUT");
}

static int logical_patch(struct cli *cli)
{
    return send_data(cli, "PATCH");
}

static int logical_delete(struct cli *cli)
{
    const char *path = cli_trim_path(cli, cli->argv[0]);
    json_t *query, *reply;

    if (!data_args_take(cli, 1, &query))
        return EXIT_LOCAL;
    if (api_call(cli, "DELETE", path, query, NULL, &reply))
        return cli_fail(cli, "Error deleting %s", path);
    return output_secret_or(cli, reply, cli_printf(cli, "Success! Data deleted (if it existed) at: %s", path));
}

static int logical_list(struct cli *cli)
{
    const char *path = cli_trim_path(cli, cli->argv[0]);
    json_t *query = json_object(), *secret;

    if (option_is_set(cli, "after"))
        json_object_set_new(query, "after", json_string(option_text(cli, "after")));
    if (option_is_set(cli, "limit"))
        json_object_set_new(query, "limit", json_string(cli_printf(cli, "%" PRId64, option_number(cli, "limit", 0))));
    if (api_list(cli, path, query, &secret))
        return cli_fail(cli, "Error listing %s", path);
    return output_list(cli, path, secret);
}

static int logical_unwrap(struct cli *cli)
{
    json_t *secret;

    /* The wrapping token is allowed to unwrap itself, so nobody needs to be logged in. */
    if (cli->argc)
        api_set_token(cli, cli_trim(cli, cli->argv[0], ""));
    api_stop_wrapping(cli);
    if (api_write(cli, "sys/wrapping/unwrap", json_object(), &secret))
        return cli_fail(cli, "Error unwrapping");
    return output_secret_or(cli, secret, "Successfully unwrapped. There was no data in the wrapped secret.");
}

static int logical_path_help(struct cli *cli)
{
    const char *path = cli_trim_path(cli, cli->argv[0]);
    json_t *reply;

    if (api_call(cli, "GET", path, json_pack("{s:s}", "help", "1"), NULL, &reply))
        return cli_fail(cli, "Error retrieving help");
    if (cli->format == FORMAT_TABLE)
        return cli_success(cli, "%s", json_str(reply, "help", ""));
    return output_value(cli, json_map_at(reply, "openapi") ? json_map_at(reply, "openapi") : reply);
}

static const struct option_def force_option[] = {
    {"force", OPTION_FLAG, "Send the request although there is no data: some paths need none.", "f", NULL},
    {0},
};

static const struct option_def list_options[] = {
    {"after", OPTION_TEXT, "Begin after this name, on paths that list page by page.", NULL, NULL},
    {"limit", OPTION_NUMBER, "At most so many names, on paths that list page by page.", NULL, NULL},
    {0},
};

const struct command logical_commands[] = {
    {"read", logical_read, "Read a secret, make credentials, show a setting", "PATH [DATA K=V...]",
     "Reads the path. What happens is up to what is mounted there: a stored secret is shown, an aws role makes fresh "
     "credentials. K=V pairs become parameters of the query.\n\n"
     "$ coffer read aws/creds/my-ec2-role\n",
     NULL, 1, ARGS_ANY, COMMAND_FIELD | COMMAND_RAW},
    {"write", logical_write, "Write data, settings and secrets", "PATH [DATA K=V...]",
     "Writes data to the path. A value that begins with @ is read from that file; the value - is read from standard "
     "input; @file.json or - alone give all data as one JSON object.\n\n"
     "$ coffer write auth/approle/role/aws-app token_policies=aws-dynamic-read token_ttl=1h\n"
     "$ coffer write aws/roles/my-ec2-role credential_type=iam_user policy_document=@policy.json\n"
     "$ coffer write -f auth/approle/role/aws-app/secret-id\n",
     force_option, 1, ARGS_ANY, COMMAND_FIELD},
    {"patch", logical_patch, "Change some fields of what is stored", "PATH [DATA K=V...]",
     "Sends a JSON merge patch: fields that are named change, the others stay. Data is given as for \"write\".\n\n"
     "$ coffer patch auth/approle/role/aws-app token_ttl=2h\n",
     force_option, 1, ARGS_ANY, COMMAND_FIELD},
    {"delete", logical_delete, "Delete secrets and settings", "PATH [DATA K=V...]",
     "Deletes what is at the path; it is no error if nothing is.\n\n"
     "$ coffer delete aws/roles/my-ec2-role\n",
     NULL, 1, ARGS_ANY, COMMAND_FIELD},
    {"list", logical_list, "List the names below a path", "PATH",
     "Lists what lies below the path. Names that end in a slash have more below them.\n\n"
     "$ coffer list aws/roles\n",
     list_options, 1, 1, COMMAND_FORMAT | COMMAND_DETAILED},
    {"unwrap", logical_unwrap, "Take out what a wrapping token holds", "[TOKEN]",
     "Shows what was wrapped with -wrap-ttl. It works once; if somebody was there before you, it fails, and you know. "
     "Without TOKEN, the token in use is unwrapped.\n\n"
     "$ coffer token create -wrap-ttl=5m -policy=app\n"
     "$ coffer unwrap s.WrappingToken\n",
     NULL, 0, 1, COMMAND_FIELD},
    {"path-help", logical_path_help, "Explain a path of the API", "PATH",
     "Prints what the server says about a path, an engine or an auth method. With -format=json it is OpenAPI.\n\n"
     "$ coffer path-help aws/\n",
     NULL, 1, 1, COMMAND_FORMAT},
    {0},
};
