/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_seal.c — the seal stanza: its type and texts, as the type's own code will read them
 * (src/core/seal/seal_type.h).
 */
#include <string.h>

#include "base/json.h"
#include "config/config_blocks.h"
#include "config/config_keys.h"

struct seal_settings {
    const char *type;
    const char *const *names; /* NULL ends them */
};

static const char *const no_names[] = {NULL};
static const char *const static_names[] = {"current_key_id", "current_key", "previous_key_id", "previous_key", NULL};

static const struct seal_settings seals[] = {{"shamir", no_names}, {"static", static_names}};

static const struct seal_settings *find_seal(const char *type)
{
    for (size_t i = 0; i < sizeof seals / sizeof *seals; i++) {
        if (strcmp(seals[i].type, type) == 0)
            return &seals[i];
    }
    return NULL;
}

static int read_setting(const char *file, const struct hcl_item *item, const struct seal_settings *seal,
                        json_t *settings, struct err *err)
{
    if (strcmp(item->key, "disabled") == 0)
        return config_fail(err, file, item->line, "\"disabled\": changing from one seal to another is not supported");
    for (const char *const *name = seal->names; *name != NULL; name++) {
        if (strcmp(*name, item->key) != 0)
            continue;
        if (!json_is_string(item->value))
            return config_fail(err, file, item->line, "\"%s\" must be a text", item->key);
        json_object_set(settings, item->key, item->value);
        return OK;
    }
    config_warn(file, item->line, "unknown setting \"%.64s\"", item->key);
    return OK;
}

int config_read_seal(const char *file, const struct hcl_item *item, struct config *config, struct err *err)
{
    const char *type = config_block_type(file, item, err);

    if (type == NULL)
        return ERR_INVALID;
    const struct seal_settings *seal = find_seal(type);
    if (seal == NULL)
        return config_fail(err, file, item->line,
                           "seal type \"%.64s\" is not supported; there are \"shamir\" and \"static\"", type);
    if (config->seal_type != NULL)
        return config_fail(err, file, item->line, "there is a seal already; changing seals is not supported");
    config->seal_type = seal->type;
    config->seal = json_object();
    int rc = OK;
    for (size_t i = 0; rc == OK && i < item->body->n_items; i++)
        rc = read_setting(file, &item->body->items[i], seal, config->seal, err);
    return rc;
}
