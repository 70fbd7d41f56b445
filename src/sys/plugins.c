/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plugins.c — sys/plugins/catalog: what is built in. Nothing else can be loaded.
 */
#include <stdlib.h>
#include <string.h>

#include "core/core.h"
#include "core/request/request.h"
#include "sys/handlers.h"

#define VERSION "v" COFFER_VERSION "+builtin.coffer"

static const char *type_of(const struct engine *engine)
{
    static const char *const always[] = {"token", "cubbyhole", "identity"};
    for (size_t i = 0; i < sizeof always / sizeof always[0]; i++)
        if (strcmp(engine->type, always[i]) == 0)
            return NULL; /* nobody's to mount */
    return engine->kind == ENGINE_SYSTEM ? NULL : engine->kind == ENGINE_AUTH ? "auth" : "secret";
}

static int compare_rows(const void *a, const void *b)
{
    const struct engine *one = *(const struct engine *const *)a, *other = *(const struct engine *const *)b;
    int by_type = strcmp(type_of(one), type_of(other));
    return by_type != 0 ? by_type : strcmp(one->type, other->type);
}

/* Those that can be mounted, by type and name; NULL ends them. Of the arena. */
static const struct engine **catalog(struct request *req)
{
    const struct engine *const *engines = core_options(req->core)->engines;
    size_t n = 0, n_rows = 0;
    while (engines[n] != NULL)
        n++;
    const struct engine **rows = arena_alloc(&req->arena, (n + 1) * sizeof *rows);
    for (size_t i = 0; i < n; i++)
        if (type_of(engines[i]) != NULL)
            rows[n_rows++] = engines[i];
    rows[n_rows] = NULL;
    qsort(rows, n_rows, sizeof *rows, compare_rows);
    return rows;
}

int sys_plugins_catalog(struct request *req)
{
    json_t *data = json_pack("{s:[], s:[], s:[], s:[]}", "auth", "database", "secret", "detailed");
    for (const struct engine **row = catalog(req); *row != NULL; row++) {
        json_array_append_new(json_object_get(data, type_of(*row)), json_string((*row)->type));
        json_array_append_new(json_object_get(data, "detailed"),
                              json_pack("{s:b, s:s, s:s, s:s, s:s}", "builtin", true, "deprecation_status", "supported",
                                        "name", (*row)->type, "type", type_of(*row), "version", VERSION));
    }
    reply_data(req, data);
    return OK;
}

static bool is_type(const char *type)
{
    return strcmp(type, "auth") == 0 || strcmp(type, "database") == 0 || strcmp(type, "secret") == 0;
}

int sys_plugins_list(struct request *req)
{
    const char *type = capture(req, "type");
    json_t *keys = json_array();
    if (!is_type(type)) {
        json_decref(keys);
        return fail(req, ERR_UNSUPPORTED, "1 error occurred:\n\t* unsupported operation\n\n");
    }
    for (const struct engine **row = catalog(req); *row != NULL; row++)
        if (strcmp(type_of(*row), type) == 0)
            json_array_append_new(keys, json_string((*row)->type));
    return reply_keys(req, keys);
}

int sys_plugins_read(struct request *req)
{
    const char *type = capture(req, "type"), *name = capture(req, "name");
    for (const struct engine **row = catalog(req); *row != NULL; row++) {
        if (strcmp(type_of(*row), type) != 0 || strcmp((*row)->type, name) != 0)
            continue;
        reply_data(req, json_pack("{s:n, s:b, s:s, s:b, s:s, s:s, s:b, s:s, s:s}", "args", "builtin", true, "command",
                                  "", "declarative", false, "deprecation_status", "supported", "name", name, "oci",
                                  false, "sha256", "", "version", VERSION));
        return OK;
    }
    return ERR_NOTFOUND;
}
