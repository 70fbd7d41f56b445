/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mount.h — which engine answers under which path.
 *
 * The table is one record ("core/mounts"); what it says is kept parsed, by the record's tag, and shared by all
 * requests that see the same record. A table is immutable; mount_table_ref/unref count its users.
 */
#ifndef COFFER_CORE_MOUNT_H
#define COFFER_CORE_MOUNT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "core/engine.h"

struct mount {
    const char *path;     /* "aws/", "auth/approle/", "sys/" */
    const char *type;     /* as the engine's */
    const char *uuid;     /* its storage is under logical/<uuid>/ */
    const char *accessor; /* "aws_1a2b3c4d" */
    const char *description;
    const struct engine *engine; /* NULL when this binary does not have it */
    int64_t default_lease_ttl_s; /* 0: the system's */
    int64_t max_lease_ttl_s;
    json_t *options; /* object or NULL */
    bool has_null_options; /* they were given, as null, and are shown so */
    json_t *config;  /* the rest of config, as given */
    bool local, seal_wrap;
    bool is_tainted;   /* being disabled: answers nothing but revocation */
    bool is_upgrading; /* its data is being converted: the engine's upgrade() */
};

struct mount_table;

#define MOUNT_RECORD "core/mounts"

/* The table as the transaction sees it; unref it when done. */
int mount_table_get(struct request *req, struct mount_table **ret_table) MUST_CHECK;
void mount_table_unref(struct mount_table *table);
/* The mount whose path is the longest prefix of path, or of path with '/' behind it; NULL for none. Lives as long as
 * the table. */
const struct mount *mount_table_find(const struct mount_table *table, const char *path);
const struct mount *mount_table_at(const struct mount_table *table, size_t i);
size_t mount_table_count(const struct mount_table *table);

/*
 * Makes those of the mounts that every cluster has and that are missing: sys/, cubbyhole/, identity/ where there are
 * such engines, auth/token/. A new leader looks, too: an older version may have made the table.
 */
int mount_init(struct request *req) MUST_CHECK;
/* path ends in '/'; kind says whether "auth/" goes before it. Writes the answer's errors into req. */
int mount_enable(struct request *req, enum engine_kind kind, const char *path, const char *type,
                 const json_t *params) MUST_CHECK;
/* Taints it, and starts what revokes its leases and then wipes its storage. OK when there is none. */
int mount_disable(struct request *req, enum engine_kind kind, const char *path) MUST_CHECK;
/* A new leader: goes on with mounts whose disabling was cut short. Waits. */
void mount_finish_tainted(struct core *core, uint64_t epoch);
/*
 * Converts the data of mounts whose options ask for another version of it, in small steps; a leader that dies amid it
 * leaves a row that says so, which the next one goes on with. Waits.
 */
void mount_finish_upgrades(struct core *core, uint64_t epoch);
/* The same on a thread of the pool. */
void mount_upgrade_soon(struct core *core);
int mount_tune(struct request *req, const struct mount *mount, const json_t *params) MUST_CHECK;
/* Vault's MountInfo; a new reference. */
json_t *mount_info(const struct mount *mount);
/* The mount's own values or else the system's. The default may be above the maximum, which bounds what is granted. */
int64_t mount_default_ttl_s(const struct request *req, const struct mount *mount);
int64_t mount_max_ttl_s(const struct request *req, const struct mount *mount);

#endif
