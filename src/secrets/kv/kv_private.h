/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kv_private.h — what the files of this engine share.
 *
 * Version 2 keeps, below the mount:
 *   config               the mount's limits
 *   meta/<path>          a key: its versions, its limits, and an id of its own
 *   ver/<id>/<number>    {"data": …}: what a version holds
 * so that a read costs two records, and the data of old versions none. Version 1 keeps v1/<path>.
 */
#ifndef COFFER_SECRETS_KV_KV_PRIVATE_H
#define COFFER_SECRETS_KV_KV_PRIVATE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/engine.h"

#define KV_VERSIONS_DEFAULT 10
#define KV_VERSIONS_MAX     10000

extern const struct route kv_v1_routes[];
extern const struct route kv_v2_routes[];
extern const struct route kv_upgrading_routes[];

/* Converts some of what version 1 has left: engine.h. */
int kv_upgrade(struct request *req, bool *ret_more);

/* Names in a directory of the storage, with the query's `after` and `limit`. ERR_NOTFOUND when there are none. */
int kv_list(struct request *req, const char *dir, json_t **ret_names) MUST_CHECK;

/* Whether a path can only be listed: there is no secret of that name. */
bool kv_path_is_dir(const char *path);

/* ---- The mount's limits (kv_config.c); a key has such ones too ---- */

struct kv_limits {
    int64_t max_versions; /* 0: not given */
    bool cas_required;
    bool metadata_cas_required;
    int64_t delete_after_s; /* 0: not given; below: never */
};

int kv_config_load(struct request *req, struct kv_limits *ret_config) MUST_CHECK;
int kv_config_read(struct request *req);
int kv_config_write(struct request *req);
void kv_limits_read(const json_t *record, struct kv_limits *ret_limits);
void kv_limits_write(json_t *record, const struct kv_limits *limits);
/* Adds them to an answer. */
void kv_limits_describe(json_t *data, const struct kv_limits *limits);
/* Takes over what the caller gave. ERR_INVALID. */
int kv_limits_take_fields(struct request *req, struct kv_limits *limits) MUST_CHECK;

/* ---- A key (kv_key.c). Its record is owned by the request. ---- */

struct kv_version {
    int64_t number;
    int64_t created_ns;
    int64_t deleted_ns; /* 0: never; may lie in the future */
    bool is_destroyed;
};

/* The key that the path names. ERR_NOTFOUND without a sentence. */
int kv_key_load(struct request *req, json_t **ret_key) MUST_CHECK;
/* The same to look at only; all requests share it. */
int kv_key_see(struct request *req, const json_t **ret_key) MUST_CHECK;
/* The same, or a new one without versions. */
int kv_key_load_or_make(struct request *req, json_t **ret_key) MUST_CHECK;
int kv_key_save(struct request *req, json_t *key) MUST_CHECK;
int kv_key_exists(struct request *req, bool *ret_exists);
int64_t kv_key_current(const json_t *key);
bool kv_key_version(const json_t *key, int64_t number, struct kv_version *ret_version);
void kv_key_set_version(json_t *key, const struct kv_version *version);
/* Vault's metadata of a version: a new reference. */
json_t *kv_key_describe_version(const json_t *key, const struct kv_version *version);
/* "1": {created_time, deletion_time, destroyed}, …: a new reference. */
json_t *kv_key_describe_versions(const json_t *key);
/* When a version that is made or undeleted now ends by itself; 0: never. */
int64_t kv_key_deletion_ns(const json_t *key, const struct kv_limits *config, int64_t now_ns);
bool kv_version_is_gone(const struct request *req, const struct kv_version *version);
/* RFC 3339, "" for 0: a new reference. */
json_t *kv_time(int64_t wall_ns);

/* ---- What a version holds ---- */

int kv_version_load(struct request *req, const json_t *key, int64_t number, json_t **ret_data) MUST_CHECK;
/* Adds a version to the key, drops those that are too many, and writes all of it. */
int kv_version_add(struct request *req, json_t *key, const struct kv_limits *config, json_t *data,
                   struct kv_version *ret_version) MUST_CHECK;
int kv_version_erase(struct request *req, const json_t *key, int64_t number) MUST_CHECK;

/* ---- Handlers ---- */

int kv_data_read(struct request *req);
int kv_data_write(struct request *req);
int kv_data_patch(struct request *req);
int kv_data_delete(struct request *req);
int kv_subkeys_read(struct request *req);
int kv_versions_delete(struct request *req);
int kv_versions_undelete(struct request *req);
int kv_versions_destroy(struct request *req);
int kv_metadata_read(struct request *req);
int kv_metadata_write(struct request *req);
int kv_metadata_patch(struct request *req);
int kv_metadata_delete(struct request *req);
int kv_metadata_list(struct request *req);
int kv_metadata_list_detailed(struct request *req);

#endif
