/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/command/keys.h"

#include <stdio.h>
#include <string.h>

#include "cli/data_args.h"
#include "cli/options.h"
#include "cli/prompt.h"

static int read_stdin(struct cli *cli, const char **ret_key)
{
    struct buf text = BUF_INIT;
    struct err err = {0};
    int rc = data_args_read_file(cli, "-", &text, &err);

    if (!rc)
        *ret_key = arena_strdup(&cli->arena, buf_str(&text));
    buf_close(&text);
    return rc ? cli_mistake("Failed to read from stdin: %s", err_text(&err)) : EXIT_OK;
}

static int ask(struct cli *cli, const char *kind, const char *nonce, const char **ret_key)
{
    struct err err = {0};

    fprintf(stderr, "Operation nonce: %s\n", nonce);
    if (prompt_secret(cli, cli_printf(cli, "%s Key (will be hidden): ", kind), ret_key, &err))
        return cli_mistake(
            "The key cannot be asked for: %s. On a terminal it is typed unseen; where there is none, give\n"
            "\"-\" as the argument to have it read from standard input, and -nonce.",
            err_text(&err));
    return EXIT_OK;
}

int keys_take_share(struct cli *cli, const json_t *status, const char *kind, json_t **ret_body)
{
    const char *key, *nonce = option_text(cli, "nonce");
    int code = EXIT_OK;

    if (cli->argc == 0) {
        nonce = json_str(status, "nonce", "");
        code = ask(cli, kind, nonce, &key);
    } else if (strcmp(cli->argv[0], "-") == 0) {
        code = read_stdin(cli, &key);
    } else {
        key = cli->argv[0];
    }
    if (code)
        return code;
    if (!nonce || !*nonce)
        return cli_mistake("Missing nonce value: specify it via the -nonce flag");
    *ret_body = cli_keep(cli, json_pack("{s:s, s:s}", "key", cli_trim(cli, key, ""), "nonce", nonce));
    return EXIT_OK;
}
