/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/client/token_helper.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

#define TOKEN_BYTES_MAX 65536

static const char *token_path(struct cli *cli)
{
    const char *path = cli_env("TOKEN_PATH"), *home = getenv("HOME");
    struct passwd *user;

    if (path)
        return path;
    if (!home || !*home) {
        user = getpwuid(getuid());
        home = user ? user->pw_dir : "/";
    }
    return cli_printf(cli, "%s/.vault-token", home);
}

const char *token_helper_load(struct cli *cli)
{
    struct buf text = BUF_INIT;
    char *token = "";

    if (!file_read(token_path(cli), TOKEN_BYTES_MAX, &text, NULL)) {
        token = arena_strdup(&cli->arena, buf_str(&text));
        token += strspn(token, " \t\r\n");
        token[strcspn(token, " \t\r\n")] = '\0';
    }
    buf_close(&text);
    return token;
}

int token_helper_store(struct cli *cli, const char *token, struct err *err)
{
    return file_replace(token_path(cli), token, strlen(token), 0600, err);
}
