/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mount.c — the table of mounts: from its record to what requests are routed by. mount_admin.c changes it.
 */
#include "core/mount/mount.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "core/core_private.h"
#include "core/mount/mount_private.h"
#include "core/request/request.h"

struct mount_table {
    atomic_int refs;
    json_t *record; /* what the mounts' texts lie in */
    size_t n;
    struct mount mounts[];
};

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct mount *)a)->path, ((const struct mount *)b)->path);
}

static const struct engine *engine_of(const struct core *core, const char *path, const char *type)
{
    enum engine_kind kind = strncmp(path, "auth/", 5) == 0 ? ENGINE_AUTH : ENGINE_SECRET;
    const struct engine *engine = core_engine(core, kind, type);
    return engine != NULL ? engine : core_engine(core, ENGINE_SYSTEM, type);
}

static void read_mount(const struct core *core, const json_t *row, struct mount *ret)
{
    *ret = (struct mount){
        .path = json_str(row, "path", ""),
        .type = json_str(row, "type", ""),
        .uuid = json_str(row, "uuid", ""),
        .accessor = json_str(row, "accessor", ""),
        .description = json_str(row, "description", ""),
        .default_lease_ttl_s = json_int(row, "default_lease_ttl", 0),
        .max_lease_ttl_s = json_int(row, "max_lease_ttl", 0),
        .options = json_map_at(row, "options"),
        .has_null_options = json_is_null(json_object_get(row, "options")),
        .config = json_map_at(row, "config"),
        .local = json_flag(row, "local", false),
        .seal_wrap = json_flag(row, "seal_wrap", false),
        .is_tainted = json_flag(row, "tainted", false),
        .is_upgrading = json_flag(row, "upgrading", false),
    };
    ret->engine = engine_of(core, ret->path, ret->type);
}

static struct mount_table *parse_table(const struct core *core, json_t *record)
{
    json_t *rows = json_list_at(record, "mounts"), *row;
    size_t n = json_array_size(rows), i;
    struct mount_table *table = calloc(1, sizeof *table + n * sizeof table->mounts[0]);
    if (table == NULL)
        abort();
    table->record = record;
    table->n = n;
    atomic_init(&table->refs, 1);
    json_array_foreach(rows, i, row) read_mount(core, row, &table->mounts[i]);
    qsort(table->mounts, n, sizeof table->mounts[0], by_path);
    return table;
}

static struct mount_table *table_ref(struct mount_table *table)
{
    atomic_fetch_add(&table->refs, 1);
    return table;
}

void mount_table_unref(struct mount_table *table)
{
    if (table == NULL || atomic_fetch_sub(&table->refs, 1) > 1)
        return;
    json_decref(table->record);
    free(table);
}

static struct mount_table *cached(struct core *core, const unsigned char tag[BARRIER_TAG_SIZE])
{
    struct mount_table *table = NULL;
    pthread_mutex_lock(&core->cache_mutex);
    if (core->mount_table != NULL && memcmp(core->mount_tag, tag, BARRIER_TAG_SIZE) == 0)
        table = table_ref(core->mount_table);
    pthread_mutex_unlock(&core->cache_mutex);
    return table;
}

static void keep(struct core *core, const unsigned char tag[BARRIER_TAG_SIZE], struct mount_table *table)
{
    pthread_mutex_lock(&core->cache_mutex);
    struct mount_table *old = core->mount_table;
    core->mount_table = table_ref(table);
    memcpy(core->mount_tag, tag, BARRIER_TAG_SIZE);
    pthread_mutex_unlock(&core->cache_mutex);
    mount_table_unref(old);
}

int mount_table_get(struct request *req, struct mount_table **ret_table)
{
    unsigned char tag[BARRIER_TAG_SIZE], unwritten[BARRIER_TAG_SIZE];
    int rc = txn_tag(req->txn, MOUNT_RECORD, tag);
    if (rc != OK)
        return rc;
    struct mount_table *table = cached(req->core, tag);
    if (table == NULL) {
        json_t *record;
        rc = txn_get(req->txn, MOUNT_RECORD, &record);
        if (rc != OK)
            return rc == ERR_NOTFOUND ? fail(req, ERR_CORRUPT, "the table of mounts is missing") : rc;
        table = parse_table(req->core, record);
        /* A transaction's own writes have no tag yet. */
        memset(unwritten, 0xff, sizeof unwritten);
        if (memcmp(tag, unwritten, sizeof tag) != 0)
            keep(req->core, tag, table);
    }
    *ret_table = table;
    return OK;
}

const struct mount *mount_table_find(const struct mount_table *table, const char *path)
{
    char prefix[REQUEST_PATH_MAX + 1];
    size_t len = strlen(path);
    if (len + 1 > REQUEST_PATH_MAX)
        return NULL;
    snprintf(prefix, sizeof prefix, "%s/", path); /* "secret" alone is the mount's too */
    len++;
    while (len > 0) {
        if (prefix[len - 1] == '/') {
            prefix[len] = '\0';
            const struct mount key = {.path = prefix};
            const struct mount *found = bsearch(&key, table->mounts, table->n, sizeof key, by_path);
            if (found != NULL)
                return found;
        }
        len--;
    }
    return NULL;
}

const struct mount *mount_table_at(const struct mount_table *table, size_t i)
{
    return &table->mounts[i];
}

size_t mount_table_count(const struct mount_table *table)
{
    return table->n;
}

static json_t *config_info(const struct mount *mount)
{
    json_t *config = mount->config != NULL ? json_deep_copy(mount->config) : json_object();
    json_object_set_new(config, "default_lease_ttl", json_integer(mount->default_lease_ttl_s));
    json_object_set_new(config, "max_lease_ttl", json_integer(mount->max_lease_ttl_s));
    if (json_object_get(config, "force_no_cache") == NULL)
        json_object_set_new(config, "force_no_cache", json_false());
    if (strncmp(mount->path, "auth/", 5) == 0 && json_object_get(config, "token_type") == NULL)
        json_object_set_new(config, "token_type", json_string("default-service"));
    return config;
}

json_t *mount_info(const struct mount *mount)
{
    bool is_protected = mount_is_protected(mount->path); /* what is always there has neither options nor an end */
    bool is_null = mount->has_null_options || is_protected;
    json_t *options = mount->options != NULL ? json_incref(mount->options) : is_null ? json_null() : json_object();
    json_t *info = json_pack("{s:s, s:s, s:s, s:b, s:b, s:b, s:o, s:s, s:s, s:s, s:s, s:o}", "type", mount->type,
                             "description", mount->description, "accessor", mount->accessor, "local", mount->local,
                             "seal_wrap", mount->seal_wrap, "external_entropy_access", 0, "options", options, "uuid",
                             mount->uuid, "plugin_version", "", "running_plugin_version",
                             "v" COFFER_VERSION "+builtin.coffer", "running_sha256", "", "config", config_info(mount));
    if (!is_protected)
        json_object_set_new(info, "deprecation_status", json_string("supported"));
    return info;
}

int64_t mount_default_ttl_s(const struct request *req, const struct mount *mount)
{
    return mount != NULL && mount->default_lease_ttl_s > 0 ? mount->default_lease_ttl_s
                                                           : req->core->options.default_lease_ttl_s;
}

int64_t mount_max_ttl_s(const struct request *req, const struct mount *mount)
{
    return mount != NULL && mount->max_lease_ttl_s > 0 ? mount->max_lease_ttl_s : req->core->options.max_lease_ttl_s;
}

/* ---- A mount's storage ---- */

static const char *below_mount(struct request *req, const char *path)
{
    return arena_printf(&req->arena, "logical/%s/%s", req->mount->uuid, path);
}

/* Engines pass on what these return; so the sentence is said here. */
static int say(struct request *req, int rc, const char *what)
{
    if (rc == OK || rc == ERR_NOTFOUND || rc == ERR_CONFLICT)
        return rc;
    return fail(req, rc, "%s: %s", what, err_default_text(rc));
}

int mount_get(struct request *req, const char *path, json_t **ret_value)
{
    return say(req, txn_get(req->txn, below_mount(req, path), ret_value), "cannot read from storage");
}

int mount_get_shared(struct request *req, const char *path, json_t **ret_value)
{
    return say(req, txn_get_shared(req->txn, below_mount(req, path), ret_value), "cannot read from storage");
}

int mount_put(struct request *req, const char *path, const json_t *value)
{
    return say(req, txn_put(req->txn, below_mount(req, path), value), "cannot write to storage");
}

int mount_put_new(struct request *req, const char *path, json_t *value)
{
    int rc = mount_put(req, path, value);
    json_decref(value);
    return rc;
}

int mount_delete(struct request *req, const char *path)
{
    return say(req, txn_delete(req->txn, below_mount(req, path)), "cannot delete from storage");
}

static const char *dir_below_mount(struct request *req, const char *dir)
{
    const char *path = below_mount(req, dir);
    size_t len = strlen(path);
    return path[len - 1] != '/' ? arena_printf(&req->arena, "%s/", path) : path;
}

int mount_list_page(struct request *req, const char *dir, const char *after, size_t limit, json_t **ret_names)
{
    return say(req, txn_list(req->txn, dir_below_mount(req, dir), after, limit, ret_names), "cannot list storage");
}

int mount_list(struct request *req, const char *dir, json_t **ret_names)
{
    return mount_list_page(req, dir, NULL, 0, ret_names);
}

int mount_list_some(struct request *req, const char *dir, size_t max, json_t **ret_names)
{
    return say(req, txn_list_some(req->txn, dir_below_mount(req, dir), max, ret_names), "cannot list storage");
}
