/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kv.h — where a key of the key-value engine lies: the server is asked for the mount and its version, so that the
 * same command works on both, though version 2 keeps data, metadata and the rest below paths of their own.
 */
#ifndef COFFER_CLI_KV_H
#define COFFER_CLI_KV_H

#include "cli/cli_private.h"

struct kv_place {
    const char *mount; /* "secret/"; "" when the server does not say */
    const char *key;   /* below the mount */
    int version;
};

extern const struct option_def kv_mount_option[];
#define KV_MOUNT_OPTION                                                                                                \
    {                                                                                                                  \
        "mount", OPTION_TEXT, "Where the engine is mounted; the argument is then a key below it.", NULL, NULL          \
    }

/* Finds the place that -mount and the first argument name. Prints the error and returns its exit code. */
int kv_find_place(struct cli *cli, struct kv_place *ret_place) MUST_CHECK;
/* The path to call; `kind` is "data", "metadata", "delete", … and has no meaning for version 1. */
const char *kv_path(struct cli *cli, const struct kv_place *place, const char *kind);
/* "== Secret Path ==" and the path. */
void kv_print_path(const char *title, const char *path);
/* An answer that carries metadata of a version: the path, then the metadata. */
int kv_print_written(struct cli *cli, json_t *secret, const char *path);
/* -versions=1,2 -versions=3 as a list of texts: a new reference; NULL when none is given. */
json_t *kv_versions(struct cli *cli);

/* The "options" of a write: cas if it is not negative. A new reference. */
json_t *kv_cas_options(int64_t cas);
/*
 * Reads the current version: ret_data (a new reference, NULL when it is deleted) and its number, for a write that
 * builds on it. Prints the error and returns its exit code.
 */
int kv_read_current(struct cli *cli, const char *path, json_t **ret_data, int64_t *ret_version) MUST_CHECK;
/* Writes a new version if `cas` is the current one. Consumes data; errors as of api_write(). */
int kv_put_version(struct cli *cli, const char *path, json_t *data, int64_t cas, json_t **ret_secret) MUST_CHECK;

/* The command, and its options. */
int kv_patch(struct cli *cli);
extern const struct option_def kv_patch_options[];

#endif
