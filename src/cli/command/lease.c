/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "cli/client/api.h"
#include "cli/options.h"
#include "cli/output/output.h"

static int lease_lookup(struct cli *cli)
{
    const char *id = cli_trim_path(cli, cli->argv[0]);
    json_t *secret;

    if (api_write(cli, "sys/leases/lookup", json_pack("{s:s}", "lease_id", id), &secret))
        return cli_fail(cli, "error looking up lease id %s", id);
    return output_secret(cli, secret);
}

static int lease_renew(struct cli *cli)
{
    const char *id = cli_trim_path(cli, cli->argv[0]);
    json_t *body = json_pack("{s:s}", "lease_id", id), *secret;

    option_into(cli, "increment", body, NULL);
    if (cli->argc > 1)
        json_object_set_new(body, "increment", json_string(cli->argv[1]));
    if (api_write(cli, "sys/leases/renew", body, &secret))
        return cli_fail(cli, "Error renewing %s", id);
    return output_secret(cli, secret);
}

static int revoke_by_force(struct cli *cli, const char *prefix)
{
    json_t *secret;

    fputs("Warning! Force-removing leases can cause Coffer to become out of sync with\nsecret engines!\n", stderr);
    if (api_write(cli, cli_printf(cli, "sys/leases/revoke-force/%s", prefix), json_object(), &secret))
        return cli_fail(cli, "Error force revoking leases with prefix %s", prefix);
    return cli_success(cli, "Success! Force revoked any leases with prefix: %s", prefix);
}

static int revoke_prefix(struct cli *cli, const char *prefix, bool sync)
{
    json_t *body = json_pack("{s:b}", "sync", sync), *secret;

    if (api_write(cli, cli_printf(cli, "sys/leases/revoke-prefix/%s", prefix), body, &secret))
        return cli_fail(cli, "Error revoking leases with prefix %s", prefix);
    if (!sync)
        return cli_success(cli, "All revocation operations queued successfully!");
    return cli_success(cli, "Success! Revoked any leases with prefix: %s", prefix);
}

static int lease_revoke(struct cli *cli)
{
    const char *id = cli_trim_path(cli, cli->argv[0]);
    bool sync = option_flag(cli, "sync");
    json_t *secret;

    if (option_flag(cli, "force") && !option_flag(cli, "prefix"))
        return cli_mistake("Specifying -force requires also specifying -prefix");
    if (option_flag(cli, "force"))
        return revoke_by_force(cli, id);
    if (option_flag(cli, "prefix"))
        return revoke_prefix(cli, id, sync);
    if (api_write(cli, "sys/leases/revoke", json_pack("{s:s, s:b}", "lease_id", id, "sync", sync), &secret))
        return cli_fail(cli, "Error revoking lease %s", id);
    if (!sync)
        return cli_success(cli, "All revocation operations queued successfully!");
    return cli_success(cli, "Success! Revoked lease: %s", id);
}

static const struct option_def renew_options[] = {
    {"increment", OPTION_DURATION, "How much longer; the server may give less.", "i", NULL},
    {0},
};

static const struct option_def revoke_options[] = {
    {"force", OPTION_FLAG,
     "With -prefix: forget the leases even if what they stand for cannot be taken back. Only for when it is gone "
     "already.",
     "f", NULL},
    {"prefix", OPTION_FLAG, "Revoke all leases whose id begins with ID.", NULL, NULL},
    {"sync", OPTION_FLAG, "Return when the secret is dead, or with the error, instead of queueing the work.", NULL,
     NULL},
    {0},
};

const struct command lease_commands[] = {
    {"lease", NULL, "Prolong or end what was handed out", "",
     "Every credential that the server makes has a lease; when it ends, the credential is taken back.\n\n"
     "$ coffer lease revoke aws/creds/my-ec2-role/2f6a614c\n",
     NULL, 0, 0, 0},
    {"lease lookup", lease_lookup, "Show a lease", "ID",
     "Shows when a lease was given and when it ends.\n\n"
     "$ coffer lease lookup aws/creds/my-ec2-role/2f6a614c\n",
     NULL, 1, 1, COMMAND_FIELD},
    {"lease renew", lease_renew, "Prolong a lease", "ID [INCREMENT]",
     "Prolongs a lease, at most to the end that its role sets. The secret itself stays as it is.\n\n"
     "$ coffer lease renew -increment=1h aws/creds/my-ec2-role/2f6a614c\n",
     renew_options, 1, 2, COMMAND_FIELD},
    {"lease revoke", lease_revoke, "End a lease and kill its secret", "ID",
     "Takes a secret back before its time, or with -prefix all secrets of a role or engine.\n\n"
     "$ coffer lease revoke aws/creds/my-ec2-role/2f6a614c\n"
     "$ coffer lease revoke -prefix aws/creds/my-ec2-role\n",
     revoke_options, 1, 1, 0},
    {0},
};
