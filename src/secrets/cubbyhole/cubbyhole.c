/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cubbyhole.c — cubbyhole/: like kv version 1, but each token sees only what it wrote itself, and it ends with the
 * token.
 */
#include "secrets/cubbyhole/cubbyhole.h"

#include <string.h>

#include "core/request/request.h"
#include "core/token/cubbyhole.h"
#include "core/token/token.h"

static const char *path_of(struct request *req)
{
    const char *path = capture(req, "path");
    return path != NULL ? path : "";
}

static bool is_dir(const char *path)
{
    return path[0] != '\0' && path[strlen(path) - 1] == '/';
}

static int refuse_batch(struct request *req)
{
    return fail(req, ERR_INVALID, "cubbyhole operations are only supported by 'service' type tokens");
}

static void warn_of_old_way(struct request *req)
{
    if (strcmp(path_of(req), "response") == 0)
        reply_warn(req, "Reading from 'cubbyhole/response' is deprecated. Please use sys/wrapping/unwrap to unwrap "
                        "responses, as it provides additional security checks and other benefits.");
}

static int cubbyhole_read(struct request *req)
{
    json_t *data;
    if (req->token->is_batch)
        return refuse_batch(req);
    int rc = is_dir(path_of(req)) ? ERR_NOTFOUND : cubbyhole_get(req, req->token->hash, path_of(req), &data);
    if (rc != OK)
        return rc;
    reply_data(req, data);
    warn_of_old_way(req);
    return OK;
}

static int cubbyhole_exists(struct request *req, bool *ret_exists)
{
    json_t *data = NULL;
    int rc = is_dir(path_of(req)) ? ERR_NOTFOUND : cubbyhole_get(req, req->token->hash, path_of(req), &data);
    json_decref(data);
    *ret_exists = rc == OK;
    return rc == ERR_NOTFOUND ? OK : rc;
}

/* The status is the one that clients know from here. */
static int cubbyhole_write(struct request *req)
{
    if (req->token->is_batch)
        return refuse_batch(req);
    if (is_dir(path_of(req)))
        return fail(req, ERR_INVALID, "cannot write to a path ending in '/'");
    if (json_object_size(request_data(req)) == 0)
        return fail(req, ERR_INTERNAL, "1 error occurred:\n\t* missing data fields\n\n");
    return cubbyhole_put(req, req->token->hash, path_of(req), request_data(req));
}

static int cubbyhole_remove(struct request *req)
{
    if (req->token->is_batch)
        return refuse_batch(req);
    return path_of(req)[0] == '\0' || is_dir(path_of(req)) ? OK : cubbyhole_delete(req, req->token->hash, path_of(req));
}

static int cubbyhole_keys(struct request *req)
{
    json_t *names;
    const char *dir = path_of(req);
    if (req->token->is_batch)
        return refuse_batch(req);
    if (dir[0] != '\0' && !is_dir(dir))
        dir = arena_printf(&req->arena, "%s/", dir);
    int rc = cubbyhole_list(req, req->token->hash, dir, &names);
    return rc == OK ? reply_keys(req, names) : rc;
}

static int nowhere(struct request *req)
{
    return fail(req, ERR_INTERNAL, "1 error occurred:\n\t* missing path\n\n");
}

static const struct field fields[] = {
    {"path", FIELD_STRING, "The key, or the directory."},
    {0},
};

static const struct route routes[] = {
    {"", OP_LIST, cubbyhole_keys, 0, "List the keys.", fields, NULL},
    {"", OP_READ, nowhere, 0, NULL, NULL, NULL},
    {"", OP_UPDATE, nowhere, 0, NULL, NULL, NULL},
    {"", OP_DELETE, cubbyhole_remove, 0, NULL, NULL, NULL},
    {"*path", OP_LIST, cubbyhole_keys, 0, "List the keys in a directory.", fields, NULL},
    {"*path", OP_READ, cubbyhole_read, 0, "Read what this token wrote.", fields, NULL},
    {"*path", OP_UPDATE, cubbyhole_write, 0, "Write what only this token can read.", NULL, cubbyhole_exists},
    {"*path", OP_DELETE, cubbyhole_remove, 0, "Delete what this token wrote.", NULL, NULL},
    {0},
};

/* There is one, and it is nobody's to enable: so its kind is the system's. */
const struct engine cubbyhole_engine = {
    .type = "cubbyhole",
    .kind = ENGINE_SYSTEM,
    .description = "per-token private secret storage",
    .routes = routes,
};
