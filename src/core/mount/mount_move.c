/* SPDX-License-Identifier: Apache-2.0 */
#include "core/mount/mount_move.h"

#include <stdlib.h>
#include <string.h>

#include "base/failpoint.h"
#include "base/json.h"
#include "base/log.h"
#include "base/secret.h"
#include "core/core_private.h"
#include "core/mount/mount_private.h"
#include "core/request/request.h"

#define MOVES_RECORD "core/mount-moves" /* an array, the latest last */
#define MOVES_MAX    64

/* ---- What became of the latest moves ---- */

static int load_moves(struct request *req, json_t **ret_moves)
{
    int rc = txn_get(req->txn, MOVES_RECORD, ret_moves);
    if (rc != ERR_NOTFOUND)
        return rc;
    *ret_moves = json_array();
    return OK;
}

static json_t *find_move(const json_t *moves, const char *id)
{
    json_t *move;
    size_t i;
    json_array_foreach(moves, i, move) if (strcmp(json_str(move, "id", ""), id) == 0) return move;
    return NULL;
}

static int note_move(struct request *req, const struct mount_moving *job, const char *status)
{
    json_t *moves;
    int rc = load_moves(req, &moves);
    if (rc != OK)
        return rc;
    json_t *move = find_move(moves, job->id);
    if (move != NULL)
        json_object_set_new(move, "status", json_string(status));
    else
        json_array_append_new(moves, json_pack("{s:s, s:s, s:s, s:s}", "id", job->id, "from", job->from, "to", job->to,
                                               "status", status));
    while (json_array_size(moves) > MOVES_MAX)
        json_array_remove(moves, 0);
    rc = txn_put(req->txn, MOVES_RECORD, moves);
    json_decref(moves);
    return rc;
}

int mount_migration(struct request *req, const char *id, json_t **ret_info)
{
    json_t *moves;
    int rc = load_moves(req, &moves);
    if (rc != OK)
        return rc;
    const json_t *move = find_move(moves, id);
    if (move != NULL)
        *ret_info = json_pack("{s:O, s:O, s:O}", "source_mount", json_object_get(move, "from"), "target_mount",
                              json_object_get(move, "to"), "status", json_object_get(move, "status"));
    json_decref(moves);
    return move != NULL ? OK : ERR_NOTFOUND;
}

/* ---- Beginning ---- */

static bool is_auth(const char *path)
{
    return strncmp(path, "auth/", 5) == 0;
}

static int check_paths(struct request *req, const json_t *record, const struct mount_moving *job)
{
    static const char *const roots[] = {"sys/", "cubbyhole/", "identity/", "auth/token/"};
    if (mount_is_protected(job->from))
        return fail(req, ERR_INVALID, "cannot remount \"%s\"", job->from);
    for (size_t i = 0; i < sizeof roots / sizeof roots[0]; i++)
        if (strncmp(job->to, roots[i], strlen(roots[i])) == 0)
            return fail(req, ERR_INVALID, "cannot remount to destination %s", job->to);
    if (is_auth(job->from) != is_auth(job->to) || mount_is_protected(job->to))
        return fail(req, ERR_INVALID, "cannot remount to destination %s", job->to);
    const json_t *row = mount_record_row((json_t *)record, job->from, NULL);
    if (row == NULL || json_flag(row, "tainted", false))
        return fail(req, ERR_INVALID, "no matching mount at \"%s\"", job->from);
    const char *other = mount_record_in_the_way(record, job->to);
    if (other != NULL)
        return fail(req, ERR_INVALID, "path already in use at \"%s\"", other);
    return OK;
}

/* From here on the mount answers nothing, and the new path is taken. */
static int begin(struct request *req, struct mount_moving *job)
{
    json_t *record;
    int rc = mount_record_load(req, &record);
    if (rc != OK)
        return fail(req, rc, "%s", err_default_text(rc));
    rc = check_paths(req, record, job);
    if (rc != OK) {
        json_decref(record);
        return rc;
    }
    json_t *row = mount_record_row(record, job->from, NULL);
    job->uuid = arena_strdup(&req->arena, json_str(row, "uuid", ""));
    json_object_set_new(row, "tainted", json_true());
    json_object_set_new(row, "move", json_pack("{s:s, s:s}", "to", job->to, "id", job->id));
    rc = mount_record_store(req, record);
    return rc == OK ? note_move(req, job, "in-progress") : rc;
}

/* ---- Going on, in a request or by a new leader ---- */

static int end(struct request *req, const struct mount_moving *job, const char *path, const char *status)
{
    json_t *record;
    int rc = mount_record_load(req, &record);
    if (rc != OK)
        return rc;
    json_t *row = mount_record_row(record, job->from, NULL);
    if (row == NULL || strcmp(json_str(row, "uuid", ""), job->uuid) != 0) {
        json_decref(record);
        return OK; /* somebody else has ended it */
    }
    json_object_set_new(row, "path", json_string(path));
    json_object_del(row, "tainted");
    json_object_del(row, "move");
    rc = mount_record_store(req, record);
    return rc == OK ? note_move(req, job, status) : rc;
}

static int arrive(struct request *req, void *arg)
{
    const struct mount_moving *job = arg;
    return end(req, job, job->to, "success");
}

static int turn_back(struct request *req, void *arg)
{
    const struct mount_moving *job = arg;
    return end(req, job, job->from, "failure");
}

int mount_finish_moving(struct core *core, uint64_t epoch, const struct mount_moving *job, struct err *err)
{
    struct err said = {0};
    int rc = mount_revoke_given(core, epoch, job->from, err);
    (void)failpoint("mount.before_arrival");
    if (rc == OK)
        return request_run_internal(core, epoch, arrive, (void *)job, err);
    if (rc == ERR_NOTLEADER || rc == ERR_UNAVAILABLE)
        return rc;
    log_warn("core", "the mount %s stays where it is: what it has given out could not be revoked: %s", job->from,
             err_text(err));
    return request_run_internal(core, epoch, turn_back, (void *)job, &said);
}

int mount_move(struct request *req, const char *from, const char *to, const char **ret_id)
{
    struct err err = {0};
    struct mount_moving job = {.from = from, .to = to};
    random_uuid(job.id);
    int rc = begin(req, &job);
    if (rc == OK)
        rc = request_commit(req);
    if (rc == OK && (rc = mount_finish_moving(req->core, req->epoch, &job, &err)) != OK)
        return fail(req, rc, "the move goes on with the next leader: %s", err_text(&err));
    if (rc == OK)
        *ret_id = arena_strdup(&req->arena, job.id);
    return rc;
}
