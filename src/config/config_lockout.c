/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_lockout.c — the stanzas user_lockout "type" { … }: when whoever is tried with wrong secrets is locked out.
 * They become what a mount's own settings are (src/core/token/lockout.h).
 */
#include <string.h>

#include "config/config_blocks.h"
#include "config/config_keys.h"

struct lockout {
    int64_t threshold, duration_s, reset_s; /* -1: not given */
    bool disable;
};

#define LOCKOUT(member) offsetof(struct lockout, member)

static const struct config_key lockout_keys[] = {
    {"lockout_threshold", KEY_COUNT, LOCKOUT(threshold), NULL},
    {"lockout_duration", KEY_SECONDS, LOCKOUT(duration_s), NULL},
    {"lockout_counter_reset", KEY_SECONDS, LOCKOUT(reset_s), NULL},
    {"disable_lockout", KEY_BOOL, LOCKOUT(disable), NULL},
    {0},
};

/* Only what was given: the rest is as for all. */
static json_t *settings(const struct lockout *lockout, bool says_disable)
{
    const struct {
        const char *name;
        int64_t value;
    } numbers[] = {{"user_lockout_threshold", lockout->threshold},
                   {"user_lockout_duration", lockout->duration_s},
                   {"user_lockout_counter_reset_duration", lockout->reset_s}};
    json_t *object = json_object();

    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        if (numbers[i].value >= 0)
            json_object_set_new(object, numbers[i].name, json_integer(numbers[i].value));
    }
    if (says_disable)
        json_object_set_new(object, "user_lockout_disable", json_boolean(lockout->disable));
    return object;
}

int config_read_lockout(const char *file, const struct hcl_item *item, struct config *config, struct err *err)
{
    static const char *const types[] = {"all", "userpass", "approle", "ldap"};
    struct lockout lockout = {.threshold = -1, .duration_s = -1, .reset_s = -1};
    const char *type = config_block_type(file, item, err);
    bool is_known = false;

    if (type == NULL)
        return ERR_INVALID;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        is_known |= strcmp(type, types[i]) == 0;
    if (!is_known)
        return config_fail(err, file, item->line,
                           "user_lockout \"%.64s\": there are \"all\", \"userpass\", \"approle\" and \"ldap\"", type);
    int rc = config_read_keys(file, item->body, lockout_keys, &lockout, err);
    if (rc != OK)
        return rc;
    if (config->user_lockout == NULL)
        config->user_lockout = json_object();
    json_object_set_new(config->user_lockout, type,
                        settings(&lockout, hcl_find(item->body, "disable_lockout") != NULL));
    return OK;
}
