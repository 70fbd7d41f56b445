/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lease_sweep.c — ending everything in a directory: the leases below a prefix, those of a token, the tokens that were
 * made below a path.
 *
 * There may be millions. So the wish is a record in the order of expiry (kind 'd') that carries how far it has come;
 * the worker works it off in small transactions. What it lists it lists in a transaction that writes nothing:
 * otherwise each new lease in the directory would make the listing, and so the whole step, run again.
 */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/secret.h"
#include "core/core.h"
#include "core/lease/lease_private.h"
#include "core/token/token.h"
#include "storage/txn.h"

#define TOKEN_PATH_DIR "token/path/"
#define SWEEP_MAX      256 /* in one transaction */
#define SWEEPS_AT_ONCE 16  /* while a caller waits */

/* ---- Listing the leaves of a tree, in order ---- */

struct leaves {
    struct request *req;
    const char *root;
    json_t *paths; /* relative to root */
    size_t max;
};

static bool is_dir(const char *name)
{
    return name[strlen(name) - 1] == '/';
}

/* below: "" or a directory under root. after: a path relative to it; what comes up to it is left out; or "". */
static int list_below(struct leaves *leaves, const char *below, const char *after)
{
    struct arena *arena = &leaves->req->arena;
    json_t *names, *name;
    size_t i;
    int rc = OK;

    size_t first = strcspn(after, "/");
    if (after[first] == '/') { /* the directory that was being worked on comes first, then those after it */
        const char *dir = arena_strndup(arena, after, first + 1);
        rc = list_below(leaves, arena_printf(arena, "%s%s", below, dir), after + first + 1);
        after = dir;
    }
    if (rc != OK || json_array_size(leaves->paths) >= leaves->max)
        return rc;
    rc = txn_list(leaves->req->txn, arena_printf(arena, "%s%s", leaves->root, below), *after != '\0' ? after : NULL,
                  leaves->max - json_array_size(leaves->paths), &names);
    if (rc != OK)
        return lease_said(leaves->req, rc);
    json_array_foreach(names, i, name)
    {
        const char *path = arena_printf(arena, "%s%s", below, json_string_value(name));
        if (json_array_size(leaves->paths) >= leaves->max)
            break;
        if (!is_dir(path))
            json_array_append_new(leaves->paths, json_string(path));
        else if ((rc = list_below(leaves, path, "")) != OK)
            break;
    }
    json_decref(names);
    return rc;
}

/* ret_paths is a new reference to at most max + 1 paths: one too many says that there are more. */
static int list_leaves(struct request *req, const char *root, const char *after, size_t max, json_t **ret_paths)
{
    struct leaves leaves = {.req = req, .root = root, .paths = json_array(), .max = max + 1};
    int rc = list_below(&leaves, "", after);
    if (rc == OK)
        *ret_paths = leaves.paths;
    else
        json_decref(leaves.paths);
    return rc;
}

/* ---- Ending one ---- */

static int end_lease(struct request *req, const char *id)
{
    struct lease *lease;
    int rc = lease_get(req, id, &lease);
    if (rc == ERR_INVALID) {
        req->err = (struct err){0};
        return OK;
    }
    if (rc != OK || lease->state == LEASE_REVOKING)
        return rc;
    return lease_expire_now(req, lease);
}

static int end_lease_of_token(struct request *req, const char *path)
{
    json_t *id;
    int rc = txn_get(req->txn, path, &id);
    if (rc != OK)
        return rc == ERR_NOTFOUND ? OK : lease_said(req, rc);
    rc = end_lease(req, json_string_value(id));
    json_decref(id);
    return rc;
}

static int end_token(struct request *req, const char *hash)
{
    struct token *token;
    int rc = token_lookup_hash(req, hash, &token);
    if (rc == ERR_DENIED) { /* it has ended by itself; the worker clears it away */
        req->err = (struct err){0};
        return OK;
    }
    return rc == OK ? token_revoke(req, token) : rc;
}

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

static int end_leaf(struct request *req, const char *root, const char *leaf)
{
    const char *path = arena_printf(&req->arena, "%s%s", root, leaf);
    if (begins(path, LEASE_ID_DIR))
        return end_lease(req, path + strlen(LEASE_ID_DIR));
    if (begins(path, LEASE_TOKEN_DIR))
        return end_lease_of_token(req, path);
    return end_token(req, strrchr(path, '/') + 1);
}

/* ---- The wish, and its working off ---- */

static int file_sweep(struct request *req, const char *root, const char *after)
{
    char uid[25];
    int64_t when_s;
    int rc = expiry_outside_quarantine(req, core_time_ms(req->core) / 1000, &when_s);
    if (rc != OK)
        return rc;
    random_base62(uid, sizeof uid - 1);
    return expiry_file_entry(req, when_s, 'd', uid, json_pack("{s:s, s:s}", "to", root, "after", after));
}

struct sweep {
    const char *root;
    char *after; /* up to here it is done */
    json_t *paths;
    size_t n;
    bool more;
};

static int sweep_list(struct request *req, void *arg)
{
    struct sweep *sweep = arg;
    json_decref(sweep->paths);
    sweep->paths = NULL;
    return list_leaves(req, sweep->root, sweep->after, SWEEP_MAX, &sweep->paths);
}

static int sweep_end(struct request *req, void *arg)
{
    struct sweep *sweep = arg;
    size_t n = json_array_size(sweep->paths);
    int rc = OK;
    for (size_t i = 0; rc == OK && i < n && i < SWEEP_MAX; i++)
        rc = end_leaf(req, sweep->root, json_string_value(json_array_get(sweep->paths, i)));
    return rc;
}

/* Ends the next of what is there, in one transaction to list it and one to end it. */
static int sweep_some(struct core *core, uint64_t epoch, struct sweep *sweep, struct err *err)
{
    int rc = request_run_internal(core, epoch, sweep_list, sweep, err);
    if (rc == OK)
        rc = request_run_internal(core, epoch, sweep_end, sweep, err);
    if (rc != OK)
        return rc;
    size_t n = json_array_size(sweep->paths);
    sweep->more = n > SWEEP_MAX;
    sweep->n += sweep->more ? SWEEP_MAX : n;
    if (sweep->more) {
        free(sweep->after);
        sweep->after = strdup(json_string_value(json_array_get(sweep->paths, SWEEP_MAX - 1)));
        if (sweep->after == NULL)
            abort();
    }
    return OK;
}

static void sweep_close(struct sweep *sweep)
{
    json_decref(sweep->paths);
    free(sweep->after);
}

static int leave_to_worker(struct request *own, void *arg)
{
    const struct sweep *sweep = arg;
    return file_sweep(own, sweep->root, sweep->after);
}

static int expire_tree(struct request *req, const char *root, size_t *n)
{
    struct sweep sweep = {.root = root, .after = strdup("")};
    struct err err = {0};
    int rc = OK;

    sweep.more = true;
    for (int i = 0; rc == OK && sweep.more && i < SWEEPS_AT_ONCE; i++)
        rc = sweep_some(req->core, req->epoch, &sweep, &err);
    if (rc == OK && sweep.more)
        rc = request_run_internal(req->core, req->epoch, leave_to_worker, &sweep, &err);
    *n += sweep.n;
    sweep_close(&sweep);
    return rc == OK ? OK : fail_with(req, &err);
}

struct one {
    const char *id;
    bool found;
};

static int expire_one(struct request *own, void *arg)
{
    struct one *one = arg;
    struct lease *lease;
    int rc = lease_get(own, one->id, &lease);
    one->found = rc == OK;
    if (rc == ERR_INVALID)
        return OK;
    return rc == OK ? lease_expire_now(own, lease) : rc;
}

int lease_expire_prefix(struct request *req, const char *prefix, size_t *ret_n)
{
    struct arena *arena = &req->arena;
    struct one one = {.id = prefix};
    struct err err = {0};
    size_t n = 0;

    if (*prefix != '\0' && !is_dir(prefix)) {
        int rc = request_run_internal(req->core, req->epoch, expire_one, &one, &err);
        if (rc != OK)
            return fail_with(req, &err);
        prefix = arena_printf(arena, "%s/", prefix);
    }
    int rc = one.found ? OK : expire_tree(req, arena_printf(arena, LEASE_ID_DIR "%s", prefix), &n);
    if (rc == OK && !one.found && *prefix != '\0')
        rc = expire_tree(req, arena_printf(arena, TOKEN_PATH_DIR "%s", prefix), &n);
    if (rc == OK)
        *ret_n = one.found ? 1 : n;
    return rc;
}

int lease_expire_token(struct request *req, const char *token_hash)
{
    const char *dir = arena_printf(&req->arena, LEASE_TOKEN_DIR "%s/", token_hash);
    json_t *names;
    int rc = txn_list(req->txn, dir, NULL, 1, &names);
    if (rc != OK)
        return lease_said(req, rc);
    size_t n = json_array_size(names);
    json_decref(names);
    return n > 0 ? file_sweep(req, dir, "") : OK;
}

/* How far it has come, or that it is done. */
struct progress {
    const struct due *due;
    const struct sweep *sweep;
};

static int note_progress(struct request *own, void *arg)
{
    const struct progress *progress = arg;
    const char *entry = progress->due->entry;
    if (!progress->sweep->more)
        return lease_said(own, txn_delete(own->txn, entry));
    json_t *value = json_pack("{s:s, s:s}", "to", progress->sweep->root, "after", progress->sweep->after);
    int rc = txn_put(own->txn, entry, value);
    json_decref(value);
    return lease_said(own, rc);
}

int lease_sweep(struct core *core, uint64_t epoch, const struct due *due, struct err *err)
{
    struct sweep sweep = {.root = due->target, .after = strdup(due->after)};
    struct progress progress = {.due = due, .sweep = &sweep};
    int rc = sweep_some(core, epoch, &sweep, err);
    if (rc == OK)
        rc = request_run_internal(core, epoch, note_progress, &progress, err);
    sweep_close(&sweep);
    return rc;
}
