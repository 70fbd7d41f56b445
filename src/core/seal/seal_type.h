/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seal_type.h — how the unseal key is kept between one start and the next.
 *
 * With "shamir" people keep it, in shares. With an automatic seal the cluster stores it encrypted by a key that is kept
 * elsewhere, and a node opens it by itself; people hold shares of a recovery key, which opens nothing but proves
 * that enough of them agree.
 *
 * A new one: its file, its line in seal_type.c, and its settings in src/config/config_seal.c.
 */
#ifndef COFFER_CORE_SEAL_TYPE_H
#define COFFER_CORE_SEAL_TYPE_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"
#include "storage/barrier.h"

/* The functions may be called on any thread, and may wait for what keeps the key. `settings` is the stanza. */
struct seal_type {
    const char *name;
    /* Looks whether the settings can work, before the server starts; warns of what is unwise. NULL: no settings. */
    int (*check)(const json_t *settings, struct err *err);
    /* NULL, both, where people keep the key. ret_stored (a new reference) is what decrypt() needs; it is stored, and
     * told to joining nodes, in clear. */
    int (*encrypt)(const json_t *settings, const unsigned char unseal_key[BARRIER_KEY_SIZE], json_t **ret_stored,
                   struct err *err);
    /* ret_is_old: it opened, but by a key that is being replaced. */
    int (*decrypt)(const json_t *settings, const json_t *stored, unsigned char ret_unseal_key[BARRIER_KEY_SIZE],
                   bool *ret_is_old, struct err *err);
};

extern const struct seal_type seal_static;

/* NULL when there is none of this name. */
const struct seal_type *seal_type_find(const char *name);

#endif
