/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kv_upgrade.c — a mount goes from version 1 to version 2: what a key held becomes its first version.
 *
 * Each step converts some records, whichever come first, and deletes what it has converted, in one transaction. So the
 * records of version 1 that are left are what there is to do, and nothing else need be remembered.
 */
#include <string.h>

#include "base/json.h"
#include "core/request/request.h"
#include "secrets/kv/kv_private.h"

#define STEP_RECORDS 200
#define STEP_BYTES   (1 << 20) /* of data, about: the last record may be large */

struct step {
    size_t records; /* that may still be converted */
    size_t bytes;
};

/* The functions of a key go by the path that a request's route has captured. */
static int make_version(struct request *req, const char *path, json_t *data)
{
    const struct kv_limits none = {.max_versions = 0};
    struct kv_version version;
    json_t *key;
    if (req->captures == NULL)
        req->captures = json_object();
    json_object_set_new(req->captures, "path", json_string(path));
    int rc = kv_key_load_or_make(req, &key);
    if (rc != OK)
        return rc;
    json_object_set_new(key, "oldest", json_integer(1));
    return kv_version_add(req, key, &none, data, &version);
}

static int convert_record(struct request *req, const char *path, struct step *step)
{
    const char *old = arena_printf(&req->arena, "v1/%s", path);
    json_t *data;
    int rc = mount_get(req, old, &data);
    if (rc != OK)
        return rc;
    size_t bytes = json_dumpb(data, NULL, 0, JSON_COMPACT);
    rc = make_version(req, path, data);
    json_decref(data);
    step->records--;
    step->bytes -= bytes < step->bytes ? bytes : step->bytes;
    return rc == OK ? mount_delete(req, old) : rc;
}

static bool is_over(const struct step *step)
{
    return step->records == 0 || step->bytes == 0;
}

/* `dir` is "" or ends in a slash. It goes as deep as a path has segments. */
static int convert_dir(struct request *req, const char *dir, struct step *step)
{
    json_t *names, *name;
    size_t i;
    int rc = mount_list_some(req, arena_printf(&req->arena, "v1/%s", dir), step->records, &names);
    if (rc != OK)
        return rc;
    json_array_foreach(names, i, name)
    {
        const char *path = arena_printf(&req->arena, "%s%s", dir, json_string_value(name));
        if (rc == OK && !is_over(step))
            rc = kv_path_is_dir(path) ? convert_dir(req, path, step) : convert_record(req, path, step);
    }
    json_decref(names);
    return rc;
}

int kv_upgrade(struct request *req, bool *ret_more)
{
    struct step step = {.records = STEP_RECORDS, .bytes = STEP_BYTES};
    int rc = convert_dir(req, "", &step);
    *ret_more = is_over(&step);
    return rc;
}

/* ---- What is answered meanwhile ---- */

static int refuse(struct request *req)
{
    return fail(req, ERR_INVALID,
                "Upgrading from non-versioned to versioned data. This backend will be unavailable for a brief period "
                "and will resume service shortly.");
}

const struct route kv_upgrading_routes[] = {
    {"", OP_LIST, refuse, 0, NULL, NULL, NULL},
    {"", OP_READ, refuse, 0, NULL, NULL, NULL},
    {"", OP_UPDATE, refuse, 0, NULL, NULL, NULL},
    {"", OP_PATCH, refuse, 0, NULL, NULL, NULL},
    {"", OP_DELETE, refuse, 0, NULL, NULL, NULL},
    {"*path", OP_LIST, refuse, 0, NULL, NULL, NULL},
    {"*path", OP_READ, refuse, 0, NULL, NULL, NULL},
    {"*path", OP_UPDATE, refuse, 0, NULL, NULL, NULL},
    {"*path", OP_PATCH, refuse, 0, NULL, NULL, NULL},
    {"*path", OP_DELETE, refuse, 0, NULL, NULL, NULL},
    {0},
};
