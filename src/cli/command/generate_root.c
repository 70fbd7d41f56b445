/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/encoding.h"
#include "base/secret.h"
#include "cli/client/api.h"
#include "cli/data_args.h"
#include "cli/command/keys.h"
#include "cli/options.h"
#include "cli/output/output.h"
#include "cli/command/pgp_keys.h"

#define OTP_MAX     128
#define ENCODED_MAX 512

/*
 * Calls "attempt" or "update". With a token, under the paths that want one: those without may be closed. Vault has only
 * these.
 */
static int ask(struct cli *cli, const char *method, const char *part, json_t *body, json_t **ret_reply)
{
    static const char *const bases[] = {"sys/generate-root-token", "sys/generate-root"};
    int i = *api_token(cli) ? 0 : 1;
    int rc = api_call(cli, method, cli_printf(cli, "%s/%s", bases[i], part), NULL, json_incref(body), ret_reply);

    if (rc && cli->status == 404 && i == 0)
        rc = api_call(cli, method, cli_printf(cli, "%s/%s", bases[1], part), NULL, json_incref(body), ret_reply);
    json_decref(body);
    if (!rc && json_map_at(*ret_reply, "data"))
        *ret_reply = json_map_at(*ret_reply, "data");
    return rc;
}

/* How far it is, and how long an OTP must be. */
static int read_status(struct cli *cli, json_t **ret_status)
{
    if (ask(cli, "GET", "attempt", NULL, ret_status))
        return cli_fail(cli, "Error getting root generation status");
    return EXIT_OK;
}

static int print_status(struct cli *cli, const json_t *status)
{
    struct table table;
    const char *encoded = json_str(status, "encoded_token", json_str(status, "encoded_root_token", ""));
    const char *otp = json_str(status, "otp", ""), *fingerprint = json_str(status, "pgp_fingerprint", "");

    table_init(&table, &cli->arena, 2);
    table_row(&table, "Nonce", json_str(status, "nonce", ""));
    table_row(&table, "Started", json_flag(status, "started", false) ? "true" : "false");
    table_row(&table, "Progress",
              cli_printf(cli, "%lld/%lld", (long long)json_int(status, "progress", 0),
                         (long long)json_int(status, "required", 0)));
    table_row(&table, "Complete", json_flag(status, "complete", false) ? "true" : "false");
    if (*fingerprint)
        table_row(&table, "PGP Fingerprint", fingerprint);
    if (*encoded)
        table_row(&table, "Encoded Token", encoded);
    if (*otp) {
        fprintf(stderr, "The one-time password below is shown once. It is needed to decode the root token.\n\n");
        table_row(&table, "OTP", otp);
    }
    table_row(&table, "OTP Length", cli_printf(cli, "%lld", (long long)json_int(status, "otp_length", 0)));
    return output_table_or_value(cli, &table, status);
}

static int show_status(struct cli *cli)
{
    json_t *status;
    int code = read_status(cli, &status);

    return code || cli->is_dry_run ? code : print_status(cli, status);
}

static int begin(struct cli *cli)
{
    json_t *status, *body = cli_keep(cli, json_object());
    int code;

    if (option_is_set(cli, "otp") && option_is_set(cli, "pgp-key"))
        return cli_mistake("Error initializing: cannot specify both -otp and -pgp-key");
    option_into(cli, "otp", body, NULL);
    code = pgp_key_into(cli, "pgp-key", body, "pgp_key");
    if (code)
        return code;
    if (ask(cli, "PUT", "attempt", json_incref(body), &status))
        return cli_fail(cli, "Error initializing root generation");
    return print_status(cli, status);
}

static int cancel(struct cli *cli)
{
    json_t *reply;

    if (ask(cli, "DELETE", "attempt", NULL, &reply))
        return cli_fail(cli, "Error canceling root token generation");
    return cli_success(cli, "Success! Root token generation canceled (if it was started)");
}

static int give(struct cli *cli)
{
    json_t *status, *body;
    int code = read_status(cli, &status);

    if (code || cli->is_dry_run)
        return code;
    if (!json_flag(status, "started", false))
        return cli_mistake("No root generation is in progress. Start a root generation by running \"coffer operator\n"
                           "generate-root -init\". An OTP of your own must be %lld characters long.",
                           (long long)json_int(status, "otp_length", 0));
    code = keys_take_share(cli, status, "Unseal", &body);
    if (code)
        return code;
    if (ask(cli, "PUT", "update", json_incref(body), &status))
        return cli_fail(cli, "Error posting unseal key");
    return print_status(cli, status);
}

/* ---- One-time passwords ---- */

static int generate_otp(struct cli *cli)
{
    json_t *status;
    char otp[OTP_MAX + 1] = "";
    int code = read_status(cli, &status);
    int64_t length;

    if (code || cli->is_dry_run)
        return code;
    length = json_int(status, "otp_length", 0);
    if (length < 1 || length > OTP_MAX)
        return cli_refuse("The server says that an OTP has %lld characters, which cannot be", (long long)length);
    random_base62(otp, (size_t)length);
    otp[length] = '\0';
    status = cli_keep(cli, json_pack("{s:s, s:I}", "otp", otp, "otp_length", (json_int_t)length));
    secret_wipe(otp, sizeof otp);
    if (cli->format != FORMAT_TABLE)
        return output_value(cli, status);
    printf("%s\n", json_str(status, "otp", ""));
    return EXIT_OK;
}

/* Nobody need be asked for it: the token was XORed with the OTP and is base64. */
static int unmix(struct cli *cli, const char *encoded, const char *otp)
{
    unsigned char bytes[ENCODED_MAX];
    size_t size;
    json_t *token;

    if (strlen(encoded) > ENCODED_MAX / 2 || base64_decode(encoded, bytes, &size))
        return cli_mistake("Error decoding root token: it is no base64");
    if (size != strlen(otp))
        return cli_mistake("Error decoding root token: the token has %zu characters and the OTP %zu", size,
                           strlen(otp));
    for (size_t i = 0; i < size; i++)
        bytes[i] ^= (unsigned char)otp[i];
    token = json_stringn((const char *)bytes, size);
    secret_wipe(bytes, sizeof bytes);
    if (!token)
        return cli_mistake("Error decoding root token: it and the OTP do not belong together");
    token = cli_keep(cli, json_pack("{s:o}", "token", token));
    if (cli->format != FORMAT_TABLE)
        return output_value(cli, token);
    printf("%s\n", json_str(token, "token", ""));
    return EXIT_OK;
}

static int decode(struct cli *cli)
{
    const char *encoded = option_text(cli, "decode");
    struct buf text = BUF_INIT;
    struct err err = {0};

    if (!option_is_set(cli, "otp"))
        return cli_mistake("Missing otp: use -otp to supply it");
    if (!strcmp(encoded, "-")) {
        if (data_args_read_file(cli, "-", &text, &err)) {
            buf_close(&text);
            return cli_mistake("Failed to read from stdin: %s", err_text(&err));
        }
        encoded = arena_strdup(&cli->arena, buf_str(&text));
        buf_close(&text);
    }
    encoded = cli_trim(cli, encoded, "");
    if (!*encoded)
        return cli_mistake("Missing encoded value: use -decode=<string> to supply it");
    return unmix(cli, encoded, option_text(cli, "otp"));
}

static int operator_generate_root(struct cli *cli)
{
    if (option_flag(cli, "generate-otp"))
        return generate_otp(cli);
    if (option_is_set(cli, "decode"))
        return decode(cli);
    if (option_flag(cli, "cancel"))
        return cancel(cli);
    if (option_flag(cli, "init"))
        return begin(cli);
    if (option_flag(cli, "status"))
        return show_status(cli);
    return give(cli);
}

static const struct option_def generate_root_options[] = {
    {"init", OPTION_FLAG, "Begin.", NULL, NULL},
    {"otp", OPTION_TEXT, "With -init and -decode: the one-time password.", NULL, NULL},
    {"pgp-key", OPTION_TEXT, "With -init: a file with a PGP public key to encrypt the token to; there is no OTP then.",
     NULL, NULL},
    {"generate-otp", OPTION_FLAG, "Print a one-time password.", NULL, NULL},
    {"decode", OPTION_TEXT, "Print the token out of what was told at the end; \"-\": it is on standard input.", NULL,
     NULL},
    {"status", OPTION_FLAG, "Only tell how far it is.", NULL, NULL},
    {"cancel", OPTION_FLAG, "Give up.", NULL, NULL},
    {"nonce", OPTION_TEXT, "What -init told; needed with KEY.", NULL, NULL},
    {0},
};

const struct command generate_root_commands[] = {
    {"operator generate-root", operator_generate_root, "Make a root token with the keys that unseal", "[KEY]",
     "Makes a root token when enough unseal keys (recovery keys, where the server unseals itself) were given. KEY is "
     "one "
     "of them; \"-\" has it read from standard input, and without it it is asked for. The token is told XORed with a "
     "one-time password, or encrypted to a PGP key: \"base64 -d | gpg --decrypt\" opens it then.\n\n"
     "$ coffer operator generate-root -init\n"
     "$ coffer operator generate-root\n"
     "$ coffer operator generate-root -decode=ENCODED -otp=OTP\n",
     generate_root_options, 0, 1, COMMAND_FORMAT},
    {0},
};
