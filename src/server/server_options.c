/* SPDX-License-Identifier: Apache-2.0 */
#include "server/server_options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char server_usage[] =
    "Usage: coffer server [options]\n"
    "\n"
    "  Starts a node. A new one must be initialized (\"coffer operator init\") or join a cluster\n"
    "  (\"coffer operator raft join\"), and be unsealed after every start (\"coffer operator unseal\").\n"
    "\n"
    "  With a configuration:\n"
    "      $ coffer server -config=/etc/coffer/config.hcl\n"
    "\n"
    "  To try things out, in memory and unsealed, with the root token printed:\n"
    "      $ coffer server -dev\n"
    "\n"
    "Options:\n"
    "  -config=PATH               A file, or a directory of .hcl and .json files; may be given again.\n"
    "  -log-level=LEVEL           trace, debug, info, warn or error.\n"
    "  -log-format=FORMAT         standard or json.\n"
    "  -dev                       A node for trying out: nothing is kept, nothing is secret.\n"
    "  -dev-root-token-id=TOKEN   Its root token.\n"
    "  -dev-listen-address=ADDR   Where it listens: 127.0.0.1:8200.\n"
    "  -dev-no-store-token        Leaves ~/.vault-token alone.\n"
    "  -dev-kv-v1                 Version 1 of kv at secret/, instead of 2.\n";

struct flag {
    const char *name;
    bool *is_set;       /* a flag without a value */
    const char **value; /* a flag with one */
};

/* "-name=value", "-name value" or "--name…". Returns how many arguments it was, 0: another flag, -1: its value is
 * missing. */
static int take(const struct flag *flag, int argc, char **argv)
{
    const char *text = argv[0] + (argv[0][1] == '-' ? 2 : 1);
    size_t len = strlen(flag->name);
    if (strncmp(text, flag->name, len) != 0 || (text[len] != '\0' && text[len] != '='))
        return 0;
    const char *value = text[len] == '=' ? text + len + 1 : NULL;
    if (flag->is_set != NULL) {
        *flag->is_set = value == NULL || strcmp(value, "false") != 0;
        return 1;
    }
    if (value == NULL && argc < 2)
        return -1;
    *flag->value = value != NULL ? value : argv[1];
    return value != NULL ? 1 : 2;
}

static int refuse(const char *what, const char *argument)
{
    fprintf(stderr, "%s: %s\n\nRun \"coffer server -help\" for the flags.\n", what, argument);
    return 1;
}

static const char *env(const char *name)
{
    static const char *const prefixes[] = {"COFFER_", "BAO_", "VAULT_"};
    char full[64];
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        snprintf(full, sizeof full, "%s%s", prefixes[i], name);
        const char *value = getenv(full);
        if (value != NULL && value[0] != '\0')
            return value;
    }
    return NULL;
}

int server_options_parse(int argc, char **argv, struct server_options *ret)
{
    const char *config = NULL;
    bool help = false;
    const struct flag flags[] = {
        {"config", NULL, &config},
        {"log-level", NULL, &ret->log_level},
        {"log-format", NULL, &ret->log_format},
        {"dev", &ret->dev, NULL},
        {"dev-root-token-id", NULL, &ret->dev_root_token_id},
        {"dev-listen-address", NULL, &ret->dev_listen_address},
        {"dev-no-store-token", &ret->dev_no_store_token, NULL},
        {"dev-kv-v1", &ret->dev_kv_v1, NULL},
        {"help", &help, NULL},
        {"h", &help, NULL},
    };
    *ret = (struct server_options){.dev_root_token_id = env("DEV_ROOT_TOKEN_ID"),
                                   .dev_listen_address = env("DEV_LISTEN_ADDRESS")};
    ret->configs = calloc((size_t)argc + 1, sizeof *ret->configs);
    if (ret->configs == NULL)
        abort();
    for (int i = 1; i < argc;) {
        int used = 0;
        if (argv[i][0] != '-')
            return refuse("an argument that is no flag", argv[i]);
        for (size_t f = 0; used == 0 && f < sizeof flags / sizeof flags[0]; f++)
            used = take(&flags[f], argc - i, argv + i);
        if (used <= 0)
            return refuse(used < 0 ? "a value is missing after" : "flag provided but not defined", argv[i]);
        if (config != NULL)
            ret->configs[ret->n_configs++] = config;
        config = NULL;
        i += used;
    }
    if (help)
        fputs(server_usage, stdout);
    return help ? -1 : 0;
}

void server_options_free(struct server_options *options)
{
    free(options->configs);
}
