/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seal_auto.c — unsealing without people.
 *
 * A thread tries from the start on, until the node is open for the first time: who seals it afterwards wants it sealed.
 * A node that joins needs nothing else either: its leader tells what is stored of the seal, and whoever can open
 * that has proved to belong to the cluster.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/log.h"
#include "base/secret.h"
#include "core/core_private.h"
#include "core/seal/seal.h"
#include "core/seal/seal_private.h"

#define PAUSE_FIRST_MS 100
#define PAUSE_MAX_MS   5000

int seal_auto_decrypt(struct core *core, const json_t *config, unsigned char ret_key[BARRIER_KEY_SIZE],
                      bool *ret_is_old, struct err *err)
{
    const char *type = json_str(config, "type", "");
    if (strcmp(type, core->seal->name) != 0)
        return err_set(err, ERR_INVALID, "the cluster's seal is \"%.32s\", and this node is configured for \"%s\"",
                       type, core->seal->name);
    return core->seal->decrypt(core->options.seal, json_object_get(config, "stored"), ret_key, ret_is_old, err);
}

int seal_auto_open(struct core *core, struct err *err)
{
    bool is_old;
    int rc = OK;
    if (core->joining != NULL && !core_check_initialized(core))
        rc = joining_fetch_seal(core, core->joining, err);
    if (rc != OK)
        return rc;
    json_t *config = seal_config(core);
    unsigned char *key = secret_alloc(BARRIER_KEY_SIZE);
    rc = seal_auto_decrypt(core, config, key, &is_old, err);
    if (rc == OK)
        rc = seal_open(core, key, err);
    secret_free(key);
    json_decref(config);
    return rc;
}

/* ---- From the start on ---- */

/* True once the node has been open, whoever opened it: it may have been sealed again since, and wants to stay so. */
static bool try_to_open(struct core *core, int *pause_ms)
{
    struct err err = {0};
    pthread_mutex_lock(&core->seal_mutex);
    bool is_open = core->was_opened;
    if (!is_open && core_standing(core) == CORE_SEALED) {
        is_open = seal_auto_open(core, &err) == OK;
        if (!is_open)
            log_warn("core", "cannot unseal yet: %s; trying again", err_text(&err));
        *pause_ms = *pause_ms * 2 > PAUSE_MAX_MS ? PAUSE_MAX_MS : *pause_ms * 2;
    }
    pthread_mutex_unlock(&core->seal_mutex);
    return is_open;
}

static void *unseal_by_itself(void *arg)
{
    struct core *core = arg;
    int pause_ms = PAUSE_FIRST_MS;
    pthread_setname_np(pthread_self(), "auto_unseal");
    while (!atomic_load(&core->auto_stopping) && !try_to_open(core, &pause_ms))
        for (int ms = 0; ms < pause_ms && !atomic_load(&core->auto_stopping); ms += 50)
            usleep(50000);
    return NULL;
}

void seal_auto_start(struct core *core)
{
    if (seal_is_auto(core))
        core->auto_running = pthread_create(&core->auto_thread, NULL, unseal_by_itself, core) == 0;
}

void seal_auto_stop(struct core *core)
{
    atomic_store(&core->auto_stopping, true);
    pthread_mutex_lock(&core->seal_mutex);
    bool was_running = core->auto_running;
    core->auto_running = false;
    pthread_mutex_unlock(&core->seal_mutex);
    if (was_running)
        pthread_join(core->auto_thread, NULL);
}

void seal_auto_again(struct core *core)
{
    pthread_mutex_lock(&core->seal_mutex);
    bool was_running = core->auto_running;
    core->auto_running = false;
    pthread_mutex_unlock(&core->seal_mutex);
    if (was_running)
        pthread_join(core->auto_thread, NULL); /* it ended, or will now, since the node was open */
    pthread_mutex_lock(&core->seal_mutex);
    if (was_running && !atomic_load(&core->auto_stopping))
        seal_auto_start(core);
    pthread_mutex_unlock(&core->seal_mutex);
}
