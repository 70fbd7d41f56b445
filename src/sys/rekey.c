/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rekey.c — sys/rekey, sys/rekey-recovery-key, sys/generate-root, and what OpenBao calls them where a token is needed:
 * sys/rotate/root, sys/rotate/recovery, sys/generate-root-token.
 */
#include "core/seal/rekey.h"

#include <string.h>

#include "core/request/request.h"
#include "core/seal/root_token.h"
#include "sys/handlers.h"

const struct field sys_rekey_fields[] = {
    {"secret_shares", FIELD_INT, "How many shares the new key is split into."},
    {"secret_threshold", FIELD_INT, "How many of them are needed together."},
    {"stored_shares", FIELD_INT, "Of older clients; without effect."},
    {"require_verification", FIELD_BOOL, "Whether the new key is in force only when enough new shares were given."},
    {"pgp_keys", FIELD_LIST, "PGP public keys in base64, one a share: each share is told encrypted to its key."},
    {"backup", FIELD_BOOL, "Whether to keep the encrypted shares, for who loses the answer."},
    {"nonce", FIELD_STRING, "For cancelling: which rekey is meant."},
    {0},
};

const struct field sys_share_fields[] = {
    {"key", FIELD_STRING, "One share, in hex or base64."},
    {"nonce", FIELD_STRING, "What it is for: the operation's nonce."},
    {0},
};

const struct field sys_root_token_fields[] = {
    {"otp", FIELD_STRING, "A one-time password of the token's length; without it one is made."},
    {"pgp_key", FIELD_STRING, "A PGP public key in base64: the token is told encrypted to it, and there is no OTP."},
    {0},
};

const struct field sys_decode_token_fields[] = {
    {"encoded_token", FIELD_STRING, "The token, as generate-root told it."},
    {"otp", FIELD_STRING, "The one-time password."},
    {0},
};

static enum ceremony_kind kind_of(const struct request *req)
{
    const char *path = req->mount_relative;
    bool is_recovery = strncmp(path, "rekey-recovery-key/", 19) == 0 || strncmp(path, "rotate/recovery/", 16) == 0 ||
                       strcmp(path, "rekey/recovery-key-backup") == 0;
    return is_recovery ? CEREMONY_RECOVERY_REKEY : CEREMONY_REKEY;
}

int sys_rekey_status(struct request *req)
{
    return rekey_status(req, kind_of(req));
}

int sys_rekey_init(struct request *req)
{
    return rekey_init(req, kind_of(req));
}

int sys_rekey_cancel(struct request *req)
{
    return rekey_cancel(req, kind_of(req));
}

int sys_rekey_update(struct request *req)
{
    return rekey_update(req, kind_of(req));
}

int sys_rekey_verify_status(struct request *req)
{
    return rekey_verify_status(req, kind_of(req));
}

int sys_rekey_verify_update(struct request *req)
{
    return rekey_verify_update(req, kind_of(req));
}

int sys_rekey_verify_restart(struct request *req)
{
    return rekey_verify_restart(req, kind_of(req));
}

int sys_rekey_backup_read(struct request *req)
{
    return rekey_backup_read(req, kind_of(req));
}

int sys_rekey_backup_delete(struct request *req)
{
    return rekey_backup_delete(req, kind_of(req));
}

int sys_root_token_status(struct request *req)
{
    return root_token_status(req);
}

int sys_root_token_init(struct request *req)
{
    return root_token_init(req);
}

int sys_root_token_cancel(struct request *req)
{
    ceremony_cancel(req, CEREMONY_ROOT_TOKEN);
    return OK;
}

int sys_root_token_update(struct request *req)
{
    return root_token_update(req);
}

int sys_decode_token(struct request *req)
{
    return root_token_decode(req);
}
