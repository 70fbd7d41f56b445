/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "cli/client/api.h"
#include "cli/command/keys.h"
#include "cli/options.h"
#include "cli/output/output.h"
#include "cli/command/pgp_keys.h"

/* What -target stands for. */
struct target {
    const char *name;
    const char *base;   /* of the paths */
    const char *backup; /* the path of what was kept */
    const char *kind;   /* of keys that people hold */
};

static const struct target rekey_targets[] = {
    {"barrier", "sys/rekey", "sys/rekey/backup", "Unseal"},
    {"recovery", "sys/rekey-recovery-key", "sys/rekey/recovery-key-backup", "Recovery"},
    {"hsm", "sys/rekey-recovery-key", "sys/rekey/recovery-key-backup", "Recovery"},
    {0},
};

/* The same under the paths of OpenBao, which want a token. */
static const struct target rotate_targets[] = {
    {"barrier", "sys/rotate/root", "sys/rotate/root/backup", "Unseal"},
    {"recovery", "sys/rotate/recovery", "sys/rotate/recovery/backup", "Recovery"},
    {0},
};

/* NULL, after it was said, when there is none of this name. */
static const struct target *target_of(struct cli *cli, const struct target *targets)
{
    const char *name = option_is_set(cli, "target") ? cli_trim(cli, option_text(cli, "target"), "") : "barrier";

    for (; targets->name; targets++)
        if (!strcmp(targets->name, name))
            return targets;
    cli_mistake("Unknown target: %s", name);
    return NULL;
}

static char *path_of(struct cli *cli, const struct target *target, const char *part)
{
    return cli_printf(cli, "%s/%s", target->base, part);
}

static const char *number(struct cli *cli, const json_t *status, const char *name)
{
    return cli_printf(cli, "%lld", (long long)json_int(status, name, 0));
}

static const char *yes_no(const json_t *status, const char *name)
{
    return json_flag(status, name, false) ? "true" : "false";
}

/* "[a b]". */
static const char *fingerprints(struct cli *cli, const json_t *status)
{
    json_t *item;
    size_t i;
    const char *text = "[";

    json_array_foreach(json_list_at(status, "pgp_fingerprints"), i, item)
    {
        text = cli_printf(cli, "%s%s%s", text, i ? " " : "", cli_text(item));
    }
    return cli_printf(cli, "%s]", text);
}

/* OpenBao's own paths answer within an envelope. */
static int ask(struct cli *cli, const char *method, const char *path, json_t *body, json_t **ret_reply)
{
    int rc = api_call(cli, method, path, NULL, body, ret_reply);

    if (!rc && json_map_at(*ret_reply, "data"))
        *ret_reply = json_map_at(*ret_reply, "data");
    return rc;
}

/* ---- How far it is ---- */

static int print_status(struct cli *cli, const json_t *status)
{
    struct table table;
    const char *nonce = json_str(status, "verification_nonce", "");

    table_init(&table, &cli->arena, 2);
    table_header(&table, "Key", "Value");
    table_row(&table, "Nonce", json_str(status, "nonce", ""));
    table_row(&table, "Started", yes_no(status, "started"));
    if (json_flag(status, "started", false)) {
        table_row(&table, "Progress",
                  cli_printf(cli, "%s/%s", number(cli, status, "progress"), number(cli, status, "required")));
        table_row(&table, "New Shares", number(cli, status, "n"));
        table_row(&table, "New Threshold", number(cli, status, "t"));
        table_row(&table, "Verification Required", yes_no(status, "verification_required"));
        if (*nonce)
            table_row(&table, "Verification Nonce", nonce);
        if (json_array_size(json_list_at(status, "pgp_fingerprints"))) {
            table_row(&table, "PGP Fingerprints", fingerprints(cli, status));
            table_row(&table, "Backup", yes_no(status, "backup"));
        }
    }
    return output_table_or_value(cli, &table, status);
}

static int print_verification(struct cli *cli, const json_t *status)
{
    struct table table;

    table_init(&table, &cli->arena, 2);
    table_header(&table, "Key", "Value");
    table_row(&table, "Started", yes_no(status, "started"));
    table_row(&table, "New Shares", number(cli, status, "n"));
    table_row(&table, "New Threshold", number(cli, status, "t"));
    table_row(&table, "Verification Nonce", json_str(status, "nonce", ""));
    table_row(&table, "Verification Progress",
              cli_printf(cli, "%s/%s", number(cli, status, "progress"), number(cli, status, "t")));
    return output_table_or_value(cli, &table, status);
}

static int show_status(struct cli *cli, const struct target *target, bool verifies)
{
    json_t *status;

    if (ask(cli, "GET", path_of(cli, target, verifies ? "verify" : "init"), NULL, &status))
        return cli_fail(cli, "Error reading rekey status");
    return verifies ? print_verification(cli, status) : print_status(cli, status);
}

/* ---- Beginning and giving up ---- */

static int begin(struct cli *cli, const struct target *target)
{
    json_t *status, *body = cli_keep(cli, json_object());
    int code = pgp_keys_into(cli, "pgp-keys", body, "pgp_keys");

    if (code)
        return code;
    json_object_set_new(body, "secret_shares", json_integer(option_number(cli, "key-shares", 5)));
    json_object_set_new(body, "secret_threshold", json_integer(option_number(cli, "key-threshold", 3)));
    json_object_set_new(body, "require_verification", json_boolean(option_flag(cli, "verify")));
    if (option_flag(cli, "backup"))
        json_object_set_new(body, "backup", json_true());
    if (ask(cli, "PUT", path_of(cli, target, "init"), json_incref(body), &status))
        return cli_fail(cli, "Error initializing rekey");
    if (cli->format == FORMAT_TABLE && !option_flag(cli, "verify") && !option_flag(cli, "backup"))
        fprintf(stderr,
                "WARNING! The new keys are told once, in the answer to the last of the present ones, and are in\n"
                "force at once: if that answer is lost, so are they. With -verify they are in force only when\n"
                "enough of them were given back.\n\n");
    return print_status(cli, status);
}

static int cancel(struct cli *cli, const struct target *target)
{
    json_t *reply, *body = NULL;

    if (option_is_set(cli, "nonce") && !option_flag(cli, "verify"))
        body = json_pack("{s:s}", "nonce", option_text(cli, "nonce"));
    if (api_call(cli, "DELETE", path_of(cli, target, option_flag(cli, "verify") ? "verify" : "init"), body, NULL,
                 &reply))
        return cli_fail(cli, "Error canceling rekey");
    return cli_success(cli, "Success! Canceled %s (if it was started)",
                       strcmp(command_word(cli->command), "rekey") ? "rotation" : "rekeying");
}

/* ---- Giving a share ---- */

static void print_keys(const json_t *reply)
{
    json_t *key;
    size_t i;

    printf("\n");
    json_array_foreach(json_list_at(reply, "keys_base64"), i, key)
    {
        const json_t *fingerprint = json_array_get(json_list_at(reply, "pgp_fingerprints"), i);

        if (fingerprint)
            printf("Key %zu fingerprint: %s; value: %s\n", i + 1, cli_text(fingerprint), cli_text(key));
        else
            printf("Key %zu: %s\n", i + 1, cli_text(key));
    }
    printf("\nOperation nonce: %s\n\n", json_str(reply, "nonce", ""));
    if (json_flag(reply, "backup", false))
        printf("The server keeps these keys, encrypted as they are, until \"coffer operator rekey -backup-delete\";\n"
               "\"coffer operator rekey -backup-retrieve\" prints them.\n\n");
}

static int print_done(struct cli *cli, const struct target *target, const json_t *status, const json_t *reply)
{
    long long n = (long long)json_int(status, "n", 0), t = (long long)json_int(status, "t", 0);
    const char *kind = strcmp(target->kind, "Unseal") ? "recovery" : "unseal";

    if (cli->format != FORMAT_TABLE)
        return output_value(cli, reply);
    print_keys(reply);
    if (!json_flag(reply, "verification_required", false))
        return cli_success(cli,
                           "Vault %s keys rekeyed with %lld key shares and a key threshold of %lld.\n\n"
                           "The keys above are not shown again. Give them to people who do not share one place; the\n"
                           "former ones are worth nothing now.",
                           kind, n, t);
    cli_success(cli,
                "A new %s key was made, in %lld key shares with a key threshold of %lld.\n\n"
                "It is NOT in force yet: keep the present keys until %lld of the new ones were given to\n"
                "\"coffer %s -verify\". If this is cancelled, or another node becomes active,\n"
                "the new keys are worth nothing and the present ones stay in force.\n",
                kind, n, t, t, cli->command->name);
    return show_status(cli, target, true);
}

static int give(struct cli *cli, const struct target *target)
{
    bool verifies = option_flag(cli, "verify");
    json_t *status, *body, *reply;
    int code;

    if (ask(cli, "GET", path_of(cli, target, verifies ? "verify" : "init"), NULL, &status))
        return cli_fail(cli, "Error getting rekey status");
    if (!json_flag(status, "started", false) && !cli->is_dry_run)
        return cli_mistake("No rekey is in progress. Start a rekey process by running \"coffer %s -init\".",
                           cli->command->name);
    code = keys_take_share(cli, status, target->kind, &body);
    if (code)
        return code;
    if (ask(cli, "PUT", path_of(cli, target, verifies ? "verify" : "update"), json_incref(body), &reply))
        return cli_fail(cli, "Error posting unseal key");
    if (!json_flag(reply, "complete", false))
        return show_status(cli, target, verifies);
    if (!verifies)
        return print_done(cli, target, status, reply);
    if (cli->format != FORMAT_TABLE)
        return output_value(cli, reply);
    return cli_success(
        cli, "Rekey verification successful. The rekey operation is complete and the new\nkeys are now active.");
}

/* ---- What was kept ---- */

static int retrieve_backup(struct cli *cli, const struct target *target)
{
    json_t *secret;

    if (api_read(cli, target->backup, NULL, &secret))
        return cli_fail(cli, "Error retrieving rekey stored keys");
    return output_secret(cli, secret);
}

static int delete_backup(struct cli *cli, const struct target *target)
{
    json_t *reply;

    if (api_call(cli, "DELETE", target->backup, NULL, NULL, &reply))
        return cli_fail(cli, "Error deleting rekey stored keys");
    return cli_success(cli, "Success! Delete stored keys (if they existed)");
}

static int change_keys(struct cli *cli, const struct target *targets)
{
    const struct target *target = target_of(cli, targets);

    if (!target)
        return EXIT_LOCAL;
    if (option_flag(cli, "backup-delete"))
        return delete_backup(cli, target);
    if (option_flag(cli, "backup-retrieve"))
        return retrieve_backup(cli, target);
    if (option_flag(cli, "cancel"))
        return cancel(cli, target);
    if (option_flag(cli, "init"))
        return begin(cli, target);
    if (option_flag(cli, "status"))
        return show_status(cli, target, option_flag(cli, "verify"));
    return give(cli, target);
}

static int operator_rekey(struct cli *cli)
{
    return change_keys(cli, rekey_targets);
}

static int operator_rotate_keys(struct cli *cli)
{
    return change_keys(cli, rotate_targets);
}

static const struct option_def rekey_options[] = {
    {"init", OPTION_FLAG, "Begin.", NULL, NULL},
    {"cancel", OPTION_FLAG, "Give up; with -verify, begin verifying again.", NULL, NULL},
    {"status", OPTION_FLAG, "Only tell how far it is; with -verify, how far verifying is.", NULL, NULL},
    {"key-shares", OPTION_NUMBER, "Into how many keys the new key is split. The default is 5.", "n", NULL},
    {"key-threshold", OPTION_NUMBER, "How many of them are needed together. The default is 3.", "t", NULL},
    {"nonce", OPTION_TEXT, "What -init told; needed with KEY.", NULL, NULL},
    {"target", OPTION_TEXT, "\"barrier\", the keys that unseal (the default), or \"recovery\".", NULL, NULL},
    {"verify", OPTION_FLAG, "With -init: the new keys must be given back. Else: what is given is one of them.", NULL,
     NULL},
    {"pgp-keys", OPTION_LIST, "Files with PGP public keys, one for each new key: it is told encrypted to it.", NULL,
     NULL},
    {"backup", OPTION_FLAG, "With -pgp-keys: have the server keep the encrypted keys.", NULL, NULL},
    {"backup-retrieve", OPTION_FLAG, "Print the encrypted keys that were kept.", NULL, NULL},
    {"backup-delete", OPTION_FLAG, "Delete them.", NULL, NULL},
    {0},
};

const struct command rekey_commands[] = {
    {"operator rekey", operator_rekey, "Replace the keys that unseal", "[KEY]",
     "Makes a new key and splits it anew, when enough of the present ones were given. KEY is one of these; \"-\" has "
     "it "
     "read from standard input, and without it it is asked for.\n\n"
     "$ coffer operator rekey -init -verify -key-shares=5 -key-threshold=3\n"
     "$ coffer operator rekey\n"
     "$ coffer operator rekey -verify\n",
     rekey_options, 0, 1, COMMAND_FORMAT},
    {"operator rotate-keys", operator_rotate_keys, "Replace the keys that unseal, with a token", "[KEY]",
     "Does what \"operator rekey\" does, for those who have a token that may; the server need not be told to let "
     "anybody begin.\n\n"
     "$ coffer operator rotate-keys -init -verify -key-shares=5 -key-threshold=3\n"
     "$ coffer operator rotate-keys\n"
     "$ coffer operator rotate-keys -verify\n",
     rekey_options, 0, 1, COMMAND_FORMAT},
    {0},
};
