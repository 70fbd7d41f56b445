/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mount_upgrade.c — the options of a mount, and what follows when they ask for another version of its data.
 *
 * The row of the mount gets its new options and the word "upgrading" in one commit. From then on the engine refuses all
 * requests, and converts a little in each of many transactions; the one that finds nothing more takes the word away.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/failpoint.h"
#include "base/json.h"
#include "base/log.h"
#include "base/pool.h"
#include "core/core_private.h"
#include "core/mount/mount_private.h"
#include "core/request/request.h"

#define PAUSE_MS_MAX 60000 /* after a step that failed; it begins with a second and doubles */

/* ---- Options ---- */

static json_t *changed_options(const json_t *options, const json_t *given)
{
    json_t *changed = options != NULL ? json_deep_copy(options) : json_object(), *value;
    const char *name;
    json_object_foreach((json_t *)given, name, value)
    {
        if (json_is_string(value) && json_string_length(value) == 0)
            json_object_del(changed, name);
        else
            json_object_set(changed, name, value);
    }
    return changed;
}

static int check_version(struct request *req, const struct mount *mount, const char *now, const char *asked)
{
    if (mount->engine == NULL || mount->engine->upgrade == NULL)
        return fail(req, ERR_INVALID, "options.version is only for secrets engines of type kv, not %s", mount->type);
    if (strcmp(asked, "1") != 0 && strcmp(asked, "2") != 0)
        return fail(req, ERR_INVALID, "invalid version provided: %.64s", asked[0] != '\0' ? asked : "0");
    if (strcmp(now, "2") == 0 && strcmp(asked, "1") == 0)
        return fail(req, ERR_INVALID, "cannot downgrade mount from version 2");
    return OK;
}

int mount_tune_options(struct request *req, const struct mount *mount, const json_t *given, json_t *row)
{
    const char *asked = json_str(given, "version", NULL), *now = json_str(mount->options, "version", "1");
    if (given == NULL)
        return OK;
    int rc = asked != NULL ? check_version(req, mount, now, asked) : OK;
    if (rc != OK)
        return rc;
    json_object_set_new(row, "options", changed_options(mount->options, given));
    if (asked == NULL || strcmp(asked, now) == 0 || strcmp(asked, "1") == 0)
        return OK;
    json_object_set_new(row, "upgrading", json_true());
    req->begins_upgrade = true;
    reply_data(req, NULL);
    reply_warn(req,
               "Upgrading mount from version %s to version %s. This mount will be unavailable for a brief period and "
               "will resume service shortly.",
               now, asked);
    return OK;
}

/* ---- Converting ---- */

struct upgrade {
    char uuid[37]; /* "": no mount is being upgraded */
    size_t at;     /* its place in the table; when it fails, others come first */
    bool more;
};

/* The first one from `at` on, or else the first of all. */
static const json_t *pick_upgrading(const json_t *rows, size_t *at)
{
    size_t n = json_array_size(rows);
    for (size_t i = 0; i < n; i++) {
        const json_t *row = json_array_get(rows, (*at + i) % n);
        if (!json_flag(row, "upgrading", false))
            continue;
        *at = (*at + i) % n;
        return row;
    }
    return NULL;
}

static int find_upgrading(struct request *req, void *arg)
{
    struct upgrade *job = arg;
    json_t *record;
    int rc = mount_record_load(req, &record);
    if (rc != OK)
        return rc;
    const json_t *row = pick_upgrading(json_object_get(record, "mounts"), &job->at);
    snprintf(job->uuid, sizeof job->uuid, "%s", row != NULL ? json_str(row, "uuid", "") : "");
    json_decref(record);
    return OK;
}

static int end_upgrade(struct request *req, const char *uuid)
{
    json_t *record, *row;
    size_t i;
    int rc = mount_record_load(req, &record);
    if (rc != OK)
        return rc;
    json_array_foreach(json_object_get(record, "mounts"), i, row) if (strcmp(json_str(row, "uuid", ""), uuid) == 0)
        json_object_del(row, "upgrading");
    return mount_record_store(req, record);
}

static int upgrade_some(struct request *req, void *arg)
{
    struct upgrade *job = arg;
    job->more = false;
    int rc = req->mount->engine->upgrade != NULL ? req->mount->engine->upgrade(req, &job->more) : OK;
    return rc == OK && !job->more ? end_upgrade(req, job->uuid) : rc;
}

/* One transaction of one of the mounts that are being upgraded. */
static int step(struct core *core, uint64_t epoch, struct upgrade *job, struct err *err)
{
    int rc = request_run_internal(core, epoch, find_upgrading, job, err);
    if (rc != OK || job->uuid[0] == '\0')
        return rc;
    do
        rc = request_run_engine(core, epoch, job->uuid, OP_UPDATE, upgrade_some, job, err);
    while (rc == ERR_CONFLICT);
    (void)failpoint("mount.amid_upgrade");
    return rc == ERR_NOTFOUND ? OK : rc; /* disabled meanwhile */
}

static void pause_while_leading(struct core *core, uint64_t epoch, int ms)
{
    for (; ms > 0 && core_epoch(core) == epoch; ms -= 100)
        usleep(100 * 1000);
}

void mount_finish_upgrades(struct core *core, uint64_t epoch)
{
    struct upgrade job = {.more = false};
    int pause_ms = 1000;
    while (core_epoch(core) == epoch) {
        struct err err = {0};
        int rc = step(core, epoch, &job, &err);
        if (rc == OK && job.uuid[0] == '\0')
            return;
        if (rc == OK) {
            pause_ms = 1000;
            continue;
        }
        if (rc == ERR_NOTLEADER || rc == ERR_SEALED)
            return;
        job.at++;
        log_warn("core", "the data of a mount could not be converted: %s; it is tried again", err_text(&err));
        pause_while_leading(core, epoch, pause_ms);
        pause_ms = pause_ms < PAUSE_MS_MAX / 2 ? 2 * pause_ms : PAUSE_MS_MAX;
    }
}

static void finish_upgrades(void *arg)
{
    uint64_t epoch = core_epoch(arg);
    if (epoch != 0) /* else it is the next leader's */
        mount_finish_upgrades(arg, epoch);
}

void mount_upgrade_soon(struct core *core)
{
    pool_run(core->pool, finish_upgrades, core);
}
