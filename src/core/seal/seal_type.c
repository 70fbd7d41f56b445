/* SPDX-License-Identifier: Apache-2.0 */
#include "core/seal/seal_type.h"

#include <string.h>

static const struct seal_type seal_shamir = {.name = "shamir"};

static const struct seal_type *const types[] = {&seal_shamir, &seal_static};

const struct seal_type *seal_type_find(const char *name)
{
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (strcmp(types[i]->name, name) == 0)
            return types[i];
    return NULL;
}
