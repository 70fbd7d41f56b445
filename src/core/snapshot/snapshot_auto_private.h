/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snapshot_auto_private.h — between the schedule and the places that snapshots are kept in.
 */
#ifndef COFFER_CORE_SNAPSHOT_AUTO_PRIVATE_H
#define COFFER_CORE_SNAPSHOT_AUTO_PRIVATE_H

#include <jansson.h>
#include <stdatomic.h>

#include "core/snapshot/snapshot_auto.h"
#include "core/snapshot/snapshot_private.h"

#define AUTO_CONFIG_DIR "core/snapshot-auto/config/"
#define AUTO_STATUS_DIR "core/snapshot-auto/status/"
#define AUTO_SUFFIX     ".snap"
#define AUTO_URL_MAX    4096

/* One snapshot that is to be put somewhere. */
struct auto_job {
    struct core *core;
    const json_t *config;
    json_t *status;            /* a place may note there what it needs the next time */
    const char *file_name;     /* "<file_prefix>-<time in ns>.snap" */
    struct file_range file;    /* all of it */
    const atomic_bool *is_off; /* it is to be given up */
};

/* A storage_type. */
struct auto_place {
    const char *type;
    /* Whether a configuration makes sense; says what does not. */
    int (*check)(struct request *req, const json_t *config);
    /* Where a snapshot of that name will be, for people. */
    void (*url)(const json_t *config, const char *file_name, char ret[AUTO_URL_MAX]);
    /* Puts it there, whole or not at all. */
    int (*put)(struct auto_job *job, struct err *err);
    /* Removes the oldest beyond `retain`. */
    int (*trim)(struct auto_job *job, struct err *err);
};

extern const struct auto_place auto_place_local, auto_place_s3;
/* NULL when there is none of that type. */
const struct auto_place *auto_place_find(const char *type);

#endif
