/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snapshot_auto.c — sys/storage/raft/snapshot-auto: configurations by which snapshots are saved, with the names that
 * Vault Enterprise has for them.
 */
#include "core/snapshot/snapshot_auto.h"

#include <string.h>

#include "base/json.h"
#include "core/request/request.h"
#include "sys/handlers.h"

#define FILE_PREFIX "vault-snapshot"

const struct field sys_snapshot_auto_fields[] = {
    {"interval", FIELD_DURATION, "How often a snapshot is saved."},
    {"retain", FIELD_INT, "How many are kept; 1 if not given."},
    {"path_prefix", FIELD_STRING, "The directory, or what objects' names begin with."},
    {"file_prefix", FIELD_STRING, "What files' names begin with; vault-snapshot if not given."},
    {"storage_type", FIELD_STRING, "Where they are saved: local or aws-s3."},
    {"local_max_space", FIELD_INT, "How many bytes all of them may take in a directory."},
    {"aws_s3_bucket", FIELD_STRING, "The bucket."},
    {"aws_s3_region", FIELD_STRING, "Its region; us-east-1 if not given."},
    {"aws_s3_endpoint", FIELD_STRING, "The host of what speaks S3's protocol; AWS's if not given."},
    {"aws_s3_disable_tls", FIELD_BOOL, "Whether to speak HTTP without TLS."},
    {"aws_s3_force_path_style", FIELD_BOOL, "Whether the bucket is part of the path, not of the host."},
    {"aws_s3_server_side_encryption", FIELD_BOOL, "Whether S3 encrypts objects with keys of its own."},
    {"aws_s3_enable_kms", FIELD_BOOL, "Whether S3 encrypts objects with a key of KMS."},
    {"aws_s3_kms_key", FIELD_STRING, "That key; the account's default if not given."},
    {"aws_access_key_id", FIELD_STRING, "Credentials; the environment's if not given."},
    {"aws_secret_access_key", FIELD_STRING, "The secret that belongs to it."},
    {"aws_session_token", FIELD_STRING, "The session's token, of temporary credentials."},
    {0},
};

static bool is_credential(const char *name)
{
    return strcmp(name, "aws_access_key_id") == 0 || strcmp(name, "aws_secret_access_key") == 0 ||
           strcmp(name, "aws_session_token") == 0;
}

int sys_snapshot_auto_list(struct request *req)
{
    json_t *names;
    int rc = snapshot_auto_list(req, &names);
    return rc == OK ? reply_keys(req, names) : rc;
}

int sys_snapshot_auto_read(struct request *req)
{
    json_t *config, *shown;
    int rc = snapshot_auto_read(req, capture(req, "name"), &config);
    if (rc != OK)
        return rc;
    shown = json_object();
    const char *name;
    json_t *value;
    json_object_foreach(config, name, value)
    {
        if (!is_credential(name))
            json_object_set(shown, name, value);
    }
    json_decref(config);
    reply_data(req, shown);
    return OK;
}

/* What is not given stays as it is. */
static void take_field(struct request *req, const struct field *field, json_t *config)
{
    if (!field_given(req, field->name))
        return;
    json_t *value = field->type == FIELD_STRING ? json_string(field_str(req, field->name, ""))
                    : field->type == FIELD_BOOL ? json_boolean(field_bool(req, field->name, false))
                                                : json_integer(field_int(req, field->name, 0));
    json_object_set_new(config, field->name, value);
}

int sys_snapshot_auto_write(struct request *req)
{
    json_t *config = NULL;
    int rc = snapshot_auto_read(req, capture(req, "name"), &config);
    if (rc == ERR_NOTFOUND) {
        config = json_pack("{s:i, s:s}", "retain", 1, "file_prefix", FILE_PREFIX);
        rc = OK;
    }
    if (rc != OK)
        return rc;
    for (const struct field *field = sys_snapshot_auto_fields; field->name != NULL; field++)
        take_field(req, field, config);
    rc = snapshot_auto_write(req, capture(req, "name"), config);
    json_decref(config);
    return rc;
}

int sys_snapshot_auto_delete(struct request *req)
{
    return snapshot_auto_delete(req, capture(req, "name"));
}

int sys_snapshot_auto_status(struct request *req)
{
    json_t *status;
    int rc = snapshot_auto_status(req, capture(req, "name"), &status);
    if (rc == OK)
        reply_data(req, status);
    return rc;
}
