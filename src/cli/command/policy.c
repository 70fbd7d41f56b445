/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "cli/client/api.h"
#include "cli/data_args.h"
#include "cli/output/output.h"

/* Names of policies are lower case on the server. */
static char *policy_name(struct cli *cli)
{
    char *name = cli_trim_path(cli, cli->argv[0]);

    for (char *at = name; *at; at++)
        *at = (char)tolower((unsigned char)*at);
    return name;
}

static int policy_list(struct cli *cli)
{
    json_t *secret, *names, *name;
    size_t i;

    if (api_list(cli, "sys/policies/acl", NULL, &secret))
        return cli_fail(cli, "Error listing policies");
    names = json_list_at(json_map_at(secret, "data"), "keys");
    if (cli->format != FORMAT_TABLE)
        return output_value(cli, names);
    json_array_foreach(names, i, name)
    {
        puts(cli_text(name));
    }
    return EXIT_OK;
}

static int policy_read(struct cli *cli)
{
    const char *name = policy_name(cli);
    json_t *secret, *policy;

    if (api_read(cli, cli_printf(cli, "sys/policies/acl/%s", name), NULL, &secret))
        return cli_fail(cli, "Error reading policy named %s", name);
    policy = json_object_get(json_map_at(secret, "data"), "policy");
    if (!*cli_text(policy))
        return cli_refuse("No policy named: %s", name);
    if (cli->format != FORMAT_TABLE)
        return output_value(cli, cli_keep(cli, json_pack("{s:O}", "policy", policy)));
    puts(cli_trim(cli, cli_text(policy), ""));
    return EXIT_OK;
}

static int policy_write(struct cli *cli)
{
    const char *name = policy_name(cli);
    struct buf text = BUF_INIT;
    struct err err = {0};
    json_t *body, *secret;

    if (data_args_read_file(cli, cli->argv[1], &text, &err)) {
        buf_close(&text);
        return cli_refuse("Error opening policy file: %s", err_text(&err));
    }
    body = json_pack("{s:s%}", "policy", buf_str(&text), text.len);
    buf_close(&text);
    if (!body)
        return cli_refuse("Error reading policy: it is not UTF-8 text");
    if (api_write(cli, cli_printf(cli, "sys/policies/acl/%s", name), body, &secret))
        return cli_fail(cli, "Error uploading policy");
    output_warnings(secret);
    if (strcmp(name, cli->argv[0]) != 0)
        fprintf(stderr, "Policy name was converted from \"%s\" to \"%s\"\n", cli->argv[0], name);
    return cli_success(cli, "Success! Uploaded policy: %s", name);
}

static int policy_delete(struct cli *cli)
{
    const char *name = policy_name(cli);
    json_t *reply;

    if (api_call(cli, "DELETE", cli_printf(cli, "sys/policies/acl/%s", name), NULL, NULL, &reply))
        return cli_fail(cli, "Error deleting %s", name);
    return cli_success(cli, "Success! Deleted policy: %s", name);
}

const struct command policy_commands[] = {
    {"policy", NULL, "Say who may do what", "",
     "A policy lists paths and what may be done there; tokens carry policies.\n\n"
     "$ coffer policy write aws-dynamic-read aws-dynamic-read.hcl\n",
     NULL, 0, 0, 0},
    {"policy list", policy_list, "List the policies", "",
     "Prints the names of all policies, one a line.\n\n"
     "$ coffer policy list\n",
     NULL, 0, 0, COMMAND_FORMAT},
    {"policy read", policy_read, "Print a policy", "NAME",
     "Prints the text of a policy as it was written.\n\n"
     "$ coffer policy read default\n",
     NULL, 1, 1, COMMAND_FORMAT},
    {"policy write", policy_write, "Make or replace a policy", "NAME FILE",
     "Uploads the policy in FILE (HCL or JSON), or on standard input if FILE is -.\n\n"
     "$ echo 'path \"aws/creds/my-ec2-role\" { capabilities = [\"read\"] }' | coffer policy write aws-dynamic-read -\n",
     NULL, 2, 2, 0},
    {"policy delete", policy_delete, "Delete a policy", "NAME",
     "Deletes a policy. Tokens that carry it lose at once what it allowed.\n\n"
     "$ coffer policy delete aws-dynamic-read\n",
     NULL, 1, 1, 0},
    {0},
};
